"""Optimal one-to-one matching on a line: as many pairs as possible, and of those matchings the one with least cost.

With costs that grow with distance an optimal matching never crosses, so a dynamic programme over both sequences in
time order is exact; it visits only pairs within reach of each other, which keeps 10,000 marks in one episode cheap.
Everything is integers: a pair at exactly the tolerance counts, on every machine.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence

Pair = tuple[int, int]


def matched_times(predicted: Sequence[int], true: Sequence[int], tolerance: int) -> list[Pair]:
    """Index pairs of the best matching of two sorted sequences; at most ``tolerance`` apart, least total distance."""
    reach = [(bisect_left(true, t - tolerance), bisect_right(true, t + tolerance)) for t in predicted]
    return best_pairs(reach, lambda i, j: abs(predicted[i] - true[j]), most=tolerance)


def best_pairs(reach: Sequence[tuple[int, int]], cost: Callable[[int, int], int | None], most: int) -> list[Pair]:
    """The largest non-crossing matching, of those the cheapest; increasing in both indices.

    ``reach[i]`` is the half-open range of partners ``i`` may have; both its ends never decrease. ``cost`` lies between
    0 and ``most``, or is None for a pair that may not be.
    """
    one = most * len(reach) + 1  # worth of a pair: no saving in cost ever outweighs one pair less
    best = [0]
    """Best value of everything so far over the first ``j`` partners; beyond its end it stays what it is there."""
    steps = []
    for i, (low, high) in enumerate(reach):
        best += [best[-1]] * (high + 1 - len(best))
        row, directions = best[low : high + 1], []
        for offset, j in enumerate(range(low, high)):
            price = cost(i, j)
            options = (row[offset + 1], row[offset], -1 if price is None else best[j] + one - price)
            row[offset + 1] = max(options)
            directions.append(options.index(row[offset + 1]))
        best[low : high + 1] = row
        steps.append(directions)
    return _walked_back(reach, steps)


_NOT_I, _NOT_J = 0, 1


def _walked_back(reach: Sequence[tuple[int, int]], steps: Sequence[Sequence[int]]) -> list[Pair]:
    """The pairs on the best path, from its end: each step leaves out one, or the other, or pairs them."""
    found: list[Pair] = []
    i, limit = len(reach) - 1, max((high for _, high in reach), default=0)
    while i >= 0:
        low, high = reach[i]
        limit = min(limit, high) if limit > low else limit
        if limit <= low or steps[i][limit - 1 - low] == _NOT_I:
            i -= 1
        elif steps[i][limit - 1 - low] == _NOT_J:
            limit -= 1
        else:
            found.append((i, limit - 1))
            i, limit = i - 1, limit - 1
    return found[::-1]
