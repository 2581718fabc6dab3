"""UMI replay buffers: rows and pictures come out as they went in, and an episode is known by its own content."""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from imagecodecs.numcodecs import Jpeg
from numcodecs import Blosc
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.ingest import decode_view, ingest
from pipeline.sources.raw import RawEpisode
from pipeline.sources.storage.zarr_store import ZippedStore
from pipeline.sources.umi import umi_zarr
from pipeline.video import ONE_THREAD
from schemas.episode import ActionTrack, Arm, CameraRole
from schemas.finding import Finding, Verdict
from schemas.pose import matrix_of
from schemas.recipe import IngestSpec
from schemas.recipe_formats.umi_zarr import UmiZarrSource
from schemas.source import EpisodeRef
from tests.pipeline.sources.written.umi_zarr import Demo, sim_demo, umi_pictures, write_buffer

WRIST, RECOVER = "robosuite_pickplacecan_seed0_wrist", "robosuite_pickplacecan_seed1_recover"


@pytest.fixture(scope="module")
def demos(real: Path) -> list[Demo]:
    return [sim_demo(real, WRIST), sim_demo(real, RECOVER, n_rows=30), sim_demo(real, WRIST).rows(5, 25)]


def spec_for(root: Path, **more: Any) -> UmiZarrSource:
    stated = {"format": "umi_zarr", "name": "umi", "path": str(root), "card": {"licence": "CC0-1.0"}, **more}
    return UmiZarrSource.model_validate(stated)


def discovered(spec: UmiZarrSource) -> tuple[list[EpisodeRef], list[Finding]]:
    found = list(umi_zarr.discover(spec, SourceFiles(spec.path), MemoryDigests()))
    return [x for x in found if isinstance(x, EpisodeRef)], [x for x in found if isinstance(x, Finding)]


def episodes(spec: UmiZarrSource) -> list[tuple[EpisodeRef, RawEpisode]]:
    refs, _ = discovered(spec)
    return [(ref, umi_zarr.read(ref, SourceFiles(spec.path))) for ref in refs]


def actions_of(raw: RawEpisode) -> ActionTrack:
    assert raw.actions is not None
    return raw.actions


def pictures_of(ref: EpisodeRef, raw: RawEpisode, camera: int = 0) -> list[tuple[int, int, NDArray[np.uint8]]]:
    window = raw.cameras[camera].video
    return [
        (t, end, frame.to_ndarray(format="rgb24"))
        for t, end, frame, *_ in umi_zarr.pictures(ref, SourceFiles(ref.root), window, ONE_THREAD)
    ]


def hashes(pictures: Sequence[NDArray[np.uint8]]) -> list[str]:
    return [hashlib.sha256(np.ascontiguousarray(picture).tobytes()).hexdigest() for picture in pictures]


def checks(findings: Sequence[Finding]) -> list[str]:
    return sorted(finding.check for finding in findings)


@pytest.fixture
def good(tmp_path: Path, demos: list[Demo]) -> Path:
    write_buffer(tmp_path / "good/dataset.zarr.zip", [[demo] for demo in demos])
    return tmp_path / "good/dataset.zarr.zip"


# -- round trip ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dataset.zarr.zip", "dataset.zarr"])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_poses_widths_and_pictures_come_back_as_they_went_in(
    tmp_path: Path, demos: list[Demo], name: str, zarr_format: int
) -> None:
    how: dict[str, Any] = {"compressor": Blosc(), "pictures_codec": None}
    if zarr_format == 3:
        from zarr.codecs import BloscCodec, ZstdCodec

        how = {"compressor": BloscCodec(), "pictures_codec": ZstdCodec()}
    write_buffer(tmp_path / name, [[demo] for demo in demos], zarr_format=zarr_format, **how)
    read = episodes(spec_for(tmp_path))
    assert len(read) == 3
    for (ref, raw), demo in zip(read, demos, strict=True):
        track = actions_of(raw)
        (arm,) = track.state
        assert (arm.arm, track.frame, track.target, track.commands) == (Arm.RIGHT, "tag", (), None)
        assert arm.position is not None
        assert arm.rotation is not None
        assert arm.opening is not None
        np.testing.assert_array_equal(arm.position, demo.position)
        back = Rotation.from_matrix(matrix_of(arm.rotation)) * Rotation.from_rotvec(demo.rotation_vector).inv()
        assert back.magnitude().max() < 1e-3
        np.testing.assert_allclose(arm.opening, demo.width[:, 0] / 0.09, rtol=1e-6)
        assert track.joint_names == ("robot0_gripper_width",)
        assert track.joint_state is not None
        np.testing.assert_array_equal(track.joint_state, demo.width[:, 0])
        assert hashes([picture for _, _, picture in pictures_of(ref, raw)]) == hashes(list(demo.pictures))
        assert (raw.rows_are_frames, raw.instruction, checks(raw.findings)) == (True, "", [])
        assert track.valid.all()


def test_rows_are_59_94_hz_and_end_where_the_next_begins(tmp_path: Path, demos: list[Demo]) -> None:
    write_buffer(tmp_path / "dataset.zarr.zip", [[demos[0]]])
    ((ref, raw),) = episodes(spec_for(tmp_path))
    times_ns = actions_of(raw).times_ns
    assert times_ns[:3].tolist() == [0, 16_683_333, 33_366_667]
    assert times_ns[-1] == round(39 * 1001 / 60000 * 1e9)
    shown = pictures_of(ref, raw)
    assert [t for t, _, _ in shown] == times_ns.tolist()
    assert [end for _, end, _ in shown[:-1]] == times_ns[1:].tolist()
    ((_, slow),) = episodes(spec_for(tmp_path, fps=20))
    assert actions_of(slow).times_ns[:3].tolist() == [0, 50_000_000, 100_000_000]


def test_the_real_fisheye_clip_survives_jpeg_xl_at_umi_s_size(tmp_path: Path, real: Path, demos: list[Demo]) -> None:
    pictures = umi_pictures(real)
    demo = replace(demos[0].rows(0, len(pictures)), pictures=pictures)
    write_buffer(tmp_path / "dataset.zarr.zip", [[demo]])
    ((ref, raw),) = episodes(spec_for(tmp_path))
    assert hashes([picture for _, _, picture in pictures_of(ref, raw)]) == hashes(list(pictures))
    view = decode_view(ref, SourceFiles(str(tmp_path)), raw.cameras[0], IngestSpec())
    assert (view.camera.width, view.camera.height, view.camera.n_frames) == (224, 224, 33)
    assert view.findings == ()


def test_lossy_pictures_and_chunks_of_several_are_read(tmp_path: Path, demos: list[Demo]) -> None:
    write_buffer(tmp_path / "jpeg/dataset.zarr.zip", [[demos[1]]], pictures_codec=Jpeg(level=95))
    write_buffer(
        tmp_path / "many/dataset.zarr.zip", [[demo] for demo in demos], picture_chunk=7, pictures_codec=Blosc()
    )
    ((ref, raw),) = episodes(spec_for(tmp_path / "jpeg"))
    shown = np.stack([picture for _, _, picture in pictures_of(ref, raw)]).astype(int)
    assert np.abs(shown - demos[1].pictures).mean() < 6
    for (ref, raw), demo in zip(episodes(spec_for(tmp_path / "many")), demos, strict=True):
        assert hashes([picture for _, _, picture in pictures_of(ref, raw)]) == hashes(list(demo.pictures))


def test_a_window_gives_the_frames_that_start_inside_it(tmp_path: Path, demos: list[Demo]) -> None:
    write_buffer(tmp_path / "dataset.zarr.zip", [[demo] for demo in demos])
    ref, raw = episodes(spec_for(tmp_path))[1]
    whole = [t for t, _, _ in pictures_of(ref, raw)]
    part = replace(raw.cameras[0].video, start_ns=whole[4] - 1, end_ns=whole[9])
    shown = umi_zarr.pictures(ref, SourceFiles(ref.root), part, ONE_THREAD)
    assert [picture.pts_ns for picture in shown] == whole[4:9]


# -- two grippers, more cameras, more arrays -------------------------------------------------------------------


def test_the_right_gripper_is_number_0_and_the_left_one_1(tmp_path: Path, demos: list[Demo]) -> None:
    two = [[demos[0].rows(0, 20), demos[2]]]
    write_buffer(tmp_path / "dataset.zarr.zip", two)
    ((_, raw),) = episodes(spec_for(tmp_path))
    right, left = actions_of(raw).state
    assert (right.arm, left.arm) == (Arm.RIGHT, Arm.LEFT)
    assert left.position is not None
    np.testing.assert_array_equal(left.position, demos[2].position)
    assert [(camera.name, camera.role) for camera in raw.cameras] == [
        ("camera0", CameraRole.WRIST_RIGHT),
        ("camera1", CameraRole.WRIST_LEFT),
    ]
    ((_, swapped),) = episodes(spec_for(tmp_path, arms=["left", "right"]))
    assert [arm.arm for arm in actions_of(swapped).state] == [Arm.LEFT, Arm.RIGHT]
    assert swapped.cameras[0].role == CameraRole.WRIST_LEFT


def test_a_camera_without_a_gripper_looks_from_outside_and_other_arrays_are_told(
    tmp_path: Path, demos: list[Demo]
) -> None:
    """MV-UMI adds a second camera; other forks add sound, touch and depth."""
    demo = demos[1]
    n = len(demo.position)
    extra: dict[str, NDArray[Any]] = {
        "camera1_rgb": demo.pictures[:, ::-1].copy(),
        "mic_0": np.zeros((n, 800), np.float32),
        "camera0_tactile_rgb": demo.pictures,
        "camera0_depth": np.zeros((n, 32, 32, 1), np.uint16),
    }
    write_buffer(tmp_path / "dataset.zarr.zip", [[replace(demo, extra=extra)]])
    refs, findings = discovered(spec_for(tmp_path))
    assert checks(findings) == ["arrays_not_read"]
    for name in ("mic_0 (float32 [30, 800])", "camera0_tactile_rgb (uint8", "camera0_depth (uint16"):
        assert name in findings[0].message
    assert "demo_start_pose" not in findings[0].message
    raw = umi_zarr.read(refs[0], SourceFiles(refs[0].root))
    roles = [(camera.name, camera.role) for camera in raw.cameras]
    assert roles == [("camera0", CameraRole.WRIST_RIGHT), ("camera1", CameraRole.THIRD_PERSON)]
    ((_, stated),) = episodes(spec_for(tmp_path, camera_roles={"camera1": "ego"}))
    assert stated.cameras[1].role == CameraRole.EGO


def test_a_recipe_says_how_wide_the_gripper_opens(tmp_path: Path, demos: list[Demo]) -> None:
    write_buffer(tmp_path / "dataset.zarr.zip", [[demos[0]]])
    ((_, raw),) = episodes(spec_for(tmp_path, max_width_m=0.08))
    opening = actions_of(raw).state[0].opening
    assert opening is not None
    np.testing.assert_allclose(opening, demos[0].width[:, 0] / 0.08, rtol=1e-6)


# -- identity --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dataset.zarr.zip", "dataset.zarr"])
@pytest.mark.parametrize("picture_chunk", [1, 4])
def test_appending_an_episode_changes_no_old_fingerprint(
    tmp_path: Path, demos: list[Demo], name: str, picture_chunk: int
) -> None:
    how: dict[str, Any] = {"picture_chunk": picture_chunk, "pictures_codec": Blosc()}
    write_buffer(tmp_path / "before" / name, [[demo] for demo in demos[:2]], **how)
    write_buffer(tmp_path / "after" / name, [[demo] for demo in demos], **how)
    before, after = (discovered(spec_for(tmp_path / when))[0] for when in ("before", "after"))
    assert [ref.fingerprint for ref in after[:2]] == [ref.fingerprint for ref in before]
    assert len({ref.episode_id for ref in after}) == 3


def test_moving_the_folder_changes_no_key(tmp_path: Path, demos: list[Demo]) -> None:
    write_buffer(tmp_path / "here/dataset.zarr.zip", [[demo] for demo in demos])
    before, _ = discovered(spec_for(tmp_path / "here"))
    shutil.move(tmp_path / "here", tmp_path / "there")
    after, _ = discovered(spec_for(tmp_path / "there"))
    assert [ref.fingerprint for ref in after] == [ref.fingerprint for ref in before]


def test_one_changed_pixel_or_width_makes_another_episode_and_leaves_its_neighbours(
    tmp_path: Path, demos: list[Demo]
) -> None:
    pictures, width = demos[1].pictures.copy(), demos[1].width.copy()
    pictures[3, 5, 5, 0] ^= 1
    width[7] += 1e-4
    ids = []
    for turn, middle in enumerate((demos[1], replace(demos[1], pictures=pictures), replace(demos[1], width=width))):
        write_buffer(tmp_path / f"{turn}/dataset.zarr.zip", [[demos[0]], [middle], [demos[2]]])
        ids.append([ref.episode_id for ref in discovered(spec_for(tmp_path / str(turn)))[0]])
    first, second, third = zip(*ids, strict=True)
    assert (len(set(first)), len(set(second)), len(set(third))) == (1, 3, 1)


def test_a_damaged_copy_is_another_episode_than_the_good_one_that_replaces_it(tmp_path: Path, good: Path) -> None:
    """The zip still claims the good checksum; were that the identity, fetching the file again would re-run nothing."""
    before, _ = discovered(spec_for(good.parent))
    data = bytearray(good.read_bytes())
    with zipfile.ZipFile(good) as archive:
        entry = archive.getinfo("data/camera0_rgb/45.0.0.0")
    data[entry.header_offset + 30 + len(entry.filename) + 50] ^= 255
    good.write_bytes(data)
    after, _ = discovered(spec_for(good.parent))
    same = [old.fingerprint == new.fingerprint for old, new in zip(before, after, strict=True)]
    assert same == [True, False, True]


def test_a_zip_and_a_folder_of_the_same_chunks_hold_the_same_episodes(tmp_path: Path, good: Path) -> None:
    with zipfile.ZipFile(good) as archive:
        archive.extractall(tmp_path / "unpacked/dataset.zarr")
    zipped, unpacked = (discovered(spec_for(root))[0] for root in (good.parent, tmp_path / "unpacked"))
    assert [ref.episode_id for ref in zipped] == [ref.episode_id for ref in unpacked]


def test_a_buffer_that_has_not_changed_is_not_read_again(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digests, files, spec = MemoryDigests(), SourceFiles(str(good.parent)), spec_for(good.parent)
    first = list(umi_zarr.discover(spec, files, digests))
    monkeypatch.setattr(ZippedStore, "mark", lambda *_: pytest.fail("read again"))
    assert list(umi_zarr.discover(spec, files, digests)) == first


def test_an_array_that_is_not_read_changes_no_id(tmp_path: Path, demos: list[Demo]) -> None:
    write_buffer(tmp_path / "0/dataset.zarr.zip", [[demos[1]]])
    with_sound = replace(demos[1], extra={"mic_0": np.ones((30, 8), np.float32)})
    write_buffer(tmp_path / "1/dataset.zarr.zip", [[with_sound]])
    plain, more = (discovered(spec_for(tmp_path / turn))[0][0] for turn in ("0", "1"))
    assert plain.fingerprint == more.fingerprint


# -- what is wrong with it -------------------------------------------------------------------------------------


def test_rows_without_numbers_are_invalid_and_told(tmp_path: Path, demos: list[Demo]) -> None:
    position, turn, width = (part.copy() for part in (demos[1].position, demos[1].rotation_vector, demos[1].width))
    position[3, 0], turn[4, 2], width[5] = np.nan, np.inf, 1e30
    write_buffer(tmp_path / "d.zarr.zip", [[replace(demos[1], position=position, rotation_vector=turn, width=width)]])
    ((_, raw),) = episodes(spec_for(tmp_path))
    assert np.flatnonzero(~actions_of(raw).valid).tolist() == [3, 4, 5]
    assert checks(raw.findings) == ["rows_not_finite"]


def test_a_gripper_that_never_moves_is_told(tmp_path: Path, demos: list[Demo]) -> None:
    still = replace(demos[1], width=np.full_like(demos[1].width, 0.05))
    write_buffer(tmp_path / "dataset.zarr.zip", [[still]])
    ((_, raw),) = episodes(spec_for(tmp_path))
    assert checks(raw.findings) == ["gripper_constant"]


def rezipped(source: Path, target: Path, **changes: bytes | None) -> None:
    """A copy of a zip with entries replaced, or left out; ``_`` in a keyword stands for ``.`` or ``/`` alike."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            key = name.replace("/", "_").replace(".", "_")
            data = changes.get(key, old.read(name))
            if data is not None:
                new.writestr(name, data)


def test_a_lost_picture_ends_its_own_episode_only(tmp_path: Path, good: Path) -> None:
    rezipped(good, tmp_path / "bad/dataset.zarr.zip", data_camera0_rgb_45_0_0_0=None)
    refs, findings = discovered(spec_for(tmp_path / "bad"))
    assert [ref.locator for ref in refs] == ["dataset.zarr.zip episode 0", "dataset.zarr.zip episode 2"]
    assert [(finding.check, finding.verdict) for finding in findings] == [("episode_unreadable", Verdict.DROP)]
    assert "dataset.zarr.zip episode 1" in findings[0].message
    assert "chunk data/camera0_rgb/45.0.0.0 is missing" in findings[0].message


def test_a_damaged_picture_is_grey_and_marked_and_a_damaged_first_one_is_an_error(tmp_path: Path, good: Path) -> None:
    rezipped(good, tmp_path / "bad/dataset.zarr.zip", data_camera0_rgb_45_0_0_0=b"\xff\x0a no picture")
    ref, raw = episodes(spec_for(tmp_path / "bad"))[1]
    shown = list(umi_zarr.pictures(ref, SourceFiles(ref.root), raw.cameras[0].video, ONE_THREAD))
    assert [i for i, picture in enumerate(shown) if picture.damaged] == [5]
    assert (shown[5].frame.to_ndarray(format="rgb24") == 128).all()
    (finding,) = [x for x in ingest(ref, SourceFiles(ref.root), IngestSpec()) if isinstance(x, Finding)]
    assert (finding.check, finding.verdict) == ("undecodable_pictures", Verdict.TRIM)
    rezipped(good, tmp_path / "first/dataset.zarr.zip", data_camera0_rgb_40_0_0_0=b"\xff\x0a no picture")
    ref, raw = episodes(spec_for(tmp_path / "first"))[1]
    with pytest.raises(SourceError, match=r"dataset\.zarr\.zip: data/camera0_rgb/40\.0\.0\.0 is no jpegxl chunk"):
        pictures_of(ref, raw)


def test_a_truncated_zip_is_an_error_that_names_it(good: Path) -> None:
    good.write_bytes(good.read_bytes()[:-40])
    with pytest.raises(SourceError, match=r"dataset\.zarr\.zip: is no readable zip file"):
        discovered(spec_for(good.parent))


def test_episode_ends_beyond_the_data_or_stepping_back_are_told(tmp_path: Path, good: Path) -> None:
    beyond = np.array([40, 70, 9000], "<i8").tobytes().ljust(8000, b"\0")
    rezipped(good, tmp_path / "beyond/dataset.zarr.zip", meta_episode_ends_0=beyond)
    refs, findings = discovered(spec_for(tmp_path / "beyond"))
    assert (len(refs), checks(findings)) == (2, ["episode_unreadable"])
    assert "has 90 rows, expected rows 70 to 9000" in findings[0].message
    empty = np.array([40, 40, 90], "<i8").tobytes().ljust(8000, b"\0")
    rezipped(good, tmp_path / "empty/dataset.zarr.zip", meta_episode_ends_0=empty)
    refs, findings = discovered(spec_for(tmp_path / "empty"))
    assert (len(refs), checks(findings)) == (2, ["episodes_empty"])
    back = np.array([40, 30, 90], "<i8").tobytes().ljust(8000, b"\0")
    rezipped(good, tmp_path / "back/dataset.zarr.zip", meta_episode_ends_0=back)
    with pytest.raises(SourceError, match="meta/episode_ends steps back"):
        discovered(spec_for(tmp_path / "back"))


@pytest.mark.parametrize(("ends", "n_refs", "lost"), [([40, 70], 2, 20), ([], 0, 90)])
def test_rows_behind_the_last_episode_are_told(
    tmp_path: Path, good: Path, ends: list[int], n_refs: int, lost: int
) -> None:
    with zipfile.ZipFile(good) as archive:
        shape = archive.read("meta/episode_ends/.zarray").replace(b"3\n", b"%d\n" % len(ends), 1)
        assert json.loads(shape)["shape"] == [len(ends)]
    changes = {
        "meta_episode_ends__zarray": shape,
        "meta_episode_ends_0": np.array(ends, "<i8").tobytes().ljust(8 * json.loads(shape)["chunks"][0], b"\0"),
    }
    rezipped(good, tmp_path / "bad/dataset.zarr.zip", **changes)
    refs, (finding,) = discovered(spec_for(tmp_path / "bad"))
    assert (len(refs), finding.check, finding.value) == (n_refs, "rows_outside_episodes", lost)


def test_an_object_array_beside_the_data_is_told_and_one_in_its_place_is_refused(tmp_path: Path, good: Path) -> None:
    objects = b'{"zarr_format": 2, "shape": [90, 3], "chunks": [32, 3], "dtype": "|O", "filters": [{"id": "pickle"}]}'
    rezipped(good, tmp_path / "place/dataset.zarr.zip", data_robot0_eef_pos__zarray=objects)
    with pytest.raises(SourceError, match=r"data/robot0_eef_pos/\.zarray: filters \['pickle'\] are never read"):
        discovered(spec_for(tmp_path / "place"))
    shutil.copytree(good.parent, tmp_path / "beside")
    with zipfile.ZipFile(tmp_path / "beside/dataset.zarr.zip", "a") as archive:
        archive.writestr("data/notes/.zarray", objects)
    refs, findings = discovered(spec_for(tmp_path / "beside"))
    assert (len(refs), checks(findings)) == (3, ["arrays_not_read"])
    assert "notes (data/notes/.zarray: filters ['pickle'] are never read" in findings[0].message


def test_another_zarr_is_no_replay_buffer(tmp_path: Path, good: Path) -> None:
    (tmp_path / "only").mkdir()
    with zipfile.ZipFile(good) as old, zipfile.ZipFile(tmp_path / "only/other.zarr.zip", "w") as new:
        for name in old.namelist():
            if name.startswith("meta/"):
                new.writestr(name, old.read(name))
    with pytest.raises(SourceError, match="this zarr is no UMI replay buffer"):
        discovered(spec_for(tmp_path / "only"))


def test_one_bad_buffer_of_several_is_told_and_the_others_are_read(good: Path) -> None:
    (good.parent / "broken.zarr.zip").write_bytes(b"PK no zip")
    refs, findings = discovered(spec_for(good.parent))
    assert (len(refs), checks(findings)) == (3, ["buffer_unreadable"])


def test_a_folder_without_a_buffer_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no \.zarr\.zip file and no folder with meta/episode_ends below it"):
        discovered(spec_for(tmp_path))


def test_the_source_may_be_the_zarr_folder_itself(tmp_path: Path, demos: list[Demo]) -> None:
    write_buffer(tmp_path / "dataset.zarr", [[demos[1]]])
    ((ref, raw),) = episodes(spec_for(tmp_path / "dataset.zarr"))
    assert ref.locator == ". episode 0"
    assert len(pictures_of(ref, raw)) == 30
