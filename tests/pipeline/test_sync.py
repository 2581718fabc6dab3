"""The lag estimate: injected lags come back, and nothing single decides."""

import dataclasses

import numpy as np
import pytest
from scipy.optimize import nnls

from pipeline.motion import arm_channels, joint_channels
from pipeline.sync import MOTION_WINDOW_S, Signal, Sweep, _non_negative, motion_signals, sweep_lags, visual_signals
from schemas.episode import ActionTrack, Arm, Camera
from schemas.filmstrip import FrameFlag
from schemas.sync import LagEstimate
from schemas.time import NS_PER_S
from tests.pipeline.made_up import (
    delayed,
    even_times,
    make_actions,
    make_arm,
    make_camera,
    make_strip,
    moving_actions,
    path_at,
    seen_motion,
    simulated,
)

LAGS_S = [0.0, 0.05, -0.05, 0.1, -0.1, 0.25, -0.25]


def sweep_of(visual: list[Signal], actions: ActionTrack) -> Sweep:
    channels = arm_channels(actions, actions.state, MOTION_WINDOW_S)
    sweep = sweep_lags(visual, motion_signals(actions.times_ns, channels), 0.5)
    assert sweep is not None
    return sweep


def lag_of(visual: list[Signal], actions: ActionTrack) -> LagEstimate:
    return sweep_of(visual, actions).estimate


def views(*cameras: Camera, seed: int = 0, noise: float = 0.5) -> list[Signal]:
    strips = [make_strip(camera, seen_motion(camera, seed, noise)) for camera in cameras]
    return [signal for camera, strip in zip(cameras, strips, strict=True) for signal in visual_signals(camera, strip)]


@pytest.mark.parametrize("lag_s", LAGS_S)
@pytest.mark.parametrize("hz", [10.0, 20.0, 30.0])
def test_an_injected_lag_is_found_through_noise(lag_s, hz):
    camera = make_camera(n=int(20 * hz), hz=hz)
    errors = []
    for seed in range(4):
        estimate = lag_of(views(camera, seed=seed), moving_actions(lag_s, seed=seed))
        errors.append(estimate.lag_ns / NS_PER_S + lag_s)
        assert estimate.inside
        assert estimate.margin > 0.1
    assert np.max(np.abs(errors)) <= 0.025
    assert abs(np.mean(errors)) <= 0.25 / hz  # stamping pictures half a frame late would be 0.5 / hz


def test_the_uncertainty_covers_the_error():
    camera = make_camera()
    estimates = [lag_of(views(camera, seed=seed, noise=1.0), moving_actions(seed=seed)) for seed in range(8)]
    errors = np.array([estimate.lag_ns for estimate in estimates])
    assert np.sqrt(np.mean(errors.astype(float) ** 2)) < 2.0 * np.mean([estimate.sigma_ns for estimate in estimates])


def test_one_occluded_camera_of_three_does_not_decide():
    cameras = [make_camera(name) for name in ("a", "b", "c")]
    blind = [make_strip(cameras[2], np.abs(np.random.default_rng(0).standard_normal(400)))]
    visual = [*views(cameras[0]), *views(cameras[1]), *visual_signals(cameras[2], blind[0])]
    assert abs(lag_of(visual, moving_actions(0.1)).lag_ns + 100_000_000) <= 20_000_000


def test_a_resting_arm_does_not_decide():
    actions = moving_actions(0.1)
    jitter = 0.0005 * np.random.default_rng(3).standard_normal((actions.n_rows, 3))
    both = dataclasses.replace(actions, state=(make_arm(jitter, arm=Arm.LEFT), *actions.state))
    alone, together = lag_of(views(make_camera()), actions), lag_of(views(make_camera()), both)
    assert abs(alone.lag_ns - together.lag_ns) <= 10_000_000


def test_two_arms_explain_the_picture_together():
    camera, times = make_camera(), even_times(1000, 50.0)
    arms = [make_arm(path_at(times / NS_PER_S, seed), arm=arm) for seed, arm in ((0, Arm.LEFT), (1, Arm.RIGHT))]
    strip = make_strip(camera, seen_motion(camera, 0) + seen_motion(camera, 1))
    visual = visual_signals(camera, strip)
    one = lag_of(visual, make_actions(times, arms[0]))
    two = lag_of(visual, make_actions(times, *arms))
    assert two.correlation > one.correlation + 0.1
    assert abs(two.lag_ns) <= 20_000_000


def test_unrelated_motion_is_neither_clear_nor_certain():
    camera = make_camera()
    estimates = [lag_of(views(camera, seed=seed), moving_actions(seed=seed + 50)) for seed in range(6)]
    assert all(estimate.correlation < 0.6 for estimate in estimates)
    assert sum(estimate.margin >= 0.05 and estimate.sigma_ns <= 50_000_000 for estimate in estimates) <= 1


def test_a_lag_beyond_the_window_is_not_inside():
    assert not lag_of(views(make_camera(), noise=0.1), moving_actions(0.56)).inside


def test_the_curve_peaks_at_the_estimate_and_doubts_it_there_least():
    sweep = sweep_of(views(make_camera()), moving_actions(0.1))
    best, middle = int(np.argmax(sweep.correlation)), len(sweep.correlation) // 2
    assert len(sweep.correlation) == len(sweep.doubt) == 2 * 30 + 1  # 0.5 s and 0.1 s beyond it, every 20 ms
    assert abs((best - middle) * 20_000_000 - sweep.estimate.lag_ns) <= 10_000_000
    assert sweep.doubt[best] == 0.0
    assert np.all(sweep.doubt[[0, -1]] > 0.0)


def test_the_halves_agree_on_one_lag_and_part_where_a_clock_drifts():
    actions = moving_actions(0.1)
    middle = actions.times_ns[len(actions.times_ns) // 2]
    early, late = sweep_of(views(make_camera()), actions).halves
    assert abs(early.lag_ns - late.lag_ns) <= 40_000_000
    slow = np.round((actions.times_ns - middle) * 1.03).astype(np.int64) + middle
    early, late = sweep_of(views(make_camera()), dataclasses.replace(actions, times_ns=slow)).halves
    assert early.lag_ns - late.lag_ns == pytest.approx(300_000_000, abs=60_000_000)  # 3 % of the 10 s between them


@pytest.mark.parametrize("width", [1, 2, 3])
def test_weights_are_those_of_the_best_fit_to_the_samples(width):
    rng = np.random.default_rng(width)
    channels = [rng.normal(size=(40, width)) + rng.normal(size=(40, 1)) for _ in range(60)]
    pictures = rng.normal(size=(60, 40))
    weights = _non_negative(
        np.stack([a.T @ a for a in channels]), np.stack([a.T @ v for a, v in zip(channels, pictures, strict=True)])
    )
    fits = np.stack([nnls(a, v)[0] for a, v in zip(channels, pictures, strict=True)])
    np.testing.assert_allclose(weights, fits, atol=1e-12)
    at_bounds = np.count_nonzero(fits == 0.0, axis=1)
    assert {0, width} <= set(at_bounds), "all, some and none of the weights are at their bound"


def test_nothing_to_compare_is_no_estimate():
    camera, still = make_camera(), make_actions(even_times(1000, 50.0), make_arm(np.zeros((1000, 3))))
    signals = motion_signals(still.times_ns, arm_channels(still, still.state))
    assert sweep_lags(views(camera), signals, 0.5) is None
    assert sweep_lags(views(camera), [], 0.5) is None
    moving = moving_actions()
    signals = motion_signals(moving.times_ns, arm_channels(moving, moving.state))
    assert sweep_lags([], signals, 0.5) is None
    assert sweep_lags(views(make_camera(n=60)), signals, 0.5) is None  # 3 s leave no 3 s at a lag of 0.6 s


def test_a_hole_in_the_actions_is_left_out():
    actions = moving_actions(0.1)
    rows = np.ones(actions.n_rows, np.bool_)
    rows[300:500] = False
    holed = make_actions(actions.times_ns[rows], make_arm(actions.state[0].position[rows]))
    assert abs(lag_of(views(make_camera()), holed).lag_ns + 100_000_000) <= 25_000_000


def test_the_first_frame_of_a_shot_compares_nothing():
    camera = make_camera()
    motion, flags = seen_motion(camera), np.zeros(400, np.uint8)
    motion[100], flags[100] = 1e3, FrameFlag.HARD_CUT
    visual = visual_signals(camera, make_strip(camera, motion, flags))
    assert all(np.max(signal.values) < 1e3 for signal in visual)
    assert abs(lag_of(visual, moving_actions()).lag_ns) <= 20_000_000


def test_the_order_of_the_views_changes_nothing():
    cameras = [make_camera("a"), make_camera("b", n=600, hz=30.0)]
    forward, backward = views(*cameras), views(*reversed(cameras))
    assert lag_of(forward, moving_actions(0.07)) == lag_of(backward, moving_actions(0.07))


@pytest.mark.parametrize("name", ["seed0_normal", "seed0_wrist", "seed1_recover"])
def test_rendered_recordings_have_no_lag_and_injected_ones_are_found(real, name):
    episode, strips, actions = simulated(real, f"robosuite_pickplacecan_{name}")
    visual = visual_signals(episode.master, strips[0])
    for lag_s in LAGS_S:
        estimate = lag_of(visual, delayed(actions, lag_s))
        assert abs(estimate.lag_ns / NS_PER_S + lag_s) <= 0.03
        assert estimate.correlation > 0.75


def test_joints_alone_also_find_the_rendered_recordings_lag(real):
    episode, strips, actions = simulated(real, "robosuite_pickplacecan_seed1_recover")
    channels = joint_channels(actions, actions.joint_state, MOTION_WINDOW_S)
    visual = visual_signals(episode.master, strips[0])
    sweep = sweep_lags(visual, motion_signals(actions.times_ns, channels), 0.5)
    assert sweep is not None
    assert abs(sweep.estimate.lag_ns) <= 50_000_000
