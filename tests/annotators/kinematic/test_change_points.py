"""Change points and steps: where they are, and that noise has none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotators.kinematic.change_points import kernel_change_points, spread, steps

RATE_HZ = 10.0


def levels(*parts: tuple[float, int], noise: float = 0.0, seed: int = 0) -> np.ndarray:
    values = np.concatenate([np.full(n, level) for level, n in parts])
    return values + np.random.default_rng(seed).normal(0.0, noise, len(values))


def test_a_change_of_level_is_a_kernel_change_point_and_a_constant_has_none() -> None:
    values = levels((0.0, 30), (1.0, 30), (0.2, 30), noise=0.05)
    assert kernel_change_points(values[:, None], RATE_HZ, 3.0) == pytest.approx([30, 60], abs=1)
    assert kernel_change_points(np.zeros((60, 2)), RATE_HZ, 3.0) == []
    assert kernel_change_points(np.zeros((1, 1)), RATE_HZ, 3.0) == []


def test_long_signals_are_searched_window_by_window() -> None:
    values = levels((0.0, 1000), (1.0, 600), (0.0, 1000), noise=0.01)
    assert kernel_change_points(values[:, None], RATE_HZ, 5.0) == pytest.approx([1000, 1600], abs=1)


@settings(max_examples=30)
@given(st.integers(10, 60), st.floats(1.0, 5.0), st.booleans(), st.integers(0, 1000))
def test_a_step_of_ten_noises_is_found_at_its_onset_whichever_way_it_goes(
    at: int, height: float, up: bool, seed: int
) -> None:
    values = levels((0.0, at), (height if up else -height, 60), noise=0.01, seed=seed)
    found = steps(values, 0.1, 5)
    assert found[:1] == pytest.approx([at], abs=1)
    assert len(found) == 1  # the new level is the level from then on


def test_every_step_of_a_staircase_is_found() -> None:
    assert steps(levels((0, 20), (1, 20), (2, 20), (0, 20)), 0.1, 3) == pytest.approx([20, 40, 60], abs=1)


def test_a_drift_within_the_slack_is_no_step() -> None:
    assert steps(np.linspace(0.0, 0.04, 200), 0.1, 5) == []
    assert steps(np.zeros(3), 0.1, 5) == []


def test_the_spread_ignores_what_is_far_out() -> None:
    values = np.random.default_rng(0).normal(0.0, 2.0, 4000)
    values[:400] = 1e6
    assert spread(values) == pytest.approx(2.0, rel=0.2)
