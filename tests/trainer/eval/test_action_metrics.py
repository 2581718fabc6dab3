"""End points in metres and degrees, and smoothness, of trajectories whose errors are known."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from schemas.array import Floats
from trainer.eval.action_metrics import action_score, degrees_between

K = 12
ALL_LEFT = np.arange(20) < 10


def trajectory() -> Floats:
    """The left arm glides along a curve and turns; the right one is not there."""
    way = np.linspace(0, 1, K)
    out = np.zeros((K, 20))
    out[:, 0], out[:, 1], out[:, 2] = 0.2 * way, 0.1 * np.sin(3 * way), way**3
    out[:, 3:9] = Rotation.from_euler("z", 40 * way[:, None], degrees=True).as_matrix()[:, :2].reshape(K, 6)
    out[:, 9] = way > 0.5
    return out


def turned(by_deg: float) -> Floats:
    out = trajectory()
    matrices = Rotation.from_euler("xyz", [by_deg, 0, 0], degrees=True).as_matrix() @ _full(out[:, 3:9])
    out[:, 3:9] = matrices[:, :2].reshape(K, 6)
    return out


def _full(rotation_6: Floats) -> Floats:
    rows = rotation_6.reshape(-1, 2, 3)
    return np.concatenate([rows, np.cross(rows[:, 0], rows[:, 1])[:, None]], axis=1)


def test_the_truth_is_perfect() -> None:
    score = action_score(trajectory(), trajectory(), ALL_LEFT, np.ones(K, bool))
    assert score is not None
    assert (score.end_m, score.end_deg, score.end_opening) == (0.0, 0.0, 0.0)
    assert score.jerk == score.true_jerk > 0


def test_errors_at_the_end_are_in_metres_degrees_and_openings() -> None:
    said = turned(25.0)
    said[-1, :3] += (0.03, 0.0, 0.04)
    said[-1, 9] -= 0.25
    score = action_score(said, trajectory(), ALL_LEFT, np.ones(K, bool))
    assert score is not None
    assert score.end_m == pytest.approx(0.05)
    assert score.end_deg == pytest.approx(25.0)
    assert score.end_opening == pytest.approx(0.25)


def test_the_end_is_the_last_row_that_is_trusted() -> None:
    said, valid = trajectory(), np.ones(K, bool)
    said[-1] = 9.0
    valid[-1] = False
    score = action_score(said, trajectory(), ALL_LEFT, valid)
    assert score is not None
    assert score.end_m == 0.0
    assert action_score(said, trajectory(), ALL_LEFT, np.zeros(K, bool)) is None


def test_an_arm_without_rotations_has_no_turn() -> None:
    known = ALL_LEFT & ~((np.arange(20) >= 3) & (np.arange(20) < 9))
    score = action_score(trajectory(), trajectory(), known, np.ones(K, bool))
    assert score is not None
    assert score.end_deg is None


def test_trembling_has_more_jerk_and_a_straight_glide_none() -> None:
    shaky, glide = trajectory(), trajectory()
    shaky[::2, 0] += 0.01
    glide[:, :3] = np.linspace(0, 1, K)[:, None]
    scores = [action_score(said, trajectory(), ALL_LEFT, np.ones(K, bool)) for said in (shaky, glide)]
    assert scores[0] is not None
    assert scores[1] is not None
    assert scores[0].jerk > 10 * scores[0].true_jerk
    assert scores[1].jerk < 1e-20


def test_numbers_that_mean_no_rotation_are_half_a_turn_away() -> None:
    assert degrees_between(np.zeros(6), trajectory()[0, 3:9]) == 180.0
