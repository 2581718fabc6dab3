"""Every check of cleaning on a real recording, damaged as recordings are: it fires, and does not when it is off.

The recording is a simulated pick and place (9.3 s, 20 frames/s) with its exact tool pose and gripper. Pictures are
damaged in the video, before ingest; numbers in the track, after it.
"""

import dataclasses
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from pipeline.clean import clean
from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.ingest import ingest
from pipeline.sources import video_folder
from schemas.array import Floats
from schemas.episode import ActionTrack, Arm, ArmTrack, Episode, KeptRange, Protocol, SourceSpan, SpanMeaning
from schemas.filmstrip import Filmstrip
from schemas.finding import Finding, Verdict
from schemas.pose import RotationEncoding
from schemas.recipe import IngestSpec
from schemas.recipe_clean import CleanSpec
from schemas.recipe_formats.video_folder import VideoFolderSource
from schemas.rotation import rotation_6d
from schemas.source import EpisodeRef
from schemas.source_card import SourceCard
from schemas.time import NS_PER_S
from tests.emitted_checks import emitted
from tests.pipeline.films import Picture, film
from tests.pipeline.made_up import make_actions
from tests.pipeline.real_episodes import droid_episode
from tests.pipeline.test_video import damaged_from
from tests.test_repository import ROOT

KEEP, TRIM, DROP = Verdict.KEEP, Verdict.TRIM, Verdict.DROP
NAME = "robosuite_pickplacecan_seed0_normal"
FPS = 20
WIDEST_M = 0.08
MOVING = slice(80, 110)
"""Rows in which the arm carries the can."""


@dataclasses.dataclass(frozen=True)
class Recording:
    """What cleaning sees of an episode."""

    episode: Episode
    strips: list[Filmstrip]
    actions: ActionTrack | None
    earlier: list[Finding]


@cache
def pictures(real: Path) -> tuple[Picture, ...]:
    """The recording's pictures at half their size."""
    with av.open(str(real / "sim" / f"{NAME}.mp4")) as container:
        shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return tuple(cv2.resize(picture, (112, 112), interpolation=cv2.INTER_AREA) for picture in shown)


def recorded(folder: Path, data: bytes) -> tuple[Episode, list[Filmstrip], list[Finding]]:
    """A video through the real ingest."""
    (folder / "recording.mp4").write_bytes(data)
    card = SourceCard(licence="project")
    spec = VideoFolderSource(
        format="video_folder", name="sim", path=str(folder), card=card, protocol=Protocol.STRUCTURED
    )
    files = SourceFiles(str(folder))
    (ref,) = (ref for ref in video_folder.discover(spec, files, MemoryDigests()) if isinstance(ref, EpisodeRef))
    records = list(ingest(ref, files, IngestSpec()))
    (episode,) = (record for record in records if isinstance(record, Episode))
    strips = [record for record in records if isinstance(record, Filmstrip)]
    return episode, strips, [record for record in records if isinstance(record, Finding)]


def numbers(real: Path, rows: Sequence[int] | slice = slice(None)) -> ActionTrack:
    """The recording's tool pose and gripper at some rows, one per frame."""
    truth = np.load(real / "sim" / f"{NAME}.npz")
    position, quaternion, pads = truth["eef_pos"][rows], truth["eef_quat"][rows], truth["gripper_qpos"][rows]
    rotation = rotation_6d(quaternion, RotationEncoding.QUATERNION_XYZW).astype(np.float32)
    opening = ((pads[:, 0] - pads[:, 1]) / WIDEST_M).astype(np.float32)
    arm = ArmTrack(Arm.RIGHT, position.astype(np.float32), rotation, opening, None, 0)
    times_ns = np.round(np.arange(len(position)) * NS_PER_S / FPS).astype(np.int64)
    return make_actions(times_ns, arm)


@pytest.fixture(scope="module")
def sound(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    episode, strips, earlier = recorded(tmp_path_factory.mktemp("sound"), film(pictures(real)))
    return Recording(episode, strips, numbers(real), earlier)


def findings_of(recording: Recording, spec: CleanSpec) -> tuple[tuple[KeptRange, ...], list[Finding]]:
    kept, found = clean(recording.episode, recording.actions, recording.strips, recording.earlier, spec)
    return kept, [*recording.earlier, *found]


def expect(recording: Recording, check: str, verdict: Verdict, off: dict[str, object] | None) -> None:
    """The check fires with value and threshold, takes away what its verdict says, and is silent when it is off."""
    kept, found = findings_of(recording, CleanSpec())
    mine = [finding for finding in found if finding.check == check]
    assert {finding.verdict for finding in mine} == {verdict}, [finding.message for finding in found]
    assert all(finding.threshold is not None for finding in mine)
    assert all(finding.value is not None for finding in mine)
    match verdict:
        case Verdict.DROP:
            assert kept == ()
        case Verdict.TRIM:
            assert kept
            spans = [(finding.start_ns, finding.end_ns) for finding in mine]
            assert all(part.end_ns <= a or part.start_ns >= b for part in kept for a, b in spans)
    if off is not None:
        _, without = findings_of(recording, CleanSpec.model_validate(off))
        assert check not in {finding.check for finding in without}


def test_a_sound_recording_has_no_finding(sound: Recording) -> None:
    kept, found = findings_of(sound, CleanSpec())
    assert found == []
    assert kept == (KeptRange(0, sound.episode.master.end_ns),)


def test_the_real_droid_episode_only_stops_in_motion(real: Path) -> None:
    droid = droid_episode(real)
    kept, found = clean(droid.episode, droid.actions, droid.strips, [], CleanSpec())
    assert [finding.check for finding in found] == ["truncated_goal"]
    assert kept == (KeptRange(0, droid.episode.master.end_ns),)


# -- pictures ------------------------------------------------------------------------------------------------------

Damage = Callable[[list[Picture]], list[Picture]]


def dark(picture: Picture) -> Picture:
    return (picture * 0.03).astype(np.uint8)


def dark_at(*frames: slice) -> Damage:
    chosen = {i for part in frames for i in range(186)[part]}
    return lambda shown: [dark(picture) if i in chosen else picture for i, picture in enumerate(shown)]


def blurred(shown: list[Picture]) -> list[Picture]:
    return [cv2.GaussianBlur(picture, (0, 0), 8) if i % 2 else picture for i, picture in enumerate(shown)]


def held(frames: slice) -> Damage:
    """The camera stops delivering and the recorder repeats the last picture."""
    first, stop, _ = frames.indices(186)
    return lambda shown: [*shown[:first], *[shown[first]] * (stop - first), *shown[stop:]]


def repeated(shown: list[Picture]) -> list[Picture]:
    return [shown[i - 1] if i % 4 == 3 else picture for i, picture in enumerate(shown)]


def numberless(actions: ActionTrack | None) -> None:
    return None


PICTURES: list[tuple[str, Verdict, Damage, dict[str, object] | None]] = [
    ("black_end", TRIM, dark_at(slice(0, 16)), {"trim_black": False}),
    ("black_frames", KEEP, dark_at(slice(60, 70)), None),
    ("all_black", DROP, dark_at(slice(None)), None),
    ("frozen_while_moving", TRIM, held(MOVING), {"frozen_s": 5.0}),
    ("duplicated_frames", KEEP, repeated, {"max_duplicated_share": 0.5}),
    ("blur", KEEP, blurred, {"max_blurred_share": 0.9}),
    ("too_short", DROP, lambda shown: shown[:4], None),
]


@pytest.mark.parametrize(("check", "verdict", "damage", "off"), PICTURES, ids=[case[0] for case in PICTURES])
def test_damaged_pictures(
    real: Path, tmp_path: Path, check: str, verdict: Verdict, damage: Damage, off: dict[str, object] | None
) -> None:
    episode, strips, earlier = recorded(tmp_path, film(damage(list(pictures(real)))))
    actions = numbers(real, range(episode.master.n_frames))
    expect(Recording(episode, strips, actions, earlier), check, verdict, off)


def test_a_camera_that_stands_still_beside_a_resting_robot_is_kept(real: Path, tmp_path: Path) -> None:
    episode, strips, earlier = recorded(tmp_path, film(held(slice(0, 30))(list(pictures(real)))))
    expect(Recording(episode, strips, None, earlier), "frozen_pictures", KEEP, {"frozen_s": 5.0})


CLOCKS: list[tuple[str, Sequence[int], dict[str, object]]] = [
    ("low_frame_rate", range(0, 186 * 6, 6), {"min_fps": 2.0}),
    ("high_frame_rate", range(186), {"max_fps": 2000.0}),
    ("uneven_frame_periods", [20 * i + (6 if i % 3 == 0 else 0) for i in range(186)], {"max_period_spread": 2.0}),
    ("frame_gap", [i if i < 90 else i + 30 for i in range(186)], {"max_frame_gap_s": 5.0}),
]


@pytest.mark.parametrize(("check", "pts", "off"), CLOCKS, ids=[case[0] for case in CLOCKS])
def test_odd_frame_clocks(real: Path, tmp_path: Path, check: str, pts: Sequence[int], off: dict[str, object]) -> None:
    rate = {"high_frame_rate": 1000, "uneven_frame_periods": 20 * FPS}.get(check, FPS)
    episode, strips, earlier = recorded(tmp_path, film(pictures(real), pts=pts, rate=rate))
    expect(Recording(episode, strips, None, earlier), check, KEEP, off)


def test_pictures_that_cannot_be_decoded_are_located_and_trimmed(real: Path, tmp_path: Path) -> None:
    data = (real / "sim" / f"{NAME}.mp4").read_bytes()
    episode, strips, earlier = recorded(tmp_path, damaged_from(data, 0.6))
    recording = Recording(episode, strips, None, earlier)
    expect(recording, "undecodable_pictures", TRIM, None)
    (finding,) = (finding for finding in earlier if finding.check == "undecodable_pictures")
    assert "from frame" in finding.message


def test_a_missing_stream_and_a_missing_camera(sound: Recording) -> None:
    expect(dataclasses.replace(sound, strips=[]), "missing_camera_stream", DROP, None)
    blind = dataclasses.replace(sound.episode, cameras=())
    expect(dataclasses.replace(sound, episode=blind), "no_camera", DROP, None)


def test_a_second_view_that_stops_early(sound: Recording, real: Path, tmp_path: Path) -> None:
    short, (strip,), _ = recorded(tmp_path, film(pictures(real)[:140]))
    wrist = dataclasses.replace(short.master, name="wrist")
    both = dataclasses.replace(sound.episode, cameras=(sound.episode.master, wrist))
    strips = [*sound.strips, dataclasses.replace(strip, camera="wrist")]
    two_views = Recording(both, strips, sound.actions, [])
    expect(two_views, "camera_covers_part", KEEP, {"max_uncovered_s": 5.0})


# -- control and motion ----------------------------------------------------------------------------------------------


def arm_with(actions: ActionTrack, **columns: Floats) -> ActionTrack:
    arm = dataclasses.replace(actions.state[0], **{name: values.astype(np.float32) for name, values in columns.items()})
    return dataclasses.replace(actions, state=(arm,))


def column(actions: ActionTrack, name: str) -> Floats:
    values: Floats = getattr(actions.state[0], name).copy()
    return values


def with_times(actions: ActionTrack, shift: dict[int, int]) -> ActionTrack:
    times_ns = actions.times_ns.copy()
    for row, by_ns in shift.items():
        times_ns[row:] += by_ns
    return dataclasses.replace(actions, times_ns=times_ns)


def stamped_twice(actions: ActionTrack) -> ActionTrack:
    times_ns = actions.times_ns.copy()
    times_ns[90] = times_ns[89]
    return dataclasses.replace(actions, times_ns=times_ns)


def rows(actions: ActionTrack, part: slice) -> ActionTrack:
    columns = {name: column(actions, name)[part] for name in ("position", "rotation", "opening")}
    cut = dataclasses.replace(actions, times_ns=actions.times_ns[part], valid=actions.valid[part])
    return arm_with(cut, **columns)


def lost(actions: ActionTrack, part: slice) -> ActionTrack:
    """Tracking lost: rows without a number."""
    position = column(actions, "position")
    position[part] = np.nan
    return arm_with(actions, position=position)


def leaping(actions: ActionTrack) -> ActionTrack:
    position = column(actions, "position")
    position[90:] += 0.4
    return arm_with(actions, position=position)


def in_millimetres(actions: ActionTrack) -> ActionTrack:
    return arm_with(actions, position=column(actions, "position") * 1000)


def flipped(actions: ActionTrack) -> ActionTrack:
    """One row with the hand upside down, as sign errors of Euler angles make it."""
    rotation = column(actions, "rotation")
    rotation[90] *= -1
    rotation[90, 3:] *= -1
    return arm_with(actions, rotation=rotation)


def degrees_as_radians(actions: ActionTrack) -> ActionTrack:
    turn = np.deg2rad(np.arange(actions.n_rows)) * 57.3 * 5
    zero = np.zeros_like(turn)
    mixed = np.stack([np.cos(turn), -np.sin(turn), zero, np.sin(turn), np.cos(turn), zero], axis=1)
    return arm_with(actions, rotation=mixed)


def stood_still(actions: ActionTrack) -> ActionTrack:
    """The control stream hung while the camera went on."""
    columns = {name: column(actions, name) for name in ("position", "rotation", "opening")}
    for values in columns.values():
        values[MOVING] = values[MOVING.start]
    return arm_with(actions, **columns)


def spiking(actions: ActionTrack) -> ActionTrack:
    joints = column(actions, "position")
    joints[90, 1] += 0.5
    joint = {"joint_names": ("x", "y", "z"), "joint_state": joints.reshape(-1)}
    return dataclasses.replace(actions, state=(), **joint)


def opening(actions: ActionTrack, change: Callable[[Floats], Floats]) -> ActionTrack:
    return arm_with(actions, opening=change(column(actions, "opening")))


def broken_signal(values: Floats) -> Floats:
    return np.random.default_rng(0).integers(0, 2, len(values)).astype(np.float64)


HOUR_NS = 3600 * NS_PER_S
NUMBERS: list[tuple[str, Verdict, Callable[[ActionTrack], ActionTrack], dict[str, object] | None]] = [
    ("action_times_not_monotonic", DROP, lambda a: with_times(a, {90: -NS_PER_S}), None),
    ("duplicated_action_times", KEEP, stamped_twice, None),
    ("no_common_time", DROP, lambda a: with_times(a, {0: HOUR_NS}), None),
    ("duration_mismatch", KEEP, lambda a: rows(a, slice(0, 140)), {"max_mismatch_periods": 100.0}),
    ("no_actions_at_end", TRIM, lambda a: rows(a, slice(0, 140)), None),
    ("invalid_state", KEEP, lambda a: lost(a, slice(90, 96)), None),
    ("invalid_state", DROP, lambda a: lost(a, slice(90, 150)), None),
    ("action_gap", TRIM, lambda a: lost(a, slice(90, 110)), {"max_action_gap_s": 5.0}),
    ("kinematic_discontinuity", KEEP, leaping, {"max_speed_m_s": 50.0}),
    ("kinematic_discontinuity", DROP, in_millimetres, {"max_speed_m_s": 1e6}),
    ("rotation_discontinuity", KEEP, flipped, {"max_turn_rad_s": 100.0}),
    ("rotation_discontinuity", DROP, degrees_as_radians, {"max_turn_rad_s": 1e6}),
    ("joint_spikes", KEEP, spiking, {"max_joint_leap": 10.0}),
    ("actions_stuck", TRIM, stood_still, {"stuck_s": 5.0}),
    ("constant_gripper", KEEP, lambda a: opening(a, np.zeros_like), {"min_gripper_travel": 0.0}),
    ("gripper_out_of_range", KEEP, lambda a: opening(a, lambda v: v * 1000), {"max_gripper_overshoot": 1e6}),
    ("gripper_chatter", KEEP, lambda a: opening(a, broken_signal), {"max_gripper_jumps_s": 100.0}),
]


@pytest.mark.parametrize(
    ("check", "verdict", "damage", "off"), NUMBERS, ids=[f"{case[0]}-{case[1]}" for case in NUMBERS]
)
def test_damaged_numbers(
    sound: Recording,
    check: str,
    verdict: Verdict,
    damage: Callable[[ActionTrack], ActionTrack],
    off: dict[str, object] | None,
) -> None:
    assert sound.actions is not None
    expect(dataclasses.replace(sound, actions=damage(sound.actions)), check, verdict, off)


def test_an_operator_who_goes_for_coffee(real: Path, tmp_path: Path) -> None:
    order = [*range(20), *[20] * 160, *range(20, 186)]
    episode, strips, earlier = recorded(tmp_path, film([pictures(real)[i] for i in order]))
    waiting = numbers(real, order)
    position = waiting.state[0].position
    assert position is not None
    tremble = 0.0002 * np.random.default_rng(0).standard_normal(position.shape)
    recording = Recording(episode, strips, arm_with(waiting, position=position + tremble), earlier)
    expect(recording, "idle", TRIM, {"max_idle_s": 60.0})


@pytest.mark.parametrize(("check", "part"), [("truncated_start", slice(85, 186)), ("truncated_goal", slice(0, 100))])
def test_a_recording_that_began_too_late_or_ended_too_early(
    real: Path, tmp_path: Path, check: str, part: slice
) -> None:
    episode, strips, earlier = recorded(tmp_path, film(pictures(real)[part]))
    expect(Recording(episode, strips, numbers(real, part), earlier), check, KEEP, {"max_edge_speed_m_s": 10.0})
    stream = dataclasses.replace(episode, protocol=Protocol.UNSTRUCTURED)
    assert check not in {
        finding.check for finding in findings_of(Recording(stream, strips, numbers(real, part), []), CleanSpec())[1]
    }


@pytest.mark.parametrize(
    ("check", "meaning"), [("operator_pause", SpanMeaning.PAUSE), ("declared_invalid", SpanMeaning.INVALID)]
)
def test_what_the_source_says_not_to_use(sound: Recording, check: str, meaning: SpanMeaning) -> None:
    span = SourceSpan("flag", 2 * NS_PER_S, 3 * NS_PER_S, "true", meaning)
    expect(
        dataclasses.replace(sound, episode=dataclasses.replace(sound.episode, annotations=(span,))), check, TRIM, None
    )


# -- together --------------------------------------------------------------------------------------------------------


def test_trims_of_several_checks_are_one_union_and_slivers_between_them_go(real: Path, tmp_path: Path) -> None:
    """Black for 16 frames, a pause that begins 3 frames later, actions that stop 2 s early."""
    episode, strips, earlier = recorded(tmp_path, film(dark_at(slice(0, 16))(list(pictures(real)))))
    pause = SourceSpan("pause", 950_000_000, 2 * NS_PER_S, "true", SpanMeaning.PAUSE)
    paused = dataclasses.replace(episode, annotations=(pause,))
    kept, found = findings_of(Recording(paused, strips, rows(numbers(real), slice(0, 146)), earlier), CleanSpec())
    checks = {finding.check for finding in found if finding.verdict is TRIM}
    assert checks == {"black_end", "operator_pause", "no_actions_at_end", "remnant_too_short"}
    assert kept == (KeptRange(2 * NS_PER_S, 146 * NS_PER_S // FPS),)


def test_when_the_trims_leave_nothing_the_episode_is_dropped(sound: Recording) -> None:
    span = SourceSpan("pause", 0, 20 * NS_PER_S, "true", SpanMeaning.PAUSE)
    whole = dataclasses.replace(sound.episode, annotations=(span,))
    expect(dataclasses.replace(sound, episode=whole), "nothing_left", DROP, None)


def test_every_check_of_cleaning_is_tried_on_a_damaged_recording() -> None:
    """A new check without a case here fails; failed resets have their own file."""
    text = Path(__file__).read_text(encoding="utf-8")
    files = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "pipeline").glob("clean*.py"))
    checks = set(emitted(*files)) - {"failed_reset"}
    assert len(checks) > 30
    assert sorted(check for check in checks if f'"{check}"' not in text) == []
