"""HOT3D: real hands of Aria and Quest 3, one row per picture of one camera, masks where they belong."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.sources.egocentric.hot3d_tables import Mask, on_rows
from pipeline.sources.formats import discover, read
from pipeline.sources.raw import RawEpisode
from schemas.arrow import to_table
from schemas.episode import ActionKind, ActionTrack, Arm, SpanMeaning
from schemas.finding import Finding
from schemas.pose import matrix_of
from schemas.recipe_formats.hot3d import Hot3dSource
from schemas.source import EpisodeRef

FIXTURE = "egocentric/hot3d_pose_fixture"
ARIA, QUEST = "Aria/P0003_c701bd11", "Quest3/P0002_273c2819"
HANDS = "mano_hand_pose_trajectory.jsonl"


def discovered(root: Path, **more: Any) -> tuple[list[EpisodeRef], list[Finding]]:
    stated = {"format": "hot3d", "name": "hot3d", "path": str(root), "card": {"licence": "Apache-2.0"}, **more}
    found = list(discover(Hot3dSource.model_validate(stated), SourceFiles(str(root)), MemoryDigests()))
    return [x for x in found if isinstance(x, EpisodeRef)], [x for x in found if isinstance(x, Finding)]


def episode(root: Path, locator: str, **more: Any) -> RawEpisode:
    (ref,) = [ref for ref in discovered(root, **more)[0] if ref.locator == locator]
    return read(ref, SourceFiles(str(root)))


def track_of(raw: RawEpisode) -> ActionTrack:
    assert raw.actions is not None
    return raw.actions


def checks(findings: Any) -> list[str]:
    return [finding.check for finding in findings]


@pytest.fixture
def copy(real: Path, tmp_path: Path) -> Path:
    """The fixture, writable."""
    for path in sorted((real / FIXTURE).rglob("*")):
        if path.is_file():
            target = tmp_path / "hot3d" / path.relative_to(real / FIXTURE)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    return tmp_path / "hot3d"


# -- the real recordings --------------------------------------------------------------------------------------------


def test_both_headsets_are_read(real: Path) -> None:
    refs, findings = discovered(real / FIXTURE)
    assert [(ref.locator, ref.embodiment) for ref in refs] == [(ARIA, "human"), (QUEST, "human")]
    assert findings == []
    raws = [episode(real / FIXTURE, ref.locator) for ref in refs]
    assert [track_of(raw).n_rows for raw in raws] == [34, 15]
    assert [raw.cameras for raw in raws] == [(), ()]
    for raw in raws:
        assert [arm.arm for arm in track_of(raw).state] == [Arm.LEFT, Arm.RIGHT]
        assert track_of(raw).valid.all()
        to_table(ActionTrack, [track_of(raw)])


def test_poses_stamped_for_other_cameras_are_no_rows(real: Path) -> None:
    """Aria's colour camera fires 0.09 ms before the others: 68 poses, 34 instants, no rate of 10 kHz."""
    raw = episode(real / FIXTURE, ARIA)
    steps = np.diff(track_of(raw).times_ns)
    assert track_of(raw).times_ns[0] == 0
    assert steps.min() > 33_000_000
    (finding,) = [finding for finding in raw.findings if finding.check == "other_streams_left_out"]
    assert (finding.value, finding.threshold) == (34, 0)
    other = episode(real / FIXTURE, ARIA, stream="1201-1")
    assert track_of(other).n_rows == 34
    assert "other_streams_left_out" not in checks(episode(real / FIXTURE, QUEST).findings)


@pytest.mark.parametrize(("locator", "every"), [(ARIA, 2), (QUEST, 1)])
def test_wrists_and_fingers_are_as_published(real: Path, locator: str, every: int) -> None:
    lines = (real / FIXTURE / locator / HANDS).read_text().splitlines()[::every]
    track = track_of(episode(real / FIXTURE, locator))
    for index, arm in (("0", Arm.LEFT), ("1", Arm.RIGHT)):
        said = [json.loads(line)["hand_poses"][index] for line in lines]
        (hand,) = [hand for hand in track.state if hand.arm is arm]
        assert hand.position is not None
        assert hand.rotation is not None
        assert hand.fingers is not None
        np.testing.assert_allclose(hand.position, [one["wrist_xform"]["t_xyz"] for one in said], atol=1e-6)
        quaternions = np.array([one["wrist_xform"]["q_wxyz"] for one in said])
        expected = Rotation.from_quat(quaternions[:, [1, 2, 3, 0]]).as_matrix()
        np.testing.assert_allclose(matrix_of(hand.rotation), expected, atol=1e-6)
        np.testing.assert_allclose(hand.fingers.reshape(-1, 15), [one["pose"] for one in said], atol=1e-5)
        assert hand.opening is None


def test_hands_are_measured_and_said_to_be_a_persons(real: Path) -> None:
    track = track_of(episode(real / FIXTURE, QUEST))
    assert (track.kind, track.frame, track.target, track.commands) == (ActionKind.MEASURED, "world", (), None)
    assert track.provenance.startswith("human hands, tracked by motion capture")


def test_what_is_left_out_is_counted(real: Path) -> None:
    findings = {finding.check: finding for finding in episode(real / FIXTURE, ARIA).findings}
    assert findings["object_poses_left_out"].value == 408
    assert "408 poses of 6 objects" in findings["object_poses_left_out"].message
    assert findings["headset_poses_left_out"].value == 68
    assert "pictures_not_read" in findings


# -- masks ----------------------------------------------------------------------------------------------------------


def flip(root: Path, name: str, rows: range, stream: str) -> None:
    """Set a mask to False at some pictures of one stream."""
    path = root / ARIA / f"masks/mask_{name}.csv"
    lines = path.read_text().splitlines()
    of_stream = [number for number, line in enumerate(lines) if f",{stream}," in line]
    for row in rows:
        lines[of_stream[row]] = lines[of_stream[row]].replace("True", "False")
    path.write_text("\n".join(lines) + "\n")


def test_rows_without_a_hand_pose_are_invalid(copy: Path) -> None:
    flip(copy, "hand_pose_available", range(3, 6), "214-1")
    raw = episode(copy, ARIA)
    assert np.flatnonzero(~track_of(raw).valid).tolist() == [3, 4, 5]
    assert "rows_not_valid" in checks(raw.findings)
    assert raw.annotations == ()


def test_badly_exposed_pictures_are_invalid_and_others_are_told(copy: Path) -> None:
    flip(copy, "good_exposure", range(2, 4), "214-1")
    flip(copy, "hand_visible", range(1), "214-1")
    raw = episode(copy, ARIA)
    times_ns = track_of(raw).times_ns
    assert track_of(raw).valid.all()
    assert [(span.track, span.meaning, span.start_ns, span.end_ns) for span in raw.annotations] == [
        ("mask_good_exposure", SpanMeaning.INVALID, int(times_ns[2]), int(times_ns[4])),
        ("mask_hand_visible", SpanMeaning.OTHER, 0, int(times_ns[1])),
    ]


def test_masks_of_other_streams_say_nothing_about_this_one(copy: Path) -> None:
    flip(copy, "good_exposure", range(2, 4), "1201-1")
    assert episode(copy, ARIA).annotations == ()


def test_without_masks_all_rows_are_read_and_that_is_told(copy: Path) -> None:
    shutil.rmtree(copy / ARIA / "masks")
    raw = episode(copy, ARIA)
    assert track_of(raw).n_rows == 68
    assert "masks_missing" in checks(raw.findings)


def test_a_mask_that_is_silent_about_a_row_does_not_refuse_it() -> None:
    mask = Mask("m", {"a": {0: False, 1: True}, "b": {0: True}})
    assert on_rows(mask, "a", np.array([0, 1, 2])).tolist() == [False, True, True]
    assert on_rows(mask, None, np.array([0, 1, 2])).tolist() == [True, True, True]


def test_a_stream_that_is_not_there_is_an_error(real: Path) -> None:
    with pytest.raises(SourceError, match=r"no stream 214-1 in its masks, found 1201-1, 1201-2"):
        episode(real / FIXTURE, QUEST, stream="214-1")


# -- hands ----------------------------------------------------------------------------------------------------------


def rewrite(root: Path, change: Callable[[int, dict[str, Any]], Any]) -> None:
    path = root / QUEST / HANDS
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(change(number, line)) + "\n" for number, line in enumerate(lines)))


def test_a_hand_that_is_missing_now_and_then_makes_rows_invalid(copy: Path) -> None:
    def drop(number: int, line: dict[str, Any]) -> dict[str, Any]:
        poses = {index: pose for index, pose in line["hand_poses"].items() if not (number in (2, 3) and index == "0")}
        return {**line, "hand_poses": poses}

    rewrite(copy, drop)
    track = track_of(episode(copy, QUEST))
    assert np.flatnonzero(~track.valid).tolist() == [2, 3]
    assert track.state[0].position is not None
    assert np.isnan(track.state[0].position[2:4]).all()
    assert track.state[1].position is not None
    assert np.isfinite(track.state[1].position).all()


def test_a_hand_that_is_never_there_is_no_arm(copy: Path) -> None:
    rewrite(copy, lambda _, line: {**line, "hand_poses": {"1": line["hand_poses"]["1"]}})
    raw = episode(copy, QUEST)
    assert [arm.arm for arm in track_of(raw).state] == [Arm.RIGHT]
    assert track_of(raw).valid.all()
    assert "hand_missing" in checks(raw.findings)


@pytest.mark.parametrize("value", [float("nan"), None, "x", 1e300, 0.0])
def test_a_quaternion_that_is_none_makes_its_row_invalid(copy: Path, value: Any) -> None:
    def spoil(number: int, line: dict[str, Any]) -> dict[str, Any]:
        if number == 4:
            line["hand_poses"]["1"]["wrist_xform"]["q_wxyz"] = [value] * 4
        return line

    rewrite(copy, spoil)
    raw = episode(copy, QUEST)
    assert np.flatnonzero(~track_of(raw).valid).tolist() == [4]
    to_table(ActionTrack, [track_of(raw)])


def test_a_sequence_without_hands_is_listed(copy: Path) -> None:
    """The publisher keeps the test split's hands."""
    (copy / QUEST / HANDS).unlink()
    (copy / QUEST / "umetrack_hand_pose_trajectory.jsonl").write_text("{}\n")
    refs, findings = discovered(copy)
    assert len(refs) == 2
    assert checks(findings) == ["hands_not_read"]
    raw = episode(copy, QUEST)
    assert raw.actions is None
    assert "hands_missing" in checks(raw.findings)


def test_a_recording_that_is_there_is_told_not_to_be_read(copy: Path) -> None:
    (copy / ARIA / "recording.vrs").write_bytes(b"VisionRe" * 10)
    refs, findings = discovered(copy)
    assert checks(findings) == ["recording_not_read"]
    assert all(not file.path.endswith(".vrs") for ref in refs for file in ref.files)


# -- identity and damage --------------------------------------------------------------------------------------------


def test_another_folder_and_one_more_sequence_change_no_id(copy: Path) -> None:
    before = {ref.locator: ref.fingerprint for ref in discovered(copy)[0]}
    shutil.copytree(copy / QUEST, copy / "Quest3/P9999")
    (copy / "Quest3/P9999" / HANDS).write_text((copy / ARIA / HANDS).read_text())
    moved = copy.rename(copy.with_name(f"{copy.name}-moved"))
    after = {ref.locator: ref.fingerprint for ref in discovered(moved)[0]}
    assert len(after) == 3
    assert {locator: after[locator] for locator in before} == before


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        (HANDS, r"mano_hand_pose_trajectory\.jsonl: line 15 is no JSON"),
        ("dynamic_objects.csv", r"dynamic_objects\.csv: line 91 has"),
        ("headset_trajectory.csv", r"headset_trajectory\.csv: line 16 has"),
        ("masks/mask_good_exposure.csv", r"mask_good_exposure\.csv: line 31 has"),
    ],
)
def test_a_truncated_table_is_told_by_name_and_line(copy: Path, name: str, complaint: str) -> None:
    path = copy / QUEST / name
    path.write_bytes(path.read_bytes()[:-30] if name != "masks/mask_good_exposure.csv" else path.read_bytes()[:-15])
    with pytest.raises(SourceError, match=complaint):
        episode(copy, QUEST)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda n, line: {**line, "timestamp_ns": 5}, "line 2 has the time stamp 5"),
        (lambda n, line: {**line, "timestamp_ns": "later"}, "line 1 has the time stamp later"),
        (lambda n, line: {**line, "timestamp_ns": 10**30}, "line 1 has the time stamp 1000"),
        (lambda n, line: {**line, "hand_poses": {"0": {"pose": [1]}}}, "line 1 has a hand without wrist_xform"),
        (lambda n, line: {**line, "hand_poses": {"0": 7}}, "line 1 has a hand without wrist_xform"),
        (lambda n, line: {**line, "timestamp_ns": n + 1}, "no hand pose has a time stamp of stream 1201-1"),
    ],
)
def test_lines_that_are_no_hands_are_told_by_number(copy: Path, change: Any, complaint: str) -> None:
    rewrite(copy, change)
    with pytest.raises(SourceError, match=complaint):
        episode(copy, QUEST)


def test_a_mask_of_something_else_is_told(copy: Path) -> None:
    path = copy / QUEST / "masks/mask_good_exposure.csv"
    path.write_text(path.read_text().replace("True", "maybe", 1))
    with pytest.raises(SourceError, match=r"mask_good_exposure\.csv: found the row .*maybe"):
        episode(copy, QUEST)


def test_nothing_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no folder with mano_hand.* correct `path` of source hot3d"):
        discovered(tmp_path)
