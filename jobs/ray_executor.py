"""The ray executor: batches by Ray's tasks and actors, on a local cluster or a joined one.

Stages that hold a model run in a pool of actors, all others as tasks (`jobs.ray_pools`). Ray schedules, and tries
batches of lost workers again. Attempts come back as they finish, in any order, which does not matter: they are joined
by work key. So many batches are handed over at a time, so that a corpus of any size needs bounded memory on the driver.
What travels is addresses of work and of what was written, never pictures, so the object store stays as good as empty.

What dies is done again. A batch whose worker has died too often is looked into by itself (`jobs.suspects`) once the
others are done; a cluster that is gone ends the run (`jobs.cluster_watch`). What is survived: docs/faults.md.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
import warnings
from collections.abc import Generator, Iterator
from itertools import chain

import cloudpickle
import ray
from ray.exceptions import (
    LocalRayletDiedError,
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayActorError,
    RaySystemError,
    WorkerCrashedError,
)

from jobs.alone import Death, run_alone
from jobs.cluster_watch import ClusterLostError, ClusterWatch, knock, waited_for, watched
from jobs.placement import Placement
from jobs.ray_pools import ActorPool, BatchFeed, Pool, TaskPool
from jobs.suspects import without_killers
from jobs.worker import Batch
from pipeline.attempt import Attempt
from pipeline.errors import JoineryError

TASKS_PER_CPU = 2
"""Batches that are Ray's at a time, so that no CPU waits for the next one."""
TASKS_TO_GROW = 512
"""And at least so many on a cluster that may grow under them: its autoscaler sees those that find no place."""
MOST_LOST = 64
"""Batches whose workers died before that is looked into; a reason that all of them share is told soon."""
PAUSES_S = (0.0, 5.0, 15.0)
"""Before each try of a batch alone, when the machine it is tried on dies or runs full."""
LEAVE_S = 10.0
"""For taking leave of a cluster; one that is gone never answers."""
ROUNDING = 1e-9
"""A GPU shared by three holds three, although 1 / (1/3) may come out a little less."""
SYSTEM_DEATHS = (
    LocalRayletDiedError,
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayActorError,
    RaySystemError,
    WorkerCrashedError,
)


class RayExecutor:
    """Owns a Ray session for the length of one run."""

    name = "ray"

    def __init__(self, address: str | None, workers: int | None, patience_s: float = 30.0) -> None:
        """Start a local cluster of ``workers`` CPUs (default: all), or join the one at ``address``.

        Raises JoineryError when the address cannot be reached.
        """
        knock(address)
        self._owns = not ray.is_initialized()
        if self._owns:
            local = {"num_cpus": workers, "include_dashboard": False} if address is None else {}
            try:
                with warnings.catch_warnings():
                    # Lance warns of forks; Ray's processes exec at once, so nothing of Lance lives on in them.
                    warnings.filterwarnings("ignore", "lance is not fork-safe")
                    # Without one Ray would join the cluster that the environment, or the file of a dead one, names.
                    ray.init(address=address or "local", log_to_driver=False, logging_level=logging.ERROR, **local)
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise JoineryError(
                    f"run.ray_address: cannot join or start Ray at {address or 'local'}: {error}"
                ) from error
        self._workers = workers
        self._watch = ClusterWatch(ray.get_runtime_context().gcs_address, patience_s)
        self._lost = False

    def n_workers(self, placement: Placement) -> int:
        """As many as there are CPUs now, or as the GPUs of each machine have room for.

        Raises JoineryError when the cluster is gone.
        """
        if self._workers and not placement.gpus:
            return self._workers
        try:
            room = waited_for(lambda: self._room(placement), self._watch.check_head)
        except ClusterLostError:
            self._lost = True
            raise
        return room if placement.gpus else max(1, room)

    def _room(self, placement: Placement) -> int:
        """How many the machines that are alive can do at a time."""
        machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if placement.gpus:
            return sum(int(float(machine.get("GPU", 0)) / placement.gpus + ROUNDING) for machine in machines)
        return sum(int(machine.get("CPU", 0)) for machine in machines)

    def execute(self, batches: Iterator[Batch], placement: Placement) -> Iterator[Attempt]:
        """Attempts as they finish. Raises what broke the cluster or the workspace; bad items are values inside."""
        for first in batches:
            try:
                self._watch.begin()
                lost = yield from self._attempts(chain([first], batches), placement)
                for batch in lost:
                    yield from without_killers(batch, lambda one: self._alone(one, placement))
            except ClusterLostError as error:
                self._lost = True
                raise ClusterLostError(f"stage {first.stage}: {error}") from error

    def _attempts(self, batches: Iterator[Batch], placement: Placement) -> Generator[Attempt, None, list[Batch]]:
        """Returns the batches whose workers died; ends early when those are too many to look into them later."""
        feed = BatchFeed(batches, self._pool(placement))
        lost: list[Batch] = []
        try:
            for number, answer in watched(feed.answers(), lambda: self._check(placement)):
                batch = feed.answered(number)
                if answer is None:
                    lost.append(batch)
                else:
                    yield _attempt(answer)
                if len(lost) < MOST_LOST:
                    feed.hand_over()
                else:
                    feed.stop()
        finally:
            feed.leave()
        return lost

    def _pool(self, placement: Placement) -> Pool:
        n = self.n_workers(placement)
        if placement.holds_model:
            return ActorPool(n, placement.gpus)
        if self._owns:
            return TaskPool(TASKS_PER_CPU * n)
        return TaskPool(self._workers or max(TASKS_TO_GROW, TASKS_PER_CPU * n))

    def _alone(self, batch: Batch, placement: Placement) -> Attempt | Death:
        """One batch in a process of its own somewhere on the cluster, with nothing else of this run at work.

        Raises JoineryError when the machines it was tried on died as often as it was tried.
        """
        options = {"num_cpus": 1, "num_gpus": placement.gpus, "max_retries": 0, "scheduling_strategy": "SPREAD"}
        task = ray.remote(**options)(_work_alone)
        died: Exception | None = None
        for pause in PAUSES_S:
            time.sleep(pause)
            answer = task.remote(cloudpickle.dumps(batch))
            try:
                while not ray.wait([answer], timeout=1.0, fetch_local=False)[0]:
                    self._check(placement)
                found: Attempt | JoineryError | Death = cloudpickle.loads(ray.get(answer))
            except SYSTEM_DEATHS as error:
                died = error
                continue
            if isinstance(found, JoineryError):
                raise found
            return found
        items = ", ".join(item.item for item in batch.items)
        raise JoineryError(
            f"stage {batch.stage}: the worker that looked after {items} died {len(PAUSES_S)} times, though not of what "
            f"it did there; its machine is at fault, nothing is quarantined; mend it, run again ({_first_line(died)})"
        )

    def _check(self, placement: Placement) -> None:
        self._watch.check(lambda: self._room(placement))

    def close(self) -> None:
        """Stop the local cluster; a joined one is left running."""
        if not self._owns:
            return
        if not self._lost:
            ray.shutdown()
            return
        atexit.unregister(ray.shutdown)  # Ray would try again when this process ends, and wait again
        leaving = threading.Thread(target=ray.shutdown, name="joinery-ray-shutdown", daemon=True)
        leaving.start()
        leaving.join(LEAVE_S)


def _attempt(result: bytes) -> Attempt:
    """Raises the error that came instead of an attempt."""
    found: Attempt | JoineryError = cloudpickle.loads(result)
    if isinstance(found, JoineryError):
        raise found
    return found


def _first_line(error: Exception | None) -> str:
    return str(error).partition("\n")[0]


def _work_alone(batch: bytes) -> bytes:
    """In a worker that stands beside a process of its own."""
    try:
        found: Attempt | JoineryError | Death = run_alone(batch)
    except OSError as error:
        found = JoineryError(f"no process of its own could be started: {error}")
    dumped: bytes = cloudpickle.dumps(found)
    return dumped
