"""The inline executor: every batch in this process, one after the other. The reference for all others."""

from collections.abc import Iterator

from jobs.worker import Batch, run_batch
from pipeline.store import Attempt


class InlineExecutor:
    """Runs batches as they come."""

    name = "inline"
    n_workers = 1

    def execute(self, batches: Iterator[Batch]) -> Iterator[Attempt]:
        """Attempts in the order of the batches."""
        return map(run_batch, batches)

    def close(self) -> None:
        """Nothing to release."""
