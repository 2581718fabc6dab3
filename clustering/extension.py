"""Going on from an order of draws: what was drawn stays, and a new segment brings the corpus's new events in.

Rewriting the order after an append would move every draw and so rewrite every shard. Instead the old draws stay as
they are, and a segment is added behind them: as many draws as there are new training events for every draw the plan
has per event. Its shares are what is missing, cell by cell, of the new plan over old and new draws together,

    μ_c ∝ max(0, T·π_c − drawn_c),   T = old draws + new draws,

in the order of the chairman assignment. So after t of the segment's draws a row's count is within 1 and a cell's
within 2 of drawn_c + t·μ_c; and at its end within 1 and 2 of the new plan's T·π_c, where no cell had more than that
before. Inside a cell the events used least come first: the new ones.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clustering.roster import Roster
from schemas.cluster import Split
from schemas.plan import Draw

Rows = NDArray[np.int64]

TRAIN, RESERVE = "train", "reserve"


@dataclass(frozen=True, eq=False)
class Emitted:
    """What was drawn before, N draws."""

    event_id: NDArray[np.bytes_]
    split: NDArray[np.bytes_]
    cell: Rows
    """Int64 [N, 2]: vision-language and action."""
    next_shard: dict[str, int]
    """Per split: the number of the next shard to begin; no old one is ever continued."""

    def count(self, split: str) -> int:
        """Draws of a split; the next one's t."""
        return int(np.count_nonzero(self.split == split.encode()))


def emitted(batches: Iterable[list[Draw]]) -> Emitted:
    """Earlier draws as arrays: some 60 bytes each."""
    ids: list[NDArray[np.bytes_]] = [np.array([], "S1")]
    splits: list[NDArray[np.bytes_]] = [np.array([], "S1")]
    cells: list[Rows] = [np.zeros((0, 2), np.int64)]
    next_shard: dict[str, int] = {}
    for batch in batches:
        ids.append(np.array([draw.event_id.encode() for draw in batch], np.bytes_))
        splits.append(np.array([draw.split.encode() for draw in batch], np.bytes_))
        cells.append(np.array([(draw.vision_language, draw.action) for draw in batch], np.int64).reshape(-1, 2))
        for draw in batch:
            number = int(draw.shard.rpartition("-")[2]) + 1
            next_shard[draw.split] = max(number, next_shard.get(draw.split, 0))
    return Emitted(np.concatenate(ids), np.concatenate(splits), np.concatenate(cells), next_shard)


def rows_of(drawn: Emitted, roster: Roster) -> Rows | None:
    """The roster's row of every earlier draw; None where one of them could not be drawn like that any more.

    An event that is gone, is a copy now, has changed sides or lies in another cell makes an order that nobody would
    publish today; it is drawn afresh as a whole.
    """
    if len(drawn.event_id) == 0:
        return np.zeros(0, np.int64)
    if len(roster) == 0:
        return None
    rows = np.minimum(np.searchsorted(roster.event_id, drawn.event_id), len(roster) - 1)
    same = roster.event_id[rows] == drawn.event_id
    same &= (roster.vision_language[rows] == drawn.cell[:, 0]) & (roster.action[rows] == drawn.cell[:, 1])
    side = np.where(drawn.split == RESERVE.encode(), TRAIN.encode(), drawn.split)
    for split in Split:
        now = np.zeros(len(roster), np.bool_)
        now[roster.of(split)] = True
        same &= now[rows] | (side != str(split).encode())
    return rows if bool(np.all(same)) else None


def missing_shares(masses: NDArray[np.float64], drawn: Rows, n_draws: int) -> NDArray[np.float64]:
    """Per cell the share of ``n_draws`` more draws that brings ``drawn`` to the plan's ``masses``; sums to 1."""
    if not drawn.any():
        return masses
    missing = np.maximum(0.0, (int(drawn.sum()) + n_draws) * masses - drawn)
    shares: NDArray[np.float64] = missing / missing.sum()
    return shares
