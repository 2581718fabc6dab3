"""Raw UMI sessions: finger tips in the tag's frame, an opening that is measured, and no pickle is ever opened."""

import json
import pickle
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError
from scipy.spatial.transform import Rotation

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.ingest import ingest
from pipeline.sources.raw import RawEpisode
from pipeline.sources.umi import umi_session
from schemas.array import Floats
from schemas.episode import ActionTrack, Arm, CameraRole
from schemas.finding import Finding, Verdict
from schemas.pose import matrix_of
from schemas.recipe import IngestSpec
from schemas.recipe_formats.umi_session import UmiSessionSource
from schemas.source import EpisodeRef
from tests.pipeline.films import drifting
from tests.pipeline.sources.written.umi_session import (
    INTRINSICS,
    MAX_WIDTH,
    MIN_WIDTH,
    RATE,
    SERIAL,
    pose_matrix,
    scene,
    with_tags,
    write_calibration,
    write_demo,
    write_tag,
)
from tests.pipeline.sources.written.umi_zarr import umi_pictures

N = 24
FIRST, SECOND = f"demo_{SERIAL}_2024.01.10_10.57.34.882133", f"demo_{SERIAL}_2024.01.10_10.58.00.000000"
TAG = pose_matrix([0.4, -0.3, 0.9], [0.3, 1.2, -0.4])
TIPS = np.array([0.0, 0.086, 0.01465 + 0.205])
OPENINGS = 0.5 - 0.4 * np.cos(np.arange(N) * 2 * np.pi / N)
WIDTHS = MIN_WIDTH + OPENINGS * (MAX_WIDTH - MIN_WIDTH)


def spec_for(root: Path, **more: Any) -> UmiSessionSource:
    stated = {"format": "umi_session", "name": "umi", "path": str(root), "card": {"licence": "CC0-1.0"}, "fps": RATE}
    return UmiSessionSource.model_validate({**stated, **more})


def discovered(spec: UmiSessionSource) -> tuple[list[EpisodeRef], list[Finding]]:
    found = list(umi_session.discover(spec, SourceFiles(spec.path), MemoryDigests()))
    return [x for x in found if isinstance(x, EpisodeRef)], [x for x in found if isinstance(x, Finding)]


def episode(spec: UmiSessionSource, position: int = 0) -> RawEpisode:
    refs, _ = discovered(spec)
    return umi_session.read(refs[position], SourceFiles(spec.path))


def track_of(raw: RawEpisode) -> ActionTrack:
    assert raw.actions is not None
    return raw.actions


def opening_of(raw: RawEpisode) -> Floats:
    opening = track_of(raw).state[0].opening
    assert opening is not None
    return opening


def checks(findings: Iterable[Finding]) -> list[str]:
    return sorted(finding.check for finding in findings)


def about(findings: Iterable[Finding], check: str) -> Finding:
    (found,) = [finding for finding in findings if finding.check == check]
    return found


@pytest.fixture(scope="module")
def tips(real: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Finger tips in the tag's frame, as the robosuite arm really moved: positions and quaternions."""
    numbers = np.load(real / "sim/robosuite_pickplacecan_seed0_wrist.npz")
    return numbers["eef_pos"][:N], numbers["eef_quat"][:N]


@pytest.fixture(scope="module")
def camera(tips: tuple[NDArray[np.float64], NDArray[np.float64]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where SLAM must have seen the camera: backwards from the finger tips, by whole matrices."""
    places, turns = [], []
    for place, turn in zip(*tips, strict=True):
        rotation = Rotation.from_quat(turn)
        in_map = TAG @ pose_matrix((place - rotation.apply(TIPS)).tolist(), rotation.as_rotvec().tolist())
        places.append(in_map[:3, 3])
        turns.append(Rotation.from_matrix(in_map[:3, :3]).as_quat())
    return np.array(places), np.array(turns)


@pytest.fixture(scope="module")
def written(real: Path, tmp_path_factory: pytest.TempPathFactory, camera: tuple[Any, Any]) -> Path:
    """A session with a demo that shows its tags and one that does not, written once for this file."""
    root = tmp_path_factory.mktemp("session")
    demos = root / "demos"
    clip = list(umi_pictures(real)[:8])
    tagged = [with_tags(picture, width) for picture, width in zip(scene(clip, N), WIDTHS, strict=True)]
    write_demo(demos, FIRST, tagged, *camera, lost=(10, 11))
    write_demo(demos, SECOND, drifting(N), *camera)
    wide_open = np.linspace(MIN_WIDTH, MAX_WIDTH, 12)
    write_calibration(demos, [with_tags(p, width) for p, width in zip(scene(clip, 12), wide_open, strict=True)])
    write_tag(demos, TAG)
    (root / "dataset_plan.pkl").write_bytes(pickle.dumps([]))
    (root / "gopro_intrinsics_2_7k.json").write_text(json.dumps(INTRINSICS))
    return root


@pytest.fixture
def session(written: Path, tmp_path: Path) -> Path:
    """A copy to bend."""
    return Path(shutil.copytree(written, tmp_path / "session"))


# -- poses -----------------------------------------------------------------------------------------------------


def test_finger_tips_come_back_in_the_tag_s_frame(written: Path, tips: tuple[Any, Any]) -> None:
    raw = episode(spec_for(written), 1)
    track = track_of(raw)
    (arm,) = track.state
    assert arm.position is not None
    assert arm.rotation is not None
    np.testing.assert_allclose(arm.position, tips[0], atol=1e-6)
    back = Rotation.from_matrix(matrix_of(arm.rotation)) * Rotation.from_quat(tips[1]).inv()
    assert back.magnitude().max() < 1e-3
    assert (track.frame, track.target, track.commands, arm.opening) == ("tag", (), None, None)
    assert (raw.rows_are_frames, track.valid.all(), checks(raw.findings)) == (True, True, [])


def test_lost_rows_are_dropped_and_told(written: Path) -> None:
    raw = episode(spec_for(written))
    assert np.flatnonzero(~track_of(raw).valid).tolist() == [10, 11]
    position = track_of(raw).state[0].position
    assert position is not None
    assert np.isnan(position[10:12]).all()
    assert about(raw.findings, "tracking_lost").value == pytest.approx(2 / N)


def test_rows_take_the_pictures_times(written: Path) -> None:
    refs, _ = discovered(spec_for(written))
    records = list(ingest(refs[1], SourceFiles(str(written)), IngestSpec()))
    (track,) = [record for record in records if isinstance(record, ActionTrack)]
    assert track.times_ns[:3].tolist() == [0, 16_666_667, 33_333_333]
    assert track.n_rows == N


def test_a_gopro_s_60_frames_per_second_are_59_94(written: Path) -> None:
    stated = track_of(episode(spec_for(written, fps=50), 1)).times_ns
    default = {"format": "umi_session", "name": "umi", "path": str(written), "card": {"licence": "CC0-1.0"}}
    usual = track_of(episode(UmiSessionSource.model_validate(default), 1)).times_ns
    assert stated[:3].tolist() == [0, 20_000_000, 40_000_000]
    assert usual[:3].tolist() == [0, 16_683_333, 33_366_667]


def test_a_table_that_ends_before_the_video_is_told_and_its_rows_stay_with_their_frames(
    session: Path, tips: tuple[Any, Any]
) -> None:
    path = session / "demos" / SECOND / "camera_trajectory.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-3]))
    refs, _ = discovered(spec_for(session))
    records = list(ingest(refs[1], SourceFiles(str(session)), IngestSpec()))
    (track,) = [record for record in records if isinstance(record, ActionTrack)]
    disagrees = about([record for record in records if isinstance(record, Finding)], "frame_count_disagrees")
    assert (disagrees.value, disagrees.threshold) == (N, N - 3)
    assert track.times_ns.tolist() == [round(i * 1e9 / RATE) for i in range(N - 3)]
    assert track.state[0].position is not None
    np.testing.assert_allclose(track.state[0].position, tips[0][: N - 3], atol=1e-6)


def test_a_recipe_may_say_another_gripper_s_lengths(written: Path, camera: tuple[Any, Any]) -> None:
    raw = episode(spec_for(written, camera_height_m=0, mount_offset_m=0, tcp_offset_m=0), 1)
    in_map = (np.linalg.inv(TAG) @ np.append(camera[0][5], 1))[:3]
    position = track_of(raw).state[0].position
    assert position is not None
    np.testing.assert_allclose(position[5], in_map, atol=1e-6)


@pytest.mark.parametrize("content", [None, "{", json.dumps({"tx_slam_tag": [[0] * 4] * 4})])
def test_without_a_tag_poses_stay_in_the_slam_map_and_that_is_told(session: Path, content: str | None) -> None:
    path = session / "demos/mapping/tx_slam_tag.json"
    path.write_text(content) if content else path.unlink()
    spec = spec_for(session)
    assert "tag_transform_missing" in checks(discovered(spec)[1])
    assert track_of(episode(spec)).frame == "slam"


# -- gripper ---------------------------------------------------------------------------------------------------


def test_the_opening_is_what_the_tags_were_drawn_at(written: Path) -> None:
    raw = episode(spec_for(written, detect_gripper=True, intrinsics="gopro_intrinsics_2_7k.json"))
    np.testing.assert_allclose(opening_of(raw), OPENINGS, atol=0.03)
    track = track_of(raw)
    assert track.joint_names == ("tag_distance_m",)
    assert track.joint_state is not None
    np.testing.assert_allclose(track.joint_state, WIDTHS, atol=0.002)
    assert raw.cameras[0].intrinsics is not None
    assert raw.cameras[0].intrinsics[0, 0] == pytest.approx(240 * 640 / 800)
    assert checks(raw.findings) == ["tracking_lost"]


def test_without_a_lens_the_opening_is_in_the_calibration_video_s_range(written: Path) -> None:
    raw = episode(spec_for(written, detect_gripper=True))
    np.testing.assert_allclose(opening_of(raw), OPENINGS, atol=0.08)
    assert track_of(raw).joint_names == ("tag_distance_px",)
    assert checks(raw.findings) == ["tracking_lost"]


def test_without_a_calibration_the_episode_s_own_range_counts_and_that_is_told(session: Path) -> None:
    shutil.rmtree(next(session.glob("demos/gripper_calibration_*")))
    raw = episode(spec_for(session, detect_gripper=True))
    opening = opening_of(raw)
    assert opening.min() == pytest.approx(0, abs=0.02)
    assert opening.max() == pytest.approx(1, abs=0.02)
    assert checks(raw.findings) == ["gripper_range_own", "gripper_tags_assumed", "tracking_lost"]


def test_a_damaged_calibration_is_told(session: Path) -> None:
    path = next(session.glob("demos/gripper_calibration_*/gripper_range.json"))
    path.write_text(json.dumps({"left_finger_tag_id": 0, "right_finger_tag_id": 1, "min_width": 9}))
    _, findings = discovered(spec_for(session))
    assert "gripper_range_missing" in checks(findings)


def test_a_demo_whose_tags_are_never_seen_has_no_opening(written: Path) -> None:
    raw = episode(spec_for(written, detect_gripper=True), 1)
    assert track_of(raw).state[0].opening is None
    assert track_of(raw).valid.all()
    assert checks(raw.findings) == ["gripper_tags_not_seen"]


def test_short_misses_are_interpolated_and_long_ones_invalid(
    session: Path, real: Path, camera: tuple[Any, Any]
) -> None:
    shutil.rmtree(session / "demos" / FIRST)
    widths = [None if i in (4, *range(10, 20)) else width for i, width in enumerate(WIDTHS)]
    clip = scene(list(umi_pictures(real)[:1]), N)
    write_demo(session / "demos", FIRST, [with_tags(p, w) for p, w in zip(clip, widths, strict=True)], *camera)
    spec = spec_for(session, detect_gripper=True, intrinsics="gopro_intrinsics_2_7k.json", max_gap_s=0.1)
    raw = episode(spec)
    opening = opening_of(raw)
    assert opening[4] == pytest.approx(OPENINGS[4], abs=0.04)
    assert np.flatnonzero(np.isnan(opening)).tolist() == list(range(10, 20))
    assert np.flatnonzero(~track_of(raw).valid).tolist() == list(range(10, 20))
    assert about(raw.findings, "gripper_tags_missed").value == 10


@pytest.mark.parametrize("path", ["/etc/lens.json", "../lens.json", "lens.pkl"])
def test_intrinsics_lie_below_the_source(written: Path, path: str) -> None:
    with pytest.raises(ValidationError, match="intrinsics"):
        spec_for(written, intrinsics=path)


def test_intrinsics_that_are_not_there_are_an_error(written: Path) -> None:
    with pytest.raises(SourceError, match=r"lens\.json: no such file"):
        discovered(spec_for(written, intrinsics="lens.json"))


# -- listing ---------------------------------------------------------------------------------------------------


def test_pickles_are_never_opened(session: Path) -> None:
    """They would leave a trace if they were."""
    trace = session / "opened"

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (trace,)

    for path in (session / "dataset_plan.pkl", session / "demos" / FIRST / "tag_detection.pkl"):
        path.write_bytes(pickle.dumps(Trap()))
    _, findings = discovered(spec_for(session, detect_gripper=True))
    episode(spec_for(session, detect_gripper=True))
    assert not trace.exists()
    refused = about(findings, "pickle_refused")
    assert refused.value == 3
    assert "never read" in refused.message
    assert "measured from the video" in refused.message
    assert "set `detect_gripper`" in about(discovered(spec_for(session))[1], "pickle_refused").message


def test_mapping_and_calibration_videos_are_no_episodes(session: Path) -> None:
    shutil.copy(session / "demos" / SECOND / "raw_video.mp4", session / "demos/mapping/raw_video.mp4")
    refs, _ = discovered(spec_for(session))
    assert [ref.locator for ref in refs] == [f"demos/{FIRST}", f"demos/{SECOND}"]


def test_a_demo_that_slam_could_not_follow_has_pictures_only(session: Path) -> None:
    (session / "demos" / FIRST / "camera_trajectory.csv").unlink()
    raw = episode(spec_for(session))
    assert raw.actions is None
    assert checks(raw.findings) == ["trajectory_missing"]
    measured = episode(spec_for(session, detect_gripper=True))
    assert track_of(measured).state[0].position is None
    assert track_of(measured).n_rows == N


def test_a_demo_without_a_video_is_left_out_and_told(session: Path) -> None:
    (session / "demos" / FIRST / "raw_video.mp4").unlink()
    refs, findings = discovered(spec_for(session))
    assert [ref.locator for ref in refs] == [f"demos/{SECOND}"]
    assert about(findings, "video_missing").verdict == Verdict.DROP


def test_two_cameras_are_two_episodes_and_the_recipe_says_which_arm_is_which(session: Path) -> None:
    other = "demo_C9999999999999_2024.01.10_10.57.35.100000"
    shutil.copytree(session / "demos" / SECOND, session / "demos" / other)
    refs, findings = discovered(spec_for(session, arms={"C9999999999999": "left"}))
    assert len(refs) == 3
    assert "say in `arms` which arm" in about(findings, "grippers_not_paired").message
    left = umi_session.read(refs[2], SourceFiles(str(session)))
    assert (track_of(left).state[0].arm, left.cameras[0].role) == (Arm.LEFT, CameraRole.WRIST_LEFT)
    right = umi_session.read(refs[0], SourceFiles(str(session)))
    assert (track_of(right).state[0].arm, right.cameras[0].role) == (Arm.RIGHT, CameraRole.WRIST_RIGHT)


def test_several_sessions_may_lie_in_one_folder(session: Path) -> None:
    shutil.copytree(session, session.parent / "all/a")
    shutil.copytree(session, session.parent / "all/b")
    (session.parent / "all/b/demos/mapping/tx_slam_tag.json").unlink()
    spec = spec_for(session.parent / "all")
    refs, _ = discovered(spec)
    frames = [track_of(umi_session.read(ref, SourceFiles(spec.path))).frame for ref in refs]
    assert frames == ["tag", "tag", "slam", "slam"]


def test_a_folder_without_demos_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="correct `path` of source umi"):
        discovered(spec_for(tmp_path))
    (tmp_path / "raw_videos").mkdir()
    (tmp_path / "raw_videos/GX010001.MP4").write_bytes(b"film")
    with pytest.raises(SourceError, match="run UMI's SLAM pipeline on raw_videos/ first"):
        discovered(spec_for(tmp_path))


def test_a_truncated_table_is_an_error_that_names_it(session: Path) -> None:
    path = session / "demos" / FIRST / "camera_trajectory.csv"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(SourceError, match=r"camera_trajectory\.csv: line 25 has"):
        episode(spec_for(session))


# -- identity --------------------------------------------------------------------------------------------------


def test_another_demo_and_another_folder_change_no_key(session: Path, camera: tuple[Any, Any]) -> None:
    before, _ = discovered(spec_for(session))
    moved = session.rename(session.with_name(f"{session.name}-moved"))
    write_demo(moved / "demos", f"demo_{SERIAL}_2024.01.10_11.00.00.000000", drifting(N, step=3), *camera)
    after, _ = discovered(spec_for(moved))
    assert [ref.fingerprint for ref in after[:2]] == [ref.fingerprint for ref in before]
    assert len({ref.episode_id for ref in after}) == 3


def test_a_new_mapping_reads_the_demos_anew_and_leaves_their_ids(session: Path) -> None:
    before, _ = discovered(spec_for(session))
    write_tag(session / "demos", pose_matrix([0, 0, 1], [0, 0, 0]))
    after, _ = discovered(spec_for(session))
    assert [ref.episode_id for ref in after] == [ref.episode_id for ref in before]
    assert not {ref.fingerprint for ref in after} & {ref.fingerprint for ref in before}
