"""Cleaning: every check says what it saw, and what is kept follows from the findings alone."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.clean import clean, kept_ranges
from pipeline.clean_actions import good_rows
from pipeline.clean_pictures import black_frames
from pipeline.episode_finding import episode_finding
from pipeline.mask_runs import runs_of
from schemas.episode import ActionTrack, Arm, ArmTrack, Episode, KeptRange
from schemas.filmstrip import Filmstrip, FrameFlag
from schemas.finding import Finding, Verdict
from schemas.recipe import AlignSpec
from schemas.time import MIN_EVENT_FRAMES, NS_PER_S, FrameClock
from tests.pipeline.made_up import (
    even_times,
    make_actions,
    make_arm,
    make_camera,
    make_episode,
    make_strip,
    moving_actions,
)

SPEC = AlignSpec()
CAMERA = make_camera()
WHOLE = (KeptRange(0, CAMERA.end_ns),)


def cleaned(
    actions: ActionTrack | None = None,
    *strips: Filmstrip,
    episode: Episode | None = None,
    earlier: tuple[Finding, ...] = (),
    spec: AlignSpec = SPEC,
) -> tuple[tuple[KeptRange, ...], dict[str, Finding]]:
    episode = episode or make_episode(CAMERA)
    strips = strips or tuple(make_strip(camera) for camera in episode.cameras)
    kept, findings = clean(episode, actions, strips, earlier, spec)
    assert all(finding.message.startswith(episode.locator) for finding in findings)
    return kept, {finding.check: finding for finding in findings}


def flagged(flag: FrameFlag, *frames: slice, camera=CAMERA) -> Filmstrip:
    flags = np.zeros(camera.n_frames, np.uint8)
    sharpness = np.full(camera.n_frames, 500.0, np.float32)
    for part in frames:
        flags[part] = flag
        sharpness[part] = 0.0 if flag is FrameFlag.BLACK else 500.0
    return dataclasses.replace(make_strip(camera, flags=flags), sharpness=sharpness)


def track(**changes: object) -> ActionTrack:
    return dataclasses.replace(moving_actions(), **changes)


def test_a_sound_episode_is_kept_whole_and_has_no_findings():
    assert cleaned(moving_actions()) == (WHOLE, {})
    assert cleaned() == (WHOLE, {})


# -- pictures ----------------------------------------------------------------------------------------------------


def test_an_episode_without_a_camera_is_dropped():
    kept, findings = cleaned(episode=make_episode())
    assert kept == ()
    assert findings["no_camera"].verdict is Verdict.DROP


def test_a_missing_master_stream_drops_and_a_missing_second_view_does_not():
    other = make_camera("wrist")
    episode = make_episode(CAMERA, other)
    kept, findings = cleaned(None, make_strip(CAMERA), episode=episode)
    assert kept == WHOLE
    assert findings["missing_camera_stream"].verdict is Verdict.KEEP
    kept, findings = cleaned(None, make_strip(other), episode=episode)
    assert kept == ()
    assert findings["missing_camera_stream"].verdict is Verdict.DROP


@pytest.mark.parametrize(
    ("hz", "check"), [(1.0, "low_frame_rate"), (4.0, "low_frame_rate"), (480.0, "high_frame_rate")]
)
def test_an_abnormal_frame_rate_is_told_and_kept(hz, check):
    camera = make_camera(n=40, hz=hz)
    kept, findings = cleaned(episode=make_episode(camera))
    assert kept == (KeptRange(0, camera.end_ns),)
    assert findings[check].verdict is Verdict.KEEP
    assert findings[check].value == pytest.approx(hz)


def test_views_of_one_rate_are_told_once_and_another_rate_is_told_too():
    slow, wrist, slower = make_camera(n=40, hz=5.0), make_camera("wrist", 40, 5.0), make_camera("top", 8, 1.0)
    episode = make_episode(slow, wrist, slower)
    _, findings = clean(episode, None, [make_strip(camera) for camera in episode.cameras], (), SPEC)
    assert [finding.value for finding in findings if finding.check == "low_frame_rate"] == [5.0, 1.0]


def test_four_frames_are_no_episode_and_five_are():
    assert cleaned(episode=make_episode(make_camera(n=4)))[1]["too_short"].value == 4
    assert cleaned(episode=make_episode(make_camera(n=5)))[0] != ()


def test_uneven_frame_periods_and_holes_are_told():
    times = even_times(400, 20.0) + np.where(np.arange(400) % 3 == 0, 15_000_000, 0)
    times[200:] += 2 * NS_PER_S
    camera = dataclasses.replace(CAMERA, times_ns=times - times[0], end_ns=int(times[-1]) + 50_000_000)
    kept, findings = cleaned(episode=make_episode(camera))
    assert findings["uneven_frame_periods"].value > 0.2
    assert findings["frame_gap"].value == pytest.approx(2.05, abs=0.02)
    assert findings["frame_gap"].start_ns == camera.times_ns[199]
    assert kept == (KeptRange(0, camera.end_ns),)


def test_a_second_view_that_covers_a_part_is_told():
    episode = make_episode(CAMERA, make_camera("wrist", n=300))
    assert cleaned(episode=episode)[1]["camera_covers_part"].value == pytest.approx(5.0)


def test_black_ends_are_trimmed_and_black_in_the_middle_is_kept():
    strip = flagged(FrameFlag.BLACK, slice(0, 16), slice(100, 110), slice(390, 400))
    kept, findings = cleaned(None, strip)
    assert kept == (KeptRange(CAMERA.clock.edge_ns(16), CAMERA.clock.edge_ns(390)),)
    assert findings["black_frames"].verdict is Verdict.KEEP
    kept, findings = cleaned(None, strip, spec=AlignSpec(trim_black=False))
    assert kept == WHOLE
    assert "black_end" not in findings


def test_an_all_black_master_drops_and_an_all_black_second_view_does_not():
    wrist = make_camera("wrist")
    episode = make_episode(CAMERA, wrist)
    black = flagged(FrameFlag.BLACK, slice(None))
    kept, findings = cleaned(None, make_strip(CAMERA), dataclasses.replace(black, camera="wrist"), episode=episode)
    assert kept == WHOLE
    assert findings["all_black"].verdict is Verdict.KEEP
    assert cleaned(None, black)[0] == ()


def test_a_dark_scene_with_detail_is_not_black():
    strip = make_strip(CAMERA, flags=np.full(400, FrameFlag.BLACK, np.uint8))
    assert cleaned(None, strip) == (WHOLE, {})


def test_black_means_dark_and_without_detail():
    strip = flagged(FrameFlag.BLACK, slice(3, 5))
    strip = dataclasses.replace(strip, sharpness=np.where(np.arange(400) == 4, 500.0, strip.sharpness))
    assert np.flatnonzero(black_frames(strip, SPEC)).tolist() == [3]


@given(st.lists(st.booleans(), max_size=30))
def test_runs_are_the_maximal_stretches_of_true(mask):
    runs = runs_of(np.array(mask, np.bool_))
    rebuilt = [any(first <= i < stop for first, stop in runs) for i in range(len(mask))]
    assert rebuilt == mask
    assert all(one[1] < other[0] for one, other in itertools.pairwise(runs))


def test_a_stuck_camera_is_trimmed_and_a_still_scene_is_kept():
    strip = flagged(FrameFlag.DUPLICATE, slice(101, 140))
    times = even_times(1000, 50.0)
    moving = np.stack([np.sin(times / NS_PER_S), np.zeros(1000), np.zeros(1000)], axis=1) * 0.3
    kept, findings = cleaned(make_actions(times, make_arm(moving)), strip)
    assert kept == (KeptRange(0, CAMERA.clock.edge_ns(100)), KeptRange(CAMERA.clock.edge_ns(140), CAMERA.end_ns))
    assert findings["frozen_while_moving"].value == pytest.approx(2.0)
    for resting in (make_actions(times, make_arm(np.zeros((1000, 3)))), None):
        kept, findings = cleaned(resting, strip, spec=AlignSpec(max_idle_s=60.0))
        assert kept == WHOLE
        assert findings["frozen_pictures"].value == pytest.approx(2.0)


def test_repeated_frames_are_told():
    _, findings = cleaned(None, flagged(FrameFlag.DUPLICATE, slice(1, 400, 2)))
    assert findings["duplicated_frames"].value == pytest.approx(0.5)
    assert "frozen_pictures" not in findings


def test_blur_is_told():
    strip = dataclasses.replace(make_strip(CAMERA), sharpness=np.full(400, 3.0, np.float32))
    kept, findings = cleaned(None, strip)
    assert kept == WHOLE
    assert findings["blur"].value == 1.0


# -- actions -----------------------------------------------------------------------------------------------------


def test_action_times_that_step_back_drop_the_episode():
    times = moving_actions().times_ns.copy()
    times[500] = times[400]
    kept, findings = cleaned(track(times_ns=times))
    assert kept == ()
    assert findings["action_times_not_monotonic"].value == 1


def test_repeated_action_times_are_told():
    times = moving_actions().times_ns.copy()
    times[500] = times[499]
    kept, findings = cleaned(track(times_ns=times))
    assert kept == WHOLE
    assert findings["duplicated_action_times"].verdict is Verdict.KEEP


def with_nan(rows: slice) -> ActionTrack:
    actions = moving_actions()
    position = actions.state[0].position.copy()
    position[rows, 1] = np.inf
    return dataclasses.replace(actions, state=(make_arm(position),))


def test_a_few_invalid_rows_are_marked_a_long_stretch_is_trimmed_and_a_large_share_drops():
    kept, findings = cleaned(with_nan(slice(100, 110)))
    assert (kept, set(findings)) == (WHOLE, {"invalid_state"})
    assert findings["invalid_state"].value == pytest.approx(0.01)
    kept, findings = cleaned(with_nan(slice(100, 150)))
    assert kept == (KeptRange(0, 2 * NS_PER_S), KeptRange(3 * NS_PER_S, CAMERA.end_ns))
    assert findings["action_gap"].verdict is Verdict.TRIM
    kept, findings = cleaned(with_nan(slice(100, 400)))
    assert kept == ()
    assert findings["invalid_state"].verdict is Verdict.DROP


def test_a_row_is_good_when_it_is_valid_finite_and_later_than_the_ones_before():
    position = np.zeros((5, 3))
    position[1, 2] = np.nan
    valid = np.array([True, True, False, True, True])
    times = np.array([0, 1, 2, 3, 3], np.int64)
    assert good_rows(make_actions(times, make_arm(position), valid=valid)).tolist() == [True, False, False, True, False]


def test_video_without_actions_is_trimmed_at_both_ends():
    actions = moving_actions()
    part = slice(60, 900)
    short = make_actions(actions.times_ns[part], make_arm(actions.state[0].position[part]))
    kept, findings = cleaned(short)
    assert kept == (KeptRange(1_200_000_000, 18_000_000_000),)
    assert findings["duration_mismatch"].value == pytest.approx(-3.2)
    assert findings["no_actions_at_end"].verdict is Verdict.TRIM


def test_one_action_less_than_frames_is_no_mismatch():
    times = even_times(399, 20.0)
    resting = make_actions(times, make_arm(np.zeros((399, 3))))
    assert cleaned(resting, spec=AlignSpec(max_idle_s=60.0)) == (WHOLE, {})


def test_actions_that_never_meet_the_video_drop_the_episode():
    kept, findings = cleaned(track(times_ns=moving_actions().times_ns + 10**12))
    assert kept == ()
    assert findings["no_common_time"].verdict is Verdict.DROP


def test_a_jump_is_told_and_positions_that_are_not_metres_drop_the_episode():
    actions = moving_actions()
    position = actions.state[0].position.copy()
    position[500:, 0] += 0.2
    kept, findings = cleaned(dataclasses.replace(actions, state=(make_arm(position),)))
    assert kept == WHOLE
    assert findings["kinematic_discontinuity"].value == pytest.approx(10.0, rel=0.1)
    assert findings["kinematic_discontinuity"].start_ns == actions.times_ns[499]
    kept, findings = cleaned(dataclasses.replace(actions, state=(make_arm(1000 * position),)))
    assert kept == ()
    assert "position_scale_m" in findings["kinematic_discontinuity"].message


def test_two_rows_a_moment_apart_are_no_jump():
    actions = moving_actions()
    times = actions.times_ns.copy()
    times[500] = times[499] + 1000
    assert "kinematic_discontinuity" not in cleaned(dataclasses.replace(actions, times_ns=times))[1]


def gripper(opening: np.ndarray) -> ActionTrack:
    return dataclasses.replace(moving_actions(), state=(make_arm(opening=opening),))


def test_grippers_that_say_nothing_or_nonsense_are_told():
    ramp = np.linspace(0.0, 1.0, 1000)
    assert cleaned(gripper(ramp))[1] == {}
    assert cleaned(gripper(np.full(1000, 0.3)))[1]["constant_gripper"].value == 0.0
    assert cleaned(gripper(ramp * 100))[1]["gripper_out_of_range"].value == pytest.approx(99.0)
    chatter = cleaned(gripper((np.arange(1000) % 5 == 0).astype(float)))[1]["gripper_chatter"]
    assert chatter.value == pytest.approx(20.0, rel=0.05)


def test_a_hand_that_only_trembles_is_constant():
    fingers = 0.5 + 0.001 * np.random.default_rng(0).standard_normal((1000, 6))
    arm = ArmTrack(Arm.LEFT, None, None, None, fingers.astype(np.float32).reshape(-1), 6)
    assert "constant_gripper" in cleaned(dataclasses.replace(moving_actions(), state=(arm,)))[1]


def test_a_commanded_gripper_is_checked_where_none_is_measured():
    actions = dataclasses.replace(moving_actions(), target=(make_arm(opening=np.zeros(1000)),))
    assert "constant_gripper" in cleaned(actions)[1]


# -- what is kept ------------------------------------------------------------------------------------------------


def trim(start_ns: int, end_ns: int) -> Finding:
    return episode_finding(make_episode(CAMERA), "x", Verdict.TRIM, "…", span_ns=(start_ns, end_ns))


def test_earlier_findings_count_and_those_about_others_do_not():
    ours = dataclasses.replace(trim(0, NS_PER_S), stage="ingest")
    assert cleaned(earlier=(ours,))[0] == (KeptRange(NS_PER_S, CAMERA.end_ns),)
    assert cleaned(earlier=(dataclasses.replace(ours, subject="ep-2"),))[0] == WHOLE
    assert cleaned(earlier=(dataclasses.replace(ours, verdict=Verdict.DROP),)) == ((), {})


def test_a_remnant_too_short_for_an_event_goes_with_a_finding():
    kept, findings = cleaned(earlier=(trim(0, NS_PER_S), trim(NS_PER_S + 150_000_000, 2 * NS_PER_S)))
    assert kept == (KeptRange(2 * NS_PER_S, CAMERA.end_ns),)
    assert findings["remnant_too_short"].value == 3


def test_when_nothing_is_left_the_episode_is_dropped_and_says_so():
    kept, findings = cleaned(earlier=(trim(0, CAMERA.end_ns),))
    assert kept == ()
    assert findings["nothing_left"].verdict is Verdict.DROP


def test_a_trim_must_name_its_interval():
    with pytest.raises(ValueError, match="names no interval"):
        episode_finding(make_episode(CAMERA), "x", Verdict.TRIM, "…")


intervals = st.lists(st.tuples(st.integers(-(10**9), 3 * 10**9), st.integers(1, 10**9)), max_size=6)


@given(st.lists(st.integers(10**6, 10**8), min_size=1, max_size=60), intervals)
def test_kept_ranges_are_frames_disjoint_long_enough_and_outside_every_trim(periods, trims):
    edges = np.concatenate([[0], np.cumsum(periods)]).astype(np.int64)
    clock = FrameClock(edges[:-1], int(edges[-1]))
    findings = [trim(start, start + length) for start, length in trims]
    kept = kept_ranges(clock, findings)
    assert kept == kept_ranges(clock, findings[::-1])
    assert all(one.end_ns <= other.start_ns for one, other in itertools.pairwise(kept))
    for part in kept:
        assert {part.start_ns, part.end_ns} <= set(edges.tolist())
        first, last = clock.frames_within(part.start_ns, part.end_ns)
        assert last - first >= MIN_EVENT_FRAMES
        assert all(part.end_ns <= start or part.start_ns >= start + length for start, length in trims)
