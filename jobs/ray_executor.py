"""The ray executor: batches through Ray Data, on a local cluster or a joined one.

Stages that hold a model run in a pool of actors, all others as tasks. A batch is one row; Ray Data schedules, retries
lost workers and streams attempts back as they finish, in any order. Order does not matter: attempts are joined by work
key. Work is handed over in waves so that a corpus of any size needs bounded memory on the driver.
"""

from __future__ import annotations

import logging
import socket
import warnings
from collections.abc import Iterator
from itertools import islice
from typing import Any

import cloudpickle
import ray
from ray.data import ActorPoolStrategy, DataContext, TaskPoolStrategy
from ray.exceptions import ActorDiedError, OutOfMemoryError, WorkerCrashedError

from jobs.placement import Placement
from jobs.worker import Batch, run_batch
from pipeline.errors import JoineryError
from pipeline.store import Attempt

WAVE_BATCHES = 512
KNOCK_S = 10.0
WORKER_DEATHS = 2
"""How often a batch is tried again when its worker dies; Ray's own default is for ever."""
SHOWN_ITEMS = 5
ROUNDING = 1e-9
"""A GPU shared by three holds three, although 1 / (1/3) may come out a little less."""


class RayExecutor:
    """Owns a Ray session for the length of one run."""

    name = "ray"

    def __init__(self, address: str | None, workers: int | None) -> None:
        """Start a local cluster of ``workers`` CPUs (default: all), or join the one at ``address``.

        Raises JoineryError when the address cannot be reached.
        """
        _knock(address)
        self._owns = not ray.is_initialized()
        if self._owns:
            local = {"num_cpus": workers, "include_dashboard": False} if address is None else {}
            try:
                with warnings.catch_warnings():
                    # Lance warns of forks; Ray's processes exec at once, so nothing of Lance lives on in them.
                    warnings.filterwarnings("ignore", "lance is not fork-safe")
                    ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **local)
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise JoineryError(
                    f"run.ray_address: cannot join or start Ray at {address or 'local'}: {error}"
                ) from error
        self._n_cpus = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        self._gpus = [float(node["Resources"].get("GPU", 0)) for node in ray.nodes() if node["Alive"]]
        context = DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        logging.getLogger("ray.data").setLevel(logging.WARNING)  # it announces every stage; the reporter does that
        logging.getLogger("ray.data._internal.progress").setLevel(logging.ERROR)  # and that its bars are off

    def n_workers(self, placement: Placement) -> int:
        """As many as there are CPUs, or as the GPUs of each machine have room for."""
        if not placement.gpus:
            return self._n_cpus
        return sum(int(gpus / placement.gpus + ROUNDING) for gpus in self._gpus)

    def execute(self, batches: Iterator[Batch], placement: Placement) -> Iterator[Attempt]:
        """Attempts as they finish. Raises what broke a worker or the workspace; bad items are values inside."""
        while wave := list(islice(batches, WAVE_BATCHES)):
            rows = [{"batch": cloudpickle.dumps(batch)} for batch in wave]
            attempts = self._mapped(ray.data.from_items(rows, override_num_blocks=len(rows)), len(rows), placement)
            try:
                for row in attempts.iter_rows():
                    result: Attempt | JoineryError = cloudpickle.loads(row["result"])
                    if isinstance(result, JoineryError):
                        raise result
                    yield result
            except (OutOfMemoryError, WorkerCrashedError, ActorDiedError) as error:
                items = ", ".join(sorted({item.item for batch in wave for item in batch.items})[:SHOWN_ITEMS])
                raise JoineryError(
                    f"stage {wave[0].stage}: a worker died {WORKER_DEATHS + 1} times on the same items, out of memory "
                    f"or crashed, among {items}…; run with run.executor=inline and run.batch_items=1 to see which "
                    f"({error})"
                ) from error

    def _mapped(self, dataset: ray.data.Dataset, n_rows: int, placement: Placement) -> ray.data.Dataset:
        """The batches' attempts: by tasks, or by processes that keep what they have loaded."""
        n = min(self.n_workers(placement), n_rows)
        with warnings.catch_warnings():
            # Deprecated without a successor as of 2.60, removed in 2.64; pyproject.toml stays below that.
            warnings.filterwarnings("ignore", "`ray_remote_args` is deprecated")
            if not placement.holds_model:
                return dataset.map(_work, compute=TaskPoolStrategy(n), num_cpus=1, max_retries=WORKER_DEATHS)
            # One batch at a time per process, for the next one might be another's to take.
            pool = ActorPoolStrategy(size=n, max_tasks_in_flight_per_actor=1)
            deaths = {"max_restarts": WORKER_DEATHS, "max_task_retries": WORKER_DEATHS}
            return dataset.map(_Worker, compute=pool, num_cpus=1, num_gpus=placement.gpus or None, **deaths)

    def close(self) -> None:
        """Stop the local cluster; a joined one is left running."""
        if self._owns:
            ray.shutdown()


def _knock(address: str | None) -> None:
    """Fail within seconds where nothing listens; Ray itself would try for minutes without a word."""
    host, colon, port = (address or "").rpartition(":")
    if not colon or not port.isdigit():
        return  # a local cluster, or "auto"
    try:
        socket.create_connection((host, int(port)), timeout=KNOCK_S).close()
    except OSError as error:
        raise JoineryError(
            f"run.ray_address: nothing answers at {address} ({error}); start the cluster with `ray start`, or leave "
            "the key out to use this machine"
        ) from error


class _Worker:
    """An actor. What a stage loads it keeps itself, in the process (`pipeline.stage.Stage.model`)."""

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        return _work(row)


def _work(row: dict[str, Any]) -> dict[str, Any]:
    """In a worker. Errors travel back as values: raised here, they would arrive buried in Ray's own traceback."""
    try:
        result: Attempt | JoineryError = run_batch(cloudpickle.loads(row["batch"]))
    except JoineryError as error:
        result = error
    return {"result": cloudpickle.dumps(result)}
