"""Runs of a condition along a signal: where it starts to hold, where it stops."""

import numpy as np

from schemas.array import Bools


def runs_of(mask: Bools) -> list[tuple[int, int]]:
    """Half-open index ranges in which ``mask`` bool [N] is true, in order."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def first_true(mask: Bools, start: int, end: int) -> int | None:
    """The first index in ``[start, end)`` where ``mask`` is true, or None."""
    found = np.flatnonzero(mask[start:end])
    return start + int(found[0]) if found.size else None


def last_true(mask: Bools, start: int, end: int) -> int | None:
    """The last index in ``[start, end)`` where ``mask`` is true, or None."""
    found = np.flatnonzero(mask[start:end])
    return start + int(found[-1]) if found.size else None
