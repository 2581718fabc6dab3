"""Noticing that a cluster is gone while a run waits for it. Ray by itself waits for ever, or ends the process.

Every second, whether answers come or not, the head is knocked at, and every few seconds the machines are counted.
When the head says nothing, or no machine is left that could do the stage, for longer than ``run.patience_s``, the run
ends with a reason. What was committed is kept, and the same command goes on from there on another cluster.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from queue import Empty, Full, Queue
from typing import TypeVar

from pipeline.errors import JoineryError

R = TypeVar("R")
STEP_S = 1.0
FIRST_KNOCK_S = 10.0
KNOCK_S = 2.0
COUNT_EVERY_S = 5.0
UNSEEN_S = 5.0
"""When nobody looked for longer than this, as the driver was at something else, that time tries no patience."""
MOST_PATIENCE_S = 40.0
"""With a head that is silent: Ray ends the process after sixty, without a word of ours."""
AHEAD = 64
"""Answers taken from Ray before they are asked for."""


def knock(address: str | None) -> None:
    """Fail within seconds where nothing listens; Ray itself would try for minutes without a word."""
    host, colon, port = (address or "").rpartition(":")
    if not colon or not port.isdigit():
        return  # a local cluster, or "auto"
    try:
        socket.create_connection((host, int(port)), timeout=FIRST_KNOCK_S).close()
    except OSError as error:
        raise JoineryError(
            f"run.ray_address: nothing answers at {address} ({error}); start the cluster with `ray start`, or leave "
            "the key out to use this machine"
        ) from error


class ClusterLostError(JoineryError):
    """The cluster is gone; what belongs to it may no longer be waited for, not even to take leave."""


class ClusterWatch:
    """Knows since when the head has been silent, and since when nobody could work."""

    def __init__(self, head: str, patience_s: float) -> None:
        """``head``: host and port of the control store."""
        host, _, port = head.rpartition(":")
        self._head, self._patience_s = (host.strip("[]"), int(port)), patience_s
        now = time.monotonic()
        self._heard, self._able, self._counted, self._looked = now, now, now, now

    def check_head(self) -> None:
        """Knock once. Raises ClusterLostError when patience is at an end."""
        now, patience_s = self._look(), min(self._patience_s, MOST_PATIENCE_S)
        if self._answers():
            self._heard = now
        elif now - self._heard > patience_s:
            host, port = self._head
            raise ClusterLostError(
                f"the head of the Ray cluster at {host}:{port} has not answered for {patience_s:g} s: it died, "
                "or the network to it did; what was done is kept. Start the cluster again and repeat the command"
            )

    def check(self, n_workers: Callable[[], int]) -> None:
        """The head, and whether anybody could work. Raises ClusterLostError when patience is at an end.

        ``n_workers`` asks the head, which may die at that very moment and keep whoever asks waiting: hence the thread.
        """
        self.check_head()
        now = time.monotonic()
        if now - self._able > self._patience_s + COUNT_EVERY_S:
            raise ClusterLostError(
                f"the Ray cluster has had no machine for this stage for {self._patience_s:g} s: they died, or never "
                "came; what was done is kept. Add machines and repeat the command; where machines take longer to come, "
                "raise run.patience_s"
            )
        if now - self._counted > COUNT_EVERY_S:
            self._counted = now
            threading.Thread(target=self._count, args=[n_workers], name="joinery-count", daemon=True).start()

    def begin(self) -> None:
        """A stage begins: that nobody could do the last one says nothing."""
        self._able = self._counted = time.monotonic()

    def _look(self) -> float:
        """The time. Whatever happened while nobody looked may be over since."""
        now = time.monotonic()
        if now - self._looked > UNSEEN_S:
            self._heard += now - self._looked
            self._able += now - self._looked
        self._looked = now
        return now

    def _count(self, n_workers: Callable[[], int]) -> None:
        asked = time.monotonic()
        if n_workers():
            self._able = asked

    def _answers(self) -> bool:
        try:
            socket.create_connection(self._head, timeout=KNOCK_S).close()
        except OSError:
            return False
        return True


def watched(items: Iterator[R], check: Callable[[], None]) -> Iterator[R]:
    """The items, taken in a thread, with a ``check`` about once a second while they are waited for or come."""
    queue: Queue[tuple[R | None, BaseException | None, bool]] = Queue(AHEAD)
    stop = threading.Event()

    def hand_over(entry: tuple[R | None, BaseException | None, bool]) -> bool:
        while not stop.is_set():
            try:
                queue.put(entry, timeout=STEP_S)
            except Full:
                continue
            return True
        return False

    def take() -> None:
        try:
            for item in items:
                if not hand_over((item, None, False)):
                    return
        except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
            hand_over((None, error, True))
        else:
            hand_over((None, None, True))

    threading.Thread(target=take, name="joinery-watched", daemon=True).start()
    checked = time.monotonic()
    try:
        while True:
            if time.monotonic() - checked >= STEP_S:
                check()
                checked = time.monotonic()
            try:
                item, error, last = queue.get(timeout=STEP_S)
            except Empty:
                continue
            if error is not None:
                raise error
            if last:
                return
            yield item  # type: ignore[misc]  # an entry is an item unless it is the last
    finally:
        stop.set()


def waited_for(call: Callable[[], R], check: Callable[[], None]) -> R:
    """The result of a call to the cluster, which may never come, with a ``check`` every second."""
    return next(watched((call() for _ in range(1)), check))
