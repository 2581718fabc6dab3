"""Inverse kinematics: FK(IK(FK(q))) = FK(q), closed forms, and honesty about what cannot be reached."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("pinocchio", reason="kinematics need the extra `robot`")

from pipeline.kinematics.inverse import Solution, solve
from pipeline.kinematics.robot import Robot, robot_of
from schemas.array import Floats
from schemas.recipe_kinematics import RetargetSpec
from schemas.robot_chain import Placement
from tests.pipeline.kinematics.robots import (
    FORE_M,
    PLANAR,
    SEVEN_LIMITS,
    UPPER_M,
    chain,
    planar_point,
    seven,
    seven_joints,
    seven_retarget,
)

SEVEN = robot_of(chain(seven(), "link8"), Placement(), Placement())
ARM = robot_of(chain(PLANAR, "tool"), Placement(), Placement())


def planar_retarget(**more: Any) -> RetargetSpec:
    stated = {"arm": "right", "urdf": chain(PLANAR, "tool"), "tip_link": "tool", "base_pose": {}}
    return RetargetSpec.model_validate({**stated, "max_rotation_error_rad": 3.1415, **more})


def solved(robot: Robot, joints: Floats, spec: RetargetSpec) -> Solution:
    return solve(robot, *robot.poses(joints), spec)


def test_poses_of_a_motion_are_met_to_a_micrometre() -> None:
    joints = seven_joints(200)
    solution = solved(SEVEN, joints, seven_retarget())
    assert solution.reached.all()
    for found, meant in zip(SEVEN.poses(solution.joints), SEVEN.poses(joints), strict=True):
        np.testing.assert_allclose(found, meant, atol=1e-6)
    assert solution.position_error.max() < 1e-6
    assert solution.rotation_error.max() < 1e-6


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0.02, 0.98), min_size=7, max_size=7))
def test_any_pose_the_arm_can_take_is_found_within_its_limits(shares: list[float]) -> None:
    low, high = np.array(SEVEN_LIMITS).T
    q = low + np.array(shares) * (high - low)
    solution = solved(SEVEN, q[None], seven_retarget())
    assert solution.reached.all()
    assert (SEVEN.outside(solution.joints) == 0.0).all()


def test_an_arm_follows_without_jumps() -> None:
    joints = seven_joints(200)
    solution = solved(SEVEN, joints, seven_retarget())
    assert np.abs(np.diff(solution.joints, axis=0)).max() < 3 * np.abs(np.diff(joints, axis=0)).max() + 0.02


def test_two_links_meet_the_law_of_cosines() -> None:
    joints = np.stack([np.linspace(-1, 1, 30), np.linspace(0.4, 2.0, 30)], axis=1)
    solution = solved(ARM, joints, planar_retarget(home={"elbow": 1.0}))
    distance = np.linalg.norm(planar_point(*joints.T), axis=1)
    elbow = np.arccos((distance**2 - UPPER_M**2 - FORE_M**2) / (2 * UPPER_M * FORE_M))
    np.testing.assert_allclose(solution.joints[:, 1], elbow, atol=1e-5)
    np.testing.assert_allclose(solution.joints, joints, atol=1e-5)


def test_home_chooses_the_elbow() -> None:
    joints = np.array([[0.3, 1.2]])
    up = solved(ARM, joints, planar_retarget(home={"elbow": 1.0})).joints[0, 1]
    down = solved(ARM, joints, planar_retarget(home={"elbow": -1.0})).joints[0, 1]
    assert up == pytest.approx(1.2, abs=1e-5)
    assert down == pytest.approx(-1.2, abs=1e-5)


def test_a_pose_two_metres_away_is_unreachable_by_as_much() -> None:
    there = np.array([[2.0, 0.0, 0.0]])
    solution = solve(ARM, there, np.eye(3)[None], planar_retarget())
    assert not solution.reached.any()
    assert solution.position_error[0] == pytest.approx(2.0 - UPPER_M - FORE_M, abs=1e-3)
    far = solve(SEVEN, np.array([[2.0, 0.0, 0.4]]), np.diag([1.0, -1.0, -1.0])[None], seven_retarget())
    assert not far.reached.any()
    assert far.position_error[0] > 1.0


@pytest.mark.parametrize("angle", [0.9, 1.2, 1.6])
def test_a_joint_at_its_limit_is_held_while_the_others_do_what_they_can(angle: float) -> None:
    """With the shoulder at its stop the best the forearm can do is to point at the target."""
    text = PLANAR.replace('lower="-3" upper="3"', 'lower="-0.5" upper="0.5"')
    spec = planar_retarget(urdf=chain(text, "tool"))
    target = 0.47 * np.array([np.cos(angle), np.sin(angle), 0.0])
    solution = solve(robot_of(spec.urdf, Placement(), Placement()), target[None], np.eye(3)[None], spec)
    elbow = UPPER_M * np.array([np.cos(0.5), np.sin(0.5), 0.0])
    assert solution.joints[0, 0] == 0.5
    assert solution.position_error[0] == pytest.approx(np.linalg.norm(target - elbow) - FORE_M, abs=3e-4)
    assert not solution.reached.any()


def test_an_arm_that_loses_a_pose_looks_for_it_elsewhere() -> None:
    low, high = np.array(SEVEN_LIMITS).T
    joints = np.random.default_rng(0).uniform(low, high, (40, 7))
    assert solved(SEVEN, joints, seven_retarget()).reached.all()


def test_an_arm_comes_back_from_where_it_cannot_reach() -> None:
    joints = seven_joints(60)
    position, rotation = SEVEN.poses(joints)
    position[20:30] += [2.0, 0.0, 0.0]
    solution = solve(SEVEN, position, rotation, seven_retarget())
    assert np.flatnonzero(~solution.reached).tolist() == list(range(20, 30))


def test_a_rotation_out_of_reach_counts_too() -> None:
    there, turned = planar_point(np.array([0.3]), np.array([0.8])), np.diag([1.0, -1.0, -1.0])[None]
    assert solve(ARM, there, turned, planar_retarget()).reached.all()
    strict = solve(ARM, there, turned, planar_retarget(max_rotation_error_rad=0.05))
    assert not strict.reached.any()
    assert strict.rotation_error[0] > 1.0


def test_a_joint_at_its_limit_is_told() -> None:
    low, high = np.array(SEVEN_LIMITS).T
    joints = np.tile((low + high) / 2, (20, 1))
    joints[:, 3] = np.linspace(-1.5, low[3], 20)
    solution = solved(SEVEN, joints, seven_retarget(home={"joint4": -1.5}))
    assert solution.reached.all()
    assert not solution.at_limit[0].any()
    limited = robot_of(chain(PLANAR, "tool"), Placement(), Placement())
    at_end = solved(limited, np.array([[0.0, 2.0], [0.0, 2.5]]), planar_retarget(home={"elbow": 1.0}))
    assert at_end.at_limit.tolist() == [[False, False], [False, True]]


def test_a_stretched_arm_is_singular() -> None:
    """The smallest singular value of the planar Jacobian is exactly computable: det J = l₁ l₂ sin b."""
    joints = np.stack([np.zeros(4), np.array([1.5, 0.5, 0.1, 0.02])], axis=1)
    solution = solved(ARM, joints, planar_retarget(home={"elbow": 1.0}))
    values = np.linalg.svd(np.stack([ARM.jacobian(q)[:2] for q in joints]), compute_uv=False)
    np.testing.assert_allclose(solution.smallest_singular, values[:, 1], rtol=1e-3)
    np.testing.assert_allclose(values.prod(axis=1), UPPER_M * FORE_M * np.sin(joints[:, 1]), rtol=1e-9)
    assert (np.diff(solution.smallest_singular) < 0).all()


def test_rows_without_a_pose_are_left_out() -> None:
    joints = seven_joints(5)
    position, rotation = SEVEN.poses(joints)
    position[2] = np.nan
    solution = solve(SEVEN, position, rotation, seven_retarget())
    assert np.isnan(solution.joints[2]).all()
    assert solution.reached.tolist() == [True, True, False, True, True]


def test_the_same_rows_give_the_same_bits() -> None:
    position, rotation = SEVEN.poses(seven_joints(30, reach=0.6))
    position[10:15] += 2.0
    once, twice = (solve(SEVEN, position, rotation, seven_retarget()) for _ in range(2))
    assert once.joints.tobytes() == twice.joints.tobytes()
