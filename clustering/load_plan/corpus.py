"""What a load plan draws from: events as catalogue rows, their cells, and the shares a sampling plan gives these.

Read from a shard set once; a plan's folder keeps what is needed of it, 10 bytes an event, so that extending a plan
opens no manifest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clustering.load_plan.cells import cells_of_events, plan_cells
from clustering.load_plan.edges import edges_in, edges_of
from clustering.load_plan.shares import natural, with_recoveries
from clustering.load_plan.windows import EventSizes
from pipeline.loader.catalogue import Catalogue
from pipeline.loader.plan import Arrays, LoadPlan, PlanCells
from pipeline.loader.timeline import Timeline
from schemas.recipe_load import LoadSpec


@dataclass(frozen=True, eq=False)
class Stage:
    """Shares that hold for so many draws, before others do."""

    cells: PlanCells
    n_draws: int


@dataclass(frozen=True, eq=False)
class Corpus:
    """N events in K cells."""

    cells: PlanCells
    """With the shares of the sampling plan; with a curriculum, those it ends with."""
    cell_of_event: NDArray[np.uint32]
    sizes: EventSizes
    catalogue: str
    """Digest of the catalogue."""
    sampling_plan_id: str
    shard_set_id: str
    rise: tuple[Stage, ...] = ()
    """Stages of a curriculum before its last one."""

    def shares(self, stages_left: int) -> PlanCells:
        """The cells as they are when so many stages are still to come."""
        return self.rise[-stages_left].cells if stages_left else self.cells

    def arrays(self) -> Arrays:
        """The events, as a plan's folder keeps them."""
        sizes = self.sizes
        return {
            "cell": self.cell_of_event,
            "n_frames": sizes.n_frames,
            "n_views": sizes.n_views,
            "n_action_rows": sizes.n_action_rows,
            **({} if sizes.edges is None else sizes.edges.arrays()),
        }


def corpus_of(
    catalogue: Catalogue,
    cells: Sequence[Mapping[str, Any]],
    sampling_plan_id: str,
    shard_set_id: str,
    *,
    steps: Sequence[Mapping[str, Any]] = (),
    spec: LoadSpec | None = None,
    timeline: Timeline | None = None,
) -> Corpus:
    """The corpus of a shard set; ``cells`` and ``steps`` of the curriculum as the sampling plan's JSON has them.

    ``spec`` may ask for other shares, which a curriculum is none of, and for windows that reach over the edges of
    events, for which ``timeline`` tells what lies there. Raises StoreError when the cells are not the catalogue's.
    """
    spec = LoadSpec() if spec is None else spec
    stages = [Stage(plan_cells(cells, step["masses"]), step["n_draws"]) for step in steps]
    if spec.cells == "natural":
        stages = [Stage(natural(plan_cells(cells)), 0)]
    found = stages[-1].cells if stages else plan_cells(cells)
    of_event = cells_of_events(found, catalogue)
    if spec.recovery_share is not None:
        share, recovery = spec.recovery_share, catalogue.recovery
        found, own = with_recoveries(found, of_event, recovery, share), of_event
        stages = [replace(stage, cells=with_recoveries(stage.cells, own, recovery, share)) for stage in stages]
        of_event = cells_of_events(found, catalogue)
    edges = None if timeline is None else edges_of(catalogue.event_id, catalogue.n_frames, timeline, spec)
    sizes = EventSizes(catalogue.n_frames, catalogue.n_views, catalogue.n_action_rows, edges)
    digest = catalogue.digest
    return Corpus(found, of_event, sizes, digest, sampling_plan_id, shard_set_id, tuple(stages[:-1]))


def corpus_in(plan: LoadPlan) -> Corpus | None:
    """What the end of a plan draws from, as its folder has it; None in a curriculum, which knows no final shares."""
    chapter = plan.header.chapters[-1]
    if chapter.stages_left:
        return None
    arrays = plan.events(chapter)
    sizes = EventSizes(arrays["n_frames"], arrays["n_views"], arrays["n_action_rows"], edges_in(arrays))
    cells = plan.cells(chapter)
    return Corpus(cells, arrays["cell"], sizes, chapter.catalogue, chapter.sampling_plan_id, chapter.shard_set_id)
