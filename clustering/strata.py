"""Counting the corpus: how many training events, and how much of the unit, each kind of event makes up.

A kind is (vision-language cluster, action cluster, source, recovery or not), the finest that balance or its report
looks at. Everything is counted in whole numbers (events, nanoseconds, latent frames), so the order of counting changes
nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.cluster import Membership, Split
from schemas.recipe_balance import BalanceSpec
from schemas.time import NS_PER_S

Kind = tuple[int, int, str, bool]
Vector = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Strata:
    """S kinds of events in order, none empty."""

    vision_language: Labels
    action: Labels
    source: NDArray[np.str_]
    recovery: NDArray[np.bool_]
    n_events: Labels
    units: Vector
    """What the events add up to: their number, seconds, or latent frames."""

    def __len__(self) -> int:
        return len(self.n_events)

    @property
    def natural(self) -> Vector:
        """[S] share of all units."""
        share: Vector = self.units / self.units.sum()
        return share


def units_of(item: Membership, spec: BalanceSpec) -> int:
    """How much an event counts: 1, its nanoseconds, or the latent frames a model sees of it.

    Views and tokens per latent frame multiply every event alike and cancel in shares.
    """
    match spec.unit:
        case "event":
            return 1
        case "second":
            return max(round(item.duration_s * NS_PER_S), 1)
        case "token":
            return 1 + (max(min(item.n_frames, spec.token_max_frames), 1) - 1) // spec.token_frames


def count_strata(batches: Iterable[list[Membership]], spec: BalanceSpec) -> Strata:
    """The kinds of all training events that are no copies."""
    found: dict[Kind, list[int]] = {}
    for batch in batches:
        for item in batch:
            if item.kept and item.split is Split.TRAIN:
                kind = (item.vision_language, item.action, item.source, item.recovery)
                tally = found.setdefault(kind, [0, 0])
                tally[0] += 1
                tally[1] += units_of(item, spec)
    return strata_of({kind: (n, units) for kind, (n, units) in found.items()})


def strata_of(tallies: Mapping[Kind, tuple[int, float]]) -> Strata:
    """Strata of (events, units) by kind. Raises ValueError for a kind without events or units."""
    kinds = sorted(tallies)
    for kind in kinds:
        if min(tallies[kind]) <= 0:
            raise ValueError(f"{kind}: found {tallies[kind]} events and units, expected only kinds that occur")
    return Strata(
        np.array([kind[0] for kind in kinds], np.int64),
        np.array([kind[1] for kind in kinds], np.int64),
        np.array([kind[2] for kind in kinds], np.str_),
        np.array([kind[3] for kind in kinds], np.bool_),
        np.array([tallies[kind][0] for kind in kinds], np.int64),
        np.array([tallies[kind][1] for kind in kinds], np.float64),
    )


def merged(strata: Strata, *, by_source: bool, by_recovery: bool) -> tuple[Strata, Labels]:
    """The strata as cells, told apart by source and recovery only where asked, and each stratum's cell [S].

    Where they are not told apart, a cell's source is empty and its recovery False.
    """
    sources, source = np.unique(strata.source, return_inverse=True)
    keys: Labels = np.stack(
        [
            strata.vision_language,
            strata.action,
            source if by_source else np.zeros(len(strata), np.int64),
            strata.recovery if by_recovery else np.zeros(len(strata), np.int64),
        ],
        axis=1,
    )
    names, cell = np.unique(keys, axis=0, return_inverse=True)
    cell = cell.reshape(-1)

    def total(values: NDArray[Any]) -> Vector:
        return np.bincount(cell, values, len(names)).astype(np.float64)

    cells = Strata(
        names[:, 0],
        names[:, 1],
        sources[names[:, 2]] if by_source else np.full(len(names), "", np.str_),
        names[:, 3].astype(np.bool_),
        total(strata.n_events).astype(np.int64),
        total(strata.units),
    )
    return cells, cell
