"""Rows of a track on an even grid (K1, K2)."""

from dataclasses import replace

import numpy as np
import pytest

from annotators.kinematic.signals import arm_signals
from schemas.array import Floats
from schemas.episode import ActionKind, ActionTrack, Arm
from schemas.pose import RotationEncoding
from schemas.recipe import SegmentSpec
from schemas.rotation import rotation_6d
from schemas.time import NS_PER_S
from tests.annotators.recordings import calibration_of, even_times, make_arm, make_track, opening_scale

SPEC = SegmentSpec()


def line(n: int, fps: float, speed: float = 0.1) -> Floats:
    return np.stack([np.arange(n) / fps * speed, np.zeros(n), np.zeros(n)], axis=1).astype(np.float32)


def test_a_moving_arm_has_its_speed_and_a_resting_one_is_still() -> None:
    position = np.concatenate([line(40, 20), np.tile(line(40, 20)[-1], (40, 1))])
    (signals,) = arm_signals(make_track(even_times(80, 20), make_arm(position)), None, SPEC)
    assert signals.speed is not None
    assert signals.speed[50] == pytest.approx(0.1, rel=0.01)
    assert not signals.still[50]
    assert signals.still[-20:].all()


def test_the_grid_is_never_more_than_four_times_finer_than_the_rows() -> None:
    (slow,) = arm_signals(make_track(even_times(20, 5), make_arm(line(20, 5))), None, SPEC)
    (fast,) = arm_signals(make_track(even_times(400, 200), make_arm(line(400, 200))), None, SPEC)
    assert slow.grid.rate_hz == pytest.approx(20)
    assert fast.grid.rate_hz == pytest.approx(SPEC.rate_hz)


@pytest.mark.parametrize(("missing", "known"), [(3, True), (6, False)])
def test_up_to_three_missing_rows_are_filled_and_longer_gaps_are_marked(missing: int, known: bool) -> None:
    times = np.delete(even_times(60, 20), range(20, 20 + missing))
    position = np.delete(line(60, 20), range(20, 20 + missing), axis=0)
    (signals,) = arm_signals(make_track(times, make_arm(position)), None, SPEC)
    assert bool(signals.known.all()) is known
    assert signals.position is not None
    middle = signals.grid.index(int(21.5 * NS_PER_S / 20))
    assert signals.position[middle, 0] == pytest.approx(21.5 / 20 * 0.1, abs=0.002)


def test_invalid_and_nan_rows_are_left_out() -> None:
    position = line(60, 20)
    position[10] = np.nan
    position[30] = 99.0
    valid = np.ones(60, bool)
    valid[30] = False
    (signals,) = arm_signals(make_track(even_times(60, 20), make_arm(position), valid=valid.tolist()), None, SPEC)
    assert signals.speed is not None
    np.testing.assert_allclose(signals.speed, 0.1, rtol=0.02)


@pytest.mark.parametrize("n", [0, 1, 4])
def test_too_few_rows_are_no_signal(n: int) -> None:
    assert arm_signals(make_track(even_times(n, 20), make_arm(line(n, 20))), None, SPEC) == []


def test_a_track_of_one_instant_is_no_reason_to_fail() -> None:
    track = make_track(np.zeros(20, np.int64), make_arm(line(20, 20)))
    assert arm_signals(track, None, SPEC) == []


def test_a_corrupt_clock_does_not_fill_the_memory() -> None:
    times = even_times(30, 30)
    times[15:] += 10**9 * NS_PER_S
    (signals,) = arm_signals(make_track(times, make_arm(line(30, 30))), None, SPEC)
    assert signals.grid.n <= 2_000_001


def test_turning_speed_is_that_of_the_wrist() -> None:
    yaw = np.linspace(0, 1.0, 41)
    euler = np.stack([np.zeros(41), np.zeros(41), yaw], axis=1)
    arm = make_arm(np.zeros((41, 3), np.float32), rotation=rotation_6d(euler, RotationEncoding.EULER_XYZ))
    (signals,) = arm_signals(make_track(even_times(41, 20), arm), None, SPEC)
    assert signals.turning is not None
    assert np.median(signals.turning) == pytest.approx(0.5, rel=0.02)
    assert not signals.still.any()


def opening_track(measured: Floats, commanded: Floats) -> ActionTrack:
    arm, command = make_arm(opening=measured), make_arm(opening=commanded)
    return make_track(even_times(len(measured), 20), arm, target=(command,))


def test_the_measured_opening_is_preferred_and_a_command_stands_in_for_a_dead_sensor() -> None:
    moving = np.tile(np.repeat([1.0, 0.0], 10), 3).astype(np.float32)
    (measured,) = arm_signals(opening_track(moving, 1 - moving), calibration_of(), SPEC)
    (dead,) = arm_signals(opening_track(np.zeros(60, np.float32), moving), calibration_of(), SPEC)
    (copied,) = arm_signals(opening_track(moving, moving), calibration_of(), SPEC)
    assert (measured.commanded, dead.commanded, copied.commanded) == (False, True, True)
    assert dead.opening is not None
    assert np.ptp(dead.opening) == pytest.approx(1.0)


def test_an_uncalibrated_gripper_is_not_read() -> None:
    moving = np.tile(np.repeat([1.0, 0.0], 10), 3).astype(np.float32)
    (left_only,) = arm_signals(
        make_track(even_times(60, 20), make_arm(line(60, 20), moving)), calibration_of(opening_scale(Arm.LEFT)), SPEC
    )
    assert left_only.opening is None


def test_joints_go_to_the_arm_in_their_name_and_a_resting_arm_stays_still() -> None:
    t = np.arange(100) / 20
    swing, drift = np.sin(t), 0.01 * np.sin(t / 2)
    joints = np.stack([drift, swing], axis=1).astype(np.float32)
    arms = [make_arm(opening=np.ones(100, np.float32), arm=arm) for arm in Arm]
    track = make_track(even_times(100, 20), *arms, joints=joints, joint_names=("LeftElbow", "RightElbow"))
    left, right = arm_signals(track, calibration_of(), SPEC)
    assert left.still.all()
    assert right.speed is not None
    assert right.speed.max() > 0.3


def test_joints_without_any_arm_are_one_signal() -> None:
    joints = np.sin(np.arange(60) / 10)[:, None].astype(np.float32)
    (signals,) = arm_signals(make_track(even_times(60, 20), joints=joints, joint_names=("j0",)), None, SPEC)
    assert signals.arm is None
    assert signals.position is None
    assert signals.speed is not None


def test_a_base_that_drives_is_no_joint_that_moves() -> None:
    joints = np.stack([np.zeros(60), np.linspace(0, 2, 60)], axis=1).astype(np.float32)
    track = make_track(even_times(60, 20), joints=joints, joint_names=("shoulder", "base_x"))
    assert arm_signals(track, None, SPEC) == []


def test_pseudo_actions_count_half_and_are_turned_into_forward_left_up() -> None:
    right_away_up = np.stack([np.linspace(0, 0.2, 60), np.full(60, 0.5), np.zeros(60)], axis=1).astype(np.float32)
    seen = replace(make_track(even_times(60, 20), make_arm(right_away_up)), kind=ActionKind.PSEUDO, frame="image")
    (signals,) = arm_signals(seen, None, SPEC)
    assert signals.trust == 0.5
    assert signals.position is not None
    np.testing.assert_allclose(signals.position[-1] - signals.position[0], [0.0, -0.2, 0.0], atol=1e-3)


def test_what_calibration_found_says_what_the_opening_is_of() -> None:
    grip = np.tile(np.repeat([1.0, 0.0], 10), 3).astype(np.float32)
    track = make_track(even_times(60, 20), make_arm(opening=grip, fingers=grip, n_fingers=1))
    plain = opening_scale(Arm.RIGHT)
    fingers = replace(plain, signal="fingers", finger_mean=np.zeros(1, np.float32), finger_axis=np.ones(1, np.float32))
    for scale, effector in ((plain, "gripper"), (replace(plain, switch=True), "switch"), (fingers, "hand")):
        (signals,) = arm_signals(track, calibration_of(scale), SPEC)
        assert signals.effector == effector


def test_a_command_that_turns_for_two_rows_is_not_smoothed_away() -> None:
    command = np.ones(60, np.float32)
    command[30:32] = 0.0
    (told,) = arm_signals(opening_track(np.zeros(60, np.float32), command), calibration_of(), SPEC)
    (measured,) = arm_signals(opening_track(command, 1 - command), calibration_of(), SPEC)
    assert told.opening is not None
    assert measured.opening is not None
    assert told.opening.min() == 0.0
    assert measured.opening.min() == 1.0


def test_nothing_at_all_is_no_signal() -> None:
    assert arm_signals(make_track(even_times(60, 20)), None, SPEC) == []
