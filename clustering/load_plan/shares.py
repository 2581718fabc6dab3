"""Shares of cells other than the sampling plan's: as events occur, or with a stated share of recoveries.

For comparisons: what balance buys is told by a run that does without it on the same shards.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import StoreError
from pipeline.loader.plan import PlanCells


def natural(cells: PlanCells) -> PlanCells:
    """Every cell as often as it has events."""
    return replace(cells, mass=cells.n_events / cells.n_events.sum())


def with_recoveries(
    cells: PlanCells, cell_of_event: NDArray[np.uint32], recovery: NDArray[np.bool_], share: float
) -> PlanCells:
    """Cells told apart by recovery, all recoveries together with ``share`` of the draws.

    Inside each half cells keep their proportions; of a cell that held both, events did. Raises StoreError when
    there are no events to give a share to.
    """
    n_cells = len(cells.mass)
    of_recovery = np.bincount(cell_of_event[recovery], minlength=n_cells)
    counts = np.stack([cells.n_events - of_recovery, of_recovery], axis=1)
    mass = cells.mass[:, None] * counts / cells.n_events[:, None]
    halves = mass.sum(axis=0)
    wanted = np.array([1.0 - share, share])
    if np.any((halves == 0) & (wanted > 0)):
        what = "recoveries" if halves[1] == 0 else "other events"
        raise StoreError(f"load.recovery_share: {share:g} of the draws, but the shard set has no {what} for its part")
    scaled = mass * np.divide(wanted, halves, out=np.zeros(2), where=halves > 0)
    cell, half = np.nonzero(counts)
    return PlanCells(
        cells.vision_language[cell],
        cells.action[cell],
        cells.source[cell],
        half.astype(np.int8),
        counts[cell, half],
        scaled[cell, half],
    )
