"""Workers that may hang or die: every request has a deadline and may be done twice, so one bad worker delays nobody.

A request that takes much longer than others do is given to another worker as well; the first answer counts. A worker
that passes the hard deadline is killed and replaced. One thread per worker waits for its answers, so that a worker
stopped in the middle of one blocks nothing else.
"""

import heapq
import json
import os
import pickle
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from pipeline.errors import JoineryError, ServiceError
from pipeline.loader.window import Request
from pipeline.loader.worker import Failure, Job, failure_of, receive, send

_TICK_S = 0.05
_MEASURED = 64
"""Requests the usual duration is taken from."""
_ENOUGH = 8
STARTING_S = 120.0
"""A new worker may take that long to import everything, on a busy machine."""
MAX_DEATHS = 3
"""Workers one request may cost before it is the request's fault and not theirs."""
_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from pipeline.loader.worker import main; main(int(sys.argv[1]))"
)


@dataclass(frozen=True)
class Patience:
    """How long a worker may take. Nothing that is read depends on it."""

    reissue_s: float | None = None
    """After that long another worker gets the request as well; None: 8 times what requests usually take, but no less
    than a second."""
    kill_s: float = 60.0
    """After that long the worker is killed and replaced."""


DEFAULT_PATIENCE = Patience()


@dataclass(order=True)
class _Item:
    order: int
    key: Hashable
    request: Request
    issued: int = 0
    deaths: int = 0


@dataclass
class _Running:
    item: _Item
    since: float
    reissued: bool = False
    killed: bool = False


@dataclass
class Happened:
    """What went wrong with workers so far."""

    reissued: int = 0
    replaced: int = 0


class WorkerPool:
    """Workers of one loader; without any, requests are done where they are asked for."""

    def __init__(self, job: Job, n_workers: int, patience: Patience) -> None:
        if n_workers < 0:
            raise ValueError(f"workers: found {n_workers}, expected 0 or more")
        if n_workers and job.transform is not None and getattr(job.transform, "__module__", "") == "__main__":
            raise ValueError(
                "transform: defined in the script itself, where workers cannot import it; put it in a module"
            )
        self._job, self._patience = job, patience
        self.happened = Happened()
        self._state = threading.Condition()
        self._waiting: list[_Item] = []
        self._items: dict[Hashable, _Item] = {}
        self._answers: dict[Hashable, Any] = {}
        self._running: dict[int, _Running] = {}
        self._durations: deque[float] = deque(maxlen=_MEASURED)
        self._order = 0
        self._closed = False
        self._workers: list[_Worker | None] = [None] * n_workers
        self._threads = [
            threading.Thread(target=self._serve, args=(slot,), daemon=True, name=f"loader-{slot}")
            for slot in range(n_workers)
        ]
        if n_workers:
            self._threads.append(threading.Thread(target=self._watch, daemon=True, name="loader-watch"))
        for thread in self._threads:
            thread.start()

    @property
    def pids(self) -> list[int]:
        """Of the workers at present."""
        return [worker.process.pid for worker in list(self._workers) if worker is not None]

    def submit(self, key: Hashable, request: Request, *, urgent: bool = False) -> None:
        """Ask for a window; requests are taken in this order, urgent ones before all others."""
        with self._state:
            self._order += 1
            self._items[key] = _Item(-self._order if urgent else self._order, key, request)
            heapq.heappush(self._waiting, self._items[key])
            self._state.notify_all()

    def asked(self, key: Hashable) -> bool:
        """Whether something was asked for under this key and not taken yet."""
        return key in self._items

    def take(self, key: Hashable) -> Any:
        """Wait for what was asked for under this key. Raises what went wrong with it, if the fault was not its own."""
        if not self._threads:
            with self._state:
                item = self._items.pop(key)
                self._waiting.remove(item)
                heapq.heapify(self._waiting)
            return self._job.done(item.request)
        with self._state:
            self._state.wait_for(lambda: key in self._answers or self._closed)
            if key not in self._answers:
                raise JoineryError("the loader was closed while a step was being read")
            del self._items[key]
            answer = self._answers.pop(key)
        if isinstance(answer, Failure):
            raise answer.error()
        return answer

    def close(self) -> None:
        """End all workers."""
        with self._state:
            self._closed = True
            self._state.notify_all()
        for worker in self._workers:
            if worker is not None:
                worker.kill()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(timeout=5)

    def _serve(self, slot: int) -> None:
        """One worker's thread: start it, hand it requests, start another when it dies."""
        while (item := self._next(slot)) is not None:
            try:
                worker = self._workers[slot] or self._start(slot)
                with self._state:
                    self._running[slot].since = time.monotonic()
                answer = worker.ask(item.request)
            except (EOFError, OSError) as error:
                self._died(slot, item, error)
            except (JoineryError, pickle.UnpicklingError, AttributeError, ImportError) as error:
                self._answered(slot, item, failure_of(error, item.request))
            else:
                self._answered(slot, item, answer)

    def _next(self, slot: int) -> _Item | None:
        """The next request nobody has answered yet; None when the pool is closed."""
        with self._state:
            while True:
                self._state.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return None
                item = heapq.heappop(self._waiting)
                if self._items.get(item.key) is item and item.key not in self._answers:
                    item.issued += 1
                    self._running[slot] = _Running(item, time.monotonic())
                    return item

    def _start(self, slot: int) -> "_Worker":
        worker = _Worker(self._job)
        with self._state:
            if self._closed:
                worker.kill()
                raise EOFError("closed")
            self._workers[slot] = worker
            self._running[slot].since = time.monotonic() + STARTING_S  # importing is no part of the request
        worker.wait_until_ready()
        return worker

    def _answered(self, slot: int, item: _Item, answer: Any) -> None:
        with self._state:
            running = self._running.pop(slot)
            if not running.reissued:
                self._durations.append(time.monotonic() - running.since)
            if self._items.get(item.key) is item and item.key not in self._answers:
                self._answers[item.key] = answer
                self._state.notify_all()

    def _died(self, slot: int, item: _Item, error: Exception) -> None:
        with self._state:
            self._running.pop(slot, None)
            worker, self._workers[slot] = self._workers[slot], None
            if worker is not None:
                worker.kill()
            if self._closed:
                return
            self.happened.replaced += 1
            if self._items.get(item.key) is not item or item.key in self._answers:
                return
            item.deaths += 1
            if item.deaths < MAX_DEATHS:
                heapq.heappush(self._waiting, item)
            else:
                request = item.request
                self._answers[item.key] = Failure(
                    ServiceError.__name__,
                    f"draw {request.draw} ({request.location.event_id}): {item.deaths} workers died or hung over it, "
                    f"the last one with {type(error).__name__}; is there memory enough, and does the event decode by "
                    "itself (`joinery verify`)?",
                )
            self._state.notify_all()

    def _watch(self) -> None:
        """Give overdue requests to others, and kill workers that hang."""
        while True:
            with self._state:
                self._state.wait_for(lambda: self._closed, timeout=_TICK_S)
                if self._closed:
                    return
                now, reissue_s = time.monotonic(), self._reissue_s()
                for slot, running in self._running.items():
                    overdue, item = now - running.since, running.item
                    if overdue > reissue_s and not running.reissued:
                        running.reissued = True
                        if (
                            item.key not in self._answers
                            and self._items.get(item.key) is item
                            and item.issued < MAX_DEATHS
                        ):
                            heapq.heappush(self._waiting, item)
                            self.happened.reissued += 1
                            self._state.notify_all()
                    worker = self._workers[slot]
                    if overdue > self._patience.kill_s and not running.killed and worker is not None:
                        running.killed = True
                        worker.kill()

    def _reissue_s(self) -> float:
        if self._patience.reissue_s is not None:
            return self._patience.reissue_s
        if len(self._durations) < _ENOUGH:
            return self._patience.kill_s
        return max(1.0, 8 * statistics.median(self._durations))


class _Worker:
    """A worker's process and the pipe to it."""

    def __init__(self, job: Job) -> None:
        ours, theirs = socket.socketpair()
        descriptor = theirs.fileno()
        arguments = [sys.executable, "-c", _BOOT, str(descriptor), json.dumps(sys.path)]
        environment = {"OMP_NUM_THREADS": "1", **os.environ}
        self.process = subprocess.Popen(arguments, pass_fds=(descriptor,), env=environment)
        theirs.close()
        self._pipe = Connection(ours.detach())
        self._job = job

    def wait_until_ready(self) -> None:
        """Until it has imported everything. Raises JoineryError when it cannot."""
        send(self._pipe, self._job)
        answer = receive(self._pipe)
        if isinstance(answer, Failure):
            raise answer.error()

    def ask(self, request: Request) -> Any:
        """Its answer. Raises EOFError or OSError when it dies."""
        send(self._pipe, request)
        return receive(self._pipe)

    def kill(self) -> None:
        """End it, also when it is stopped or hangs, and leave no zombie."""
        self.process.kill()
        self.process.wait()
