"""Draws that were taken out of a shard set: numbers nobody has any more, and of which cell they were.

Taking samples out renumbers nothing, so what is left keeps its bytes. ``set.json`` lists the holes instead, split by
split: the order with its holes filled by their cells is the plan's, and that can still be checked.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from schemas.array import Ints

HOLES = "taken_out"
"""Key of ``set.json``; a whole set has none."""


@dataclass(frozen=True, order=True)
class Hole:
    """One draw that is gone; nothing says of which event it was."""

    t: int
    vision_language: int
    action: int
    source: str
    recovery: bool


def holes_in(content: Mapping[str, Any]) -> dict[str, list[Hole]]:
    """The holes of a set by split, in order. Raises TypeError or ValueError for a list that is none."""
    return {split: sorted(Hole(*row) for row in rows) for split, rows in content.get(HOLES, {}).items()}


def written(holes: Mapping[str, Iterable[Hole]]) -> dict[str, list[list[Any]]]:
    """As ``set.json`` has them."""
    return {
        split: [list(vars(hole).values()) for hole in sorted(rows)] for split, rows in sorted(holes.items()) if rows
    }


def draws_left(n_samples: int, holes: Iterable[Hole]) -> Ints:
    """The numbers of a split's draws that are still there: 0, 1, … without the holes."""
    gone = np.array([hole.t for hole in holes], np.int64)
    return np.setdiff1d(np.arange(n_samples + len(gone)), gone)[:n_samples]
