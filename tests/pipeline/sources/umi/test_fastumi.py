"""FastUMI: poses of a handheld gripper, pictures beside them, and an action that says nothing."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.ingest import ingest
from pipeline.sources.raw import RawEpisode
from pipeline.sources.umi import fastumi
from pipeline.sources.umi.fastumi import QPOS
from pipeline.video import ONE_THREAD, Picture
from schemas.episode import ActionTrack, Arm, CameraRole, CommandMode, Episode, VideoWindow
from schemas.finding import Finding
from schemas.pose import matrix_of
from schemas.recipe import IngestSpec
from schemas.recipe_formats.fastumi import FastUmiSource
from schemas.source import EpisodeRef
from tests.pipeline.sources.written.fastumi import (
    OTHER_RUN,
    Recording,
    qpos_of,
    recording,
    write_episode,
    write_times,
)

STEP_NS = 50_000_000


@pytest.fixture(scope="module")
def rec(real: Path) -> Recording:
    return recording(real)


@pytest.fixture(scope="module")
def other(real: Path) -> Recording:
    return recording(real, OTHER_RUN)


def spec_for(root: Path, **more: Any) -> FastUmiSource:
    stated = {"format": "fastumi", "name": "umi", "path": str(root), "card": {"licence": "CC0-1.0"}, **more}
    return FastUmiSource.model_validate(stated)


def discovered(root: Path, **more: Any) -> tuple[list[EpisodeRef], list[Finding]]:
    found = list(fastumi.discover(spec_for(root, **more), SourceFiles(str(root)), MemoryDigests()))
    return [x for x in found if isinstance(x, EpisodeRef)], [x for x in found if isinstance(x, Finding)]


def only(root: Path, **more: Any) -> tuple[EpisodeRef, RawEpisode]:
    (ref,), _ = discovered(root, **more)
    return ref, fastumi.read(ref, SourceFiles(str(root)))


def track_of(raw: RawEpisode) -> ActionTrack:
    assert raw.actions is not None
    return raw.actions


def checks(raw: RawEpisode) -> list[str]:
    return [finding.check for finding in raw.findings]


def pictures_of(ref: EpisodeRef, window: VideoWindow) -> list[Picture]:
    return list(fastumi.pictures(ref, SourceFiles(ref.root), window, ONE_THREAD))


@pytest.mark.parametrize("with_gripper", [False, True])
def test_poses_come_back(tmp_path: Path, rec: Recording, with_gripper: bool) -> None:
    write_episode(tmp_path / "pick_up_can/episode_0.hdf5", rec, with_gripper=with_gripper)
    track = track_of(only(tmp_path)[1])
    (arm,) = track.state
    assert arm.arm is Arm.RIGHT
    assert arm.position is not None
    assert arm.rotation is not None
    np.testing.assert_allclose(arm.position, rec.pose[:, :3], atol=1e-6)
    turned = Rotation.from_matrix(matrix_of(arm.rotation)) * Rotation.from_quat(rec.pose[:, 3:]).inv()
    assert turned.magnitude().max() < 1e-5
    assert track.frame == "odometry"
    assert track.valid.all()


def test_an_opening_of_1_is_open(tmp_path: Path, rec: Recording) -> None:
    write_episode(tmp_path / "t/episode_0.hdf5", rec, with_gripper=True)
    opening = track_of(only(tmp_path)[1]).state[0].opening
    assert opening is not None
    np.testing.assert_allclose(opening, qpos_of(rec, with_gripper=True)[:, 7], atol=1e-6)
    assert opening[0] > opening[-1] + 0.2  # the run closes on the can


def test_pictures_are_bgr_in_the_file(tmp_path: Path, rec: Recording) -> None:
    write_episode(tmp_path / "t/episode_0.hdf5", rec)
    ref, raw = only(tmp_path)
    (camera,) = raw.cameras
    assert (camera.name, camera.role, camera.expected_frames) == ("front", CameraRole.WRIST_RIGHT, len(rec.pose))
    seen = [picture.frame.to_ndarray(format="rgb24") for picture in pictures_of(ref, camera.video)]
    assert [hashlib.sha256(p).hexdigest() for p in seen] == [
        hashlib.sha256(np.ascontiguousarray(p)).hexdigest() for p in rec.pictures
    ]
    swapped_ref, _ = only(tmp_path, colours="rgb")
    swapped = pictures_of(swapped_ref, camera.video)[0].frame.to_ndarray(format="rgb24")
    np.testing.assert_array_equal(swapped, rec.pictures[0][..., ::-1])


def test_an_action_that_copies_the_state_is_no_command(tmp_path: Path, rec: Recording) -> None:
    write_episode(tmp_path / "t/episode_0.hdf5", rec)
    raw = only(tmp_path)[1]
    assert "action_is_state" in checks(raw)
    assert (track_of(raw).target, track_of(raw).commands) == ((), None)


def test_a_copy_with_rows_that_hold_no_number_is_a_copy_all_the_same(tmp_path: Path, rec: Recording) -> None:
    pose = rec.pose.copy()
    pose[3] = np.nan
    write_episode(tmp_path / "t/episode_0.hdf5", replace(rec, pose=pose))
    raw = only(tmp_path)[1]
    assert "action_is_state" in checks(raw)
    assert np.flatnonzero(~track_of(raw).valid).tolist() == [3]


def test_an_action_of_its_own_is_an_absolute_command(tmp_path: Path, rec: Recording) -> None:
    qpos = qpos_of(rec, with_gripper=True)
    shifted = np.concatenate([qpos[1:], qpos[-1:]])
    write_episode(tmp_path / "t/episode_0.hdf5", rec, with_gripper=True, action=shifted)
    track = track_of(only(tmp_path)[1])
    assert track.commands is not None
    assert track.commands.mode is CommandMode.ABSOLUTE
    assert track.target[0].position is not None
    np.testing.assert_allclose(track.target[0].position, shifted[:, :3], atol=1e-6)


def test_an_action_of_another_shape_is_left_out(tmp_path: Path, rec: Recording) -> None:
    write_episode(tmp_path / "t/episode_0.hdf5", rec, action=np.zeros((5, 7)))
    assert "action_shape_disagrees" in checks(only(tmp_path)[1])


def test_seven_values_are_the_trackers_pose(tmp_path: Path, rec: Recording) -> None:
    write_episode(tmp_path / "t/episode_0.hdf5", rec)
    raw = only(tmp_path)[1]
    assert "pose_of_tracker" in checks(raw)
    assert track_of(raw).state[0].opening is None


def test_widths_in_whole_pixels_are_told(tmp_path: Path, rec: Recording) -> None:
    write_episode(tmp_path / "t/episode_0.hdf5", rec, with_gripper=True)
    (finding,) = (f for f in only(tmp_path)[1].findings if f.check == "opening_quantised")
    assert finding.value is not None
    assert 0.2 < finding.value < 1.0


def test_the_folder_names_the_task(tmp_path: Path, rec: Recording) -> None:
    write_episode(tmp_path / "kitchen/pick_up_can/episode_0.hdf5", rec)
    assert only(tmp_path)[1].instruction == "pick up can"


def test_without_a_task_folder_there_is_no_instruction(tmp_path: Path, rec: Recording) -> None:
    write_episode(tmp_path / "episode_0.hdf5", rec)
    raw = only(tmp_path)[1]
    assert raw.instruction == ""
    assert "task_text_empty" in checks(raw)


def test_episode_10_comes_after_episode_9(tmp_path: Path, rec: Recording) -> None:
    for number in (10, 9, 2):
        write_episode(tmp_path / f"t/episode_{number}.hdf5", rec)
    refs, _ = discovered(tmp_path)
    assert [ref.locator for ref in refs] == ["t/episode_2.hdf5", "t/episode_9.hdf5", "t/episode_10.hdf5"]


def test_row_i_is_picture_i_at_20_per_second(tmp_path: Path, rec: Recording) -> None:
    write_episode(tmp_path / "t/episode_0.hdf5", rec)
    ref, raw = only(tmp_path)
    nominal = [i * STEP_NS for i in range(len(rec.pose))]
    assert raw.rows_are_frames
    assert track_of(raw).times_ns.tolist() == nominal
    assert [picture.pts_ns for picture in pictures_of(ref, raw.cameras[0].video)] == nominal


def test_the_collectors_times_count_where_they_are_this_episodes(tmp_path: Path, rec: Recording) -> None:
    write_episode(tmp_path / "t/episode_0.hdf5", rec)
    write_times(tmp_path / "t", rec)
    ref, raw = only(tmp_path)
    filmed_s = rec.filmed_s[::3]
    truth_ns = np.rint((filmed_s - filmed_s[0]) * 1e9).astype(int)
    assert track_of(raw).times_ns.tolist() == truth_ns.tolist()
    assert [picture.pts_ns for picture in pictures_of(ref, raw.cameras[0].video)] == truth_ns.tolist()
    assert raw.cameras[0].expected_fps is None


def test_the_collectors_times_of_another_episode_are_not_used(tmp_path: Path, rec: Recording, other: Recording) -> None:
    write_episode(tmp_path / "t/episode_0.hdf5", rec)
    write_episode(tmp_path / "t/episode_1.hdf5", other)
    write_times(tmp_path / "t", other)
    refs, _ = discovered(tmp_path)
    first, second = (fastumi.read(ref, SourceFiles(ref.root)) for ref in refs)
    assert np.unique(np.diff(track_of(first).times_ns)).tolist() == [STEP_NS]
    assert len(np.unique(np.diff(track_of(second).times_ns))) > 1


def test_rows_without_positions_have_no_times(tmp_path: Path, rec: Recording) -> None:
    path = tmp_path / "t/episode_0.hdf5"
    write_episode(path, rec)
    write_times(tmp_path / "t", rec)
    with h5py.File(path, "r+") as file:
        n_rows = len(file[QPOS])
        del file[QPOS]
        file[QPOS] = np.zeros((n_rows, 0))
    refs, _ = discovered(tmp_path)
    with pytest.raises(SourceError, match=r"expected \[rows, 7\]"):
        fastumi.read(refs[0], SourceFiles(str(tmp_path)))


def test_damaged_times_are_told_and_not_used(tmp_path: Path, rec: Recording) -> None:
    write_episode(tmp_path / "t/episode_0.hdf5", rec)
    write_times(tmp_path / "t", rec)
    path = tmp_path / "t/csv/temp_trajectory.csv"
    path.write_text(path.read_text().replace("Pos X", "Pos"))
    refs, findings = discovered(tmp_path)
    assert [finding.check for finding in findings] == ["collector_times_unreadable"]
    times_ns = track_of(fastumi.read(refs[0], SourceFiles(str(tmp_path)))).times_ns
    assert np.unique(np.diff(times_ns)).tolist() == [STEP_NS]


def test_an_ingested_episode_has_one_clock(tmp_path: Path, rec: Recording) -> None:
    write_episode(tmp_path / "t/episode_0.hdf5", rec, with_gripper=True)
    write_times(tmp_path / "t", rec)
    ref, _ = only(tmp_path)
    records = list(ingest(ref, SourceFiles(ref.root), IngestSpec()))
    (episode,) = (record for record in records if isinstance(record, Episode))
    (track,) = (record for record in records if isinstance(record, ActionTrack))
    assert np.array_equal(episode.master.times_ns, track.times_ns)
    told = {record.check for record in records if isinstance(record, Finding)}
    assert told == {"action_is_state", "opening_quantised"}


def test_a_window_gives_the_pictures_that_start_inside(tmp_path: Path, rec: Recording) -> None:
    write_episode(tmp_path / "t/episode_0.hdf5", rec)
    ref, raw = only(tmp_path)
    window = replace(raw.cameras[0].video, start_ns=3 * STEP_NS - 1, end_ns=5 * STEP_NS)
    seen = pictures_of(ref, window)
    assert [picture.pts_ns // STEP_NS for picture in seen] == [3, 4]
    np.testing.assert_array_equal(seen[0].frame.to_ndarray(format="rgb24"), rec.pictures[3])


def test_fewer_pictures_than_rows_are_told_when_ingested(tmp_path: Path, rec: Recording) -> None:
    write_episode(tmp_path / "t/episode_0.hdf5", replace(rec, pictures=rec.pictures[:-2]))
    ref, _ = only(tmp_path)
    told = [f.check for f in ingest(ref, SourceFiles(ref.root), IngestSpec()) if isinstance(f, Finding)]
    assert "frame_count_disagrees" in told


def test_true_times_of_rows_are_not_given_to_another_number_of_pictures(tmp_path: Path, rec: Recording) -> None:
    write_episode(tmp_path / "t/episode_0.hdf5", replace(rec, pictures=rec.pictures[:-2]))
    write_times(tmp_path / "t", rec)
    ref, raw = only(tmp_path)
    assert raw.cameras[0].expected_fps == 20.0
    assert {picture.pts_ns % STEP_NS for picture in pictures_of(ref, raw.cameras[0].video)} == {0}


def test_several_cameras_begin_with_the_front(tmp_path: Path, rec: Recording) -> None:
    write_episode(tmp_path / "t/episode_0.hdf5", rec, cameras=("back", "front"))
    assert [camera.name for camera in only(tmp_path)[1].cameras] == ["front", "back"]


def test_without_pictures_there_is_no_camera(tmp_path: Path, rec: Recording) -> None:
    write_episode(tmp_path / "t/episode_0.hdf5", rec, cameras=())
    raw = only(tmp_path)[1]
    assert raw.cameras == ()
    assert "camera_missing" in checks(raw)


def test_a_zero_quaternion_is_no_rotation(tmp_path: Path, rec: Recording) -> None:
    pose = rec.pose.copy()
    pose[4, 3:] = 0
    write_episode(tmp_path / "t/episode_0.hdf5", replace(rec, pose=pose))
    assert np.flatnonzero(~track_of(only(tmp_path)[1]).valid).tolist() == [4]


def test_joints_in_place_of_poses_are_refused(tmp_path: Path, rec: Recording) -> None:
    write_episode(tmp_path / "t/episode_0.hdf5", replace(rec, pose=rec.pose[:, :6]))
    with pytest.raises(SourceError, match=r"qpos is \[30, 6\], expected \[rows, 7\]"):
        only(tmp_path)


def test_appending_an_episode_changes_no_old_fingerprint(tmp_path: Path, rec: Recording, other: Recording) -> None:
    write_episode(tmp_path / "t/episode_0.hdf5", rec)
    (before,), _ = discovered(tmp_path)
    write_episode(tmp_path / "t/episode_1.hdf5", other)
    write_times(tmp_path / "t", other)
    after, _ = discovered(tmp_path)
    assert after[0].fingerprint == before.fingerprint


def test_the_next_episode_overwrites_the_times_and_the_one_before_stays_who_it_is(
    tmp_path: Path, rec: Recording, other: Recording
) -> None:
    write_episode(tmp_path / "t/episode_0.hdf5", rec)
    write_times(tmp_path / "t", rec)
    (before,), _ = discovered(tmp_path)
    write_episode(tmp_path / "t/episode_1.hdf5", other)
    write_times(tmp_path / "t", other)
    after, _ = discovered(tmp_path)
    assert after[0].episode_id == before.episode_id
    assert after[0].fingerprint != before.fingerprint, "its clock is another one now"
    nominal = track_of(fastumi.read(after[0], SourceFiles(str(tmp_path)))).times_ns
    assert np.unique(np.diff(nominal)).tolist() == [STEP_NS]


def test_moving_the_folder_changes_no_id(tmp_path: Path, rec: Recording) -> None:
    write_episode(tmp_path / "here/t/episode_0.hdf5", rec)
    (before,), _ = discovered(tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    (after,), _ = discovered(tmp_path / "there")
    assert (after.episode_id, after.fingerprint) == (before.episode_id, before.fingerprint)


def test_a_truncated_file_is_an_error_that_names_it(tmp_path: Path, rec: Recording) -> None:
    path = tmp_path / "t/episode_0.hdf5"
    write_episode(path, rec)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(SourceError, match=r"episode_0\.hdf5"):
        only(tmp_path)


def test_an_empty_file_is_told_and_costs_no_other_episode(tmp_path: Path, rec: Recording) -> None:
    write_episode(tmp_path / "t/episode_1.hdf5", rec)
    (tmp_path / "t/episode_0.hdf5").write_bytes(b"")
    refs, findings = discovered(tmp_path)
    assert [ref.locator for ref in refs] == ["t/episode_1.hdf5"]
    assert [finding.check for finding in findings] == ["empty_file"]


def test_pictures_that_were_never_written_are_refused(tmp_path: Path, rec: Recording) -> None:
    path = tmp_path / "t/episode_0.hdf5"
    write_episode(path, rec, cameras=())
    with h5py.File(path, "a") as file:
        file.create_dataset("observations/images/front", (10**9, 480, 640, 3), "u1", chunks=(1, 480, 640, 3))
    with pytest.raises(SourceError, match="never written"):
        only(tmp_path)


def test_a_folder_without_episodes_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no episode_<number>\.hdf5 below it"):
        discovered(tmp_path)
