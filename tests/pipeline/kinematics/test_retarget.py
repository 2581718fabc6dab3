"""Retargeting: a robot's joints beside the measured hand, and what it cannot follow named row by row."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pinocchio", reason="kinematics need the extra `robot`")

from pipeline.clean import clean
from pipeline.kinematics.retarget import with_retargeting
from pipeline.kinematics.robot import robot_of
from schemas.array import Floats
from schemas.episode import ActionKind, ActionTrack, Arm, ArmTrack
from schemas.finding import Finding, Verdict
from schemas.recipe import AlignSpec
from schemas.robot_chain import Placement
from tests.pipeline.kinematics.robots import (
    SIMULATED,
    SIMULATED_BASE,
    SIMULATED_TOOL,
    chain,
    pose_track,
    seven,
    seven_joints,
    seven_retarget,
)
from tests.pipeline.made_up import make_camera, make_episode, make_strip
from tests.pipeline.sources.one_episode import REF

N = 60
SEVEN = robot_of(chain(seven(), "link8"), Placement(), Placement())
JOINTS = seven_joints(N)


def hand(joints: Floats = JOINTS, moved: Floats | None = None, arm: Arm = Arm.RIGHT) -> ArmTrack:
    """A hand that was where the robot's flange is at ``joints``."""
    position, rotation = SEVEN.poses(joints)
    position = position if moved is None else position + moved
    return ArmTrack(
        arm,
        position.astype(np.float32),
        rotation[:, :2].reshape(-1, 6).astype(np.float32),
        np.ones(len(joints)),
        None,
        0,
    )


def followed(track: ActionTrack, **spec: Any) -> tuple[ActionTrack, list[Finding]]:
    return with_retargeting(REF, track, [seven_retarget(**spec)])


def commanded(track: ActionTrack) -> Floats:
    assert track.joint_target is not None
    return track.joint_target.reshape(track.n_rows, -1)


def test_the_measured_hand_stays_and_joints_are_commands() -> None:
    before = pose_track(hand())
    after, findings = followed(before)
    assert after.kind is ActionKind.RETARGETED
    assert after.state == before.state
    assert after.joint_state is None
    assert after.joint_names == tuple(f"right.joint{i}" for i in range(1, 8))
    for found, meant in zip(SEVEN.poses(commanded(after).astype(np.float64)), SEVEN.poses(JOINTS), strict=True):
        np.testing.assert_allclose(found, meant, atol=2e-6)
    assert after.valid.all()
    assert findings == []
    assert "right joints retargeted to seven link0 to link8 (" in after.provenance


def test_a_recorded_motion_is_followed_as_the_robot_itself_did_it(real: Path) -> None:
    """The gripper path of a simulated Panda, given to the same arm: all in reach, nothing too fast, and nearly singular
    where the simulated arm was too."""
    truth = np.load(real / SIMULATED)
    robot = robot_of(
        chain(seven(), "link8"), Placement.model_validate(SIMULATED_BASE), Placement.model_validate(SIMULATED_TOOL)
    )
    position, rotation = robot.poses(truth["joint_pos"])
    path = ArmTrack(
        Arm.RIGHT, position.astype(np.float32), rotation[:, :2].reshape(-1, 6).astype(np.float32), None, None, 0
    )
    track, findings = followed(pose_track(path), base_pose=SIMULATED_BASE, tcp_offset=SIMULATED_TOOL)
    assert track.valid.all()
    assert {finding.check for finding in findings} == {"retarget_near_singular"}
    weight = np.array([1, 1, 1, 0.2, 0.2, 0.2])[:, None]
    own = [np.linalg.svd(weight * robot.jacobian(q.astype(np.float64)))[1].min() for q in truth["joint_pos"]]
    assert min(own) < 0.01
    found = commanded(track).astype(np.float64)
    np.testing.assert_allclose(robot.poses(found)[0], position, atol=1e-5)


def test_native_columns_stay_beside_the_new_ones() -> None:
    native = np.arange(2 * N, dtype=np.float32)
    before = dataclasses.replace(pose_track(hand()), joint_names=("a", "b"), joint_state=native)
    after, _ = followed(before)
    assert after.joint_state is not None
    np.testing.assert_array_equal(after.joint_state.reshape(N, -1)[:, :2], native.reshape(N, 2))
    assert np.isnan(after.joint_state.reshape(N, -1)[:, 2:]).all()
    assert np.isnan(commanded(after)[:, :2]).all()
    assert np.isfinite(commanded(after)[:, 2:]).all()


def test_a_robot_elsewhere_follows_from_there() -> None:
    base = Placement(xyz=(0.05, -0.05, 0.1), rpy=(0.0, 0.0, 0.3))
    there, _ = followed(pose_track(hand()), base_pose=base.model_dump())
    moved = robot_of(chain(seven(), "link8"), base, Placement())
    reached = there.valid
    assert np.count_nonzero(reached) > N // 2
    np.testing.assert_allclose(
        moved.poses(commanded(there)[reached].astype(np.float64))[0], SEVEN.poses(JOINTS[reached])[0], atol=0.01
    )


def test_rows_out_of_reach_are_invalid_and_told_with_value_span_and_share() -> None:
    moved = np.zeros((N, 3))
    moved[20:32, 0] = 2.0
    track, (finding,) = followed(pose_track(hand(moved=moved)))
    assert np.flatnonzero(~track.valid).tolist() == list(range(20, 32))
    assert np.isnan(commanded(track)[20:32]).all()
    assert (finding.check, finding.verdict) == ("retarget_unreachable", Verdict.KEEP)
    assert finding.value is not None
    assert finding.value > 1.0
    assert finding.threshold == 0.01
    assert (finding.start_ns, finding.end_ns) == (20 * 50_000_000, 32 * 50_000_000)
    assert "12 of 60 rows (20.0%) in 1 stretches" in finding.message


def test_cleaning_trims_what_a_robot_cannot_follow_and_drops_what_it_mostly_cannot() -> None:
    def verdicts(first: int, stop: int, **spec: Any) -> set[tuple[str, Verdict]]:
        moved = np.zeros((N, 3))
        moved[first:stop, 0] = 2.0
        track, _ = followed(pose_track(hand(moved=moved)), **spec)
        camera = make_camera(n=N, hz=20.0)
        _, findings = clean(make_episode(camera), track, [make_strip(camera)], [], AlignSpec())
        return {(finding.check, finding.verdict) for finding in findings}

    few = verdicts(20, 31)
    assert ("action_gap", Verdict.TRIM) in few
    assert Verdict.DROP not in {verdict for _, verdict in few}
    assert ("invalid_state", Verdict.DROP) in verdicts(10, 50)
    assert not verdicts(20, 31, max_position_error_m=3.0) & {("action_gap", Verdict.TRIM)}, "a wider bound undoes it"


def test_a_joint_that_would_have_to_race_is_told() -> None:
    track, findings = followed(pose_track(hand(), hz=2000.0))
    fast = [finding for finding in findings if finding.check == "retarget_too_fast"]
    assert fast
    assert fast[0].threshold == 2.175
    assert track.valid.all()


def test_near_singular_rows_are_told_with_their_value() -> None:
    track, (finding,) = followed(pose_track(hand()), min_singular_value=1.0)
    weight = np.array([1, 1, 1, 0.2, 0.2, 0.2])[:, None]  # 0.01 m over 0.05 rad
    values = [np.linalg.svd(weight * SEVEN.jacobian(q))[1].min() for q in commanded(track).astype(np.float64)]
    assert (finding.check, finding.threshold) == ("retarget_near_singular", 1.0)
    assert finding.value == pytest.approx(min(values), abs=1e-5)
    assert followed(pose_track(hand()), min_singular_value=min(values) * 0.99)[1] == []


def test_flickering_conditions_do_not_fill_pages() -> None:
    moved = np.zeros((N, 3))
    moved[::4, 0] = 2.0
    _, findings = followed(pose_track(hand(moved=moved)))
    unreachable = [finding for finding in findings if finding.check == "retarget_unreachable"]
    assert len(unreachable) == 5
    assert "15 of 60 rows (25.0%) in 15 stretches, the 5 longest are told" in unreachable[0].message


def test_an_arm_without_a_pose_is_not_retargeted() -> None:
    before = pose_track(hand(arm=Arm.LEFT))
    after, findings = followed(before)
    assert after == before
    assert [finding.check for finding in findings] == ["nothing_to_retarget"]


def test_a_hand_without_rotation_needs_free_rotations() -> None:
    free = dataclasses.replace(hand(), rotation=None)
    assert followed(pose_track(free))[1][0].check == "nothing_to_retarget"
    track, _ = followed(pose_track(free), max_rotation_error_rad=3.1415)
    np.testing.assert_allclose(SEVEN.poses(commanded(track).astype(np.float64))[0], SEVEN.poses(JOINTS)[0], atol=1e-5)


def test_invalid_rows_stay_invalid() -> None:
    before = dataclasses.replace(pose_track(hand()), valid=np.arange(N) != 7)
    after, _ = followed(before)
    assert np.flatnonzero(~after.valid).tolist() == [7]
    assert np.isnan(commanded(after)[7]).all()
