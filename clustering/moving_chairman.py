"""Tijdeman's chairman assignment when the shares change on the way, as a curriculum's do.

His theorem is about any shares λ_i(t) that add up to 1 at every t (R. Tijdeman, "The chairman assignment problem",
1980): some order keeps |count_i(t) − Σ_{u ≤ t} λ_i(u)| ≤ 1 − 1/(2K − 2) for every prefix t and every i. Here the shares
are constant within a step. The (x+1)-th turn of i is released when its target Λ_i(t) = Σ λ_i reaches x + c and due when
that reaches x + 1 − c, with c = 1/(2K − 2); each draw takes the released turn that is due first. With a single step
this is `clustering.chairman`.
"""

import heapq

import numpy as np
from numpy.typing import NDArray

Order = NDArray[np.int64]
Vector = NDArray[np.float64]


def moving_chairman(shares: Vector, lengths: NDArray[np.int64]) -> Order:
    """Int64 [T]: each draw's chair; ``shares`` [S, K] ≥ 0 of any positive total hold for ``lengths`` [S] draws.

    T is the sum of the lengths. Raises ValueError for a step with draws and no positive share.
    """
    used = lengths > 0
    shares, lengths = shares[used], lengths[used]
    if len(lengths) == 0:
        return np.zeros(0, np.int64)
    totals = shares.sum(axis=1, keepdims=True)
    if np.any(shares < 0) or np.any(totals <= 0):
        raise ValueError("shares: expected non-negative numbers with a positive sum in every step that has draws")
    chairs = np.flatnonzero(shares.max(axis=0) > 0)
    n_draws = int(lengths.sum())
    if len(chairs) == 1:
        return np.full(n_draws, chairs[0], np.int64)
    turns = _turns((shares / totals)[:, chairs], lengths, 1.0 / (2 * len(chairs) - 2))
    return chairs[np.asarray(_earliest_deadline_first(*turns, n_draws), np.int64)]


def _turns(shares: Vector, lengths: NDArray[np.int64], slack: float) -> tuple[list[float], list[float], list[int]]:
    """Release, due time and chair of every turn that may fall into the draws, in the order of release."""
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.float64)
    targets = np.concatenate([np.zeros((1, shares.shape[1])), np.cumsum(shares * lengths[:, None], axis=0)])
    release, due, chair = [], [], []
    for i, reached in enumerate(targets.T):
        turn: Vector = np.arange(int(reached[-1]) + 2, dtype=np.float64)
        release.append(_when(reached, ends, turn + slack))
        due.append(_when(reached, ends, turn + 1.0 - slack))
        chair.append(np.full(len(turn), i))
    times, dues, chairs = np.concatenate(release), np.concatenate(due), np.concatenate(chair)
    order = np.lexsort((chairs, dues, times))
    return times[order].tolist(), dues[order].tolist(), chairs[order].tolist()


def _when(reached: Vector, ends: Vector, target: Vector) -> Vector:
    """The first time at which ``reached``, linear between ``ends``, comes to each ``target``; late if it never does."""
    step = np.clip(np.searchsorted(reached, target, side="left"), 1, len(ends) - 1)
    rise = reached[step] - reached[step - 1]
    part = np.divide(target - reached[step - 1], rise, out=np.full(len(target), 2.0), where=rise > 0)
    when: Vector = ends[step - 1] + part * (ends[step] - ends[step - 1])
    return when


def _earliest_deadline_first(release: list[float], due: list[float], chair: list[int], n_draws: int) -> list[int]:
    ready: list[tuple[float, int]] = []
    order, following, n_turns = [], 0, len(release)
    for t in range(1, n_draws + 1):
        # With exact arithmetic some turn is always released (Tijdeman's lemma); `not ready` guards its rounding.
        while following < n_turns and (release[following] <= t or not ready):
            heapq.heappush(ready, (due[following], chair[following]))
            following += 1
        order.append(heapq.heappop(ready)[1])
    return order
