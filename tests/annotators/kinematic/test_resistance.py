"""What pushes back: command against measurement, and recorded forces."""

from dataclasses import replace

import numpy as np
import pytest

from annotators.kinematic.resistance import commanded_opening, resistance
from annotators.kinematic.signals import ArmSignals, arm_signals
from schemas.array import Floats
from schemas.episode import ActionTrack, Arm
from schemas.recipe import SegmentSpec
from tests.annotators.recordings import calibration_of, even_times, make_arm, make_track

FPS = 20
LAG_S = 0.2
FULL_M = 0.06


def run(track: ActionTrack) -> tuple[Floats | None, ArmSignals]:
    (signals,) = arm_signals(track, calibration_of(), SegmentSpec())
    return resistance(track, signals, FULL_M), signals


def blocked_arm(offset: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> ActionTrack:
    """Goes forward for 3 s, is stopped at 2 s, is told to go on and then to come back."""
    t = np.arange(5 * FPS) / FPS
    told = np.interp(t, [0, 0.5, 3.5, 3.6, 5], [0, 0, 0.6, 0.3, 0.3])
    follows = np.interp(t - LAG_S, t, told)
    x = np.where(t < 2.0, follows, np.minimum(follows, 0.26))
    position = np.stack([x, 0 * x, 0 * x], axis=1).astype(np.float32)
    target = (np.stack([told, 0 * x, 0 * x], axis=1) + offset).astype(np.float32)
    return make_track(even_times(len(t), FPS), make_arm(position), target=(make_arm(target),))


def test_a_lag_is_no_resistance_and_a_stop_is() -> None:
    found, signals = run(blocked_arm())
    assert found is not None
    at = signals.grid.rate_hz
    assert found[int(0.8 * at) : int(1.7 * at)].max() < 0.3
    assert found[int(3.0 * at) : int(3.4 * at)].min() > 1.0


def test_a_constant_offset_between_command_and_measurement_is_none_either() -> None:
    plain, _ = run(blocked_arm())
    shifted, _ = run(blocked_arm((0.0, 0.0, 0.15)))
    np.testing.assert_allclose(shifted, plain, atol=1e-5)


def test_rows_without_a_measurement_are_bridged() -> None:
    track = blocked_arm()
    (state,) = track.state
    assert state.position is not None
    holed = state.position.copy()
    holed[22:26] = np.nan
    found, signals = run(replace(track, state=(replace(state, position=holed),)))
    assert found is not None
    assert np.all(np.isfinite(found))
    assert found[int(3.0 * signals.grid.rate_hz)] > 1.0


def test_an_arm_without_a_command_or_that_never_moves_says_nothing() -> None:
    track = blocked_arm()
    assert run(replace(track, target=()))[0] is None
    resting = make_arm(np.zeros((60, 3), np.float32))
    moved = make_arm(np.ones((60, 3), np.float32))
    assert run(make_track(even_times(60, FPS), resting, target=(moved,)))[0] is None


@pytest.mark.parametrize("name", ["right_joint_3_effort", "wrench_z", "motor_current"])
def test_a_recorded_force_counts_where_there_is_no_command(name: str) -> None:
    force = np.random.default_rng(0).normal(0.0, 0.2, 100)
    force[60:80] += 20.0
    track = replace(blocked_arm(), target=(), joint_names=("right_joint_1", name))
    joints = np.stack([np.linspace(0, 1, 100), force], axis=1).astype(np.float32)
    found, signals = run(replace(track, joint_state=joints.reshape(-1)))
    assert found is not None
    at = signals.grid.rate_hz
    assert found[int(3.2 * at) : int(3.8 * at)].min() > 1.0
    assert found[: int(2.8 * at)].max() < 0.5


def test_the_force_on_the_other_arm_is_not_ours() -> None:
    track = replace(blocked_arm(), target=(), joint_names=("left_effort",))
    force = np.where(np.arange(100) < 60, 0.0, 20.0) + np.random.default_rng(0).normal(0.0, 0.2, 100)
    assert run(replace(track, joint_state=force.astype(np.float32)))[0] is None


def test_what_fingers_were_told_is_on_the_grid_where_they_were_also_measured() -> None:
    opening = np.linspace(1, 0, 60).astype(np.float32)
    told = np.where(np.arange(60) < 30, 1.0, 0.0).astype(np.float32)
    arm = make_arm(np.zeros((60, 3), np.float32), opening)
    track = make_track(even_times(60, FPS), arm, target=(make_arm(None, told),))
    (signals,) = arm_signals(track, calibration_of(), SegmentSpec())
    found = commanded_opening(track, signals, calibration_of())
    assert found is not None
    assert found[0] == 1.0
    assert found[-1] == 0.0
    assert commanded_opening(replace(track, target=()), signals, calibration_of()) is None
    (only_told,) = arm_signals(
        make_track(even_times(60, FPS), make_arm(arm.position, arm=Arm.RIGHT), target=track.target),
        calibration_of(),
        SegmentSpec(),
    )
    assert commanded_opening(track, only_told, calibration_of()) is None
