"""Home poses: where a group's episodes start, found without being told how many there are."""

import dataclasses

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.calibrate import calibrate
from pipeline.home_pose import SAMPLE, EdgeSample, edge_poses, home_poses
from schemas.array import Floats
from schemas.calibration import Calibration
from schemas.episode import ActionKind, ActionTrack, Alignment, Episode, Protocol
from schemas.finding import Finding
from schemas.recipe import CalibrateSpec
from tests.pipeline.made_up import even_times, make_actions, make_alignment, make_arm, make_episode

SPEC = CalibrateSpec()
HOME, PLACE = np.array([0.4, 0.0, 0.3]), np.array([0.2, 0.4, 0.1])


def moves_from(start: Floats, end: Floats, seed: int = 0) -> ActionTrack:
    """An arm that rests at ``start``, goes to ``end`` and rests there; half a millimetre of noise."""
    times = even_times(200, 20.0)
    share = np.clip((times / 1e9 - 1.0) / 7.0, 0.0, 1.0)[:, None]
    noise = 0.0005 * np.random.default_rng(seed).standard_normal((200, 3))
    return make_actions(times, make_arm(start + share * (end - start) + noise))


def group(starts: Floats, ends: Floats | None = None) -> list[tuple[Episode, Alignment, ActionTrack]]:
    ends = np.tile(PLACE, (len(starts), 1)) if ends is None else ends
    names = [f"ep-{i:04d}" for i in range(len(starts))]
    tracks = [moves_from(start, end, i) for i, (start, end) in enumerate(zip(starts, ends, strict=True))]
    return [
        (make_episode(episode_id=name), make_alignment(name), dataclasses.replace(track, episode_id=name))
        for name, track in zip(names, tracks, strict=True)
    ]


def around(centre: Floats, n: int, spread_m: float, seed: int = 0) -> Floats:
    return centre + spread_m * np.random.default_rng(seed).standard_normal((n, 3))


def calibrated(starts: Floats, spec: CalibrateSpec = SPEC) -> tuple[Calibration, list[Finding]]:
    calibration, *findings = calibrate("lab/test_arm", group(starts), spec)
    assert isinstance(calibration, Calibration)
    return calibration, [finding for finding in findings if isinstance(finding, Finding)]


def test_a_group_that_starts_in_one_place_has_one_home_and_one_usual_end() -> None:
    calibration, findings = calibrated(around(HOME, 20, 0.01))
    start, end = calibration.homes
    assert (start.signal, start.at_end, end.at_end) == ("right", False, True)
    assert np.allclose(start.centre, HOME, atol=0.021)
    assert np.allclose(end.centre, PLACE, atol=0.021)
    assert start.limit == SPEC.reset_distance_m
    assert findings == []


def test_two_scenes_with_a_home_each_are_two_homes() -> None:
    starts = np.concatenate([around(HOME, 16, 0.01), around(PLACE, 4, 0.01, seed=1)])
    homes = [home for home in calibrated(starts)[0].homes if not home.at_end]
    assert len(homes) == 2


def test_a_wide_home_reaches_as_far_as_its_starts() -> None:
    home = calibrated(around(HOME, 100, 0.05))[0].homes[0]
    assert 0.15 <= home.limit <= 0.4


def test_a_group_that_starts_anywhere_has_no_home_and_a_finding_says_so() -> None:
    anywhere = np.random.default_rng(0).uniform(-1.0, 1.0, (40, 3))
    calibration, (finding,) = calibrated(anywhere)
    assert calibration.homes == ()
    assert finding.check == "home_pose_unknown"
    assert "its right arm starts anywhere" in finding.message


def test_too_few_episodes_know_no_home_and_a_finding_says_so_without_counting() -> None:
    calibration, (finding,) = calibrated(around(HOME, 9, 0.01))
    assert calibration.homes == ()
    assert "fewer than 10 episodes" in finding.message
    assert calibrated(around(HOME, 8, 0.01))[1] == [finding], "a count would re-run everything after one more episode"
    assert calibrated(around(HOME, 9, 0.01), CalibrateSpec(min_reset_episodes=5))[0].homes


def test_one_more_episode_changes_no_home() -> None:
    starts = around(HOME, 60, 0.02)
    one, other = calibrated(starts[:-1])[0].homes, calibrated(starts)[0].homes
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert np.array_equal(a.centre, b.centre)
        assert a.limit == b.limit


def test_memory_is_bounded_by_the_first_episodes_of_a_group() -> None:
    (pose,) = edge_poses(make_episode(), moves_from(HOME, PLACE))
    sample = EdgeSample()
    for _ in range(SAMPLE + 50):
        sample.add([pose])
    assert [len(poses) for poses in sample.poses.values()] == [SAMPLE]


def test_streams_and_hands_nobody_measured_have_no_start() -> None:
    actions = moves_from(HOME, PLACE)
    assert edge_poses(dataclasses.replace(make_episode(), protocol=Protocol.UNSTRUCTURED), actions) == []
    assert edge_poses(make_episode(), dataclasses.replace(actions, kind=ActionKind.PSEUDO)) == []
    assert edge_poses(make_episode(), dataclasses.replace(actions, kind=ActionKind.RETARGETED)) == []
    assert edge_poses(make_episode(), dataclasses.replace(actions, valid=np.zeros(200, np.bool_))) == []


def test_invalid_first_rows_are_no_start() -> None:
    actions = moves_from(HOME, PLACE)
    position = actions.state[0].position
    assert position is not None
    position[:3] = 9.0
    valid = np.arange(200) >= 3
    (pose,) = edge_poses(make_episode(), dataclasses.replace(actions, valid=valid))
    assert np.allclose(pose.start, HOME, atol=0.002)


def joints(start: Floats, seed: int = 0) -> ActionTrack:
    """Three joints: one that works, one that hangs where the day left it, and a gripper in degrees."""
    times = even_times(200, 20.0)
    t = times / 1e9
    rng = np.random.default_rng(seed)
    work = start[0] + np.where(t > 1.0, np.sin(t - 1.0), 0.0)
    hang = start[1] + 0.001 * rng.standard_normal(200)
    grip = 40.0 * (rng.random() + np.cumsum(rng.standard_normal(200)))
    arm = make_arm(opening=grip / 90.0)
    return make_actions(times, arm, joints=np.stack([work, hang, grip], axis=1))


def test_joints_count_where_no_pose_is_known_but_not_grippers_and_what_hangs() -> None:
    rng = np.random.default_rng(0)
    sample = EdgeSample()
    for i in range(20):
        sample.add(edge_poses(make_episode(), joints(np.array([0.01 * rng.standard_normal(), rng.uniform(-1, 1)]), i)))
    homes, reasons = home_poses(sample, SPEC)
    assert reasons == []
    assert homes[0].signal == "joints"
    assert (homes[0].weights > 0).tolist() == [True, False, False]
    assert homes[0].limit == SPEC.reset_distance_ranges


@given(st.lists(st.tuples(*[st.floats(-1, 1, width=32)] * 3), min_size=10, max_size=40))
def test_homes_that_are_told_cover_nearly_all_starts(starts: list[tuple[float, float, float]]) -> None:
    points = np.array(starts)
    homes = [home for home in calibrated(points)[0].homes if not home.at_end]
    if homes:
        near = [np.max(np.abs(points - home.centre), axis=1) <= home.limit + 0.03 for home in homes]
        assert np.mean(np.any(near, axis=0)) >= 0.85
