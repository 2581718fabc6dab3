"""Displacements and poses: one is the other's inverse, and what is unknown stays where it was."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from schemas.array import Floats
from schemas.displacement import ACTION_DIMS, ARM_OFFSETS, absolute_from, relative_to

ALL = np.ones(ACTION_DIMS, np.bool_)


def poses(seed: int, n: int) -> Floats:
    """Random places, rotations and openings of both arms."""
    random = np.random.default_rng(seed)
    out = random.normal(size=(n, ACTION_DIMS))
    for base in ARM_OFFSETS:
        turns = Rotation.random(n, rng=random).as_matrix()
        out[:, base + 3 : base + 9] = turns[:, :2].reshape(n, 6)
    return out.astype(np.float32)


@given(st.integers(0, 2**32 - 1))
def test_a_displacement_from_a_pose_leads_back_to_where_it_came_from(seed: int) -> None:
    anchor, *others = poses(seed, 4)
    back = absolute_from(relative_to(np.stack(others), anchor), anchor, ALL)
    np.testing.assert_allclose(back, np.stack(others), atol=1e-5)


def test_a_step_forward_is_a_step_along_the_tool() -> None:
    anchor = poses(0, 1)[0]
    anchor[3:9] = Rotation.from_euler("z", 90, degrees=True).as_matrix()[:2].ravel()
    forward = np.zeros((1, ACTION_DIMS), np.float32)
    forward[0, 0] = 0.1
    known = np.zeros(ACTION_DIMS, np.bool_)
    known[:3] = True
    moved = absolute_from(forward, anchor, known)[0] - anchor
    np.testing.assert_allclose(moved[:3], [0.0, 0.1, 0.0], atol=1e-6)


def test_what_is_unknown_stays_as_it_was_observed() -> None:
    anchor = poses(1, 1)[0]
    known = np.zeros(ACTION_DIMS, np.bool_)
    known[9] = True
    moved = absolute_from(np.full((2, ACTION_DIMS), 0.25, np.float32), anchor, known)
    expected = np.tile(anchor, (2, 1))
    expected[:, 9] = 0.25
    np.testing.assert_allclose(moved, expected, atol=1e-6)


def test_an_anchor_without_rotation_moves_by_plain_differences() -> None:
    anchor = np.full(ACTION_DIMS, np.nan, np.float32)
    anchor[:2] = 0.5, 0.1
    known = np.zeros(ACTION_DIMS, np.bool_)
    known[:2] = True
    moved = absolute_from(np.full((1, ACTION_DIMS), 0.25, np.float32), anchor, known)
    np.testing.assert_allclose(moved[0, :3], [0.75, 0.35, 0.0], atol=1e-6)
    assert not moved[0, 3:].any()


def test_rotations_of_a_model_are_made_orthonormal_again() -> None:
    anchor, target = poses(2, 2)
    predicted = relative_to(target[None], anchor)
    predicted[:, 3:6] *= 1.3
    np.testing.assert_allclose(absolute_from(predicted, anchor, ALL)[0], target, atol=1e-5)


def test_rows_that_mean_no_rotation_are_refused() -> None:
    with pytest.raises(ValueError, match="no rotation is meant"):
        absolute_from(np.zeros((1, ACTION_DIMS), np.float32), poses(3, 1)[0], ALL)
