"""NVIDIA's UMI action files: rows become a path, and what the file does not say is told instead of guessed."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.spatial.transform import Rotation

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.ingest import ingest
from pipeline.sources.raw import RawEpisode
from pipeline.sources.umi import umi_json
from schemas.episode import ActionTrack, Arm, ArmTrack, CameraRole, CommandMode
from schemas.finding import Finding, Verdict
from schemas.pose import matrix_of
from schemas.recipe import IngestSpec
from schemas.recipe_formats.umi_json import UmiJsonSource
from schemas.source import EpisodeRef
from tests.pipeline.films import drifting, film

STEP = [0.01, 0.0, 0.02, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.5]


def spec_for(root: Path, **more: Any) -> UmiJsonSource:
    stated = {"format": "umi_json", "name": "umi", "path": str(root), "card": {"licence": "CC0-1.0"}, **more}
    return UmiJsonSource.model_validate(stated)


def discovered(spec: UmiJsonSource) -> tuple[list[EpisodeRef], list[Finding]]:
    found = list(umi_json.discover(spec, SourceFiles(spec.path), MemoryDigests()))
    return [x for x in found if isinstance(x, EpisodeRef)], [x for x in found if isinstance(x, Finding)]


def episode(spec: UmiJsonSource) -> RawEpisode:
    refs, _ = discovered(spec)
    return umi_json.read(refs[0], SourceFiles(spec.path))


def track_of(raw: RawEpisode) -> tuple[ActionTrack, ArmTrack]:
    assert raw.actions is not None
    return raw.actions, raw.actions.state[0]


def checks(findings: Iterable[Finding]) -> list[str]:
    return sorted(finding.check for finding in findings)


def about(findings: Iterable[Finding], check: str) -> Finding:
    (found,) = [finding for finding in findings if finding.check == check]
    return found


def write(root: Path, rows: Any, name: str = "umi") -> Path:
    """A video of 8 frames and an action file."""
    for folder in ("videos", "actions"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / f"videos/{name}.mp4").write_bytes(film(drifting(8)))
    (root / f"actions/{name}.json").write_text(rows if isinstance(rows, str) else json.dumps(rows))
    return root


def steps(**columns: Iterable[float]) -> list[list[float]]:
    """Seven plain steps with some columns replaced."""
    rows = np.tile(STEP, (7, 1))
    for name, values in columns.items():
        rows[:, umi_json._NAMES.index(name)] = list(values)
    return rows.tolist()


# -- the real recording ----------------------------------------------------------------------------------------


def test_the_real_recording_is_a_path_of_half_a_metre_that_turns_by_thirty_degrees(real: Path) -> None:
    raw = episode(spec_for(real / "umi/mouse_arrangement"))
    track, arm = track_of(raw)
    assert arm.position is not None
    assert arm.rotation is not None
    assert (track.n_rows, track.frame, arm.arm, track.target) == (33, "start", Arm.RIGHT, ())
    assert arm.position[0].tolist() == [0, 0, 0]
    np.testing.assert_allclose(arm.position[-1], [0.506, 0.145, -0.030], atol=2e-3)
    turned = Rotation.from_matrix(matrix_of(arm.rotation[-1:])).as_rotvec(degrees=True)[0]
    np.testing.assert_allclose(turned, [-3.5, 25.8, 18.8], atol=0.1)
    assert track.valid.all()
    assert track.commands is not None
    assert (track.commands.mode, track.commands.frame) == (CommandMode.DELTA, "tool")


def test_what_is_odd_about_the_real_recording_comes_out_of_its_numbers(real: Path) -> None:
    spec = spec_for(real / "umi/mouse_arrangement")
    raw = episode(spec)
    expected = ["actions_normalised", "gripper_constant", "gripper_unit_unknown", "rotation_not_unit"]
    assert checks(raw.findings) == expected
    assert about(raw.findings, "rotation_not_unit").value == pytest.approx(0.0641, abs=1e-4)
    assert about(raw.findings, "gripper_constant").value == pytest.approx(-0.1437, abs=1e-4)
    normalised = about(raw.findings, "actions_normalised")
    assert normalised.value == 10.0
    assert "0.1 m per unit; set `position_scale_m` if not" in normalised.message
    assert checks(discovered(spec)[1]) == ["stills_not_read"]


def test_the_real_rows_belong_to_its_frames(real: Path) -> None:
    spec = spec_for(real / "umi/mouse_arrangement")
    (ref,), _ = discovered(spec)
    records = list(ingest(ref, SourceFiles(spec.path), IngestSpec()))
    (track,) = [record for record in records if isinstance(record, ActionTrack)]
    assert track.times_ns.tolist() == [i * 50_000_000 for i in range(33)]
    assert not {"frame_count_disagrees", "fps_disagrees"} & {x.check for x in records if isinstance(x, Finding)}


def test_native_rows_are_kept_as_the_commands_they_are(real: Path) -> None:
    rows = np.array(json.loads((real / "umi/mouse_arrangement/actions/umi.json").read_text()), np.float32)
    track, arm = track_of(episode(spec_for(real / "umi/mouse_arrangement")))
    assert track.joint_target is not None
    native = track.joint_target.reshape(33, 10)
    np.testing.assert_array_equal(native[:32], rows)
    assert np.isnan(native[32]).all()
    assert (track.joint_names[0], track.joint_names[-1], arm.opening) == ("dx", "gripper", None)


# -- what the recipe says --------------------------------------------------------------------------------------


def test_the_gripper_is_an_opening_once_the_recipe_says_its_ends(tmp_path: Path) -> None:
    write(tmp_path, steps(gripper=np.linspace(-1, 1, 7)))
    raw = episode(spec_for(tmp_path, gripper_closed=-1, gripper_open=1, arm="left"))
    track, arm = track_of(raw)
    assert arm.opening is not None
    np.testing.assert_allclose(arm.opening[1:], np.linspace(0, 1, 7), atol=1e-6)
    assert np.isnan(arm.opening[0])
    assert np.flatnonzero(~track.valid).tolist() == [0]
    assert (arm.arm, raw.cameras[0].role, checks(raw.findings)) == (Arm.LEFT, CameraRole.WRIST_LEFT, [])


@pytest.mark.parametrize(
    "keys", [{"gripper_open": 1}, {"gripper_closed": 1}, {"gripper_closed": 1, "gripper_open": 1}, {"fps": 0}]
)
def test_half_a_gripper_is_refused(tmp_path: Path, keys: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        spec_for(tmp_path, **keys)


def test_plain_steps_are_metres_and_a_recipe_may_say_otherwise(tmp_path: Path) -> None:
    write(tmp_path, steps())
    _, arm = track_of(episode(spec_for(tmp_path)))
    assert arm.position is not None
    np.testing.assert_allclose(arm.position[-1], [0.07, 0, 0.14], atol=1e-6)
    _, arm = track_of(episode(spec_for(tmp_path, position_scale_m=0.1)))
    assert arm.position is not None
    np.testing.assert_allclose(arm.position[-1], [0.007, 0, 0.014], atol=1e-6)


def test_chunks_of_rows_are_joined_and_may_start_anew(tmp_path: Path) -> None:
    rows = steps(dx=[1, 2, 3, 1, 2, 3, 4])
    write(tmp_path, [rows[:3], rows[3:]])
    _, arm = track_of(episode(spec_for(tmp_path)))
    assert arm.position is not None
    assert arm.position[:, 0].tolist() == [0, 1, 3, 6, 7, 9, 12, 16]
    _, arm = track_of(episode(spec_for(tmp_path, relative_to="chunk_start")))
    assert arm.position is not None
    assert arm.position[:, 0].tolist() == [0, 1, 2, 3, 4, 5, 6, 7]


def test_rows_that_look_like_positions_since_a_start_are_told(tmp_path: Path) -> None:
    rows = np.tile(STEP, (30, 1))
    rows[:, 0] = np.linspace(0.01, 1, 30) ** 1.2
    write(tmp_path, rows.tolist())
    assert "steps_look_cumulative" in checks(episode(spec_for(tmp_path)).findings)
    assert "steps_look_cumulative" not in checks(episode(spec_for(tmp_path, relative_to="chunk_start")).findings)


# -- what is wrong with it -------------------------------------------------------------------------------------


def test_a_row_without_numbers_breaks_the_path(tmp_path: Path) -> None:
    write(tmp_path, json.dumps(steps(dx=[0, 0, 0, np.nan, 0, 0, 0])))
    raw = episode(spec_for(tmp_path))
    track, _ = track_of(raw)
    assert np.flatnonzero(~track.valid).tolist() == [4, 5, 6, 7]
    assert about(raw.findings, "rows_not_finite").value == 4


def test_rotations_that_nothing_explains_are_orthonormalised_and_told(tmp_path: Path) -> None:
    write(tmp_path, steps(c1x=[0.9] * 7))
    raw = episode(spec_for(tmp_path))
    assert "no stretch of their entries explains it" in about(raw.findings, "rotation_not_unit").message
    _, arm = track_of(raw)
    assert arm.rotation is not None
    np.testing.assert_allclose(arm.rotation, np.tile([1, 0, 0, 0, 1, 0], (8, 1)), atol=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "", "{}", "[]", "7", "[[1, 2, 3]]", "[[[]]]", json.dumps([STEP])[:-9], json.dumps([STEP, STEP[:9]]),
        json.dumps([[*STEP[:9], "0.5"]]), json.dumps([[*STEP[:9], None]]), json.dumps([[*STEP[:9], True]]),
        json.dumps([[STEP], 5]), "[" * 100_000, "[[" + "9" * 5000 + "]]",
    ],
)  # fmt: skip
def test_rows_of_another_layout_are_an_error_that_names_the_file(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)
    with pytest.raises(SourceError, match=r"actions/umi\.json"):
        episode(spec_for(tmp_path))


def test_numbers_beyond_all_measure_are_no_numbers(tmp_path: Path) -> None:
    text = json.dumps([STEP] * 7).replace("0.02", "1e300", 1).replace("0.5", "9" * 400, 1)
    raw = episode(spec_for(write(tmp_path, text)))
    track, _ = track_of(raw)
    assert not track.valid[1:].any()


def test_a_count_of_rows_that_does_not_fit_the_frames_is_told(tmp_path: Path) -> None:
    (ref,), _ = discovered(spec_for(write(tmp_path, steps()[:4])))
    found = list(ingest(ref, SourceFiles(str(tmp_path)), IngestSpec()))
    assert "frame_count_disagrees" in checks(x for x in found if isinstance(x, Finding))


def test_videos_and_actions_without_each_other_are_told(tmp_path: Path) -> None:
    write(tmp_path, steps(), "a")
    write(tmp_path, steps(), "b")
    (tmp_path / "actions/a.json").rename(tmp_path / "actions/c.json")
    refs, findings = discovered(spec_for(tmp_path))
    assert [ref.locator for ref in refs] == ["videos/a.mp4", "videos/b.mp4"]
    assert checks(findings) == ["actions_missing", "video_missing"]
    assert about(findings, "video_missing").verdict == Verdict.DROP
    assert umi_json.read(refs[0], SourceFiles(str(tmp_path))).actions is None


def test_a_folder_without_videos_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no video in a folder 'videos' below it"):
        discovered(spec_for(tmp_path))


def test_an_episode_is_its_content_wherever_it_lies(tmp_path: Path) -> None:
    write(tmp_path / "a", steps())
    before, _ = discovered(spec_for(tmp_path / "a"))
    shutil.move(tmp_path / "a", tmp_path / "b")
    write(tmp_path / "b", steps(dx=[1] * 7), "another")
    after, _ = discovered(spec_for(tmp_path / "b"))
    assert before[0].fingerprint in [ref.fingerprint for ref in after]
    assert len({ref.episode_id for ref in after}) == 2
