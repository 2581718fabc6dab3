"""Ward merging with temporal adjacency: which of the pieces between candidate cuts look most alike.

Every piece is a run of rows. Again and again the two neighbours are merged whose union costs least in squared distance
to the mean (Ward 1963); only neighbours may merge, so every step is a division of the same stretch, and each is nested
in the one before. The height of a cut is the cost at which it disappears: low ones divide what is nearly alike.
"""

import heapq
from collections.abc import Sequence

import numpy as np

from schemas.array import Floats


def ward_heights(rows: Floats, inner: Sequence[int]) -> list[float]:
    """The height of every cut of ``inner`` (sorted, strictly inside ``rows`` [N, K]), in squared units of the rows.

    Heights grow in the order in which cuts disappear, so the cuts above any height are nested in those above a lower.
    O(cuts × log cuts) after one pass over the rows.
    """
    edges = np.array([0, *inner, len(rows)], np.int64)
    if np.any(np.diff(edges) <= 0):
        raise ValueError(f"expected cuts in order, strictly inside {len(rows)} rows; found {list(inner)[:8]}")
    total = np.concatenate([np.zeros((1, rows.shape[1])), np.cumsum(rows, axis=0)])
    n = len(inner)
    left, right = list(range(-1, n)), list(range(1, n + 2))  # neighbours of each edge; edges 0 and n + 1 never go
    left.append(n)

    def cost(edge: int) -> float:
        first, middle, last = (int(edges[e]) for e in (left[edge], edge, right[edge]))
        before, after = middle - first, last - middle
        apart = (total[middle] - total[first]) / before - (total[last] - total[middle]) / after
        return float(before * after / (before + after) * (apart @ apart))

    costs = [0.0] + [cost(edge) for edge in range(1, n + 1)]
    queue = [(costs[edge], edge) for edge in range(1, n + 1)]
    heapq.heapify(queue)
    heights = [-1.0] * n
    highest = 0.0
    while queue:
        price, edge = heapq.heappop(queue)
        if heights[edge - 1] >= 0.0 or price != costs[edge]:
            continue  # gone, or priced anew since
        highest = max(highest, price)
        heights[edge - 1] = highest
        before, after = left[edge], right[edge]
        right[before], left[after] = after, before
        for neighbour in (before, after):
            if 1 <= neighbour <= n:
                costs[neighbour] = cost(neighbour)
                heapq.heappush(queue, (costs[neighbour], neighbour))
    return heights
