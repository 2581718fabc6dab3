"""The inline executor: every batch in this process, one after the other. The reference for all others."""

from collections.abc import Iterator

from clustering.device import cuda_is_here
from jobs.placement import Placement
from jobs.worker import Batch, run_batch
from pipeline.attempt import Attempt


class InlineExecutor:
    """Runs batches as they come."""

    name = "inline"

    def n_workers(self, placement: Placement) -> int:
        """One; none for a stage that needs a GPU where there is none."""
        return 0 if placement.gpus and not cuda_is_here() else 1

    def execute(self, batches: Iterator[Batch], _placement: Placement) -> Iterator[Attempt]:
        """Attempts in the order of the batches."""
        return map(run_batch, batches)

    def close(self) -> None:
        """Nothing to release."""
