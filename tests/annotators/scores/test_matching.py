"""The matching is the largest there is, and the cheapest of those."""

from itertools import combinations, permutations, product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from annotators.scores.matching import best_pairs, matched_times

TIMES = st.lists(st.integers(0, 30), max_size=5).map(sorted)


def brute_force(a: list[int], b: list[int], tolerance: int) -> tuple[int, int]:
    """(pairs, −cost) of the best matching, of all there are."""
    best = (0, 0)
    for n in range(1, min(len(a), len(b)) + 1):
        for left, right in product(combinations(range(len(a)), n), permutations(range(len(b)), n)):
            gaps = [abs(a[i] - b[j]) for i, j in zip(left, right, strict=True)]
            if max(gaps) <= tolerance:
                best = max(best, (n, -sum(gaps)))
    return best


@given(TIMES, TIMES, st.integers(0, 12))
def test_no_matching_is_larger_or_closer(a: list[int], b: list[int], tolerance: int) -> None:
    pairs = matched_times(a, b, tolerance)
    assert (len(pairs), -sum(abs(a[i] - b[j]) for i, j in pairs)) == brute_force(a, b, tolerance)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    assert all(abs(a[i] - b[j]) <= tolerance for i, j in pairs)


@given(st.lists(st.integers(0, 300), max_size=40).map(sorted), st.lists(st.integers(0, 300), max_size=40).map(sorted))
def test_longer_sequences_agree_with_the_assignment_of_scipy(a: list[int], b: list[int]) -> None:
    tolerance, far = 9, 10**6
    gap = np.abs(np.subtract.outer(np.array(a, np.int64), np.array(b, np.int64)))
    rows, columns = linear_sum_assignment(np.where(gap <= tolerance, gap, far))
    near = gap[rows, columns] <= tolerance
    pairs = matched_times(a, b, tolerance)
    assert len(pairs) == near.sum()
    assert sum(abs(a[i] - b[j]) for i, j in pairs) == gap[rows, columns][near].sum()


def test_greedy_nearest_first_would_lose_a_pair() -> None:
    assert matched_times([10, 14], [12, 24], 10) == [(0, 0), (1, 1)]


def test_a_pair_at_exactly_the_tolerance_counts() -> None:
    assert matched_times([100], [110], 10) == [(0, 0)]
    assert matched_times([100], [110], 9) == []


def test_of_equally_many_pairs_the_closest_are_taken() -> None:
    assert matched_times([10], [8, 11], 5) == [(0, 1)]


def test_a_pair_that_may_not_be_is_left_out() -> None:
    assert best_pairs([(0, 2), (0, 2)], lambda i, j: None if i == j else 0, most=0) in ([(0, 1)], [(1, 0)])


def test_ten_thousand_marks_in_one_episode_are_matched_in_a_moment() -> None:
    rng = np.random.default_rng(0)
    a, b = (sorted(rng.integers(0, 10_000 * 10**9, 10_000).tolist()) for _ in range(2))
    assert len(matched_times(a, b, 10**9)) > 5000
