"""Failed resets: an episode that starts where its group does not, on made-up groups and on a damaged real one."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from annotators import segment as segment_stage
from pipeline.calibrate import calibrate
from pipeline.clean_reset import check_reset
from pipeline.stage import Bundle
from schemas.array import Floats
from schemas.calibration import Calibration
from schemas.episode import ActionTrack, Alignment, Episode, Protocol
from schemas.event import Event
from schemas.filmstrip import Filmstrip
from schemas.finding import Finding, Verdict
from schemas.recipe import CalibrateSpec, SegmentSpec
from tests.pipeline.made_up import make_alignment, make_camera, make_episode, make_strip
from tests.pipeline.real_episodes import G1, GR1, jointed_episodes
from tests.pipeline.test_home_pose import HOME, PLACE, around, calibrated, group, moves_from

KEEP = Verdict.KEEP
Recording = tuple[Episode, Alignment, ActionTrack | None]


def checked(start: Floats, calibration: Calibration, end: Floats = PLACE) -> list[Finding]:
    return list(check_reset(make_episode(), moves_from(start, end), calibration, KEEP))


def test_an_episode_that_starts_where_the_others_end_was_not_reset() -> None:
    calibration, _ = calibrated(around(HOME, 20, 0.01))
    (finding,) = checked(PLACE, calibration, HOME)
    assert (finding.check, finding.stage, finding.verdict) == ("failed_reset", "segment", KEEP)
    assert finding.value == pytest.approx(0.4, abs=0.03)
    assert finding.threshold == 0.1
    assert "that is where others end, it was not driven back" in finding.message


def test_a_start_where_nobody_starts_or_ends_is_told_too() -> None:
    (finding,) = checked(HOME + 0.5, calibrated(around(HOME, 20, 0.01))[0])
    assert "not reset, or its beginning is cut" in finding.message


def test_no_episode_of_a_healthy_group_is_told() -> None:
    for spread_m in (0.001, 0.01, 0.03, 0.06):
        recordings = group(around(HOME, 100, spread_m))
        calibration = calibrate("g", recordings, CalibrateSpec())[0]
        assert isinstance(calibration, Calibration)
        assert calibration.homes
        told = [finding for one, _, track in recordings for finding in check_reset(one, track, calibration, KEEP)]
        assert told == [], spread_m


def test_the_failed_one_is_told_although_it_helped_to_make_the_statistics() -> None:
    starts = np.concatenate([around(HOME, 14, 0.01), PLACE[None]])
    recordings = group(starts)
    calibration = calibrate("g", recordings, CalibrateSpec())[0]
    assert isinstance(calibration, Calibration)
    told = [one.episode_id for one, _, track in recordings if list(check_reset(one, track, calibration, KEEP))]
    assert told == ["ep-0014"]


def test_nothing_is_said_about_streams_groups_without_home_and_episodes_without_actions() -> None:
    calibration, _ = calibrated(around(HOME, 20, 0.01))
    away = moves_from(PLACE, HOME)
    stream = dataclasses.replace(make_episode(), protocol=Protocol.UNSTRUCTURED)
    assert list(check_reset(stream, away, calibration, KEEP)) == []
    assert list(check_reset(make_episode(), None, calibration, KEEP)) == []
    assert list(check_reset(make_episode(), away, None, KEEP)) == []
    assert list(check_reset(make_episode(), away, dataclasses.replace(calibration, homes=()), KEEP)) == []


def segmented(spec: SegmentSpec) -> list[object]:
    """The stage on an episode that was not reset."""
    camera = make_camera(n=200)
    calibration, _ = calibrated(around(HOME, 20, 0.01))
    records: dict[type, list[object]] = {
        Episode: [make_episode(camera)],
        ActionTrack: [moves_from(PLACE, HOME)],
        Filmstrip: [make_strip(camera)],
        Alignment: [make_alignment(end_s=10.0)],
        Calibration: [calibration],
    }
    return segment_stage.run(Bundle("ep-1", records=records), spec)


def test_by_default_the_episode_is_kept_with_its_finding() -> None:
    records = segmented(SegmentSpec())
    assert any(isinstance(record, Event) for record in records)
    assert [record.verdict for record in records if isinstance(record, Finding)] == [KEEP]


def test_the_recipe_may_drop_it_and_then_it_has_no_events() -> None:
    (finding,) = segmented(SegmentSpec(on_failed_reset="drop"))
    assert isinstance(finding, Finding)
    assert (finding.check, finding.verdict) == ("failed_reset", Verdict.DROP)


def calibrated_real(real: Path, dataset: tuple[str, int, int]) -> tuple[list[Recording], list[Calibration | Finding]]:
    recordings: list[Recording] = [
        (one, make_alignment(one.episode_id), track) for one, track in jointed_episodes(real, dataset)
    ]
    return recordings, calibrate(dataset[0], recordings, CalibrateSpec(min_reset_episodes=5))


def second_half(track: ActionTrack | None) -> ActionTrack:
    """What is recorded when somebody presses record too late, or does not drive the robot back."""
    assert track is not None
    assert track.joint_state is not None
    rows = track.joint_state.reshape(track.n_rows, -1)[track.n_rows // 2 :]
    times, valid = track.times_ns[: len(rows)], track.valid[: len(rows)]
    numbers = {"state": (), "target": (), "joint_state": rows.reshape(-1), "joint_target": None}
    return dataclasses.replace(track, times_ns=times, valid=valid, **numbers)


def test_a_real_episode_that_starts_halfway_is_told_and_its_sound_fellows_are_not(real: Path) -> None:
    """GR-1: simulated, so its right arm starts within a twentieth of its joints' ranges; the left one drifts."""
    recordings, (calibration, *_) = calibrated_real(real, GR1)
    assert isinstance(calibration, Calibration)
    assert not calibration.homes[0].at_end
    assert [list(check_reset(one, track, calibration, KEEP)) for one, _, track in recordings] == [[]] * 5
    for episode, _, track in recordings:
        (finding,) = check_reset(episode, second_half(track), calibration, KEEP)
        assert finding.check == "failed_reset"
        assert "of a joint range from where episodes" in finding.message


def test_the_real_g1_whose_operator_wears_it_starts_anywhere(real: Path) -> None:
    _, (calibration, *findings) = calibrated_real(real, G1)
    assert isinstance(calibration, Calibration)
    assert calibration.homes == ()
    told = [finding.message for finding in findings if isinstance(finding, Finding)]
    assert any("its joints start anywhere" in message for message in told)
