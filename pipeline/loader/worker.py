"""The process of one loader worker: requests in, windows out, until the pipe closes or the parent is gone.

It is started as a program of its own and imports neither the trainer nor its main module, so a script needs no
``if __name__ == "__main__"``, and a worker costs what reading costs. Arrays travel outside of the pickle and are
copied once into the pipe and once out of it.
"""

import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from pipeline.errors import JoineryError, ServiceError, StoreError
from pipeline.loader import torchcodec_clip
from pipeline.loader.decode import Decoder
from pipeline.loader.range_reader import RangeReader
from pipeline.loader.window import Damaged, KnownPictures, Request, Window, read_window

_ORPHAN_POLL_S = 0.5
_RAISED: dict[str, type[JoineryError]] = {"StoreError": StoreError, "ServiceError": ServiceError}


@dataclass(frozen=True)
class Job:
    """What a worker does with every request."""

    reader: RangeReader
    decoder: Decoder
    transform: Callable[[Window], Any] | None
    known: KnownPictures | None = None

    def done(self, request: Request) -> Any:
        """The window, or what the transform makes of it; `Damaged` when it cannot be read."""
        found = read_window(self.reader, request, self.decoder, self.known)
        return found if isinstance(found, Damaged) or self.transform is None else self.transform(found)


@dataclass(frozen=True)
class Failure:
    """An exception, on its way to the parent."""

    kind: str
    message: str

    def error(self) -> JoineryError:
        return _RAISED.get(self.kind, JoineryError)(self.message)


def failure_of(error: Exception, request: Request) -> Failure:
    """What to tell the parent: our own errors as they are, others with their traceback, for they are bugs."""
    if isinstance(error, JoineryError):
        return Failure(type(error).__name__, str(error))
    where = f"draw {request.draw} ({request.location.event_id})"
    return Failure("", f"{where}: the worker failed:\n{''.join(traceback.format_exception(error))}")


def send(pipe: Connection, value: Any) -> None:
    """Send anything picklable, arrays without pickling them."""
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    raw = [buffer.raw() for buffer in buffers]
    pipe.send_bytes(pickle.dumps((head, [part.nbytes for part in raw])))
    for part in raw:
        if part.nbytes:
            pipe.send_bytes(part)


def receive(pipe: Connection) -> Any:
    """What `send` sent; arrays may be written to. Raises EOFError when the other side is gone."""
    head, sizes = pickle.loads(pipe.recv_bytes())  # noqa: S301 - from our own child
    buffers = [bytearray(size) for size in sizes]
    for buffer in buffers:
        if buffer:
            pipe.recv_bytes_into(buffer)
    return pickle.loads(head, buffers=buffers)  # noqa: S301


def main(descriptor: int) -> None:
    """Serve until the parent closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us, in order
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    pipe = Connection(descriptor)
    try:
        job = job_of(pipe)
        while job is not None:
            request: Request = receive(pipe)
            _send_answer(pipe, _answer(job, request), request)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass
    sys.stderr.flush()
    os._exit(0)  # a library's thread must not keep a worker nobody waits for


def job_of(pipe: Connection) -> Job | None:
    """What to do with every request, once all is imported that it needs; None, and the parent told, when that fails."""
    try:
        job: Job = receive(pipe)
    except (AttributeError, ImportError) as error:
        message = f"workers cannot import the transform ({error}); define it in a module, not in the script itself"
        send(pipe, Failure("", message))
        return None
    if job.decoder != "pyav":
        torchcodec_clip.usable()  # imports torch, seconds on a busy machine: no part of the first request's time
    send(pipe, None)
    return job


def _send_answer(pipe: Connection, answer: Any, request: Request) -> None:
    try:
        send(pipe, answer)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        send(pipe, failure_of(TypeError(f"what the transform returns cannot be sent: {error}"), request))


def _answer(job: Job, request: Request) -> Any:
    try:
        return job.done(request)
    except Exception as error:  # noqa: BLE001 - it crosses to the parent, which raises it
        return failure_of(error, request)


def _end_with(parent: int) -> None:
    """End when the parent is gone, even amid a request: a killed run leaves no process behind."""
    while os.getppid() == parent:
        time.sleep(_ORPHAN_POLL_S)
    os._exit(1)
