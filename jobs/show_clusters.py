"""How frozen clusters and their drift are printed: nothing before the first fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from jobs import show

if TYPE_CHECKING:
    from jobs.clusters import ClusterState


def clusters(out: Console, states: Sequence[ClusterState]) -> None:
    """One row per embedding model."""
    if not states:
        return
    rows = show.table("clusters", "of", "K", "version", "fitted for", "events", "new", "far out", "refitted")
    for state in states:
        far = f"{state.n_beyond} ({state.drift:.1%})" if state.n_new else "–"
        numbers = (str(state.n_clusters), str(state.version), str(state.cause), str(state.n_events), str(state.n_new))
        rows.add_row(str(state.space), state.embedding_model, *numbers, far, "yes" if state.refitted else "no")
    out.print(rows)
