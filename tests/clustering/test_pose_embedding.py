"""What the action vector sees and what it must not see."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from clustering.motion_shape import Vector, window_of
from clustering.pose_embedding import ArmMotion, arm_features, heading, opening_trend, path_trend, pose_vector
from schemas.episode import Arm, ArmTrack
from tests.clustering.made import arm, clock, span

ARM_DIMS = 41


def arc(
    turn: float = 0.0, start: tuple[float, float, float] = (0.4, 0.1, 0.2), size: float = 0.2
) -> NDArray[np.float64]:
    """A curved, rising path of 40 rows whose net displacement points along ``turn`` (radians)."""
    u = np.linspace(0, 1, 40)
    path = size * np.stack([u, 0.3 * np.sin(np.pi * u), 0.5 * u], axis=1)
    c, s = math.cos(turn), math.sin(turn)
    return path @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) + start


def vector(*arms: ArmTrack, coefficients: int = 6) -> Vector:
    window = window_of(span(40), clock(40).times_ns, np.ones(40, np.bool_), 32)
    assert window is not None
    openings = {track.arm: track.opening for track in arms if track.opening is not None}
    return pose_vector(arms, openings, window, 2.0, coefficients)


@given(st.floats(0, 6.2), st.tuples(st.floats(-1, 1), st.floats(-1, 1), st.floats(-1, 1)))
@settings(max_examples=30, deadline=None)
def test_neither_where_nor_which_way_matters(turn: float, start: tuple[float, float, float]) -> None:
    np.testing.assert_allclose(vector(arm(arc(turn, start))), vector(arm(arc())), atol=2e-4)


def test_up_and_down_are_different() -> None:
    down = arc() * [1, 1, -1]
    assert np.linalg.norm(vector(arm(down)) - vector(arm(arc()))) > 0.5


def test_a_displacement_under_a_centimetre_has_no_heading() -> None:
    path = np.linspace([0, 0, 0], [0.0, 0.009, 0.5], 32)
    np.testing.assert_array_equal(heading(path), np.eye(3))
    turned = np.linspace([0, 0, 0], [0.0, 0.011, 0.5], 32) @ heading(np.linspace([0, 0, 0], [0.0, 0.011, 0.5], 32)).T
    np.testing.assert_allclose(turned[-1], [0.011, 0, 0.5], atol=1e-12)


def test_scalars_stand_after_the_shape() -> None:
    straight = np.linspace([0, 0, 0], [0.3, 0, -0.4], 40)
    features = vector(arm(straight, np.linspace(1, 0, 40)))
    log_duration, log_length, straightness, rise = features[18:22] / [0.5, 0.5, 0.5, 0.8]
    assert log_duration == pytest.approx(math.log(2))
    assert log_length == pytest.approx(math.log(0.5), abs=1e-5)
    assert straightness == pytest.approx(1)
    assert rise == pytest.approx(-0.4, abs=1e-6)
    np.testing.assert_allclose(features[33:35], [0.33, 0], atol=1e-6)


def test_the_trend_says_which_way_and_how_fast_at_both_ends() -> None:
    """Half a metre down in two seconds, then at rest."""
    path = np.stack([np.zeros(32), np.zeros(32), -np.minimum(np.linspace(0, 1, 32), 0.5)], axis=1)
    elevation, *rest = path_trend(path, 2.0)
    assert elevation == pytest.approx(-2.3)
    vertical, speed = rest[:3], rest[3:]
    assert vertical[0] == pytest.approx(-1.2, abs=1e-3)
    assert vertical[2] == 0
    assert speed[0] == pytest.approx(math.log(0.5), abs=1e-6)
    assert speed[2] == pytest.approx(math.log(0.01))


def test_a_path_three_times_as_long_has_little_more_shape() -> None:
    small, large = (np.linalg.norm(arm_features(motion(arc(size=size)), 2.0, 6)[:18]) for size in (0.2, 0.6))
    assert small < large < 1.5 * small


def motion(path: NDArray[np.float64]) -> ArmMotion:
    return ArmMotion(path - path[0], None, None, None)


@pytest.mark.parametrize(
    ("opening", "change", "opened", "closed"),
    [
        (np.full(32, 0.4), 0, 0, 0),
        (np.linspace(0.9, 0.3, 32), -1, 0, 1),
        (np.linspace(0.3, 0.9, 32), 1, 1, 0),
        (np.r_[np.linspace(0.9, 0.3, 16), np.linspace(0.3, 0.9, 16)], 0, 1, 1),
    ],
)
def test_closing_and_opening_are_told_apart_whatever_their_size(
    opening: Vector, change: float, opened: float, closed: float
) -> None:
    found = opening_trend(opening)
    assert found[7] == pytest.approx(2.5 * change, abs=1e-6)
    np.testing.assert_allclose(found[8:10], [1.3 * opened, 1.3 * closed], atol=2e-3)
    assert np.sign(found[10:]).tolist() == np.sign(opening[[0, -1]] - 0.65).tolist()


def test_the_noise_of_fingers_is_no_change() -> None:
    still = 0.4 + 0.005 * np.random.default_rng(0).normal(size=32)
    assert np.abs(opening_trend(still)[7:10]).max() < 0.5


def test_the_busier_arm_comes_first() -> None:
    busy, idle = arc(), np.tile(arc()[:1] + 0.3, (40, 1))
    left_busy = vector(arm(busy, which=Arm.LEFT), arm(idle, which=Arm.RIGHT))
    right_busy = vector(arm(idle, which=Arm.LEFT), arm(busy, which=Arm.RIGHT))
    np.testing.assert_allclose(left_busy, right_busy, atol=1e-6)


def test_closing_counts_as_activity() -> None:
    still, closing = arm(np.zeros((40, 3)), which=Arm.LEFT), arm(np.zeros((40, 3)), np.linspace(1, 0, 40))
    assert vector(still, closing)[36] == pytest.approx(-2.5)


def test_one_arm_looks_like_two_of_which_one_rests() -> None:
    alone = vector(arm(arc()))
    helped = vector(arm(arc()), arm(np.tile(arc()[:1], (40, 1)), which=Arm.LEFT, rotation=False))
    np.testing.assert_allclose(alone[: 2 * ARM_DIMS], helped[: 2 * ARM_DIMS], atol=1e-6)


def test_the_second_arm_stands_where_the_first_sees_it() -> None:
    beside = [vector(arm(arc(turn)), arm(np.tile(arc(turn)[:1], (40, 1)) + apart, which=Arm.LEFT)) for turn, apart in
              ((0.0, [0.0, 0.5, 0.0]), (math.pi / 2, [-0.5, 0.0, 0.0]))]  # fmt: skip
    np.testing.assert_allclose(beside[0], beside[1], atol=1e-5)
    np.testing.assert_allclose(beside[0][82:85], [0, 0.5, 0], atol=1e-6)
    np.testing.assert_allclose(beside[0][88:], 0, atol=1e-6)


def test_an_arm_without_poses_still_tells_its_opening() -> None:
    features = vector(arm(arc()), arm(None, np.linspace(0, 1, 40), which=Arm.LEFT))
    assert features[ARM_DIMS + 36] == pytest.approx(2.5)
    assert not features[82:].any()


@pytest.mark.parametrize("coefficients", [1, 6, 32])
def test_the_length_depends_on_the_recipe_only(coefficients: int) -> None:
    expected = 2 * (3 * coefficients + 23) + 12
    assert len(vector(arm(arc()), coefficients=coefficients)) == expected
    assert len(vector(arm(arc()), arm(arc(1.0), which=Arm.LEFT), coefficients=coefficients)) == expected
