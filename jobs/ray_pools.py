"""Batches done by Ray: by whatever process is free, or by processes of a stage's own that keep what they have loaded.

Straight on Ray's tasks and actors, not on Ray Data: there is one row per batch and nothing to shuffle, and Ray Data
looks whether a task is done ten times a second, which two workers with batches of half a second notice
(docs/scaling.md).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any, Protocol

import cloudpickle
import ray
from ray import ObjectRef
from ray.exceptions import RayError

from jobs.worker import Batch, run_batch
from pipeline.attempt import Attempt
from pipeline.errors import JoineryError
from pipeline.heap import give_back_large_blocks

DEATHS = 2
"""How often a batch is tried again when its worker dies; Ray's own default is three times, and never for actors."""
AHEAD = 16
"""Batches that are ready when one of Ray's is done, as whoever makes them may be at something else just then."""
LOOK_S = 0.5
"""Between two looks whether the run is over."""
THREAD_LEAVES_S = 3.0
"""For the thread that waits for answers, when a run ends before its work does."""


class Pool(Protocol):
    """Processes that do batches."""

    room: int
    """How many batches may be handed over at a time."""

    def begin(self, batch: bytes) -> ObjectRef[bytes]:
        """Hand over a pickled batch."""

    def ended(self, answer: ObjectRef[bytes], *, more: bool) -> None:
        """An answer came, or never will; ``more``: whether there is another batch to hand over."""


class TaskPool:
    """Processes that belong to nobody, wherever Ray finds a CPU."""

    def __init__(self, room: int) -> None:
        """More ``room`` than there are CPUs keeps them busy meanwhile, and tells an autoscaler what is wanted."""
        self.room = room
        self._task = ray.remote(num_cpus=1, max_retries=DEATHS, scheduling_strategy="SPREAD")(work)

    def begin(self, batch: bytes) -> ObjectRef[bytes]:
        """Hand over a pickled batch."""
        answer: ObjectRef[bytes] = self._task.remote(batch)
        return answer

    def ended(self, answer: ObjectRef[bytes], *, more: bool) -> None:
        """Nothing to do: the process is anybody's."""


class ActorPool:
    """Processes of one stage. Each has one batch at a time, for the next one might be another's to take.

    They come back however often they die, a batch does not: with a number of restarts a pool could end up empty, and
    wait for ever. One that has nothing more to do makes room for one that cannot come back, as its machine died.
    """

    def __init__(self, room: int, gpus: float) -> None:
        """So many processes, once there are as many batches, with so much of a GPU each."""
        self.room = room
        lasting = {"max_restarts": -1, "max_task_retries": DEATHS}
        self._actor = ray.remote(num_cpus=1, num_gpus=gpus, scheduling_strategy="SPREAD", **lasting)(BatchActor)
        self._idle: list[Any] = []
        self._busy: dict[ObjectRef[bytes], Any] = {}

    def begin(self, batch: bytes) -> ObjectRef[bytes]:
        """Hand over a pickled batch."""
        actor = self._idle.pop() if self._idle else self._actor.remote()
        answer: ObjectRef[bytes] = actor.work.remote(batch)
        self._busy[answer] = actor
        return answer

    def ended(self, answer: ObjectRef[bytes], *, more: bool) -> None:
        """The process takes the next batch, or ends, as nobody holds on to it."""
        actor = self._busy.pop(answer)
        if more:
            self._idle.append(actor)


class BatchActor:
    """What a stage loads it keeps itself, in the process (`pipeline.stage.Stage.model`)."""

    def work(self, batch: bytes) -> bytes:
        """An attempt, or the error that came instead, pickled."""
        return work(batch)


def work(batch: bytes) -> bytes:
    """In a worker. Errors travel back as values: raised here, they would arrive buried in Ray's own traceback."""
    give_back_large_blocks()
    try:
        result: Attempt | JoineryError = run_batch(cloudpickle.loads(batch))
    except JoineryError as error:
        result = error
    dumped: bytes = cloudpickle.dumps(result)
    return dumped


class BatchFeed:
    """Batches between the thread that makes them and one that waits for Ray: some more than Ray can place.

    Made and pickled where they are asked for, as recordings' tables are read for that, by one thread at a time.
    """

    def __init__(self, batches: Iterator[Batch], pool: Pool) -> None:
        """Hands over the first ones."""
        self._numbered = enumerate(batches)
        self._pool = pool
        self._at_work: dict[int, Batch] = {}
        self._handed: SimpleQueue[tuple[int, bytes] | None] = SimpleQueue()
        self._over, self._left = threading.Event(), threading.Event()
        for _ in range(pool.room + AHEAD):
            self.hand_over()

    def hand_over(self) -> None:
        """Make the next batch, or say that there is none."""
        number, batch = next(self._numbered, (0, None))
        if batch is None:
            self.stop()
        else:
            self._at_work[number] = batch
            self._handed.put((number, cloudpickle.dumps(batch)))

    def stop(self) -> None:
        """What was handed over is done, nothing else."""
        self._handed.put(None)

    def answers(self) -> Iterator[tuple[int, bytes | None]]:
        """For the thread that waits: number and answer of every batch (`answers`)."""
        try:
            yield from answers(iter(self._handed.get, None), self._pool, self._over.is_set)
        finally:
            self._left.set()

    def answered(self, number: int) -> Batch:
        """The batch of that number, no longer at work."""
        return self._at_work.pop(number)

    def leave(self) -> None:
        """Wait a little until no thread waits for Ray; one that does when Ray is shut down crashes the process."""
        self._over.set()
        self.stop()
        self._left.wait(THREAD_LEAVES_S)


def answers(
    batches: Iterator[tuple[int, bytes]], pool: Pool, over: Callable[[], bool] = lambda: False
) -> Iterator[tuple[int, bytes | None]]:
    """Number and answer of every pickled batch, as they come; None of one whose workers died, or that raised.

    Ends within `LOOK_S` once it is ``over``.
    """
    waiting = next(batches, None)
    at_work: dict[ObjectRef[bytes], int] = {}
    while (waiting or at_work) and not over():
        while waiting and len(at_work) < pool.room:
            number, batch = waiting
            at_work[pool.begin(batch)] = number
            waiting = next(batches, None)
        for answer in ray.wait(list(at_work), num_returns=1, timeout=LOOK_S)[0]:
            pool.ended(answer, more=waiting is not None)
            yield at_work.pop(answer), _answer(answer)


def _answer(answer: ObjectRef[bytes]) -> bytes | None:
    try:
        found: bytes = ray.get(answer)
    except RayError:
        return None
    return found
