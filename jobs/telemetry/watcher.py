"""Whoever follows a run: what they are told, and how they are told all at once.

The coordinator is the only process that sees a whole run, so everything that can be seen of one is told here. Watchers
only look: what they do changes no result and may not be needed by any.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from jobs.meter import CoordinatorMeter
from jobs.progress import Reporter, StageProgress
from pipeline.attempt import Attempt
from schemas.cost import BatchCost
from schemas.run import Run


class Watcher(Protocol):
    """Is told what happens in a run, in order, by the coordinator's thread."""

    def began(self, run: Run) -> None:
        """The run has begun."""

    def stage(self, progress: StageProgress) -> None:
        """A stage started, advanced or finished."""

    def handed(self, stage: str, n_items: int) -> None:
        """A batch went to the executor."""

    def came(self, stage: str, attempt: Attempt) -> None:
        """A batch came back."""

    def ended(self, run: Run, error: BaseException | None) -> None:
        """The run is over; ``error`` is what ended it, if anything did."""


class Watchers:
    """Tells all of them, and the reporter that draws on the terminal."""

    def __init__(self, reporter: Reporter, watchers: Sequence[Watcher]) -> None:
        self._reporter, self._watchers = reporter, watchers
        self._coordinator: CoordinatorMeter | None = None

    def began(self, run: Run) -> None:
        self._coordinator = CoordinatorMeter(run.run_id)
        for watcher in self._watchers:
            watcher.began(run)

    def update(self, progress: StageProgress) -> None:
        self._reporter.update(progress)
        for watcher in self._watchers:
            watcher.stage(progress)

    def handed(self, stage: str, n_items: int) -> None:
        for watcher in self._watchers:
            watcher.handed(stage, n_items)

    def came(self, stage: str, attempt: Attempt) -> None:
        if attempt.cost is not None and self._coordinator is not None:
            self._coordinator.came(attempt.cost)
        for watcher in self._watchers:
            watcher.came(stage, attempt)

    def coordinator_cost(self) -> BatchCost:
        """What the coordinator itself has taken since `began`."""
        assert self._coordinator is not None
        return self._coordinator.cost()

    def ended(self, run: Run, error: BaseException | None) -> None:
        self._reporter.close()
        for watcher in self._watchers:
            watcher.ended(run, error)
