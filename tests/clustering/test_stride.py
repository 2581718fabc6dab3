"""Random access to a balanced order: within 2 of every share at every prefix, whatever the shares."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from clustering.load_plan.measure import largest_deviation
from clustering.stride import MOST_DRAWS, draws, stride_tree
from tests.clustering.prefixes import deviation, random_shares

SHARES = st.lists(st.floats(1e-5, 1.0), min_size=1, max_size=40).map(lambda w: np.array(w) / sum(w))


@given(SHARES, st.integers(1, 500), st.integers(0, 9))
@settings(max_examples=150, deadline=None)
@example(np.array([0.5, *[0.5 / 63] * 63]), 500, 0)
@example(0.62 ** np.arange(1, 30) / (0.62 ** np.arange(1, 30)).sum(), 500, 1)
def test_every_prefix_is_within_two(shares: NDArray[np.float64], n: int, seed: int) -> None:
    cell, _ = draws(stride_tree(shares, seed), 0, n)
    assert deviation(cell, shares) < 2


@given(SHARES, st.integers(0, 10**9), st.integers(1, 300), st.integers(0, 9))
@settings(max_examples=100, deadline=None)
def test_any_stretch_is_found_without_those_before(
    shares: NDArray[np.float64], first: int, count: int, seed: int
) -> None:
    tree = stride_tree(shares, seed)
    cell, inside = draws(tree, first, count)
    middle = count // 2
    for a, b in ((0, middle), (middle, count)):
        part = draws(tree, first + a, b - a)
        assert part[0].tolist() == cell[a:b].tolist()
        assert part[1].tolist() == inside[a:b].tolist()


@given(SHARES, st.integers(1, 400), st.integers(0, 9))
@settings(max_examples=100, deadline=None)
def test_draws_of_a_cell_are_numbered_from_zero_without_gaps(shares: NDArray[np.float64], n: int, seed: int) -> None:
    cell, inside = draws(stride_tree(shares, seed), 0, n)
    for c in np.unique(cell):
        assert inside[cell == c].tolist() == list(range(int((cell == c).sum())))


def test_counts_are_exact_after_ten_billion_draws() -> None:
    """Integer arithmetic: a float product would be off by draws here and give a number twice or never."""
    shares = np.array([0.1, 0.2, 0.3, 0.4])
    first = 10**10
    cell, inside = draws(stride_tree(shares, 3), first, 1000)
    for c, share in enumerate(shares):
        numbers = inside[cell == c]
        assert np.array_equal(numbers, np.arange(numbers[0], numbers[0] + len(numbers)))
        assert abs(numbers[0] - first * share) < 2


def test_a_seed_changes_who_goes_first_and_nothing_else_does() -> None:
    shares = np.full(64, 1 / 64)
    orders = [draws(stride_tree(shares, seed), 0, 64)[0].tolist() for seed in (0, 1, 0)]
    assert orders[0] == orders[2] != orders[1]
    assert all(sorted(order) == list(range(64)) for order in orders), "equal shares take turns"


def test_shares_of_zero_are_never_drawn_and_one_cell_takes_all() -> None:
    assert set(draws(stride_tree(np.array([0.3, 0.0, 0.7]), 0), 0, 100)[0].tolist()) == {0, 2}
    cell, inside = draws(stride_tree(np.array([0.0, 1.0]), 0), 5, 3)
    assert cell.tolist() == [1, 1, 1]
    assert inside.tolist() == [5, 6, 7]


@pytest.mark.parametrize("shares", [[0.0, 0.0], [-1.0, 2.0], []])
def test_no_shares_are_an_error(shares: list[float]) -> None:
    with pytest.raises(ValueError, match="positive sum"):
        stride_tree(np.array(shares), 0)


def test_draws_beyond_what_is_exact_are_refused() -> None:
    with pytest.raises(ValueError, match="expected 0 …"):
        draws(stride_tree(np.ones(2), 0), MOST_DRAWS, 1)


@pytest.mark.slow
@given(st.integers(1, 4096), st.floats(0.05, 5.0), st.floats(0.0, 0.95), st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_a_million_draws_of_up_to_4096_cells_stay_within_two(
    n_cells: int, concentration: float, heavy: float, seed: int
) -> None:
    """`python -m pytest -m slow tests/clustering/test_stride.py`; about a minute."""
    shares = random_shares(n_cells, concentration, heavy, seed)
    cell, _ = draws(stride_tree(shares, seed), 0, 10**6)
    assert largest_deviation(cell, shares, np.zeros(n_cells, np.int64)) < 2
