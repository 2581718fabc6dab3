"""AWE waypoints: as few as can be, and never farther from the path than allowed."""

from itertools import combinations, pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from annotators.kinematic.waypoints import awe_waypoints, chord_errors
from schemas.array import Floats


def worst(path: Floats, knots: list[int]) -> float:
    edges = [0, *knots, len(path) - 1]
    return max((float(chord_errors(path[a : b + 1])[-1]) for a, b in pairwise(edges) if b > a), default=0.0)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(0, 9), st.sampled_from([0.01, 0.05, 0.2]))
def test_no_fewer_waypoints_would_do(seed: int, n: int, error_m: float) -> None:
    path = np.cumsum(np.random.default_rng(seed).normal(0, 0.05, (n, 3)), axis=0)
    found = awe_waypoints(path, 10.0, error_m)
    assert worst(path, found) <= error_m
    assert all(
        worst(path, list(fewer)) > error_m
        for k in range(len(found))
        for fewer in combinations(range(1, max(1, n - 1)), k)
    )


def test_a_straight_path_has_none_and_a_corner_is_one() -> None:
    line = np.linspace(0, 1, 21)[:, None] * [1.0, 0, 0]
    assert awe_waypoints(line, 10.0, 0.02) == []
    corner = np.concatenate([line, line[-1] + np.linspace(0.05, 1, 20)[:, None] * [0, 1.0, 0]])
    assert awe_waypoints(corner, 10.0, 0.02) == [20]


def test_dense_paths_are_read_at_ten_hertz_and_answered_in_their_own_samples() -> None:
    line = np.linspace(0, 1, 101)[:, None] * [1.0, 0, 0]
    corner = np.concatenate([line, line[-1] + np.linspace(0.01, 1, 100)[:, None] * [0, 1.0, 0]])
    assert awe_waypoints(corner, 50.0, 0.02) == [100]


def test_the_error_is_the_distance_to_the_stretch_and_not_to_the_line() -> None:
    there_and_back = np.array([[0.0, 0, 0], [1.0, 0, 0], [0.5, 0, 0]])
    assert chord_errors(there_and_back).tolist() == [0.0, 0.5]
