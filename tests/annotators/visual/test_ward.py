"""Ward merging with temporal adjacency."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotators.visual.ward import ward_heights
from schemas.array import Floats


def plain_heights(rows: Floats, inner: list[int]) -> list[float]:
    """By the definition: spread of the union minus spreads of its parts, cheapest first, all priced each time."""

    def spread(first: int, last: int) -> float:
        part = rows[first:last]
        return float(((part - part.mean(axis=0)) ** 2).sum())

    edges, found, highest = [0, *inner, len(rows)], {}, 0.0
    while len(edges) > 2:
        costs = [
            (spread(edges[i - 1], edges[i + 1]) - spread(edges[i - 1], edges[i]) - spread(edges[i], edges[i + 1]), i)
            for i in range(1, len(edges) - 1)
        ]
        cost, i = min(costs)
        highest = max(highest, cost)
        found[edges.pop(i)] = highest
    return [found[edge] for edge in inner]


@given(st.integers(0, 10**6), st.integers(8, 60), st.integers(1, 3))
def test_heights_are_what_the_definition_says(seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, k))
    inner = np.flatnonzero(rng.random(n - 1) < 0.3) + 1
    assert ward_heights(rows, inner.tolist()) == pytest.approx(plain_heights(rows, inner.tolist()), rel=1e-6, abs=1e-9)


def test_the_largest_difference_is_the_last_to_go() -> None:
    rows = np.repeat([[0.0], [1.0], [10.0], [11.0]], 10, axis=0)
    low, high, other = ward_heights(rows, [10, 20, 30])
    assert low == other == pytest.approx(5.0)
    assert high == pytest.approx(1000.0)


def test_cuts_out_of_order_or_at_the_ends_are_refused() -> None:
    for inner in ([5, 5], [0], [10], [7, 3]):
        with pytest.raises(ValueError, match="strictly inside"):
            ward_heights(np.zeros((10, 1)), inner)
