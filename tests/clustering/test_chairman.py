"""The order of draws: every prefix is balanced, for any shares."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from clustering.chairman import chairman, two_stage
from clustering.load_plan.measure import largest_deviation
from tests.clustering.prefixes import deviation, random_shares

SHARES = st.lists(st.floats(1e-4, 1.0), min_size=1, max_size=24).map(lambda w: np.array(w) / sum(w))


@given(SHARES, st.integers(1, 400))
@settings(max_examples=150, deadline=None)
def test_every_prefix_is_within_tijdemans_bound(shares: NDArray[np.float64], n: int) -> None:
    bound = 1 - 1 / (2 * len(shares) - 2) if len(shares) > 1 else 0.0
    assert deviation(chairman(shares, n), shares) <= bound + 1e-9


@given(SHARES, st.integers(1, 400), st.integers(1, 6), st.integers(0, 99))
@settings(max_examples=150, deadline=None)
def test_two_stages_keep_rows_within_one_and_cells_within_two(
    shares: NDArray[np.float64], n: int, n_rows: int, seed: int
) -> None:
    rows = np.random.default_rng(seed).integers(0, n_rows, len(shares))
    order = two_stage(rows, shares, n)
    assert deviation(order, shares) < 2
    names, row_of = np.unique(rows, return_inverse=True)
    assert deviation(row_of[order], np.bincount(row_of, shares)) < 1
    assert len(names) == row_of.max() + 1


@pytest.mark.parametrize("k", [2, 3, 7, 64, 1000])
def test_equal_shares_take_turns(k: int) -> None:
    order = chairman(np.full(k, 1 / k), 3 * k)
    assert all(len(set(order[start : start + k])) == k for start in (0, k, 2 * k))


def test_a_thousand_uneven_cells_stay_within_one_for_five_thousand_draws() -> None:
    shares = np.random.default_rng(0).dirichlet(np.full(1000, 0.3)) + 1e-9
    shares /= shares.sum()
    assert deviation(chairman(shares, 5_000), shares) < 1


def test_a_longer_epoch_begins_like_a_shorter_one() -> None:
    shares = np.array([0.5, 0.3, 0.2])
    np.testing.assert_array_equal(chairman(shares, 100)[:40], chairman(shares, 40))


@given(SHARES, st.integers(0, 300), st.integers(0, 300))
@settings(max_examples=100, deadline=None)
def test_an_order_goes_on_from_the_turns_had_so_far(shares: NDArray[np.float64], first: int, more: int) -> None:
    whole = chairman(shares, first + more)
    taken = np.bincount(whole[:first], minlength=len(shares))
    assert chairman(shares, more, taken).tolist() == whole[first:].tolist()
    rows = np.arange(len(shares)) % 3
    both = two_stage(rows, shares, first + more)
    taken = np.bincount(both[:first], minlength=len(shares))
    assert two_stage(rows, shares, more, taken).tolist() == both[first:].tolist()


@pytest.mark.slow
@given(st.integers(2, 4096), st.floats(0.05, 5.0), st.floats(0.0, 0.95), st.integers(0, 2**32))
@settings(max_examples=10, deadline=None)
def test_a_million_draws_of_up_to_4096_cells_stay_within_one(
    n_cells: int, concentration: float, heavy: float, seed: int
) -> None:
    """`python -m pytest -m slow tests/clustering/test_chairman.py`; about a minute."""
    shares = random_shares(n_cells, concentration, heavy, seed)
    order = chairman(shares, 10**6)
    assert largest_deviation(order, shares, np.zeros(n_cells, np.int64)) < 1


def test_shares_of_zero_are_never_drawn_and_totals_do_not_matter() -> None:
    np.testing.assert_array_equal(chairman(np.array([2.0, 0.0, 2.0]), 4), [0, 2, 0, 2])


def test_one_cell_takes_every_draw_and_no_draws_need_no_cell() -> None:
    np.testing.assert_array_equal(chairman(np.array([1.0]), 3), [0, 0, 0])
    assert len(chairman(np.zeros(0), 0)) == 0
    assert len(two_stage(np.zeros(0, np.int64), np.zeros(0), 0)) == 0


def test_draws_without_a_share_are_an_error() -> None:
    with pytest.raises(ValueError, match="positive sum"):
        chairman(np.array([0.0, 0.0]), 1)
