"""ALOHA files: two arms by their joints, pictures beside them, in the variants that its descendants write."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.sources import aloha
from pipeline.sources.raw import RawCamera, RawEpisode
from pipeline.video import ONE_THREAD, Picture
from schemas.episode import ActionTrack, Arm, CameraRole, CommandMode, CommandSpace, VideoWindow
from schemas.finding import Finding
from schemas.recipe_formats.aloha import AlohaSource
from schemas.source import EpisodeRef
from tests.pipeline.sources.written.aloha import (
    LONG_RUN,
    RUN,
    jpegs,
    sim_joints,
    sim_pictures,
    write_act,
    write_agilex,
)

N_ROWS, SIZE, FPS = 30, (48, 64), 50


def spec_for(root: Path, **more: Any) -> AlohaSource:
    stated = {"format": "aloha", "name": "made", "path": str(root), "card": {"licence": "CC0-1.0"}, **more}
    return AlohaSource.model_validate(stated)


def discovered(root: Path, **more: Any) -> tuple[list[EpisodeRef], list[Finding]]:
    found = list(aloha.discover(spec_for(root, **more), SourceFiles(str(root)), MemoryDigests()))
    return [x for x in found if isinstance(x, EpisodeRef)], [x for x in found if isinstance(x, Finding)]


def only(root: Path, **more: Any) -> tuple[EpisodeRef, RawEpisode]:
    (ref,), _ = discovered(root, **more)
    return ref, aloha.read(ref, SourceFiles(str(root)))


def track_of(raw: RawEpisode) -> ActionTrack:
    assert raw.actions is not None
    return raw.actions


def shown(ref: EpisodeRef, window: VideoWindow) -> list[Picture]:
    return list(aloha.pictures(ref, SourceFiles(ref.root), window, ONE_THREAD))


def pixels_of(ref: EpisodeRef, camera: RawCamera) -> NDArray[Any]:
    return np.stack([picture.frame.to_ndarray(format="rgb24") for picture in shown(ref, camera.video)])


def hashes(pictures: NDArray[Any]) -> list[str]:
    return [hashlib.sha256(np.ascontiguousarray(picture).tobytes()).hexdigest() for picture in pictures]


@pytest.fixture(scope="module")
def recorded(real: Path) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.uint8]]:
    """``qpos``, ``action`` and pictures of the first rows of a real robosuite run."""
    return *sim_joints(real, LONG_RUN, N_ROWS), sim_pictures(real, LONG_RUN, N_ROWS, SIZE)


@pytest.fixture
def act(tmp_path: Path, recorded: Any) -> Path:
    qpos, action, pictures = recorded
    images = {"cam_left_wrist": pictures[:, :, ::-1], "cam_high": pictures, "cam_right_wrist": pictures[:, ::-1]}
    write_act(tmp_path / "task/episode_0.hdf5", qpos, action, images)
    return tmp_path


def test_what_act_writes_comes_out_as_it_went_in(act: Path, recorded: Any) -> None:
    qpos, action, pictures = recorded
    ref, raw = only(act)
    track = track_of(raw)
    assert (raw.findings, raw.instruction, raw.rows_are_frames) == ((), "", True)
    assert track.times_ns.tolist() == [row * 20_000_000 for row in range(N_ROWS)]
    assert np.array_equal(np.asarray(track.joint_state).reshape(N_ROWS, 14), qpos.astype(np.float32))
    assert np.array_equal(np.asarray(track.joint_target).reshape(N_ROWS, 14), action.astype(np.float32))
    assert hashes(pixels_of(ref, raw.cameras[0])) == hashes(pictures)
    assert [(camera.name, camera.expected_frames, camera.expected_fps) for camera in raw.cameras] == [
        ("cam_high", N_ROWS, FPS),
        ("cam_left_wrist", N_ROWS, FPS),
        ("cam_right_wrist", N_ROWS, FPS),
    ]


def test_left_is_0_to_6_and_right_is_7_to_13(act: Path, recorded: Any) -> None:
    qpos, action, _ = recorded
    track = track_of(only(act)[1])
    assert track.joint_names[0] == "left_waist"
    assert (track.joint_names[6], track.joint_names[13]) == ("left_gripper", "right_gripper")
    assert track.joint_names[7:13] == (
        "right_waist",
        "right_shoulder",
        "right_elbow",
        "right_forearm_roll",
        "right_wrist_angle",
        "right_wrist_rotate",
    )
    for arms, columns in ((track.state, qpos), (track.target, action)):
        assert [arm.arm for arm in arms] == [Arm.LEFT, Arm.RIGHT]
        assert [arm.position for arm in arms] == [None, None], "joints only: kinematics comes from elsewhere"
        for arm, last in zip(arms, (6, 13), strict=True):
            assert np.array_equal(np.asarray(arm.opening), columns[:, last].astype(np.float32)), "0 closed, 1 open"


def test_commands_are_absolute_joint_positions_of_the_leader(act: Path) -> None:
    commands = track_of(only(act)[1]).commands
    assert commands is not None
    assert (commands.mode, commands.space, commands.frame) == (CommandMode.ABSOLUTE, CommandSpace.JOINT, "joint")


def test_velocities_and_efforts_are_not_taken_for_joint_positions(act: Path) -> None:
    assert len(track_of(only(act)[1]).joint_names) == 14


def test_wrist_cameras_are_wrist_cameras(act: Path) -> None:
    roles = {camera.name: camera.role for camera in only(act)[1].cameras}
    assert roles["cam_left_wrist"] is CameraRole.WRIST_LEFT
    assert roles["cam_right_wrist"] is CameraRole.WRIST_RIGHT
    assert roles["cam_high"] is CameraRole.THIRD_PERSON


def test_the_recipe_chooses_cameras_and_their_order(act: Path) -> None:
    _, raw = only(act, cameras=["cam_right_wrist", "cam_high"])
    assert [camera.name for camera in raw.cameras] == ["cam_right_wrist", "cam_high"]
    with pytest.raises(SourceError, match=r"nothing at /observations/images/cam_low.*beside it stand cam_high, cam_le"):
        only(act, cameras=["cam_low"])


def test_a_window_gives_the_frames_that_start_inside_it(act: Path) -> None:
    ref, raw = only(act)
    video = raw.cameras[0].video
    window = VideoWindow(video.part, 0, 60_000_001, 160_000_000, video.inside)
    assert [picture.pts_ns for picture in shown(ref, window)] == [80_000_000, 100_000_000, 120_000_000, 140_000_000]
    assert shown(ref, window)[-1].end_ns == 160_000_000


def test_the_rate_is_the_recipes(act: Path) -> None:
    ref, raw = only(act, fps=30)
    assert track_of(raw).times_ns[:3].tolist() == [0, 33_333_333, 66_666_667]
    starts = [picture.pts_ns for picture in shown(ref, raw.cameras[0].video)]
    assert starts == track_of(raw).times_ns.tolist()


def test_episode_10_comes_after_episode_9(tmp_path: Path, recorded: Any) -> None:
    for number in (10, 9, 2, 1):
        write_act(tmp_path / f"episode_{number}.hdf5", recorded[0] + number, recorded[1], {})
    assert [ref.locator for ref in discovered(tmp_path)[0]] == [f"episode_{n}.hdf5" for n in (1, 2, 9, 10)]


# -- Mobile ALOHA, AgileX, RoboTwin ------------------------------------------------------------------------------------


def test_padded_jpeg_rows_are_the_pictures_opencv_sees_in_them(tmp_path: Path, recorded: Any) -> None:
    qpos, action, pictures = recorded
    write_act(tmp_path / "episode_0.hdf5", qpos, action, {"cam_high": pictures}, compress=True)
    expected = np.stack([cv2.imdecode(file, cv2.IMREAD_COLOR) for file in jpegs(pictures)])
    ref, raw = only(tmp_path, colours="bgr")
    assert raw.findings == ()
    found = pixels_of(ref, raw.cameras[0])
    assert np.abs(found.astype(int) - expected).max() <= 4, "two decoders of one JPEG"
    assert np.abs(found.astype(int) - pictures).mean() < 6, "red is red"


def test_red_and_blue_of_jpeg_are_told_when_nobody_says_which_is_which(tmp_path: Path, recorded: Any) -> None:
    qpos, action, pictures = recorded
    write_act(tmp_path / "episode_0.hdf5", qpos, action, {"cam_high": pictures}, compress=True)
    ref, raw = only(tmp_path)
    assert [finding.check for finding in raw.findings] == ["colour_order_assumed"]
    swapped = pixels_of(*only_camera(tmp_path, colours="bgr"))
    assert np.array_equal(pixels_of(ref, raw.cameras[0]), swapped[..., ::-1])


def only_camera(root: Path, **more: Any) -> tuple[EpisodeRef, RawCamera]:
    ref, raw = only(root, **more)
    return ref, raw.cameras[0]


def test_jpeg_rows_of_any_length_are_read_too(tmp_path: Path, recorded: Any) -> None:
    qpos, action, pictures = recorded
    write_act(tmp_path / "episode_0.hdf5", qpos, action, {})
    with h5py.File(tmp_path / "episode_0.hdf5", "a") as out:
        rows = out.create_dataset("observations/images/top", (N_ROWS,), dtype=h5py.vlen_dtype(np.uint8))
        for row, file in enumerate(jpegs(pictures, colours="rgb")):
            rows[row] = file
    found = pixels_of(*only_camera(tmp_path, colours="rgb"))
    assert np.abs(found.astype(int) - pictures).mean() < 6


def test_agilex_and_robotwin_keep_jpegs_as_texts(tmp_path: Path, recorded: Any) -> None:
    qpos, action, pictures = recorded
    write_agilex(tmp_path / "episode0.hdf5", qpos, action, {"cam_high": pictures, "cam_left_wrist": pictures})
    ref, raw = only(tmp_path, colours="bgr", fps=30)
    assert [camera.name for camera in raw.cameras] == ["cam_high", "cam_left_wrist"]
    assert np.abs(pixels_of(ref, raw.cameras[1]).astype(int) - pictures).mean() < 6
    assert track_of(raw).joint_names[14:] == aloha.BASE


@pytest.mark.parametrize("inside_action", [False, True])
def test_mobile_aloha_commands_its_base_too(tmp_path: Path, recorded: Any, inside_action: bool) -> None:
    qpos, action, _ = recorded
    base = np.stack([np.linspace(0, 0.5, N_ROWS), np.linspace(-1, 1, N_ROWS)], axis=1)
    action = np.concatenate([action, base], axis=1) if inside_action else action
    write_act(tmp_path / "episode_0.hdf5", qpos, action, {}, base_action=None if inside_action else base)
    track = track_of(only(tmp_path)[1])
    assert track.joint_names[14:] == ("base.linear.vel", "base.angular.vel")
    columns = np.asarray(track.joint_target).reshape(N_ROWS, 16)
    assert np.array_equal(columns[:, 14:], base.astype(np.float32))
    assert np.isnan(np.asarray(track.joint_state).reshape(N_ROWS, 16)[:, 14:]).all(), "nobody measured it"
    assert track.valid.all()


def test_grippers_in_metres_are_told_and_read_as_the_recipe_says(tmp_path: Path, recorded: Any) -> None:
    qpos, action = recorded[0].copy(), recorded[1].copy()
    qpos[:, [6, 13]] *= 0.07
    qpos[5, 6] = 0.07
    action[:, [6, 13]] *= 0.07
    write_act(tmp_path / "episode_0.hdf5", qpos, action, {})
    (finding,) = only(tmp_path)[1].findings
    assert finding.check == "gripper_units_doubtful"
    _, raw = only(tmp_path, gripper_open=0.07)
    assert raw.findings == ()
    assert np.asarray(track_of(raw).state[0].opening)[5] == 1.0


def test_seven_joint_arms_need_their_joints_named(tmp_path: Path, recorded: Any) -> None:
    qpos = np.concatenate([recorded[0], recorded[0][:, :2]], axis=1)
    write_act(tmp_path / "episode_0.hdf5", qpos, qpos, {})
    with pytest.raises(SourceError, match=r"qpos has 16 values per row, expected 14: left_waist.*need `joint_names`"):
        only(tmp_path)
    names = track_of(only(tmp_path, joint_names=[f"joint{i}" for i in range(7)])[1]).joint_names
    assert (names[7], names[8], len(names)) == ("left_gripper", "right_joint0", 16)


def test_an_instruction_in_the_file_counts_and_an_embedding_does_not(tmp_path: Path, recorded: Any) -> None:
    write_act(tmp_path / "episode_0.hdf5", recorded[0], recorded[1], {})
    with h5py.File(tmp_path / "episode_0.hdf5", "a") as out:
        out["instruction"] = np.zeros((1, 8))
    assert only(tmp_path)[1].instruction == ""
    with h5py.File(tmp_path / "episode_0.hdf5", "a") as out:
        out["language_raw"] = [b" wipe the table "]
    assert only(tmp_path)[1].instruction == "wipe the table"


# -- damage and identity -----------------------------------------------------------------------------------------------


def test_a_row_without_a_number_is_invalid(tmp_path: Path, recorded: Any) -> None:
    qpos = recorded[0].copy()
    qpos[3, 2] = np.nan
    write_act(tmp_path / "episode_0.hdf5", qpos, recorded[1], {})
    _, raw = only(tmp_path)
    assert np.flatnonzero(~track_of(raw).valid).tolist() == [3]
    assert [finding.check for finding in raw.findings] == ["joints_not_finite"]


def test_actions_of_another_length_are_an_error(tmp_path: Path, recorded: Any) -> None:
    write_act(tmp_path / "episode_0.hdf5", recorded[0], recorded[1][:-1], {})
    with pytest.raises(SourceError, match=r"episode_0\.hdf5: /action has 29 rows, /observations/qpos 30"):
        only(tmp_path)


def test_a_truncated_file_is_an_error_that_names_it_and_stops_no_other(act: Path, recorded: Any) -> None:
    write_act(act / "task/episode_1.hdf5", recorded[0], recorded[1], {})
    whole = (act / "task/episode_0.hdf5").read_bytes()
    (act / "task/episode_0.hdf5").write_bytes(whole[: len(whole) // 2])
    (act / "task/episode_2.hdf5").write_bytes(b"")
    refs, findings = discovered(act)
    assert [finding.check for finding in findings] == ["empty_file"]
    with pytest.raises(SourceError, match=r"episode_0\.hdf5: is no readable HDF5 file .*fetch it again"):
        aloha.read(refs[0], SourceFiles(str(act)))
    assert track_of(aloha.read(refs[1], SourceFiles(str(act)))).n_rows == N_ROWS


def test_a_damaged_jpeg_is_marked_and_the_rows_after_it_keep_their_pictures(tmp_path: Path, recorded: Any) -> None:
    qpos, action, pictures = recorded
    write_act(tmp_path / "episode_0.hdf5", qpos, action, {"top": pictures}, compress=True)
    whole = pixels_of(*only_camera(tmp_path))
    with h5py.File(tmp_path / "episode_0.hdf5", "a") as out:
        out["observations/images/top"][7, 300:] = 0
    ref, camera = only_camera(tmp_path)
    found = shown(ref, camera.video)
    assert [number for number, picture in enumerate(found) if picture.damaged] == [7]
    assert [picture.pts_ns for picture in found] == [row * 20_000_000 for row in range(N_ROWS)]
    assert np.array_equal(pixels_of(ref, camera)[8:], whole[8:])


def test_a_damaged_first_jpeg_is_told_with_view_and_row(tmp_path: Path, recorded: Any) -> None:
    qpos, action, pictures = recorded
    write_act(tmp_path / "episode_0.hdf5", qpos, action, {"top": pictures}, compress=True)
    with h5py.File(tmp_path / "episode_0.hdf5", "a") as out:
        out["observations/images/top"][0, 300:] = 0
    ref, camera = only_camera(tmp_path)
    with pytest.raises(SourceError, match=r"episode_0\.hdf5: /observations/images/top, row 0: a picture of \d+ bytes"):
        shown(ref, camera.video)


def test_an_appended_episode_changes_no_old_fingerprint_and_a_moved_folder_no_id(act: Path, recorded: Any) -> None:
    (before,), _ = discovered(act)
    write_act(act / "task/episode_1.hdf5", recorded[0] + 1, recorded[1], {})
    assert discovered(act)[0][0].fingerprint == before.fingerprint
    shutil.move(act / "task", act / "elsewhere")
    assert discovered(act)[0][0].episode_id == before.episode_id


def test_a_folder_without_hdf5_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no \.hdf5 or \.h5 file below it; correct `path` of source made"):
        discovered(tmp_path)


def test_another_run_of_the_same_robot_is_read_alike(real: Path, tmp_path: Path) -> None:
    qpos, action = sim_joints(real, RUN, N_ROWS)
    write_act(tmp_path / "episode_0.hdf5", qpos, action, {}, sim=True)
    _, raw = only(tmp_path)
    assert raw.cameras == ()
    assert track_of(raw).provenance.startswith("state left: opening /observations/qpos[6:7]")
