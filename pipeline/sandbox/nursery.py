"""A process that has everything imported and forks one decoding process per item.

Importing takes a second, forking a few milliseconds; and a decoder that another item has broken, or taken over, is
never used again. The nursery itself never looks at a source file. It has one thread, no secrets in its environment and
no descriptor but its own end of the control socket; it ends when the worker is gone.
"""

import gc
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from typing import NoReturn

import cv2

from pipeline.files import FileStat
from pipeline.heap import keep_large_blocks
from pipeline.sandbox.confinement import Allowance, dies_with, missing_here, readable
from pipeline.sandbox.inside import decode
from pipeline.sandbox.messages import packed, unpacked
from pipeline.sandbox.scratch import remove_left, scratch_folder
from pipeline.sources.formats import format_named

MESSAGE_BYTES = 1 << 16
STOP, ALIVE = b"stop", b"alive"
_TICK_S = 0.25
"""How often a child's clock and folder are looked at."""
_WARM = ("pipeline.ingest", "pipeline.cut", "av.subtitles.stream", "encodings.ascii", "tarfile")
"""What decoding imports, some of it late; what a format needs besides is imported before its first item."""
_LATE = {"pyarrow.parquet": "pyarrow.dataset"}
"""What a module that a format imports will import when it is used. At every start it would cost 0.2 s."""


@dataclass(frozen=True)
class Ended:
    """How a decoding process ended."""

    status: int
    """As `os.wait4` has it."""
    why: str
    """``wall`` or ``disk`` for limits that the nursery enforces, ``stop`` when it was asked to; else empty."""
    cpu_s: float
    wall_s: float
    peak_bytes: int


def main(descriptor: int) -> None:
    """Serve until the worker closes its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal interrupts the worker, which ends us
    remove_left()
    cv2.setNumThreads(1)
    keep_large_blocks()  # else `cut` of half a minute of film takes 40 ms longer
    for name in _WARM:
        import_module(name)
    warm: set[str] = set()
    code: list[str] = []
    # Arrow imports pandas, where there is one, when it first meets an array.
    unpacked({"FileStat": FileStat}, "FileStat", packed(FileStat, [FileStat("", 0, 0)]))
    missing_here()  # loads what denies system calls
    control = socket.socket(fileno=descriptor)
    control.send(b"ready")
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, MESSAGE_BYTES, 1)
        if not message:
            return
        if descriptors:  # ALIVE and STOP for an item that has just ended come without
            wanted = json.loads(message)
            if wanted["format"] not in warm:
                warm.add(wanted["format"])
                _import(wanted["format"])
                code = readable()
            _one(control, descriptors[0], Allowance(**wanted["allowance"]), code)


def _import(source_format: str) -> None:
    """Here rather than in each of its items' processes."""
    with suppress(ImportError, KeyError):  # is told by the item's process, which meets it too
        format_named(source_format)
        for module, later in _LATE.items():
            if module in sys.modules:
                import_module(later)
    gc.collect()
    gc.freeze()  # the children's collectors would copy every page otherwise


def _one(control: socket.socket, descriptor: int, allowance: Allowance, code: Sequence[str]) -> None:
    with scratch_folder() as folder:
        ended = _ended(control, descriptor, allowance, code, folder)
    if ended.why != "gone":
        control.send(json.dumps(vars(ended)).encode())


def _ended(control: socket.socket, descriptor: int, allowance: Allowance, code: Sequence[str], folder: str) -> Ended:
    """Let a process of its own do the item; how that ended."""
    nursery, began = os.getpid(), time.monotonic()
    child = os.fork()
    if child == 0:
        dies_with(nursery)
        control.close()
        _end_after(lambda: decode(Connection(descriptor), allowance, folder, code))
    os.close(descriptor)
    why = _watch(control, child, allowance, folder)
    _, status, usage = os.wait4(child, 0)
    cpu_s, peak = usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024
    return Ended(status, why, round(cpu_s, 3), round(time.monotonic() - began, 3), peak)


def _end_after(work: Callable[[], None]) -> NoReturn:
    """In a child: nothing of the nursery's own may run after it."""
    status = 1
    try:
        work()
        status = 0
    finally:
        with suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(status)


def _watch(control: socket.socket, child: int, allowance: Allowance, folder: str) -> str:
    """Wait for a child's end; ``why`` it was ended, if it was."""
    waiting = select.poll()
    process = os.pidfd_open(child)
    waiting.register(process, select.POLLIN)
    waiting.register(control, select.POLLIN)
    why, deadline = "", time.monotonic() + allowance.wall_s
    try:
        while True:
            ready = {descriptor for descriptor, _ in waiting.poll(_TICK_S * 1000)}
            if process in ready:
                return why
            if control.fileno() in ready:
                match control.recv(MESSAGE_BYTES):
                    case b"":
                        why = "gone"
                    case message if message == STOP:
                        why = "stop"
                    case _:
                        deadline = time.monotonic() + allowance.wall_s
            if not why and time.monotonic() > deadline:
                why = "wall"
            if not why and _bytes_in(folder) > allowance.disk_bytes:
                why = "disk"
            if why:
                os.kill(child, signal.SIGKILL)
                waiting.unregister(control)  # closed, or asked once more: the end is told soon
                select.select([process], [], [])
                return why
    finally:
        os.close(process)


def _bytes_in(folder: str) -> int:
    """What lies there, files that are being written included."""
    n_bytes = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                n_bytes += os.lstat(f"{root}/{name}").st_blocks * 512
    return n_bytes
