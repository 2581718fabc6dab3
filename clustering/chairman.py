"""Tijdeman's chairman assignment: an order of draws in which every prefix is balanced.

R. Tijdeman, "The chairman assignment problem", Discrete Mathematics 32 (1980): for shares λ_1…λ_K of sum 1 there is a
sequence with |count_i(t) − t·λ_i| ≤ 1 − 1/(2K − 2) for *every* prefix t and every i; no sequence does better.
His rule read as scheduling: the (x+1)-th turn of i is released at (x + c)/λ_i and due at (x + 1 − c)/λ_i with
c = 1/(2K − 2); each step takes the released turn that is due first. Two heaps make a step O(log K), where drawing
at random would leave prefixes off by tens (clustering.md, Schedule). What comes next follows from the turns had so
far alone, so an order is continued exactly from their counts.
"""

import heapq
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Order = NDArray[np.int64]


def chairman(shares: NDArray[Any], n_draws: int, taken: NDArray[Any] | None = None) -> Order:
    """Int64 [n_draws]: which of the K ``shares`` (≥ 0, any positive total) each draw takes; ties go to the lower index.

    ``taken`` [K], the turns each had in the draws before (default: none), continues that order. Raises ValueError for
    draws without any positive share.
    """
    shares = np.asarray(shares, np.float64)
    if n_draws == 0:
        return np.zeros(0, np.int64)
    if np.any(shares < 0) or not np.any(shares > 0):
        raise ValueError(f"shares: found {shares[:8]}, expected non-negative numbers with a positive sum")
    chairs = np.flatnonzero(shares > 0)
    if len(chairs) == 1:
        return np.full(n_draws, chairs[0], np.int64)
    periods = math.fsum(shares[chairs]) / shares[chairs]  # rounded once, whatever the machine's order of sums
    turns = [0] * len(chairs) if taken is None else np.asarray(taken)[chairs].tolist()
    order = _earliest_deadline_first(periods.tolist(), 1.0 / (2 * len(chairs) - 2), n_draws, turns)
    return chairs[np.asarray(order, np.int64)]


def _earliest_deadline_first(periods: list[float], slack: float, n_draws: int, turns: list[int]) -> list[int]:
    """The schedule for turns of the given ``periods`` 1/λ_i: a plain loop over two heaps, kept flat for speed."""
    first = sum(turns) + 1
    released = [(turns[i] + slack) * period for i, period in enumerate(periods)]
    waiting = [(at, i) for i, at in enumerate(released) if at > first]
    ready = [((turns[i] + 1 - slack) * periods[i], i) for i, at in enumerate(released) if at <= first]
    heapq.heapify(waiting)
    heapq.heapify(ready)
    order = []
    for t in range(first, first + n_draws):
        # With exact arithmetic some turn is always released (Tijdeman's lemma); `not ready` guards its rounding.
        while waiting and (waiting[0][0] <= t or not ready):
            i = heapq.heappop(waiting)[1]
            heapq.heappush(ready, ((turns[i] + 1 - slack) * periods[i], i))
        i = heapq.heappop(ready)[1]
        order.append(i)
        turns[i] += 1
        heapq.heappush(waiting, ((turns[i] + slack) * periods[i], i))
    return order


def two_stage(rows: NDArray[Any], shares: NDArray[Any], n_draws: int, taken: NDArray[Any] | None = None) -> Order:
    """Int64 [n_draws] of cells: chairs go to ``rows`` [K] (a label per cell) first, then to a row's cells.

    Every prefix keeps rows within 1 and cells within 2 of their share: a cell deviates from its part of the row's
    count by less than 1, and the row's count from its own share by less than 1. ``taken`` as in `chairman`.
    """
    shares = np.asarray(shares, np.float64)
    turns = np.zeros(len(shares), np.int64) if taken is None else np.asarray(taken, np.int64)
    names, row_of = np.unique(rows, return_inverse=True)
    row_turns = np.zeros(len(names), np.int64)
    np.add.at(row_turns, row_of, turns)
    row_order = chairman(np.bincount(row_of, shares, len(names)), n_draws, row_turns)
    order = np.zeros(n_draws, np.int64)
    places_by_row = np.split(
        np.argsort(row_order, kind="stable"), np.cumsum(np.bincount(row_order, minlength=len(names)))
    )
    cells_by_row = np.split(np.argsort(row_of, kind="stable"), np.cumsum(np.bincount(row_of, minlength=len(names))))
    for places, cells in zip(places_by_row[:-1], cells_by_row[:-1], strict=True):
        if len(places):
            order[places] = cells[chairman(shares[cells], len(places), turns[cells])]
    return order
