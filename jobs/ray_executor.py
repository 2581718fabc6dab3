"""The ray executor: batches through Ray Data, on a local cluster or a joined one.

A batch is one row; Ray Data schedules, retries lost workers and streams attempts back as they finish, in any
order. Order does not matter: attempts are joined by work key. Work is handed over in waves so that a corpus of
any size needs bounded memory on the driver.
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
from ray.data import DataContext, TaskPoolStrategy
from ray.exceptions import OutOfMemoryError, WorkerCrashedError

from jobs.worker import Batch, run_batch
from pipeline.errors import JoineryError
from pipeline.store import Attempt

WAVE_BATCHES = 512
KNOCK_S = 10.0
WORKER_DEATHS = 2
"""How often a batch is tried again when its worker dies; Ray's own default is for ever."""
SHOWN_ITEMS = 5


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
        self.n_workers = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        context = DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        logging.getLogger("ray.data").setLevel(logging.WARNING)  # it announces every stage; the reporter does that
        logging.getLogger("ray.data._internal.progress").setLevel(logging.ERROR)  # and that its bars are off

    def execute(self, batches: Iterator[Batch]) -> Iterator[Attempt]:
        """Attempts as they finish. Raises what broke a worker or the workspace; bad items are values inside."""
        while wave := list(islice(batches, WAVE_BATCHES)):
            rows = [{"batch": cloudpickle.dumps(batch)} for batch in wave]
            dataset = ray.data.from_items(rows, override_num_blocks=len(rows))
            pool = TaskPoolStrategy(min(self.n_workers, len(rows)))
            with warnings.catch_warnings():
                # Deprecated without a successor as of 2.60, removed in 2.64; pyproject.toml stays below that.
                warnings.filterwarnings("ignore", "`ray_remote_args` is deprecated")
                attempts = dataset.map(_work, compute=pool, num_cpus=1, max_retries=WORKER_DEATHS)
            try:
                for row in attempts.iter_rows():
                    result: Attempt | JoineryError = cloudpickle.loads(row["result"])
                    if isinstance(result, JoineryError):
                        raise result
                    yield result
            except (OutOfMemoryError, WorkerCrashedError) as error:
                items = ", ".join(sorted({item.item for batch in wave for item in batch.items})[:SHOWN_ITEMS])
                raise JoineryError(
                    f"stage {wave[0].stage}: a worker died {WORKER_DEATHS + 1} times on the same items, out of memory "
                    f"or crashed, among {items}…; run with run.executor=inline and run.batch_items=1 to see which "
                    f"({error})"
                ) from error

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


def _work(row: dict[str, Any]) -> dict[str, Any]:
    """In a worker. Errors travel back as values: raised here, they would arrive buried in Ray's own traceback."""
    try:
        result: Attempt | JoineryError = run_batch(cloudpickle.loads(row["batch"]))
    except JoineryError as error:
        result = error
    return {"result": cloudpickle.dumps(result)}
