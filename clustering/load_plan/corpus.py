"""What a load plan draws from: events as catalogue rows, their cells, and the shares a sampling plan gives these.

Read from a shard set once; a plan's folder keeps what is needed of it, 10 bytes an event, so that extending a plan
opens no manifest.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clustering.load_plan.cells import cells_of_events, plan_cells
from clustering.load_plan.windows import EventSizes
from pipeline.loader.catalogue import Catalogue
from pipeline.loader.plan import Arrays, LoadPlan, PlanCells


@dataclass(frozen=True, eq=False)
class Corpus:
    """N events in K cells."""

    cells: PlanCells
    """With the sampling plan's shares."""
    cell_of_event: NDArray[np.uint32]
    sizes: EventSizes
    catalogue: str
    """Digest of the catalogue."""
    sampling_plan_id: str
    shard_set_id: str

    def arrays(self) -> Arrays:
        """The events, as a plan's folder keeps them."""
        sizes = self.sizes
        return {
            "cell": self.cell_of_event,
            "n_frames": sizes.n_frames,
            "n_views": sizes.n_views,
            "n_action_rows": sizes.n_action_rows,
        }


def corpus_of(
    catalogue: Catalogue, cells: Iterable[Mapping[str, Any]], sampling_plan_id: str, shard_set_id: str
) -> Corpus:
    """The corpus of a shard set. Raises StoreError when the sampling plan's ``cells`` are not the catalogue's."""
    found = plan_cells(cells)
    sizes = EventSizes(catalogue.n_frames, catalogue.n_views, catalogue.n_action_rows)
    of_event = cells_of_events(found, catalogue)
    return Corpus(found, of_event, sizes, catalogue.digest, sampling_plan_id, shard_set_id)


def corpus_in(plan: LoadPlan) -> Corpus | None:
    """What the end of a plan draws from, as its folder has it; None in a curriculum, which knows no final shares."""
    chapter = plan.header.chapters[-1]
    if chapter.stage < chapter.spec.curriculum_stages:
        return None
    arrays = plan.events(chapter)
    sizes = EventSizes(arrays["n_frames"], arrays["n_views"], arrays["n_action_rows"])
    cells = plan.cells(chapter)
    return Corpus(cells, arrays["cell"], sizes, chapter.catalogue, chapter.sampling_plan_id, chapter.shard_set_id)
