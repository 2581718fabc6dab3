"""``joinery plan``: what a run would do, before it does anything: sources, bytes, and per stage what is cached.

Keys of later stages follow from results that do not exist yet, so their numbers are upper bounds until the
earlier stages are done; the table says which.
"""

from __future__ import annotations

from dataclasses import dataclass

from jobs.clusters import ClusterState, cluster_states
from jobs.estimate import ModelEstimate, model_estimate
from jobs.forecast import Forecast, forecast, source_sizes
from jobs.listing import list_sources
from jobs.river import RIVER
from pipeline.ledger import Ledger, StageState
from pipeline.store import Workspace
from schemas.finding import Finding
from schemas.recipe import Recipe


@dataclass(frozen=True)
class SourcePlan:
    """What one source lists."""

    source: str
    episodes: int
    n_bytes: int
    """Of its files, each once, however many episodes it holds."""


@dataclass(frozen=True)
class RunPlan:
    """The whole plan."""

    sources: tuple[SourcePlan, ...]
    stages: tuple[StageState, ...]
    findings: tuple[Finding, ...]
    clusters: tuple[ClusterState, ...]
    """What the last fit was and how far the corpus had moved away from it when it was last looked at."""
    model: ModelEstimate | None
    """What captions by a model will cost; None when no model is asked."""
    expected: Forecast
    """Hours, bytes, tokens and prices."""

    @property
    def n_bytes(self) -> int:
        return sum(source.n_bytes for source in self.sources)


def make_plan(workspace: Workspace, recipe: Recipe) -> RunPlan:
    """List the sources and compare with what is committed. Raises SourceError when a source cannot be listed."""
    listing = list_sources(workspace, recipe)
    sizes = source_sizes(workspace, listing.version)
    sources = tuple(
        SourcePlan(name, count, sizes[name].n_bytes if name in sizes else 0) for name, count in listing.episodes.items()
    )
    ledger = Ledger(workspace, recipe, RIVER, listing.version)
    ledger.refresh_all()
    states = tuple(stage_states(ledger))
    model = model_estimate(ledger, recipe)
    expected = forecast(workspace, ledger, recipe)
    return RunPlan(sources, states, listing.findings, cluster_states(ledger), model, expected)


def stage_states(ledger: Ledger) -> list[StageState]:
    """The state of every stage of a ledger that is up to date, in order."""
    return [ledger.state(stage.name) for stage in RIVER]
