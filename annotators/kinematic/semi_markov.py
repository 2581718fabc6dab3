"""The cheapest way to divide a track into named stretches: an exact semi-Markov dynamic programme (events.md K6).

A stretch lies between two candidates and has one state; what it costs depends on where it begins, where it ends and its
state, and what may follow what is a table. The optimum over all divisions is found, not approximated; of equally cheap
ones always the same (later starts first, then lower states), so the same costs give the same answer anywhere.
"""

from dataclasses import dataclass

import numpy as np

from schemas.array import Floats


@dataclass(frozen=True, eq=False)
class Lattice:
    """What every stretch and every succession costs; infinity forbids. S states, K candidates, the ends included."""

    stretches: Floats
    """float64 [S, K, W]: of state s from candidate k - 1 - w to candidate k. W bounds how many a stretch may skip."""
    follows: Floats
    """float64 [S, S]: of the second state after the first."""
    first: Floats
    """float64 [S]: of beginning the track in a state."""
    last: Floats
    """float64 [S]: of ending it in one."""


@dataclass(frozen=True)
class Stretch:
    """One part of the division, between two candidates."""

    start: int
    end: int
    state: int


def cheapest(lattice: Lattice) -> list[Stretch]:
    """The cheapest division from the first candidate to the last; empty where every division is forbidden."""
    n_states, n, width = lattice.stretches.shape
    if n < 2:
        return []
    states = np.arange(n_states)
    entry = np.full((n, n_states), np.inf)  # cost of all before candidate k when state s begins there
    entry[0] = lattice.first
    before = np.full((n, n_states), -1)
    reached = np.full((n, n_states), np.inf)
    start = np.zeros((n, n_states), np.int64)
    for k in range(1, n):
        reach = min(k, width)
        totals = entry[k - reach : k][::-1].T + lattice.stretches[:, k, :reach]
        best = np.argmin(totals, axis=1)
        reached[k], start[k] = totals[states, best], k - 1 - best
        through = reached[k][:, None] + lattice.follows
        before[k] = np.argmin(through, axis=0)
        entry[k] = through[before[k], states]
    end_cost = reached[-1] + lattice.last
    state, k = int(np.argmin(end_cost)), n - 1
    if not np.isfinite(end_cost[state]):
        return []
    found = []
    while k > 0:
        begun = int(start[k, state])
        found.append(Stretch(begun, k, state))
        k, state = begun, int(before[begun, state])
    return found[::-1]
