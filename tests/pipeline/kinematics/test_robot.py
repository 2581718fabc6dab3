"""A robot's poses against school geometry and against matrices multiplied by hand."""

import numpy as np
import pytest

pytest.importorskip("pinocchio", reason="kinematics need the extra `robot`")

from pipeline.kinematics.robot import robot_of
from schemas.robot_chain import Chain, ChainJoint, JointMotion, Placement
from tests.pipeline.kinematics.robots import PLANAR, chain, matrix, planar_point, seven, seven_joints, seven_pose

NOWHERE = Placement()
SEVEN = chain(seven(), "link8")


def test_two_links_follow_sines_and_cosines() -> None:
    joints = np.random.default_rng(0).uniform(-2.4, 2.4, (50, 2))
    position, rotation = robot_of(chain(PLANAR, "tool"), NOWHERE, NOWHERE).poses(joints)
    np.testing.assert_allclose(position, planar_point(*joints.T), atol=1e-12)
    np.testing.assert_allclose(
        np.arctan2(rotation[:, 1, 0], rotation[:, 0, 0]) % (2 * np.pi), joints.sum(1) % (2 * np.pi)
    )


def test_seven_joints_agree_with_matrices_multiplied_by_hand() -> None:
    robot = robot_of(SEVEN, NOWHERE, NOWHERE)
    for q in seven_joints(20, reach=0.9):
        position, rotation = robot.pose(q)
        np.testing.assert_allclose(position, seven_pose(q)[:3, 3], atol=1e-12)
        np.testing.assert_allclose(rotation, seven_pose(q)[:3, :3], atol=1e-12)


def test_the_published_pose_at_zero() -> None:
    """0.333 + 0.316 + 0.384 up, 0.088 out, and the flange hangs down."""
    position, rotation = robot_of(SEVEN, NOWHERE, NOWHERE).pose(np.zeros(7))
    np.testing.assert_allclose(position, [0.088, 0.0, 0.333 + 0.316 + 0.384 - 0.107], atol=1e-12)
    np.testing.assert_allclose(rotation, np.diag([1.0, -1.0, -1.0]), atol=1e-12)


def test_base_and_tool_stand_where_they_are_put() -> None:
    base, tool = Placement(xyz=(1, 2, 3), rpy=(0.1, -0.2, 0.3)), Placement(xyz=(0, 0, 0.1), rpy=(0, 0.5, 0))
    q = seven_joints(3)[1]
    position, rotation = robot_of(SEVEN, base, tool).pose(q)
    expected = matrix(base.xyz, base.rpy) @ seven_pose(q) @ matrix(tool.xyz, tool.rpy)
    np.testing.assert_allclose(position, expected[:3, 3], atol=1e-12)
    np.testing.assert_allclose(rotation, expected[:3, :3], atol=1e-12)


def test_the_jacobian_is_the_derivative_of_the_pose() -> None:
    robot, q, step = robot_of(SEVEN, NOWHERE, NOWHERE), seven_joints(3)[2], 1e-6
    for joint, column in enumerate(robot.jacobian(q).T):
        moved = q + step * (np.arange(7) == joint)
        (before, turned_before), (after, turned_after) = robot.pose(q), robot.pose(moved)
        turn = turned_after @ turned_before.T
        spin = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]) / 2
        np.testing.assert_allclose(column, np.concatenate([after - before, spin]) / step, atol=1e-5)


def test_a_joint_that_slides_moves_along_its_axis() -> None:
    joints = (
        ChainJoint(name="turn", motion=JointMotion.CONTINUOUS, axis=(0, 0, 1)),
        ChainJoint(name="slide", motion=JointMotion.PRISMATIC, axis=(0, 3, 4), lower=0, upper=0.5),
    )
    robot = robot_of(Chain(robot="r", base="a", tip="b", joints=joints), NOWHERE, NOWHERE)
    np.testing.assert_allclose(robot.pose(np.array([0.0, 0.5]))[0], [0.0, 0.3, 0.4], atol=1e-12)
    np.testing.assert_allclose(robot.pose(np.array([100 * np.pi + np.pi / 2, 0.5]))[0], [-0.3, 0.0, 0.4], atol=1e-9)
    assert robot.outside(np.array([[1e6, 0.75]])).tolist() == [[0.0, 0.25]]
    assert robot.reach == 0.5


def test_no_pose_is_further_than_the_reach() -> None:
    robot = robot_of(SEVEN, Placement(xyz=(1, 0, 0)), Placement(xyz=(0, 0, 0.2)))
    position, _ = robot.poses(seven_joints(500, reach=1.0))
    assert np.linalg.norm(position - robot.shoulder, axis=1).max() <= robot.reach


def test_a_row_without_a_number_has_no_pose() -> None:
    joints = seven_joints(3)
    joints[1, 4] = np.nan
    position, rotation = robot_of(SEVEN, NOWHERE, NOWHERE).poses(joints)
    assert np.isnan(position[1]).all()
    assert np.isnan(rotation[1]).all()
    assert np.isfinite(position[[0, 2]]).all()
