"""Uniform by volume, in both balls, and the same every time."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.transform import Rotation

from pipeline.recovery.geodesic_ball import (
    Displacement,
    GeodesicBall,
    angle_between,
    displacement,
    haar_angle,
    is_perturbed,
    moved,
    start_seed,
)

BALL = GeodesicBall(0.03, np.radians(15))


def many(ball: GeodesicBall, n: int = 3000) -> list[Displacement]:
    return [displacement(ball, start_seed("ev-1", index, 0)) for index in range(n)]


def uniform(values: Any) -> float:
    """How well values fit a uniform distribution over 0 … 1: the p of a Kolmogorov-Smirnov test."""
    return float(stats.kstest(np.asarray(values), "uniform").pvalue)


@given(st.floats(0, 0.5), st.floats(0, np.pi), st.integers(0, 2**63 - 1))
def test_no_start_leaves_the_ball(radius_m: float, angle_rad: float, seed: int) -> None:
    by = displacement(GeodesicBall(radius_m, angle_rad), seed)
    assert by.distance_m <= radius_m * (1 + 1e-12)
    assert by.angle_rad <= angle_rad * (1 + 1e-12)


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**32 - 1))
def test_a_pose_is_moved_by_as_much_as_the_displacement_says(seed: int, other: int) -> None:
    by, start = displacement(BALL, seed), Rotation.random(rng=np.random.default_rng(other)).as_matrix()
    position, rotation = moved(np.ones(3), start, by)
    assert np.linalg.norm(position - 1) == pytest.approx(by.distance_m)
    assert angle_between(start, rotation) == pytest.approx(by.angle_rad, abs=1e-7)


def test_positions_are_uniform_in_the_ball() -> None:
    drawn = np.array([by.offset for by in many(BALL)]) / BALL.radius_m
    radius = np.linalg.norm(drawn, axis=1)
    assert uniform(radius**3) > 0.01
    assert all(uniform((drawn[:, axis] / radius + 1) / 2) > 0.01 for axis in range(3))


@pytest.mark.parametrize("degrees", [0.2, 15, 120, 180])
def test_rotations_are_uniform_by_the_haar_measure(degrees: float) -> None:
    rho = np.radians(degrees)
    turns = np.array([by.turn for by in many(GeodesicBall(0.0, rho))])
    theta = np.linalg.norm(turns, axis=1)
    share = (theta / rho) ** 3 if degrees < 1 else (theta - np.sin(theta)) / (rho - np.sin(rho))
    assert uniform(share) > 0.01
    assert all(uniform((turns[:, axis] / theta + 1) / 2) > 0.01 for axis in range(3))


def test_a_ball_of_half_a_turn_holds_every_rotation_equally_often() -> None:
    """Against scipy's random rotations, which are uniform over SO(3) by another way."""
    ours = [by.angle_rad for by in many(GeodesicBall(0.0, np.pi))]
    theirs = Rotation.random(3000, rng=np.random.default_rng(0)).magnitude()
    assert stats.ks_2samp(ours, theirs).pvalue > 0.01


def test_a_uniform_angle_would_be_seen() -> None:
    theta = np.random.default_rng(0).uniform(0, 0.3, 3000)
    assert uniform((theta - np.sin(theta)) / (0.3 - np.sin(0.3))) < 1e-6


def test_small_and_large_angles_meet() -> None:
    assert haar_angle(0.5, 0.00999999) == pytest.approx(haar_angle(0.5, 0.01), rel=1e-5)


def test_a_start_follows_from_event_index_and_seed_alone() -> None:
    assert displacement(BALL, start_seed("ev-1", 3, 0)).offset.tolist() == many(BALL, 4)[3].offset.tolist()
    seeds = {start_seed(event, index, seed) for event in ("ev-1", "ev-2") for index in range(50) for seed in (0, 1)}
    assert len(seeds) == 200


@pytest.mark.parametrize("alpha", [0.0, 0.1, 0.5, 0.75, 1.0])
def test_the_share_alpha_is_perturbed(alpha: float) -> None:
    drawn = np.array([[is_perturbed(f"ev-{e}", i, alpha, 0) for i in range(8)] for e in range(2000)])
    assert np.abs(drawn.sum(axis=1) - 8 * alpha).max() < 1  # of every event, within one start
    assert np.abs(drawn.mean(axis=0) - alpha).max() < 0.04  # of every index, over events
