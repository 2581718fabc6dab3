"""Commands are smooth, end where they should, and say nothing about what will happen."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.synthetic.script import (
    CLOSED,
    FINE_HZ,
    OPEN,
    Choreographer,
    Variant,
    commanded_opening,
    hand_path,
    minimum_jerk,
    opening_request,
    perform,
)
from pipeline.synthetic.world import Region, furnish


def written(seed: int, variant: Variant) -> Choreographer:
    rng = np.random.default_rng(seed)
    (item,), (goal,) = furnish(rng, Region((0.34, 0.60), (-0.22, 0.22)), 1)
    hand = Choreographer(rng, (0.3, 0.0, 0.26), 0.1)
    perform(hand, item, goal, variant)
    return hand


def test_minimum_jerk_starts_and_ends_at_rest() -> None:
    u = np.linspace(-0.5, 1.5, 2001)
    path = minimum_jerk(u)
    assert path[0] == 0.0
    assert path[-1] == 1.0
    speed, acceleration = np.gradient(path, u), np.gradient(np.gradient(path, u), u)
    assert np.abs(speed[[500, 1500]]).max() < 1e-4
    assert np.abs(acceleration[[500, 1500]]).max() < 0.1
    assert speed.max() == pytest.approx(1.875, abs=1e-3)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), variant=st.sampled_from(list(Variant)))
def test_a_hand_comes_home_without_a_jump(seed: int, variant: Variant) -> None:
    script = written(seed, variant).script()
    times = np.arange(int(script.end_s * FINE_HZ)) / FINE_HZ
    position, yaw = hand_path(script, times)
    assert np.allclose(position[[0, -1]], script.start, atol=1e-6)
    assert abs(yaw[-1]) < 1e-9
    assert np.linalg.norm(np.diff(position, axis=0), axis=1).max() * FINE_HZ < 1.5


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), variant=st.sampled_from(list(Variant)))
def test_openings_stay_between_closed_and_open(seed: int, variant: Variant) -> None:
    script = written(seed, variant).script()
    times = np.arange(int(script.end_s * FINE_HZ)) / FINE_HZ
    opening = commanded_opening(script, times)
    assert opening.min() >= CLOSED - 1e-9
    assert opening.max() <= OPEN + 1e-9
    for before, after in zip(script.ramps, script.ramps[1:], strict=False):
        assert before.start_s + before.duration_s <= after.start_s


def test_a_request_steps_ahead_of_the_fingers() -> None:
    script = written(1, Variant.PLAIN).script()
    times = np.arange(int(script.end_s * FINE_HZ)) / FINE_HZ
    request, opening = opening_request(script, times), commanded_opening(script, times)
    closing = script.ramps[0]
    asked = int(np.argmax(request < OPEN))
    arrived = int(np.argmax(opening <= closing.opening + 0.05))
    assert 0.15 < (arrived - asked) / FINE_HZ < closing.duration_s
