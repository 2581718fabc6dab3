"""Motion signals: slopes that are exact, gaps that stay gaps, joints that rest."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.motion import arm_channels, arm_speed, joint_channels, joint_speed, local_velocity, row_noise, usable_rows
from schemas.episode import Arm
from schemas.time import NS_PER_S
from tests.pipeline.made_up import even_times, make_actions, make_arm

gaps_ms = st.lists(st.integers(1, 400), min_size=3, max_size=40)


@given(gaps_ms, st.floats(-5, 5), st.integers(0, 10**17))
def test_a_straight_line_has_its_exact_slope_however_unevenly_it_is_sampled(gaps, slope, origin):
    times = origin + np.cumsum(np.array(gaps, np.int64)) * 1_000_000
    values = (slope * (times - times[0]) / NS_PER_S)[:, None]
    velocity = local_velocity(times, values, np.ones(len(times), np.bool_))
    known = np.isfinite(velocity)
    assert np.allclose(velocity[known], slope, atol=1e-9)


def test_velocity_on_even_rows_is_the_savitzky_golay_derivative():
    from scipy.signal import savgol_filter

    times = even_times(200, 50.0)
    values = np.cumsum(np.random.default_rng(0).standard_normal((200, 2)), axis=0)
    velocity = local_velocity(times, values, np.ones(200, np.bool_), window_s=0.34)
    expected = savgol_filter(values, 17, 2, deriv=1, delta=0.02, axis=0)
    assert np.allclose(velocity[10:-10], expected[10:-10])


def test_invalid_rows_are_unknown_and_do_not_touch_their_neighbours():
    times = even_times(50, 20.0)
    position = np.zeros((50, 3))
    position[:, 0] = 0.1 * times / NS_PER_S
    position[20] = 1e6
    position[30] = np.nan
    valid = np.ones(50, np.bool_)
    valid[20] = False
    track = make_actions(times, make_arm(position), valid=valid)
    speed = arm_speed(track, track.state[0])
    assert np.flatnonzero(np.isnan(speed)).tolist() == [20, 30]
    assert np.nanmax(np.abs(speed - 0.1)) < 1e-6


def test_no_window_reaches_across_a_gap():
    times = np.concatenate([even_times(20, 20.0), even_times(20, 20.0) + 5 * NS_PER_S])
    position = np.zeros((40, 3))
    position[20:] = 1.0
    track = make_actions(times, make_arm(position))
    assert np.nanmax(arm_speed(track, track.state[0])) == 0.0


def test_rows_that_repeat_or_step_back_in_time_are_not_usable():
    times = np.array([0, 10, 10, 20, 15, 30], np.int64)
    track = make_actions(times, make_arm(np.zeros((6, 3))))
    assert usable_rows(track).tolist() == [True, True, False, True, False, True]


def test_an_invalid_row_from_the_future_does_not_disqualify_the_rows_after_it():
    times = np.array([0, 10, 10**15, 20, 30], np.int64)
    valid = np.array([True, True, False, True, True])
    assert usable_rows(make_actions(times, valid=valid)).tolist() == valid.tolist()


def test_noise_is_estimated_through_motion():
    noise = 0.01 * np.random.default_rng(0).standard_normal(4000)
    values = (np.sin(np.arange(4000) / 100) + noise)[:, None]
    assert row_noise(values)[0] == pytest.approx(0.01, rel=0.05)


def test_a_resting_joint_is_no_channel_and_a_moving_one_is_measured_in_its_own_range():
    times = even_times(400, 50.0)
    rng = np.random.default_rng(0)
    moving = np.clip(times / NS_PER_S / 4.0, 0.25, 1.75)
    joints = np.stack([moving, 100.0 * moving, 1e-3 * rng.standard_normal(400), np.full(400, 7.0)], axis=1)
    track = make_actions(times, joints=joints)
    channels = joint_channels(track, track.joint_state)
    assert [channel.name for channel in channels] == ["j0", "j1"]
    assert np.allclose(channels[0].speed, channels[1].speed, atol=1e-4)
    assert np.nanmax(joint_speed(track, track.joint_state)) == pytest.approx(1.0 / 6.0, rel=0.05)


def test_a_track_without_joints_or_with_resting_ones_has_no_joint_speed():
    times = even_times(50, 50.0)
    assert joint_speed(make_actions(times), None) is None
    resting = make_actions(times, joints=np.ones((50, 2)))
    assert joint_speed(resting, resting.joint_state) is None


def test_each_arm_with_a_position_is_a_channel():
    times = even_times(50, 50.0)
    track = make_actions(times, make_arm(np.zeros((50, 3)), arm=Arm.LEFT), make_arm(opening=np.zeros(50)))
    assert [channel.name for channel in arm_channels(track, track.state)] == ["left"]


def test_the_episode_clock_may_start_anywhere():
    times = even_times(100, 30.0)
    position = np.cumsum(np.random.default_rng(0).standard_normal((100, 3)), axis=0)
    track = make_actions(times, make_arm(position))
    shifted = dataclasses.replace(track, times_ns=times + 10**17)
    assert np.array_equal(arm_speed(track, track.state[0]), arm_speed(shifted, track.state[0]))
