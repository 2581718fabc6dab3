"""Cleaning: jumps, stuck readings, idling, and episodes that were cut off."""

import dataclasses

import numpy as np
import pytest

from pipeline.clean import clean
from schemas.array import Floats
from schemas.episode import ActionTrack, KeptRange, Protocol
from schemas.filmstrip import Filmstrip
from schemas.finding import Finding, Verdict
from schemas.recipe import AlignSpec
from schemas.time import NS_PER_S
from tests.pipeline.made_up import (
    even_times,
    make_actions,
    make_arm,
    make_camera,
    make_episode,
    make_strip,
    moving_actions,
    seen_motion,
)

CAMERA = make_camera()


def found(
    actions: ActionTrack, strip: Filmstrip | None = None, **more: object
) -> tuple[tuple[KeptRange, ...], dict[str, Finding]]:
    episode = dataclasses.replace(make_episode(CAMERA), **more)  # type: ignore[arg-type]
    kept, findings = clean(episode, actions, [strip or make_strip(CAMERA)], [], AlignSpec())
    return kept, {finding.check: finding for finding in findings}


def turning(rate_rad_s: Floats) -> ActionTrack:
    """An arm that moves as usual while its wrist turns about z at these rates [T], 50 rows per second."""
    actions = moving_actions()
    angle = np.cumsum(rate_rad_s) / 50.0
    zero = np.zeros_like(angle)
    rows = np.stack([np.cos(angle), -np.sin(angle), zero, np.sin(angle), np.cos(angle), zero], axis=1)
    arm = dataclasses.replace(actions.state[0], rotation=rows.astype(np.float32))
    return dataclasses.replace(actions, state=(arm,))


def test_a_wrist_that_leaps_is_told() -> None:
    rate = np.full(1000, 0.5)
    rate[400] = 50.0 * np.pi / 2
    kept, findings = found(turning(rate))
    assert kept
    assert findings["rotation_discontinuity"].value == pytest.approx(50 * np.pi / 2, rel=0.05)
    assert findings["rotation_discontinuity"].end_ns == even_times(1000, 50.0)[400]
    assert "rotation_discontinuity" not in found(turning(np.full(1000, 0.5)))[1]


def test_rotations_read_in_the_wrong_encoding_drop_the_episode() -> None:
    rng = np.random.default_rng(0)
    kept, findings = found(turning(50.0 * rng.uniform(-np.pi, np.pi, 1000)))
    assert kept == ()
    assert findings["rotation_discontinuity"].verdict is Verdict.DROP


def joints_only(spiky: bool) -> ActionTrack:
    times = even_times(1000, 50.0)
    joints = np.stack([np.sin(times / NS_PER_S), np.cos(times / NS_PER_S)], axis=1)
    joints[500:, 1] += 0.0
    if spiky:
        joints[300, 0] += 1.5
    return make_actions(times, joints=joints)


def test_a_joint_that_leaps_away_and_back_is_told_by_name() -> None:
    finding = found(joints_only(spiky=True))[1]["joint_spikes"]
    assert "the first of j0" in finding.message
    assert finding.start_ns == even_times(1000, 50.0)[299]
    assert "joint_spikes" not in found(joints_only(spiky=False))[1]


def test_joints_that_leap_all_the_time_drop_the_episode() -> None:
    actions = joints_only(spiky=False)
    assert actions.joint_state is not None
    joints = actions.joint_state.reshape(-1, 2).copy()
    joints[2::8, 0] += 3.0
    joints[6::8, 1] += 3.0
    kept, findings = found(dataclasses.replace(actions, joint_state=joints.reshape(-1)))
    assert kept == ()
    assert findings["joint_spikes"].verdict is Verdict.DROP


def test_a_sharp_turn_is_no_spike() -> None:
    """As on the GR-1, whose joints settle in a few rows: there and back, but over more than one row."""
    actions = joints_only(spiky=False)
    assert actions.joint_state is not None
    joints = actions.joint_state.reshape(-1, 2).copy()
    joints[:, 1] = 0.0
    joints[3:8, 1] = [-0.003, -0.006, -0.010, -0.0065, -0.003]
    assert "joint_spikes" not in found(dataclasses.replace(actions, joint_state=joints.reshape(-1)))[1]


def test_a_velocity_that_leaps_is_a_contact_and_no_spike() -> None:
    spiky = dataclasses.replace(joints_only(spiky=True), joint_names=("qvel.0", "qvel.1"))
    assert "joint_spikes" not in found(spiky)[1]


def test_a_gripper_joint_that_snaps_shut_is_no_spike() -> None:
    actions = joints_only(spiky=False)
    assert actions.joint_state is not None
    joints = actions.joint_state.reshape(-1, 2).copy()
    joints[:, 1] = np.where(np.arange(1000) < 500, 1.0, 0.0)
    assert "joint_spikes" not in found(dataclasses.replace(actions, joint_state=joints.reshape(-1)))[1]


def test_readings_that_repeat_while_the_pictures_move_are_trimmed() -> None:
    actions = moving_actions()
    position = actions.state[0].position
    assert position is not None
    position = position.copy()
    position[300:400] = position[300]
    stuck = dataclasses.replace(actions, state=(make_arm(position),))
    kept, findings = found(stuck, make_strip(CAMERA, seen_motion(CAMERA)))
    assert findings["actions_stuck"].verdict is Verdict.TRIM
    assert findings["actions_stuck"].value == pytest.approx(2.0, abs=0.05)
    assert len(kept) == 2
    still = make_strip(CAMERA, np.zeros(CAMERA.n_frames))
    assert "actions_stuck" not in found(stuck, still)[1], "a robot that rests repeats itself"


def resting(from_s: float, to_s: float) -> ActionTrack:
    times = even_times(1000, 50.0)
    t = times / NS_PER_S
    moved = np.where(
        (t >= from_s) & (t < to_s), np.sin(from_s), np.where(t < from_s, np.sin(t), np.sin(t - to_s + from_s))
    )
    position = np.stack([0.3 * moved, np.zeros_like(t), np.zeros_like(t)], axis=1)
    return make_actions(times, make_arm(position))


def test_long_idling_is_trimmed_and_half_a_second_is_left_at_each_side() -> None:
    finding = found(resting(6.0, 14.0))[1]["idle"]
    assert finding.verdict is Verdict.TRIM
    assert finding.start_ns == pytest.approx(6.5 * NS_PER_S, abs=0.3 * NS_PER_S)
    assert finding.end_ns == pytest.approx(13.5 * NS_PER_S, abs=0.3 * NS_PER_S)


def test_a_short_rest_is_kept() -> None:
    assert "idle" not in found(resting(6.0, 9.0))[1]


def test_a_gripper_that_works_while_the_arm_rests_is_not_idle() -> None:
    actions = resting(6.0, 14.0)
    opening = (1 + np.sin(3 * actions.times_ns / NS_PER_S)) / 2
    arm = dataclasses.replace(actions.state[0], opening=opening.astype(np.float32))
    assert "idle" not in found(dataclasses.replace(actions, state=(arm,)))[1]


def test_a_robot_that_drives_while_its_arm_rests_is_not_idle() -> None:
    actions = resting(6.0, 14.0)
    driving = np.where((actions.times_ns > 6 * NS_PER_S) & (actions.times_ns < 14 * NS_PER_S), 0.3, 0.0)
    base = dataclasses.replace(
        actions, joint_names=("base.linear.vel",), joint_state=None, joint_target=driving.astype(np.float32)
    )
    assert "idle" not in found(base)[1]
    parked = dataclasses.replace(base, joint_target=np.zeros(actions.n_rows, np.float32))
    assert "idle" in found(parked)[1]


def cut_off(at_start: bool) -> ActionTrack:
    times = even_times(1000, 50.0)
    t = times / NS_PER_S
    ramp = np.clip((t if not at_start else t[::-1]) / 20.0, 0, 1)
    speed = 0.5 * ramp
    position = np.stack([np.cumsum(speed) / 50.0 % 0.8, np.zeros_like(t), np.zeros_like(t)], axis=1)
    return make_actions(times, make_arm(position))


def test_a_structured_episode_that_begins_or_ends_in_motion_was_cut_off() -> None:
    assert "truncated_goal" in found(cut_off(at_start=False))[1]
    assert "truncated_start" in found(cut_off(at_start=True))[1]
    assert "truncated_start" not in found(cut_off(at_start=False))[1]


def test_an_unstructured_stream_may_begin_and_end_anywhere() -> None:
    assert "truncated_goal" not in found(cut_off(at_start=False), protocol=Protocol.UNSTRUCTURED)[1]
