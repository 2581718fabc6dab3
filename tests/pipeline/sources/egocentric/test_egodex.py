"""EgoDex: real hands in the published layout come back as they were, and nothing untracked passes for a pose."""

import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.ingest import ingest
from pipeline.sources.egocentric.egodex_hands import TIPS, joints_of
from pipeline.sources.formats import discover, pictures, read
from pipeline.sources.raw import RawEpisode
from schemas.arrow import to_table
from schemas.episode import ActionKind, ActionTrack, Arm, ArmTrack, CameraRole, Episode
from schemas.finding import Finding, Verdict
from schemas.pose import matrix_of
from schemas.recipe import IngestSpec
from schemas.recipe_formats.egodex import EgoDexSource
from schemas.source import EpisodeRef
from tests.pipeline.sources.written.egodex import (
    LONG,
    SAID,
    SHORT,
    hashes_of,
    jaws,
    real_poses,
    restamped,
    tips_of,
    write_egodex,
)

N = 10


def discovered(root: Path, **more: Any) -> tuple[list[EpisodeRef], list[Finding]]:
    stated = {"format": "egodex", "name": "egodex", "path": str(root), "card": {"licence": "CC-BY-NC-ND"}, **more}
    found = list(discover(EgoDexSource.model_validate(stated), SourceFiles(str(root)), MemoryDigests()))
    return [x for x in found if isinstance(x, EpisodeRef)], [x for x in found if isinstance(x, Finding)]


def episode(root: Path, **more: Any) -> RawEpisode:
    (ref,), _ = discovered(root, **more)
    return read(ref, SourceFiles(str(root)))


def track_of(raw: RawEpisode) -> ActionTrack:
    assert raw.actions is not None
    return raw.actions


def arm_of(raw: RawEpisode, arm: Arm) -> ArmTrack:
    return next(one for one in track_of(raw).state if one.arm is arm)


def checks(findings: Any) -> list[str]:
    return [finding.check for finding in findings]


@pytest.fixture
def video(real: Path) -> bytes:
    return restamped(real / SHORT, 30)


def write(real: Path, root: Path, video: bytes | None, n_rows: int = N, **more: Any) -> None:
    write_egodex(root / "insert_toner/0", real_poses(real, n_rows), jaws(real, n_rows), video=video, **more)


# -- round trip ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("arm", "side"), [(Arm.LEFT, "left"), (Arm.RIGHT, "right")])
def test_hands_round_trip(real: Path, tmp_path: Path, video: bytes, arm: Arm, side: str) -> None:
    write(real, tmp_path, video)
    raw, wrist = episode(tmp_path), real_poses(real, N)[f"{side}Hand"]
    hand = arm_of(raw, arm)
    assert hand.position is not None
    assert hand.rotation is not None
    assert hand.opening is not None
    assert hand.fingers is not None
    np.testing.assert_allclose(hand.position, wrist[:, :3, 3], atol=1e-6)
    np.testing.assert_allclose(matrix_of(hand.rotation), wrist[:, :3, :3], atol=1e-6)
    np.testing.assert_allclose(hand.opening, jaws(real, N) / 0.1, atol=1e-4)
    tips = np.stack(list(tips_of(wrist, jaws(real, N)).values()), axis=1)
    back = (np.linalg.inv(wrist)[:, None] @ tips)[:, :, :3, 3]
    np.testing.assert_allclose(hand.fingers.reshape(N, 5, 3), back, atol=1e-6)
    assert track_of(raw).valid.all()


def test_hands_that_were_put_back_into_the_world_are_where_they_were(real: Path, tmp_path: Path, video: bytes) -> None:
    """Wrist, rotation and relative finger tips say the same as the file's world poses."""
    write(real, tmp_path, video)
    hand = arm_of(episode(tmp_path), Arm.RIGHT)
    assert hand.position is not None
    assert hand.rotation is not None
    assert hand.fingers is not None
    world = hand.position[:, None] + np.einsum("tij,tkj->tki", matrix_of(hand.rotation), hand.fingers.reshape(N, 5, 3))
    with h5py.File(tmp_path / "insert_toner/0.hdf5") as file:
        for number, tip in enumerate(TIPS):
            np.testing.assert_allclose(world[:, number], file[f"transforms/right{tip}"][:, :3, 3], atol=1e-5)


def test_frames_and_rows_are_one(real: Path, tmp_path: Path, video: bytes) -> None:
    write(real, tmp_path, video)
    (ref,), findings = discovered(tmp_path)
    raw = read(ref, SourceFiles(str(tmp_path)))
    (camera,) = raw.cameras
    assert (camera.role, camera.expected_frames, raw.rows_are_frames) == (CameraRole.EGO, N, True)
    assert hashes_of(pictures(ref, SourceFiles(str(tmp_path)), camera.video)) == hashes_of(real / SHORT)
    assert track_of(raw).times_ns.tolist() == [round(row * 1e9 / 30) for row in range(N)]
    assert (findings, raw.findings) == ([], ())
    records = list(ingest(ref, SourceFiles(str(tmp_path)), IngestSpec()))
    (done,) = [record for record in records if isinstance(record, Episode)]
    (actions,) = [record for record in records if isinstance(record, ActionTrack)]
    assert actions.times_ns.tolist() == done.master.times_ns.tolist()
    assert [record for record in records if isinstance(record, Finding)] == []
    to_table(Episode, [done])
    to_table(ActionTrack, [actions])


def test_the_camera_moves_with_the_head(real: Path, tmp_path: Path, video: bytes) -> None:
    write(real, tmp_path, video)
    (camera,) = episode(tmp_path).cameras
    assert camera.intrinsics is not None
    assert camera.extrinsics is not None
    np.testing.assert_allclose(camera.intrinsics, [[736.6339, 0, 448], [0, 736.6339, 252], [0, 0, 1]], rtol=1e-6)
    np.testing.assert_allclose(camera.extrinsics, real_poses(real, N)["camera"], atol=1e-6)


def test_a_persons_hands_are_measured_and_said_to_be_a_persons(real: Path, tmp_path: Path, video: bytes) -> None:
    write(real, tmp_path, video)
    (ref,), _ = discovered(tmp_path)
    actions = track_of(episode(tmp_path))
    assert (actions.kind, actions.frame, ref.embodiment) == (ActionKind.MEASURED, "arkit_world", "human")
    assert "human hands, tracked by the headset" in actions.provenance
    assert "opening is a proxy" in actions.provenance
    assert (actions.target, actions.commands) == ((), None)


def test_the_pinch_is_scaled_by_the_recipe(real: Path, tmp_path: Path, video: bytes) -> None:
    write(real, tmp_path, video)
    opening = arm_of(episode(tmp_path, pinch_open_m=0.05), Arm.LEFT).opening
    assert opening is not None
    np.testing.assert_allclose(opening, jaws(real, N) / 0.05, atol=1e-4)


def test_one_hand_may_be_left_out(real: Path, tmp_path: Path, video: bytes) -> None:
    lost = {joint: np.zeros(N) for joint in joints_of(Arm.LEFT)}
    write(real, tmp_path, video, confidence=lost)
    assert not track_of(episode(tmp_path)).valid.any()
    only = episode(tmp_path, arms=["right"])
    assert [hand.arm for hand in track_of(only).state] == [Arm.RIGHT]
    assert track_of(only).valid.all()


# -- language --------------------------------------------------------------------------------------------------------

_BOTH = {"llm_description": "Open the box.", "llm_description2": "Close the box."}


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"llm_type": "reversible", "which_llm_description": "1", **_BOTH}, "Open the box."),
        ({"llm_type": "reversible", "which_llm_description": "2", **_BOTH}, "Close the box."),
        ({"llm_type": "reversible", "which_llm_description": 1, **_BOTH}, "Open the box."),
        ({"llm_type": "reversible", **_BOTH}, "Close the box."),
        ({"llm_type": "reset", "which_llm_description": "2", **_BOTH}, "Open the box."),
        (_BOTH, "Open the box."),
        ({"description": "Fold the towel."}, "Fold the towel."),
        ({"llm_type": "reversible", "description": "Fold the towel."}, "Fold the towel."),
        ({"llm_description": " ", "task": "fold"}, ""),
    ],
)
def test_a_reversible_task_is_told_in_the_direction_it_was_done(
    real: Path, tmp_path: Path, said: dict[str, Any], text: str
) -> None:
    write(real, tmp_path, None, said=said)
    assert episode(tmp_path).instruction == text


def test_what_else_is_said_spans_the_episode(real: Path, tmp_path: Path, video: bytes) -> None:
    write(real, tmp_path, video)
    raw = episode(tmp_path)
    assert raw.instruction == SAID["llm_description"]
    assert [(span.track, span.text) for span in raw.annotations] == [
        ("environment", "office"),
        ("llm_objects", "toner cartridge, printer"),
        ("llm_verbs", "insert, push"),
        ("task", "insert_toner"),
    ]
    assert {(span.start_ns, span.end_ns) for span in raw.annotations} == {(0, round(N * 1e9 / 30))}


# -- what cannot be trusted ---------------------------------------------------------------------------------------


def changed(root: Path, path: str, change: Any) -> None:
    with h5py.File(root / "insert_toner/0.hdf5", "r+") as file:
        values = file[path][()]
        del file[path]
        file[path] = change(values)


def test_rows_the_headset_hardly_saw_are_invalid(real: Path, tmp_path: Path, video: bytes) -> None:
    trust = np.ones(N)
    trust[3:5] = 0.05
    trust[7] = np.nan
    write(real, tmp_path, video, confidence={"leftIndexFingerTip": trust})
    raw = episode(tmp_path)
    assert np.flatnonzero(~track_of(raw).valid).tolist() == [3, 4, 7]
    hand = arm_of(raw, Arm.LEFT)
    assert hand.position is not None
    assert np.isnan(hand.position[[3, 4, 7]]).all()
    (finding,) = raw.findings
    assert (finding.check, finding.value, finding.threshold) == ("confidence_low", 0.3, 0.1)
    assert track_of(episode(tmp_path, min_confidence=0.0)).valid.sum() == N - 1


def test_confidences_may_be_missing(real: Path, tmp_path: Path, video: bytes) -> None:
    write(real, tmp_path, video, confidence={})
    raw = episode(tmp_path)
    assert checks(raw.findings) == ["confidence_missing"] * 2
    assert track_of(raw).valid.all()


def _spoilt(values: NDArray[Any], row: int, what: Any) -> NDArray[Any]:
    values = values.copy()
    values[row] = what
    return values


@pytest.mark.parametrize(
    "what",
    [np.full((4, 4), np.nan), np.zeros((4, 4)), np.diag([1, 1, -1, 1]), np.eye(4) * 2, np.full((4, 4), 3e38)],
    ids=["nan", "zero", "mirrored", "scaled", "huge"],
)
@pytest.mark.parametrize("joint", ["rightHand", "rightThumbTip"])
def test_a_pose_that_is_none_is_no_row(real: Path, tmp_path: Path, joint: str, what: Any) -> None:
    write(real, tmp_path, None)
    changed(tmp_path, f"transforms/{joint}", lambda values: _spoilt(values, 4, what))
    raw = episode(tmp_path)
    assert np.flatnonzero(~track_of(raw).valid).tolist() == [4]
    assert checks(raw.findings) == ["rows_not_finite"]
    for part in (arm_of(raw, Arm.RIGHT).position, arm_of(raw, Arm.RIGHT).opening):
        assert part is not None
        assert np.isnan(part[4]).all()
    to_table(ActionTrack, [track_of(raw)])


def test_a_lens_for_other_pictures_is_left_out(real: Path, tmp_path: Path, video: bytes) -> None:
    """The published lens is for 1920x1080; on pictures of another size it would be wrong unnoticed."""
    write(real, tmp_path, video, lens=(736.6339, 960.0, 540.0))
    raw = episode(tmp_path)
    assert checks(raw.findings) == ["frame_size_disagrees", "intrinsics_left_out"]
    assert raw.cameras[0].intrinsics is None


def test_a_camera_that_is_lost_once_has_no_known_path(real: Path, tmp_path: Path, video: bytes) -> None:
    write(real, tmp_path, video)
    changed(tmp_path, "transforms/camera", lambda values: _spoilt(values, 2, np.nan))
    raw = episode(tmp_path)
    assert checks(raw.findings) == ["extrinsics_left_out"]
    assert raw.cameras[0].extrinsics is None


def test_a_video_of_another_length_has_no_poses_of_its_camera(real: Path, tmp_path: Path, video: bytes) -> None:
    """Ten frames, eight rows: which frame belongs to which row is not known."""
    write(real, tmp_path, video, n_rows=8)
    (ref,), _ = discovered(tmp_path)
    records = list(ingest(ref, SourceFiles(str(tmp_path)), IngestSpec()))
    (done,) = [record for record in records if isinstance(record, Episode)]
    assert done.master.extrinsics is None
    found = checks([record for record in records if isinstance(record, Finding)])
    assert found == ["frame_count_disagrees", "extrinsics_left_out"]


# -- discovery -------------------------------------------------------------------------------------------------------


def test_recording_10_comes_after_recording_9(real: Path, tmp_path: Path) -> None:
    poses, apart = real_poses(real, 3), jaws(real, 3)
    for stem in ("b/10", "b/9", "b/2", "a/11"):
        write_egodex(tmp_path / "part1" / stem, poses, apart, said={"task": stem})
    refs, findings = discovered(tmp_path)
    assert [ref.locator for ref in refs] == ["part1/a/11", "part1/b/2", "part1/b/9", "part1/b/10"]
    assert checks(findings) == ["file_of_pair_missing"] * 4


def test_a_missing_half_is_told(real: Path, tmp_path: Path, video: bytes) -> None:
    write(real, tmp_path, video)
    shutil.copy(tmp_path / "insert_toner/0.mp4", tmp_path / "insert_toner/1.mp4")
    shutil.copy(tmp_path / "insert_toner/0.hdf5", tmp_path / "insert_toner/2.hdf5")
    (tmp_path / "insert_toner/3.hdf5").write_bytes(b"")
    refs, findings = discovered(tmp_path)
    assert [ref.locator for ref in refs] == [f"insert_toner/{i}" for i in range(3)]
    assert [finding.message.split(": ")[1].split(";")[0] for finding in findings] == [
        "insert_toner/1.hdf5 is missing",
        "insert_toner/2.mp4 is missing",
        "insert_toner/3.hdf5 is empty",
        "insert_toner/3.mp4 is missing",
    ]
    assert findings[-1].verdict is Verdict.DROP
    raws = [read(ref, SourceFiles(str(tmp_path))) for ref in refs]
    assert [raw.actions is None for raw in raws] == [False, True, False]
    assert [len(raw.cameras) for raw in raws] == [1, 1, 0]


def test_one_more_recording_changes_no_other(real: Path, tmp_path: Path, video: bytes) -> None:
    write(real, tmp_path, video)
    before, _ = discovered(tmp_path)
    write_egodex(tmp_path / "a/7", real_poses(real, 5), jaws(real, 5), video=restamped(real / LONG, 30))
    after, _ = discovered(tmp_path)
    assert [ref.locator for ref in after] == ["a/7", "insert_toner/0"]
    assert after[1].fingerprint == before[0].fingerprint


def test_another_folder_changes_no_id(real: Path, tmp_path: Path, video: bytes) -> None:
    write(real, tmp_path / "a", video)
    before, _ = discovered(tmp_path / "a")
    moved = (tmp_path / "a").rename(tmp_path / "b")
    (moved / "insert_toner").rename(moved / "renamed")
    after, _ = discovered(moved)
    assert [ref.fingerprint for ref in after] == [ref.fingerprint for ref in before]


def test_nothing_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no \.hdf5 and no \.mp4 below it.*correct `path` of source egodex"):
        discovered(tmp_path)


# -- damaged and hostile files --------------------------------------------------------------------------------------


def test_a_truncated_table_is_told_by_name(real: Path, tmp_path: Path) -> None:
    write(real, tmp_path, None)
    path = tmp_path / "insert_toner/0.hdf5"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(SourceError, match=r"insert_toner/0\.hdf5: "):
        episode(tmp_path)


@pytest.mark.parametrize(
    ("path", "change", "complaint"),
    [
        ("transforms/leftHand", lambda v: v[:, :3], r"has shape \[10, 3, 4\], expected \[N, 4, 4\]"),
        ("transforms/leftHand", lambda v: v[:0], r"has shape \[0, 4, 4\]"),
        ("transforms/rightHand", lambda v: v[:5], "has 5 rows, other joints 10"),
        ("transforms/rightThumbTip", lambda v: v.astype("S4"), "expected numbers"),
        ("transforms/camera", lambda v: v[:5], "has 5 rows, other joints 10"),
        ("confidences/leftHand", lambda v: v[:5], r"has shape \[5\], the joints 10 rows"),
        ("confidences/leftHand", lambda v: np.stack([v, v], 1), "has 2 values per row, expected 1"),
    ],
)
def test_a_table_of_another_shape_is_told_by_name(
    real: Path, tmp_path: Path, video: bytes, path: str, change: Any, complaint: str
) -> None:
    write(real, tmp_path, video)
    changed(tmp_path, path, change)
    with pytest.raises(SourceError, match=complaint):
        episode(tmp_path)


def test_a_claim_of_endless_rows_is_refused(real: Path, tmp_path: Path) -> None:
    write(real, tmp_path, None)
    with h5py.File(tmp_path / "insert_toner/0.hdf5", "r+") as file:
        del file["transforms/leftHand"]
        file.create_dataset("transforms/leftHand", (10**9, 4, 4), "f4", chunks=(1, 4, 4))
    with pytest.raises(SourceError, match="/transforms/leftHand has"):
        episode(tmp_path)


@pytest.mark.parametrize("lens", [np.eye(3) * np.nan, np.zeros((3, 3)), np.eye(4), np.full((3, 3), 1e30)])
def test_a_lens_that_is_none_is_unknown(real: Path, tmp_path: Path, video: bytes, lens: Any) -> None:
    write(real, tmp_path, video)
    changed(tmp_path, "camera/intrinsic", lambda _: lens)
    assert episode(tmp_path).cameras[0].intrinsics is None
