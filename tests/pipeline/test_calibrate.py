"""Gripper scales per dataset: percentiles, hands the right way round, and no change for one more episode."""

import dataclasses

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.action_layout import opening_of
from pipeline.calibrate import (
    MAX_ROWS,
    ROWS_PER_EPISODE,
    STAGE,
    SignalSample,
    by_episode,
    calibrate,
    hand_sample,
)
from pipeline.errors import SourceError
from pipeline.opening_scale import HandSample
from pipeline.stage import Bundle
from schemas.arrow import from_row, to_row, to_table
from schemas.calibration import Calibration, calibration_group
from schemas.episode import ActionTrack, Alignment, Arm, ArmTrack, Episode
from schemas.finding import Finding
from schemas.recipe import CalibrateSpec
from schemas.time import NS_PER_S
from tests.pipeline.made_up import even_times, make_actions, make_alignment, make_arm, make_episode

SPEC = CalibrateSpec()
Recording = tuple[Episode, Alignment, ActionTrack | None]


def recording(actions: ActionTrack | None, episode_id: str = "ep-1", alignment: Alignment | None = None) -> Recording:
    track = None if actions is None else dataclasses.replace(actions, episode_id=episode_id)
    return make_episode(episode_id=episode_id), alignment or make_alignment(episode_id), track


def calibrated(*actions: ActionTrack | None, spec: CalibrateSpec = SPEC) -> Calibration:
    recordings = [recording(track, f"ep-{i:04d}") for i, track in enumerate(actions)]
    return calibrate("lab/test_arm", recordings, spec)[0]


def same(one: object, other: object) -> bool:
    """Whether two records would be written as the same bytes."""
    return to_table(type(one), [one]).equals(to_table(type(other), [other]))


def gripper(opening: np.ndarray, arm: Arm = Arm.RIGHT) -> ActionTrack:
    return make_actions(even_times(len(opening), 20.0), make_arm(opening=opening, arm=arm))


def test_the_scale_is_the_percentiles_of_all_episodes_together():
    ramp, shut = np.tile([0.1, 0.5, 0.9, 0.9], 100), np.full(400, 0.1)
    scale = calibrated(gripper(ramp), gripper(shut)).opening(Arm.RIGHT)
    assert (scale.closed, scale.open, scale.informative) == (0.1, 0.9, True)
    assert opening_of(gripper(shut).state[0], scale).max() == 0.0  # an episode that never opens stays closed


def test_a_spike_does_not_stretch_the_scale():
    opening = np.tile([0.0, 0.8], 500)
    opening[7] = 40.0
    assert calibrated(gripper(opening)).opening(Arm.RIGHT).open == 0.8


def test_a_gripper_that_hardly_moves_is_uninformative_and_a_finding_says_so():
    calibration, finding = calibrate("lab/test_arm", [recording(gripper(np.linspace(0.30, 0.33, 100)))], SPEC)
    scale = calibration.opening(Arm.RIGHT)
    assert not scale.informative
    assert scale.open > scale.closed + 0.04
    assert finding.check == "gripper_ignored"


def test_a_group_without_actions_has_no_openings():
    calibration = calibrated(None, None)
    assert calibration.openings == ()
    assert (calibration.dataset, calibration.embodiment) == ("lab", "test_arm")


def test_dropped_episodes_trimmed_parts_and_invalid_rows_do_not_count():
    good, wild = gripper(np.tile([0.0, 1.0], 200)), gripper(np.tile([-5.0, 5.0], 200))
    dropped = dataclasses.replace(make_alignment("ep-2"), kept=())
    half = np.where(np.arange(400) < 200, np.tile([0.0, 1.0], 200), 9.0)
    part = recording(gripper(half), "ep-3", make_alignment("ep-3", end_s=10.0))
    nan = gripper(np.where(np.arange(400) % 5 == 0, np.nan, np.tile([0.0, 1.0], 200)))
    recordings = [recording(good, "ep-1"), recording(wild, "ep-2", dropped), part, recording(nan, "ep-4")]
    scale = calibrate("g", recordings, SPEC)[0].opening(Arm.RIGHT)
    assert (scale.closed, scale.open) == (0.0, 1.0)


def test_the_measured_gripper_wins_and_the_command_stands_in_where_none_is_measured():
    measured = gripper(np.tile([0.2, 0.6], 200))
    commanded = make_arm(opening=np.tile([0.0, 1.0], 200))
    assert calibrated(dataclasses.replace(measured, target=(commanded,))).opening(Arm.RIGHT).open == 0.6
    only = make_actions(even_times(400, 20.0), target=(commanded,))
    assert calibrated(only).opening(Arm.RIGHT).open == 1.0


def test_one_more_episode_changes_nothing():
    rng = np.random.default_rng(0)
    tracks = [gripper(np.clip(np.tile([0.02, 0.97], 300) + 0.004 * rng.standard_normal(600), 0, 1)) for _ in range(21)]
    assert same(calibrated(*tracks[:20]), calibrated(*tracks))


# -- hands -------------------------------------------------------------------------------------------------------

SYNERGY = np.array([1.0, 0.8, 0.6, 0.4])


def hand_episode(start: float = 0.9, polarity: float = 1.0, seed: int = 0, arm_moves: bool = True) -> ActionTrack:
    """Starts at ``start``, opens on the way, closes at rest, carries, opens at rest; 1 is open in ``start``."""
    rng = np.random.default_rng(seed)
    t = even_times(400, 20.0)
    seconds = t / NS_PER_S
    opening = np.interp(seconds, [0, 2, 4, 6, 7, 12, 13, 20], [start, start, 0.9, 0.9, 0.1, 0.1, 0.9, 0.9])
    reach = np.interp(seconds, [0, 2, 5, 8, 11, 14, 18, 20], [0, 0, 0.4, 0.4, 0.8, 0.8, 0.2, 0.2])
    fingers = (polarity * opening)[:, None] * SYNERGY + 0.005 * rng.standard_normal((400, 4))
    position = np.zeros((400, 3))
    position[:, 0] = reach if arm_moves else 0.0
    arm = ArmTrack(Arm.LEFT, position.astype(np.float32), None, None, fingers.astype(np.float32).reshape(-1), 4)
    return make_actions(t, arm)


@pytest.mark.parametrize("polarity", [1.0, -1.0])
@pytest.mark.parametrize("start", [0.9, 0.4])
def test_a_hand_is_turned_towards_open_by_what_it_does_at_rest(polarity, start):
    tracks = [hand_episode(start, polarity, seed) for seed in range(4)]
    scale = calibrated(*tracks).opening(Arm.LEFT)
    assert (scale.signal, scale.informative) == ("fingers", True)
    assert np.linalg.norm(scale.finger_axis) == pytest.approx(1.0)
    opening = opening_of(tracks[0].state[0], scale)
    assert opening[110] > 0.9  # pre-shaped, before the grasp
    assert opening[200] < 0.1  # carrying


@pytest.mark.parametrize("polarity", [1.0, -1.0])
def test_where_the_arm_tells_nothing_hands_that_all_start_open_do(polarity):
    tracks = [hand_episode(0.9, polarity, seed, arm_moves=False) for seed in range(4)]
    scale = calibrated(*tracks).opening(Arm.LEFT)
    assert scale.informative
    assert opening_of(tracks[0].state[0], scale)[5] > 0.9


def test_an_undecided_hand_is_left_out_until_the_recipe_says_which_way_it_opens():
    tracks = [hand_episode(start, seed=i, arm_moves=False) for i, start in enumerate((0.4, 0.5, 0.6, 0.5))]
    tracks = [
        dataclasses.replace(track, state=(dataclasses.replace(track.state[0], position=None),)) for track in tracks
    ]
    assert not calibrated(*tracks).opening(Arm.LEFT).informative
    larger = calibrated(*tracks, spec=CalibrateSpec(fingers_open={"test_arm": "larger"})).opening(Arm.LEFT)
    smaller = calibrated(*tracks, spec=CalibrateSpec(fingers_open={"test_arm": "smaller"})).opening(Arm.LEFT)
    assert larger.informative
    assert smaller.informative
    assert np.array_equal(larger.finger_axis, -smaller.finger_axis)
    assert np.all(larger.finger_axis >= 0)


def test_two_episodes_are_too_few_to_tell_which_way_a_hand_opens():
    assert not calibrated(hand_episode(seed=0), hand_episode(seed=1)).opening(Arm.LEFT).informative


def test_a_hand_that_only_differs_between_episodes_is_not_used():
    tracks = []
    for i in range(5):
        fingers = np.tile(0.2 * i * SYNERGY, (400, 1)) + 0.01 * np.random.default_rng(i).standard_normal((400, 4))
        arm = ArmTrack(Arm.LEFT, None, None, None, fingers.astype(np.float32).reshape(-1), 4)
        tracks.append(make_actions(even_times(400, 20.0), arm))
    spec = CalibrateSpec(fingers_open={"test_arm": "larger"})
    assert not calibrated(*tracks, spec=spec).opening(Arm.LEFT).informative


def test_a_hand_that_never_moves_is_uninformative():
    arm = ArmTrack(Arm.LEFT, None, None, None, np.full(400 * 4, 0.3, np.float32), 4)
    scale = calibrated(*[make_actions(even_times(400, 20.0), arm)] * 4).opening(Arm.LEFT)
    assert not scale.informative
    assert scale.open > scale.closed


def test_hands_with_different_joints_in_one_group_are_an_error():
    other = ArmTrack(Arm.LEFT, None, None, None, np.zeros(400 * 6, np.float32), 6)
    with pytest.raises(SourceError, match="6 finger joints"):
        calibrated(hand_episode(), make_actions(even_times(400, 20.0), other))


def real_hands(folder, left: slice, right: slice, hz: float) -> list[ActionTrack]:
    tracks = []
    for path in sorted((folder / "data" / "chunk-000").glob("*.parquet")):
        state = np.array(pq.read_table(path)["observation.state"].to_pylist(), np.float32)
        arms = [
            ArmTrack(arm, None, None, None, np.ascontiguousarray(state[:, columns]).reshape(-1), 6)
            for arm, columns in ((Arm.LEFT, left), (Arm.RIGHT, right))
        ]
        tracks.append(make_actions(even_times(len(state), hz), *arms, joints=state))
    return tracks


def test_the_real_g1_hand_opens_with_larger_values_although_it_starts_half_closed(real):
    folder = real / "open_robot" / "g1_pick_bottle_lerobot_v21"
    tracks = real_hands(folder, slice(14, 20), slice(20, 26), 30.0)
    calibration = calibrated(*tracks)
    right = calibration.opening(Arm.RIGHT)
    assert right.informative
    assert np.all(right.finger_axis >= 0)
    assert not calibration.opening(Arm.LEFT).informative  # it hangs beside the table
    first = opening_of(tracks[0].state[1], right)
    assert first[80] > first[140] + 0.2  # seen in the video: open at frame 80, closed on the bottle at frame 140


def test_the_real_gr1_hand_opens_with_smaller_values(real):
    folder = real / "open_robot" / "gr1_picknplace_lerobot_v20"
    tracks = real_hands(folder, slice(7, 13), slice(29, 35), 20.0)
    calibration = calibrated(*tracks)
    right = calibration.opening(Arm.RIGHT)
    assert right.informative
    assert np.sum(right.finger_axis) < 0
    assert not calibration.opening(Arm.LEFT).informative


# -- streaming ---------------------------------------------------------------------------------------------------


def stage_output(recordings: list[Recording], sizes: tuple[int, ...]) -> list[object]:
    def batches(index: int):
        records = [item[index] for item in recordings if item[index] is not None]
        return lambda: (records[i : i + sizes[index]] for i in range(0, len(records), sizes[index]))

    streams = {Episode: batches(0), Alignment: batches(1), ActionTrack: batches(2)}
    group = calibration_group("lab", "test_arm")
    return list(STAGE.run(Bundle(item=group, streams=streams), SPEC))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(["gripper", "video only", "not aligned"]), max_size=8), st.integers(1, 5))
def test_batch_sizes_change_nothing_and_gaps_are_no_trouble(kinds, size):
    recordings = []
    for i, kind in enumerate(kinds):
        track = None if kind == "video only" else gripper(np.linspace(0.0, 0.1 * (i + 1), 50))
        episode, alignment, track = recording(track, f"ep-{i}")
        recordings.append((episode, None if kind == "not aligned" else alignment, track))
    one, other = stage_output(recordings, (1, 1, 1)), stage_output(recordings, (size, 2, 3))
    assert len(one) == len(other)
    assert all(same(*pair) for pair in zip(one, other, strict=True))
    assert isinstance(one[0], Calibration)
    assert {type(record) for record in one} <= {Calibration, Finding}
    for record in one:
        assert same(from_row(type(record), to_row(record)), record)


def test_streams_out_of_order_are_an_error():
    episodes = [make_episode(episode_id="ep-2"), make_episode(episode_id="ep-1")]
    alignments = [make_alignment("ep-1"), make_alignment("ep-2")]
    with pytest.raises(ValueError, match="out of order"):
        list(by_episode([episodes], [alignments], [[]]))


def hand_rows(n: int) -> HandSample:
    return HandSample(np.zeros((n, 1)), np.zeros((n, 1)), np.zeros(n, np.int8), np.zeros(n, np.bool_))


def test_the_sample_of_a_group_is_bounded_however_many_episodes_there_are(monkeypatch):
    monkeypatch.setattr("pipeline.calibrate.MAX_ROWS", 5000)
    sample = SignalSample()
    for _ in range(30_000):
        budget = sample.budget()
        sample.add(hand_rows(budget) if budget else None)
        assert sample.n_rows <= 5000
    assert sample.n_rows >= 1000
    assert len(sample.samples) > 1000


def test_an_episode_gives_evenly_spaced_rows():
    actions = gripper(np.linspace(0.0, 1.0, 10_000))
    rows = np.ones(10_000, np.bool_)
    sample = hand_sample(actions, actions.state[0], "opening", rows, ROWS_PER_EPISODE)
    assert len(sample.values) == ROWS_PER_EPISODE <= MAX_ROWS
    assert np.allclose(np.diff(sample.values[:, 0]), 5e-4, atol=1e-6)
