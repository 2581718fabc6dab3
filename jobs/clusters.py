"""The frozen clusters of a workspace, and how far the corpus has moved away from them."""

from __future__ import annotations

from dataclasses import dataclass

from clustering import cluster
from pipeline.ledger import Ledger
from schemas.cluster import ClusterDrift, ClusterModel, FitCause, Space


@dataclass(frozen=True)
class ClusterState:
    """One embedding model's clusters, as the last run that looked at the corpus left them."""

    space: Space
    embedding_model: str
    n_clusters: int
    version: int
    cause: FitCause
    n_events: int
    n_new: int
    """Events that the fit before that run knew nothing of."""
    n_beyond: int
    """Those of them beyond its 99th percentile."""
    refitted: bool
    """Whether that run therefore, or for another cause, fitted again."""

    @property
    def drift(self) -> float:
        """Share of the new events that lie beyond."""
        return self.n_beyond / self.n_new if self.n_new else 0.0


def cluster_states(ledger: Ledger) -> tuple[ClusterState, ...]:
    """Every embedding model with events, sorted; none before the first fit."""
    models = {model.model_id: model for model in ledger.decided_last(ClusterModel, cluster.STAGE.name)}
    return tuple(_state(models[seen.model_id], seen) for seen in ledger.decided_last(ClusterDrift, cluster.STAGE.name))


def _state(model: ClusterModel, seen: ClusterDrift) -> ClusterState:
    return ClusterState(
        model.space,
        model.embedding_model,
        model.n_clusters,
        model.version,
        model.cause,
        seen.n_events,
        seen.n_new,
        seen.n_beyond,
        seen.refitted,
    )
