"""Forward kinematics: joints become poses, and joints that mean nothing do not."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pinocchio", reason="kinematics need the extra `robot`")

from pipeline.errors import SourceError
from pipeline.kinematics.forward import with_forward_kinematics
from schemas.episode import ActionKind, ActionTrack, Arm, CommandMode, CommandSemantics, CommandSpace
from schemas.finding import Finding
from schemas.pose import matrix_of
from tests.pipeline.kinematics.robots import (
    SIMULATED,
    SIMULATED_BASE,
    SIMULATED_TOOL,
    joint_track,
    planar_point,
    planar_spec,
    seven_spec,
)
from tests.pipeline.made_up import make_arm
from tests.pipeline.sources.one_episode import REF

N = 40
JOINTS = np.stack([np.linspace(-1, 1, N), np.linspace(0.1, 2.1, N)], axis=1)
POSITIONS = CommandSemantics(CommandMode.ABSOLUTE, CommandSpace.JOINT, "joint")


def posed(track: ActionTrack, **spec: Any) -> tuple[ActionTrack, list[Finding]]:
    return with_forward_kinematics(REF, track, [planar_spec(**spec)])


def test_a_recording_of_joints_gets_poses() -> None:
    track, findings = posed(joint_track(JOINTS))
    (arm,) = track.state
    assert arm.position is not None
    assert arm.rotation is not None
    np.testing.assert_allclose(arm.position, planar_point(*JOINTS.T), atol=1e-6)
    turned = matrix_of(arm.rotation)
    np.testing.assert_allclose(np.arctan2(turned[:, 1, 0], turned[:, 0, 0]), JOINTS.sum(axis=1), atol=1e-6)
    assert (arm.arm, track.frame, track.kind) == (Arm.RIGHT, "base", ActionKind.MEASURED)
    assert track.valid.all()
    assert findings == []
    assert "right state pose by forward kinematics of planar base to tool (" in track.provenance
    assert track.target == ()


def test_a_simulator_says_the_same(real: Path) -> None:
    """MuJoCo's Panda, on its table in robosuite's coordinates; what is left is a guess at its tool's length."""
    truth = np.load(real / SIMULATED)
    spec = seven_spec(base_pose=SIMULATED_BASE, tcp_offset=SIMULATED_TOOL)
    track, findings = with_forward_kinematics(REF, joint_track(truth["joint_pos"]), [spec])
    away = np.linalg.norm(np.asarray(track.state[0].position) - truth["eef_pos"], axis=1)
    assert away.max() < 1.5e-3
    assert findings == []


def test_native_columns_stay_as_they_are() -> None:
    before = joint_track(JOINTS)
    after, _ = posed(before)
    assert after.joint_names == before.joint_names
    np.testing.assert_array_equal(after.joint_state, before.joint_state)


def test_columns_are_taken_by_name_and_mapped() -> None:
    recorded = np.stack([np.degrees(JOINTS[:, 1]), np.zeros(N), 90 - np.degrees(JOINTS[:, 0])], axis=1)
    joints = {"shoulder": {"column": "j2", "scale": -1, "offset": np.pi / 2}, "elbow": "j0"}
    track, _ = posed(joint_track(recorded), joints=joints, degrees=True)
    np.testing.assert_allclose(track.state[0].position, planar_point(*JOINTS.T), atol=1e-6)


def test_a_column_that_is_not_there_is_told_with_those_there_are() -> None:
    for column in ("j7", 2):
        with pytest.raises(SourceError, match=r"joint 'elbow' from column .*, found 2 native columns \['j0', 'j1'\]"):
            posed(joint_track(JOINTS), joints={"shoulder": 0, "elbow": column})


def test_commanded_joints_get_poses_when_the_source_says_they_are_positions() -> None:
    commanded = (JOINTS + 0.1).astype(np.float32).reshape(-1)
    track, findings = posed(dataclasses.replace(joint_track(JOINTS), joint_target=commanded, commands=POSITIONS))
    np.testing.assert_allclose(track.target[0].position, planar_point(*(JOINTS + 0.1).T), atol=1e-6)
    assert findings == []


@pytest.mark.parametrize("commands", [None, dataclasses.replace(POSITIONS, mode=CommandMode.DELTA)])
def test_joint_steps_are_never_taken_for_positions(commands: CommandSemantics | None) -> None:
    steps = np.full(2 * N, 0.01, np.float32)
    track, findings = posed(dataclasses.replace(joint_track(JOINTS), joint_target=steps, commands=commands))
    assert track.target == ()
    assert [finding.check for finding in findings] == ["commands_without_pose"]


def test_degrees_taken_for_radians_are_told_and_mean_nothing() -> None:
    track, findings = posed(joint_track(np.degrees(JOINTS)))
    inside = np.abs(np.degrees(JOINTS) / [3.05, 2.55]).max(axis=1) <= 1
    np.testing.assert_array_equal(track.valid, inside)
    assert track.state[0].position is not None
    assert np.isnan(track.state[0].position[~inside]).all()
    assert {finding.check for finding in findings} == {"joint_out_of_limits"}
    assert "these look like degrees: set `degrees: true`" in findings[0].message
    assert f"{np.count_nonzero(~inside)} of 40 rows" in findings[0].message


def test_a_joint_just_outside_its_limits_is_tolerated() -> None:
    joints = JOINTS.copy()
    joints[10:13, 1], joints[20, 1] = 2.54, 2.56
    track, (finding,) = posed(joint_track(joints))
    assert np.flatnonzero(~track.valid).tolist() == [20]
    assert finding.value == pytest.approx(0.06)
    assert (finding.threshold, finding.start_ns, finding.end_ns) == (0.05, 10**9, 1_050_000_000)
    assert posed(joint_track(joints), limit_tolerance=0.1)[0].valid.all()


def test_an_arm_keeps_its_gripper() -> None:
    opening = np.linspace(0, 1, N)
    track, _ = posed(dataclasses.replace(joint_track(JOINTS), state=(make_arm(opening=opening),)))
    (arm,) = track.state
    assert arm.position is not None
    np.testing.assert_allclose(arm.opening, opening, atol=1e-6)


def test_a_measured_pose_is_checked_and_never_replaced() -> None:
    for away, told in ((0.001, []), (0.05, ["kinematics_disagree"])):
        own = (planar_point(*JOINTS.T) + np.array([away, 0, 0])).astype(np.float32)
        track, findings = posed(dataclasses.replace(joint_track(JOINTS), state=(make_arm(own),)))
        np.testing.assert_array_equal(track.state[0].position, own)
        assert [finding.check for finding in findings] == told


def test_poses_of_two_frames_are_never_mixed() -> None:
    other = dataclasses.replace(joint_track(JOINTS), frame="tag", state=(make_arm(np.zeros((N, 3)), arm=Arm.LEFT),))
    with pytest.raises(SourceError, match="say with base_pose where the base link stands"):
        posed(other)
    track, _ = posed(other, base_pose={"xyz": [0, 0, 1]})
    assert track.frame == "tag"
    assert {arm.arm for arm in track.state} == {Arm.LEFT, Arm.RIGHT}
    np.testing.assert_allclose(track.state[1].position, planar_point(*JOINTS.T) + np.array([0, 0, 1]), atol=1e-6)


def test_a_row_without_joints_is_invalid() -> None:
    joints = JOINTS.copy()
    joints[5, 0] = np.nan
    track, _ = posed(joint_track(joints))
    assert np.flatnonzero(~track.valid).tolist() == [5]


def test_joints_that_were_never_recorded_are_told() -> None:
    joints = JOINTS.copy()
    joints[:, 0] = np.nan
    track, findings = posed(joint_track(joints))
    assert track.state == ()
    assert [finding.check for finding in findings] == ["kinematics_without_joints"]
