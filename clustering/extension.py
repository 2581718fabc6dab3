"""Going on from an order of draws: what was drawn stays, and a new segment brings the corpus's new events in.

Rewriting the order after an append would move every draw and so rewrite every shard. Instead the old draws stay as
they are, and a segment is added behind them: as many draws as there are new training events for every draw the plan
has per event. Its shares are what is missing, cell by cell, of the new plan over old and new draws together,

    μ_c ∝ max(0, T·π_c − drawn_c),   T = old draws + new draws,

over the new plan's cells, split by source and recovery where it splits them, in the plan's own order of turns. So
after t of the segment's draws a row's count is within 1 and a cell's within 2 of drawn_c + t·μ_c (with parts by source
or recovery a part's within 1, its row's within 2, its cell's within 3); and at its end as near to the new plan's T·π_c,
where no cell had more than that before. A curriculum is the first segment's: a later one follows π, its mean over the
epoch, in a single step. Inside a cell the events used least come first: the new ones.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clustering.roster import Roster
from schemas.cluster import Split
from schemas.plan import Draw, DrawSegment, SamplingPlan

Rows = NDArray[np.int64]

TRAIN, RESERVE = "train", "reserve"


@dataclass(frozen=True, eq=False)
class Emitted:
    """What was drawn before, N draws."""

    event_id: NDArray[np.bytes_]
    split: NDArray[np.bytes_]
    clusters: Rows
    """Int64 [N, 2]: vision-language and action."""
    cell: Rows
    """Int64 [N]: place of the cell in the plan that drew it; −1 for none."""
    next_shard: dict[str, int]
    """Per split: the number of the next shard to begin; no old one is ever continued."""

    def count(self, split: str) -> int:
        """Draws of a split; the next one's t."""
        return int(np.count_nonzero(self.split == split.encode()))


def emitted(batches: Iterable[list[Draw]]) -> Emitted:
    """Earlier draws as arrays: some 70 bytes each."""
    ids: list[NDArray[np.bytes_]] = [np.array([], "S1")]
    splits: list[NDArray[np.bytes_]] = [np.array([], "S1")]
    clusters: list[Rows] = [np.zeros((0, 2), np.int64)]
    cells: list[Rows] = [np.zeros(0, np.int64)]
    next_shard: dict[str, int] = {}
    for batch in batches:
        ids.append(np.array([draw.event_id.encode() for draw in batch], np.bytes_))
        splits.append(np.array([draw.split.encode() for draw in batch], np.bytes_))
        clusters.append(np.array([(draw.vision_language, draw.action) for draw in batch], np.int64).reshape(-1, 2))
        cells.append(np.array([draw.cell for draw in batch], np.int64))
        for draw in batch:
            number = int(draw.shard.rpartition("-")[2]) + 1
            next_shard[draw.split] = max(number, next_shard.get(draw.split, 0))
    return Emitted(
        np.concatenate(ids), np.concatenate(splits), np.concatenate(clusters), np.concatenate(cells), next_shard
    )


def places_now(drawn: Emitted, segments: Sequence[DrawSegment], plan: SamplingPlan) -> Rows:
    """Where the cells of the earlier training draws are in the present ``plan``; −1 for one it does not have."""
    place = {cell.name: i for i, cell in enumerate(plan.cells)}
    train, found = drawn.cell[drawn.split == TRAIN.encode()], [np.zeros(0, np.int64)]
    for segment in segments:
        now = np.array([place.get(name, -1) for name in segment.cells], np.int64)
        found.append(now[train[segment.start : segment.start + segment.n_draws]])
    return np.concatenate(found)


def rows_of(drawn: Emitted, roster: Roster, cell_of: Rows, places: Rows) -> Rows | None:
    """The roster's row of every earlier draw; None where one of them could not be drawn like that any more.

    An event that is gone, is a copy now, has changed sides or lies in another cell makes an order that nobody would
    publish today; it is drawn afresh as a whole. ``cell_of`` has the present cell of every row of the roster,
    ``places`` that of every training draw.
    """
    if len(drawn.event_id) == 0:
        return np.zeros(0, np.int64)
    if len(roster) == 0:
        return None
    rows = np.minimum(np.searchsorted(roster.event_id, drawn.event_id), len(roster) - 1)
    same = roster.event_id[rows] == drawn.event_id
    same &= (roster.vision_language[rows] == drawn.clusters[:, 0]) & (roster.action[rows] == drawn.clusters[:, 1])
    train = drawn.split == TRAIN.encode()
    same[train] &= cell_of[rows[train]] == places
    side = np.where(drawn.split == RESERVE.encode(), TRAIN.encode(), drawn.split)
    for split in Split:
        now = np.zeros(len(roster), np.bool_)
        now[roster.of(split)] = True
        same &= now[rows] | (side != str(split).encode())
    return rows if bool(np.all(same)) else None


def missing_shares(masses: NDArray[np.float64], drawn: Rows, n_draws: int) -> NDArray[np.float64]:
    """Per cell the share of ``n_draws`` more draws that brings ``drawn`` to the plan's ``masses``; sums to 1."""
    if not drawn.any() or n_draws == 0:
        return masses
    missing = np.maximum(0.0, (int(drawn.sum()) + n_draws) * masses - drawn)
    shares: NDArray[np.float64] = missing / missing.sum()
    return shares
