"""DROID's raw recordings: every frame and row at its own time, grippers the right way round, pauses marked."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import h5py
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.ingest import ingest
from pipeline.sources.droid_raw import droid_raw
from pipeline.sources.raw import RawCamera, RawEpisode
from pipeline.video import ONE_THREAD, Picture
from schemas.episode import ActionTrack, Arm, CameraRole, CommandMode, CommandSpace, Episode, SpanMeaning
from schemas.finding import Finding
from schemas.pose import RotationEncoding, matrix_of
from schemas.recipe import IngestSpec
from schemas.recipe_formats.droid_raw import DroidRawSource
from schemas.rotation import rotation_6d
from schemas.source import EpisodeRef
from tests.pipeline.sources.written.droid_raw import (
    CAPTURE_AFTER_MS,
    EXT1,
    EXT2,
    WRIST,
    Recording,
    datasets,
    metadata,
    recording,
    write_episode,
    write_sentences,
)

MS = 1_000_000


@pytest.fixture(scope="module")
def rec(real: Path) -> Recording:
    return recording(real)


@pytest.fixture
def folder(tmp_path: Path, rec: Recording) -> Path:
    folder = write_episode(tmp_path / "droid/AUTOLab/success/2023-10-21/Sat_Oct_21_20:36:39_2023", rec)
    write_sentences(folder)
    return folder


def spec_for(root: Path, **more: Any) -> DroidRawSource:
    stated = {"format": "droid_raw", "name": "droid", "path": str(root), "card": {"licence": "CC-BY-4.0"}, **more}
    return DroidRawSource.model_validate(stated)


def discovered(root: Path, **more: Any) -> tuple[list[EpisodeRef], list[Finding]]:
    found = list(droid_raw.discover(spec_for(root, **more), SourceFiles(str(root)), MemoryDigests()))
    return [x for x in found if isinstance(x, EpisodeRef)], [x for x in found if isinstance(x, Finding)]


def only(root: Path, **more: Any) -> tuple[EpisodeRef, RawEpisode]:
    (ref,), _ = discovered(root, **more)
    return ref, droid_raw.read(ref, SourceFiles(str(root)))


def written(tmp_path: Path, rec: Recording, **more: Any) -> RawEpisode:
    write_episode(tmp_path / "e", rec, **more)
    write_sentences(tmp_path)
    return only(tmp_path)[1]


def track_of(raw: RawEpisode) -> ActionTrack:
    assert raw.actions is not None
    return raw.actions


def checks(raw: RawEpisode) -> list[str]:
    return [finding.check for finding in raw.findings]


def camera_of(raw: RawEpisode, name: str) -> RawCamera:
    return next(camera for camera in raw.cameras if camera.name == name)


def pictures_of(ref: EpisodeRef, camera: RawCamera) -> list[Picture]:
    return list(droid_raw.pictures(ref, SourceFiles(ref.root), camera.video, ONE_THREAD))


def hashes_of(path: Path) -> list[str]:
    with av.open(str(path)) as video:
        return [hashlib.sha256(frame.to_ndarray(format="rgb24")).hexdigest() for frame in video.decode(video=0)]


# -- values ------------------------------------------------------------------------------------------------------------


def test_measured_and_commanded_poses_come_back(folder: Path, rec: Recording) -> None:
    track = track_of(only(folder)[1])
    for arm, pose in ((track.state[0], rec.pose), (track.target[0], rec.command)):
        assert arm.arm is Arm.RIGHT
        assert arm.position is not None
        assert arm.rotation is not None
        np.testing.assert_allclose(arm.position, pose[:, :3], atol=1e-6)
        turned = Rotation.from_matrix(matrix_of(arm.rotation)) * Rotation.from_euler("xyz", pose[:, 3:]).inv()
        assert turned.magnitude().max() < 1e-5
    assert track.frame == "base"
    assert track.commands is not None
    assert (track.commands.mode, track.commands.space) == (CommandMode.ABSOLUTE, CommandSpace.END_EFFECTOR)


def test_a_gripper_of_1_is_closed(folder: Path, rec: Recording) -> None:
    track = track_of(only(folder)[1])
    assert track.state[0].opening is not None
    assert track.target[0].opening is not None
    np.testing.assert_allclose(track.state[0].opening, 1 - rec.gripper, atol=1e-6)
    np.testing.assert_allclose(track.target[0].opening, 1 - rec.gripper_command, atol=1e-6)
    assert np.ptp(rec.gripper) > 0.5


def test_the_target_is_the_command_and_not_the_operators_goal(folder: Path, rec: Recording) -> None:
    track = track_of(only(folder)[1])
    goal = track.joint_names.index("target_cartesian_position.x")
    assert track.joint_target is not None
    native = track.joint_target.reshape(track.n_rows, -1)
    np.testing.assert_allclose(native[:, goal], rec.goal[:, 0], atol=1e-6)
    assert track.target[0].position is not None
    assert np.abs(track.target[0].position - rec.goal[:, :3]).max() > 1e-3


def test_joints_are_kept_natively(folder: Path, rec: Recording) -> None:
    track = track_of(only(folder)[1])
    assert track.joint_state is not None
    assert track.joint_target is not None
    state, target = (values.reshape(track.n_rows, -1) for values in (track.joint_state, track.joint_target))
    assert track.joint_names[:8] == (*(f"joint_{i}" for i in range(7)), "gripper_position")
    np.testing.assert_allclose(state[:, :7], rec.joints, atol=1e-6)
    np.testing.assert_allclose(target[:, :7], rec.joint_command, atol=1e-6)


def test_without_commands_there_is_no_target(tmp_path: Path, rec: Recording) -> None:
    none = {path.replace("/", "__"): None for path in datasets(rec) if path.startswith("action/")}
    track = track_of(written(tmp_path, rec.with_(**none)))
    assert (track.target, track.joint_target, track.commands) == ((), None, None)


def test_a_row_without_a_number_is_invalid(tmp_path: Path, rec: Recording) -> None:
    pose = rec.pose.copy()
    pose[5, 1] = np.nan
    raw = written(tmp_path, rec.with_(observation__robot_state__cartesian_position=pose))
    assert np.flatnonzero(~track_of(raw).valid).tolist() == [5]
    assert "rows_not_finite" in checks(raw)


# -- clocks ------------------------------------------------------------------------------------------------------------


def test_rows_and_frames_keep_the_times_they_were_taken_at(folder: Path, rec: Recording) -> None:
    ref, raw = only(folder)
    origin_ms = rec.captured_ms[EXT1][0]
    assert not raw.rows_are_frames
    assert (track_of(raw).times_ns // MS).tolist() == (rec.read_ms - origin_ms).tolist()
    for name, serial in (("ext1", EXT1), ("ext2", EXT2), ("wrist", WRIST)):
        camera = camera_of(raw, name)
        captured_ms = rec.captured_ms[serial][:-1] - origin_ms
        seen = pictures_of(ref, camera)
        assert camera.starts_ns // MS == captured_ms[0]
        assert [picture.pts_ns // MS + camera.starts_ns // MS for picture in seen] == captured_ms.tolist()


def test_15_hz_is_an_intention(folder: Path) -> None:
    """The loop was late in the middle; believing 15 Hz, the last frame would be off by more than a frame."""
    track = track_of(only(folder)[1])
    off_ns = track.times_ns[-1] - (track.n_rows - 1) * 1_000_000_000 // 15
    assert off_ns > 1_000_000_000 / 15
    assert np.diff(track.times_ns).max() > 170 * MS


def test_pictures_are_those_of_the_files(folder: Path) -> None:
    ref, raw = only(folder)
    for name, serial in (("ext1", EXT1), ("ext2", EXT2), ("wrist", WRIST)):
        seen = pictures_of(ref, camera_of(raw, name))
        found = [hashlib.sha256(picture.frame.to_ndarray(format="rgb24")).hexdigest() for picture in seen]
        assert found == hashes_of(folder / f"recordings/MP4/{serial}.mp4")


def test_views_are_placed_by_their_own_clocks_when_ingested(folder: Path, rec: Recording) -> None:
    ref, _ = only(folder)
    records = list(ingest(ref, SourceFiles(ref.root), IngestSpec()))
    (episode,) = (record for record in records if isinstance(record, Episode))
    by_name = {camera.name: camera for camera in episode.cameras}
    later_ms = CAPTURE_AFTER_MS[EXT2] - CAPTURE_AFTER_MS[EXT1]
    assert (by_name["ext2"].times_ns - by_name["ext1"].times_ns == later_ms * MS).all()
    assert by_name["wrist"].times_ns[0] // MS == (rec.captured_ms[WRIST][1] - rec.captured_ms[EXT1][0])
    assert by_name["wrist"].extrinsics is not None
    assert len(by_name["wrist"].extrinsics) == by_name["wrist"].n_frames
    assert not {f.check for f in records if isinstance(f, Finding)} & {"frame_count_disagrees", "fps_disagrees"}


def test_the_nominal_rate_of_the_file_does_not_count(tmp_path: Path, rec: Recording) -> None:
    write_episode(tmp_path / "fast", rec, rate=60)
    ref, raw = only(tmp_path)
    seen = pictures_of(ref, raw.cameras[0])
    assert (seen[-1].pts_ns - seen[0].pts_ns) // MS == rec.read_ms[-2] - rec.read_ms[0]


def test_the_last_row_has_no_frame(folder: Path, rec: Recording) -> None:
    ref, raw = only(folder)
    assert track_of(raw).n_rows == len(rec.pose)
    assert len(pictures_of(ref, raw.cameras[0])) == len(rec.pose) - 1
    assert checks(raw) == []


def test_without_capture_times_the_drivers_time_counts(tmp_path: Path, rec: Recording) -> None:
    none = {f"observation__timestamp__cameras__{serial}_estimated_capture": None for serial in CAPTURE_AFTER_MS}
    raw = written(tmp_path, rec.with_(**none))
    assert track_of(raw).times_ns[0] // MS == -CAPTURE_AFTER_MS[EXT1] - 31
    assert checks(raw) == []


def test_times_that_do_not_fit_the_frames_leave_rows_to_frames(tmp_path: Path, rec: Recording) -> None:
    short = replace(rec, pictures={serial: pictures[:10] for serial, pictures in rec.pictures.items()})
    write_episode(tmp_path / "e", short)
    ref, raw = only(tmp_path)
    assert raw.rows_are_frames
    assert checks(raw)[:4] == ["frame_times_unusable"] * 3 + ["camera_pose_unplaced"]
    assert "there are 24 stamps for 10 frames" in raw.findings[0].message
    assert [picture.pts_ns // MS for picture in pictures_of(ref, raw.cameras[0])][:3] == [0, 66, 133]


def test_without_any_times_row_i_is_frame_i_and_the_last_row_goes(tmp_path: Path, rec: Recording) -> None:
    none = {path.replace("/", "__"): None for path in datasets(rec) if "/timestamp/" in path and "skip" not in path}
    write_episode(tmp_path / "e", rec.with_(**none))
    ref, raw = only(tmp_path)
    assert raw.rows_are_frames
    assert track_of(raw).n_rows == len(rec.pose) - 1
    assert checks(raw).count("frame_times_unusable") == 3
    assert "row_times_unusable" in checks(raw)
    records = list(ingest(ref, SourceFiles(ref.root), IngestSpec()))
    (track,) = (record for record in records if isinstance(record, ActionTrack))
    (episode,) = (record for record in records if isinstance(record, Episode))
    assert np.array_equal(track.times_ns, episode.master.times_ns)


def test_rows_whose_clock_is_another_computers_take_their_frames_times(tmp_path: Path, rec: Recording) -> None:
    shifted = {
        "observation__timestamp__robot_state__read_start": rec.read_ms - 7_200_000,
        "observation__timestamp__control__step_start": rec.read_ms - 7_200_000,
    }
    raw = written(tmp_path, rec.with_(**shifted))
    assert "7200.0 s from the frames" in raw.findings[0].message
    assert (track_of(raw).times_ns // MS).tolist() == (rec.read_ms - rec.read_ms[0])[:-1].tolist()


def test_a_camera_with_another_clock_starts_with_the_others(tmp_path: Path, rec: Recording) -> None:
    late = rec.captured_ms[EXT2] + 90_000
    raw = written(tmp_path, rec.with_(**{f"observation__timestamp__cameras__{EXT2}_estimated_capture": late}))
    assert checks(raw) == ["view_clock_disagrees"]
    assert camera_of(raw, "ext2").starts_ns == 0


def test_a_frame_read_twice_is_shown_once(tmp_path: Path, rec: Recording) -> None:
    stuck = rec.captured_ms[EXT1].copy()
    stuck[7] = stuck[6]
    write_episode(tmp_path / "e", rec.with_(**{f"observation__timestamp__cameras__{EXT1}_estimated_capture": stuck}))
    ref, raw = only(tmp_path)
    assert len(pictures_of(ref, raw.cameras[0])) == raw.cameras[0].expected_frames == len(rec.pose) - 2


# -- cameras -----------------------------------------------------------------------------------------------------------


def test_the_metadata_says_which_camera_is_where(folder: Path) -> None:
    _, raw = only(folder)
    assert [(camera.name, camera.role) for camera in raw.cameras] == [
        ("ext1", CameraRole.THIRD_PERSON),
        ("ext2", CameraRole.THIRD_PERSON),
        ("wrist", CameraRole.WRIST_RIGHT),
    ]


def test_without_metadata_the_trajectory_says_which_camera_is_on_the_hand(tmp_path: Path, rec: Recording) -> None:
    raw = written(tmp_path, rec, about={})  # the wrist camera's number is the smallest
    assert [camera.name for camera in raw.cameras] == [EXT1, EXT2, WRIST]
    assert min(EXT1, EXT2, WRIST) == WRIST
    assert raw.cameras[-1].role is CameraRole.WRIST_RIGHT
    assert "metadata_not_single" in checks(raw)
    assert raw.instruction == "a task from the recorder's window"


def test_metadata_and_trajectory_that_disagree_about_a_camera_are_told(tmp_path: Path, rec: Recording) -> None:
    raw = written(tmp_path, rec, about=metadata(wrist_cam_serial=EXT1, ext1_cam_serial=WRIST))
    assert checks(raw) == ["camera_place_disagrees"]


def test_fixed_cameras_have_one_pose_and_the_wrists_moves(folder: Path, rec: Recording) -> None:
    _, raw = only(folder)
    ext1, wrist = camera_of(raw, "ext1").extrinsics, camera_of(raw, "wrist").extrinsics
    assert ext1 is not None
    assert wrist is not None
    assert ext1.shape == (1, 4, 4)
    np.testing.assert_allclose(ext1[0, :3, 3], [0.3, -0.4, 0.5])
    turned = matrix_of(rotation_6d(np.array([[-2.0, 0.1, -2.3]]), RotationEncoding.EULER_XYZ))[0]
    np.testing.assert_allclose(ext1[0, :3, :3], turned, atol=1e-6)
    # The first frame of the wrist camera precedes the master view's and is not shown.
    np.testing.assert_allclose(wrist[:, :3, 3], rec.pose[1:-1, :3] + [0.0, 0.05, 0.02], atol=1e-6)


def test_intrinsics_are_read_where_a_recorder_kept_them(tmp_path: Path, rec: Recording) -> None:
    matrix = np.array([[530.0, 0, 640], [0, 530, 360], [0, 0, 1]])
    path = f"observation__camera_intrinsics__{EXT1}_left"
    raw = written(tmp_path, rec.with_(**{path: np.tile(matrix, (len(rec.pose), 1, 1))}))
    np.testing.assert_array_equal(camera_of(raw, "ext1").intrinsics, matrix)  # type: ignore[arg-type]
    assert camera_of(raw, "ext2").intrinsics is None


def test_stereo_is_read_only_when_asked_for(tmp_path: Path, rec: Recording) -> None:
    write_episode(tmp_path / "e", rec, stereo=True)
    assert [camera.name for camera in only(tmp_path)[1].cameras] == ["ext1", "ext2", "wrist"]
    ref, raw = only(tmp_path, stereo=True)
    both = camera_of(raw, "ext1_stereo")
    assert both.extrinsics is None
    assert [picture.pts_ns for picture in pictures_of(ref, both)] == [
        picture.pts_ns for picture in pictures_of(ref, camera_of(raw, "ext1"))
    ]


def test_the_recipe_chooses_cameras_and_the_master_view(folder: Path, rec: Recording) -> None:
    _, raw = only(folder, cameras=["wrist", "ext2"])
    assert [camera.name for camera in raw.cameras] == ["wrist", "ext2"]
    assert track_of(raw).times_ns[0] // MS == rec.read_ms[0] - rec.captured_ms[WRIST][0]


def test_svo_files_are_not_read_and_told(folder: Path) -> None:
    svo = folder / "recordings/SVO"
    svo.mkdir()
    for serial in (EXT1, WRIST):
        (svo / f"{serial}.svo").write_bytes(b"SVO" * 10)
    (folder / f"recordings/MP4/{EXT1}.mp4").unlink()
    _, findings = discovered(folder)
    assert [(finding.check, finding.value) for finding in findings] == [("svo_not_read", 2.0)]
    _, raw = only(folder)
    (missing,) = (finding.message for finding in raw.findings if finding.check == "camera_missing")
    assert "camera ext1 has no file in recordings/MP4 (SVO files are there and are not read)" in missing


def test_an_unreadable_view_costs_itself_and_the_master_view_the_episode(folder: Path) -> None:
    (folder / f"recordings/MP4/{EXT2}.mp4").write_bytes(b"no video")
    raw = only(folder)[1]
    assert checks(raw) == ["view_unreadable"]
    assert [camera.name for camera in raw.cameras] == ["ext1", "wrist"]
    (folder / f"recordings/MP4/{EXT1}.mp4").write_bytes(b"no video")
    with pytest.raises(SourceError, match=EXT1):
        only(folder)


# -- spans and language ------------------------------------------------------------------------------------------------


def test_the_operators_pauses_are_spans(folder: Path, rec: Recording) -> None:
    _, raw = only(folder)
    (pause,) = (span for span in raw.annotations if span.meaning is SpanMeaning.PAUSE)
    times_ns = track_of(raw).times_ns
    assert (pause.track, pause.start_ns, pause.end_ns) == ("movement_enabled", 0, times_ns[4])


def test_flags_that_disagree_about_pauses_are_told(tmp_path: Path, rec: Recording) -> None:
    raw = written(tmp_path, rec.with_(observation__timestamp__skip_action=~rec.paused))
    assert [(f.check, f.value) for f in raw.findings] == [("pause_flags_disagree", len(rec.pose))]


def test_skip_action_alone_says_where_the_pauses_are(tmp_path: Path, rec: Recording) -> None:
    raw = written(tmp_path, rec.with_(observation__controller_info__movement_enabled=None))
    assert [span.track for span in raw.annotations if span.meaning is SpanMeaning.PAUSE] == ["skip_action"]


def test_a_failed_episode_says_so(tmp_path: Path, rec: Recording) -> None:
    flags = {
        "observation__controller_info__failure": np.arange(len(rec.pose)) == len(rec.pose) - 1,
        "observation__controller_info__success": np.zeros(len(rec.pose), np.bool_),
    }
    raw = written(tmp_path, rec.with_(**flags), about=metadata(success=False))
    (error,) = (span for span in raw.annotations if span.meaning is SpanMeaning.ERROR)
    assert error.start_ns == track_of(raw).times_ns[-1]
    assert "episode_failed" in checks(raw)


def test_the_sentences_of_the_release_are_found_by_uuid(tmp_path: Path, rec: Recording) -> None:
    raw = written(tmp_path, rec)
    assert raw.instruction == "Put the marker in the cup"
    assert [(span.track, span.text[:8]) for span in raw.annotations if span.meaning is SpanMeaning.TASK] == [
        ("language_instruction1", "Put the "),
        ("language_instruction2", "Move the"),
        ("current_task", "Move obj"),
    ]
    assert checks(raw) == []


def test_a_category_serves_as_instruction_and_says_that_it_is_one(folder: Path) -> None:
    (folder / "aggregated-annotations-030724.json").unlink()
    raw = only(folder)[1]
    assert raw.instruction.startswith("Move object into or out of container")
    assert checks(raw) == ["instruction_is_a_category"]


# -- listing -----------------------------------------------------------------------------------------------------------


def test_episodes_are_found_at_any_depth_in_order(tmp_path: Path, rec: Recording) -> None:
    for place in ("b/failure/x", "a/success/y/z", "a/success-2/y"):
        write_episode(tmp_path / place, rec)
    refs, _ = discovered(tmp_path)
    assert [ref.locator for ref in refs] == ["a/success-2/y", "a/success/y/z", "b/failure/x"]
    assert all(len(ref.files) == 4 for ref in refs)


def test_appending_an_episode_changes_no_old_fingerprint(tmp_path: Path, rec: Recording) -> None:
    write_episode(tmp_path / "a", rec)
    (before,), _ = discovered(tmp_path)
    write_episode(tmp_path / "b", rec.with_(observation__robot_state__gripper_position=rec.gripper[::-1]))
    write_sentences(tmp_path, uuid="another+episode")
    after, _ = discovered(tmp_path)
    assert after[0].fingerprint == before.fingerprint
    assert len({ref.episode_id for ref in after}) == 2


def test_moving_the_folder_changes_no_id(tmp_path: Path, rec: Recording) -> None:
    write_episode(tmp_path / "here/lab/a", rec)
    (before,), _ = discovered(tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    (tmp_path / "there/lab").rename(tmp_path / "there/other")
    (after,), _ = discovered(tmp_path / "there")
    assert (after.episode_id, after.fingerprint) == (before.episode_id, before.fingerprint)


def test_a_source_without_trajectories_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no trajectory\.h5 below it"):
        discovered(tmp_path)


def test_a_truncated_trajectory_is_an_error_that_names_it(folder: Path) -> None:
    path = folder / "trajectory.h5"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(SourceError, match=r"trajectory\.h5"):
        only(folder)


def test_columns_of_different_lengths_are_an_error(tmp_path: Path, rec: Recording) -> None:
    with pytest.raises(SourceError, match=r"joint_positions has 20 rows, the robot's state 24"):
        written(tmp_path, rec.with_(observation__robot_state__joint_positions=rec.joints[:20]))


def test_a_link_out_of_the_file_is_refused(folder: Path) -> None:
    with h5py.File(folder / "trajectory.h5", "a") as file:
        del file["action/gripper_position"]
        file["action/gripper_position"] = h5py.ExternalLink("/etc/passwd", "/x")
    with pytest.raises(SourceError, match="ExternalLink"):
        only(folder)


def test_damaged_metadata_costs_the_names_of_the_cameras_only(folder: Path) -> None:
    (path,) = folder.glob("metadata_*.json")
    path.write_text("{" * 100_000)
    refs, findings = discovered(folder)
    assert [finding.check for finding in findings] == ["metadata_unreadable"]
    assert [camera.name for camera in droid_raw.read(refs[0], SourceFiles(refs[0].root)).cameras] == [EXT1, EXT2, WRIST]


def test_metadata_of_the_wrong_types_is_passed_over(tmp_path: Path, rec: Recording) -> None:
    folder = write_episode(
        tmp_path / "e", rec, about=metadata(current_task=["a"], success="yes", wrist_cam_serial=None)
    )
    (path,) = folder.glob("metadata_*.json")
    assert json.loads(path.read_text())["success"] == "yes"
    assert only(tmp_path)[1].instruction == "a task from the recorder's window"


def test_several_files_of_sentences_are_an_error_unless_one_is_named(tmp_path: Path, rec: Recording) -> None:
    write_episode(tmp_path / "e", rec)
    write_sentences(tmp_path)
    shutil.copy(tmp_path / "aggregated-annotations-030724.json", tmp_path / "old-annotations.json")
    with pytest.raises(SourceError, match="name it in `annotations`"):
        discovered(tmp_path)
    assert only(tmp_path, annotations="old-annotations.json")[1].instruction == "Put the marker in the cup"
    with pytest.raises(SourceError, match="no such file"):
        discovered(tmp_path, annotations="../../etc/passwd")
