"""LeRobot datasets: three versions in one shape, and every defect of the real ones told in words."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.sources.lerobot import lerobot
from pipeline.sources.raw import RawEpisode
from pipeline.video import frames
from schemas.episode import CommandMode, CommandSpace, SourceSpan, SpanMeaning
from schemas.finding import Finding, Verdict
from schemas.pose import matrix_of
from schemas.recipe_columns import ArmColumns
from schemas.recipe_commands import Commands
from schemas.recipe_formats.lerobot import LeRobotSource
from schemas.source_card import SourceCard
from tests.pipeline.sources.datasets import CAMERA, FPS, discovered, spec_for, write_v2, write_v3

DROID = "open_robot/droid_slice_lerobot_v30"
G1 = "open_robot/g1_pick_bottle_lerobot_v21"
GR1 = "open_robot/gr1_picknplace_lerobot_v20"
STEP_NS = 10**9 // FPS


def arm(**columns: Any) -> ArmColumns:
    return ArmColumns.model_validate({"arm": "right", **columns})


def episode(spec: LeRobotSource, position: int = 0) -> RawEpisode:
    refs, _ = discovered(spec)
    return lerobot.read(refs[position], SourceFiles(spec.path))


def checks(findings: Any) -> list[str]:
    return sorted(finding.check for finding in findings)


def about(findings: Any, check: str) -> Finding:
    found: list[Finding] = [finding for finding in findings if finding.check == check]
    assert len(found) == 1
    return found[0]


def real_spec(real: Path, folder: str, **more: Any) -> LeRobotSource:
    return LeRobotSource(format="lerobot", name="real", path=str(real / folder), card=SourceCard(licence="MIT"), **more)


# -- the three versions ----------------------------------------------------------------------------------------


def test_v2_has_one_file_per_episode(tmp_path: Path) -> None:
    write_v2(tmp_path, [12, 15])
    refs, findings = discovered(spec_for(tmp_path))
    assert [ref.locator for ref in refs] == ["episode_index=0", "episode_index=1"]
    assert [file.part for file in refs[1].files] == ["table", "video/front"]
    assert checks(findings) == []
    raw = episode(spec_for(tmp_path), 1)
    assert raw.instruction == "task 1"
    assert raw.actions is not None
    assert raw.actions.times_ns.tolist() == [i * STEP_NS for i in range(15)]
    assert raw.rows_are_frames


def test_v3_has_many_episodes_per_file(tmp_path: Path) -> None:
    write_v3(tmp_path, [12, 15, 9])
    refs, findings = discovered(spec_for(tmp_path))
    assert len({ref.episode_id for ref in refs}) == 3
    assert checks(findings) == []
    files = SourceFiles(str(tmp_path))
    for ref, length in zip(refs, [12, 15, 9], strict=True):
        raw = lerobot.read(ref, files)
        assert raw.actions is not None
        assert raw.actions.n_rows == length
        assert raw.actions.joint_state is not None
        assert np.unique(raw.actions.joint_state.reshape(-1, 2)[:, 1]).tolist() == [1.0 + refs.index(ref)]
        camera = raw.cameras[0]
        with files.open(ref.file(camera.video.part).path) as file:
            assert sum(1 for _ in frames(file, camera.video, "film")) == length


def test_tasks_of_a_pandas_index_and_of_a_mapping_are_read(tmp_path: Path) -> None:
    write_v3(tmp_path / "v3", [10])
    write_v2(tmp_path / "v2", [10], tasks_as=dict)
    for version in ("v2", "v3"):
        raw = episode(spec_for(tmp_path / version))
        assert raw.instruction == "task 0"
        assert raw.annotations == (SourceSpan("task_index", 0, 10 * STEP_NS, "task 0", SpanMeaning.TASK),)


@pytest.mark.parametrize("names", [["a", "b"], [["a", "b"]], {"motors": ["a", "b"]}, {"b": 1, "a": 0}])
def test_names_may_be_nested_or_a_mapping(tmp_path: Path, names: object) -> None:
    write_v2(tmp_path, [10], names=names)
    actions = episode(spec_for(tmp_path)).actions
    assert actions is not None
    assert actions.joint_names == ("a", "b")
    assert actions.joint_target is not None


def test_columns_without_names_are_numbered(tmp_path: Path) -> None:
    write_v2(tmp_path, [10], names=None)
    actions = episode(spec_for(tmp_path)).actions
    assert actions is not None
    assert actions.joint_names == ("0/2", "1/2")


def test_commands_stand_beside_the_state_of_the_same_name_and_no_other(tmp_path: Path) -> None:
    wide = {
        "observation.state.grip": lambda _, n: pa.array([0.25 * i for i in range(n)]),
        "action.grip": lambda _, n: pa.array([0.5 * i for i in range(n)]),
        "action": lambda _, n: pa.array([[0.0, 1.0, 2.0]] * n, pa.list_(pa.float64())),
    }
    shape = {"dtype": "float32", "shape": [3], "names": None}
    write_v2(tmp_path, [10], names=None, extra=wide, extra_features={"action": shape})
    raw = episode(spec_for(tmp_path))
    assert raw.actions is not None
    assert raw.actions.joint_names == ("0/2", "1/2", "grip", "0/3", "1/3", "2/3")
    state, target = (np.asarray(side).reshape(-1, 6) for side in (raw.actions.joint_state, raw.actions.joint_target))
    assert state[4, 2] == 1.0
    assert target[4, 2] == 2.0
    assert np.isnan(target[:, :2]).all(), "vectors of different width share no column by accident"
    assert np.isnan(state[:, 3:]).all()
    assert raw.actions.valid.all()


# -- identity --------------------------------------------------------------------------------------------------


def test_appending_episodes_changes_nothing_for_old_ones(tmp_path: Path) -> None:
    write_v2(tmp_path / "a", [12, 15])
    write_v2(tmp_path / "b", [12, 15, 11], info={"total_chunks": 7, "splits": {"train": "0:3"}})
    old, _ = discovered(spec_for(tmp_path / "a"))
    new, _ = discovered(spec_for(tmp_path / "b"))
    assert [(ref.episode_id, ref.fingerprint) for ref in new[:2]] == [(ref.episode_id, ref.fingerprint) for ref in old]


def test_moving_the_folder_or_declaring_a_defect_changes_no_key(tmp_path: Path) -> None:
    write_v2(tmp_path / "a", [12])
    (before,), _ = discovered(spec_for(tmp_path / "a"))
    shutil.move(tmp_path / "a", tmp_path / "b")
    (after,), findings = discovered(spec_for(tmp_path / "b", known_defects=["blurred"]))
    assert after.fingerprint == before.fingerprint
    assert after.root != before.root
    declared = about(findings, "blurred")
    assert (declared.verdict, declared.subject) == (Verdict.KEEP, "made")
    assert "the recipe declares" in declared.message


def test_what_influences_reading_changes_the_fingerprint_and_not_the_id(tmp_path: Path) -> None:
    write_v2(tmp_path, [12])
    (plain,), _ = discovered(spec_for(tmp_path))
    (mapped,), _ = discovered(spec_for(tmp_path, state=[arm(opening={"column": "action", "start": 0, "stop": 1})]))
    assert plain.episode_id == mapped.episode_id
    assert plain.fingerprint != mapped.fingerprint


def test_a_changed_recording_is_another_episode(tmp_path: Path) -> None:
    write_v2(tmp_path / "a", [12])
    write_v2(tmp_path / "b", [13])
    ids = {discovered(spec_for(tmp_path / name))[0][0].episode_id for name in ("a", "b")}
    assert len(ids) == 2


# -- arms ------------------------------------------------------------------------------------------------------


def pose_columns(root: Path, encoding: str, make: Any, width: int) -> ArmColumns:
    extra = {"observation.state.pose": lambda _, n: pa.array([make(i) for i in range(n)], pa.list_(pa.float64()))}
    write_v2(root, [10], extra=extra)
    rotation = {"column": "observation.state.pose", "start": 3, "stop": 3 + width, "encoding": encoding}
    position = {"column": "observation.state.pose", "start": 0, "stop": 3}
    return arm(position=position, rotation=rotation, position_scale_m=0.001)


def test_positions_are_scaled_to_metres_and_rotations_become_two_rows(tmp_path: Path) -> None:
    columns = pose_columns(tmp_path, "euler_xyz", lambda i: [1000.0, 2000.0, i, 0.0, 0.0, np.pi / 2], 3)
    actions = episode(spec_for(tmp_path, state=[columns])).actions
    assert actions is not None
    (track,) = actions.state
    assert track.position is not None
    assert track.rotation is not None
    assert track.position[5] == pytest.approx([1.0, 2.0, 0.005])
    assert matrix_of(track.rotation)[0] == pytest.approx(np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]]), abs=1e-6)
    assert (track.opening, track.fingers) == (None, None)
    assert "observation.state.pose[3:6] euler_xyz" in actions.provenance


def test_umi_rotation_rows_that_are_not_unit_are_told_and_orthonormalised(tmp_path: Path, real: Path) -> None:
    rows = json.loads((real / "umi/mouse_arrangement/actions/umi.json").read_text())
    columns = pose_columns(tmp_path, "rot6d_rows", lambda i: rows[i], 6)
    raw = episode(spec_for(tmp_path, state=[columns]))
    assert about(raw.findings, "rotation_not_unit").value == pytest.approx(0.064, abs=1e-3)
    assert raw.actions is not None
    assert raw.actions.state[0].rotation is not None
    matrices = matrix_of(raw.actions.state[0].rotation)
    assert matrices @ matrices.transpose(0, 2, 1) == pytest.approx(np.tile(np.eye(3), (10, 1, 1)), abs=1e-5)


def test_a_rotation_that_means_nothing_is_invalid_and_not_a_number(tmp_path: Path) -> None:
    columns = pose_columns(tmp_path, "quaternion_xyzw", lambda i: [0, 0, 0, 0, 0, 0, float(i != 4)], 4)
    raw = episode(spec_for(tmp_path, state=[columns]))
    assert raw.actions is not None
    assert np.flatnonzero(~raw.actions.valid).tolist() == [4]
    assert np.isnan(np.asarray(raw.actions.state[0].rotation)[4]).all()
    assert about(raw.findings, "rows_not_finite").value == 1


def test_an_opening_follows_the_declared_polarity(tmp_path: Path) -> None:
    columns = [arm(opening={"column": "action", "start": 1, "stop": 2, "closed": 2.0, "open": 0.0})]
    write_v2(tmp_path, [10])
    raw = episode(spec_for(tmp_path, state=columns))
    assert raw.actions is not None
    assert np.asarray(raw.actions.state[0].opening).tolist() == [0.5] * 10
    assert "action[1:2]" in about(raw.findings, "gripper_constant").message


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"fingers": {"column": "nowhere"}}, r"no column 'nowhere', found \['observation\.state'"),
        ({"fingers": {"column": "action", "start": 1, "stop": 4}}, r"action has 2 values per row, .* asks for 1:4"),
        ({"opening": {"column": "action"}}, r"action has 2 values per row, expected 1; name the elements"),
    ],
)
def test_columns_that_do_not_fit_are_an_error_that_says_what_is_there(
    tmp_path: Path, columns: dict[str, Any], message: str
) -> None:
    write_v2(tmp_path, [10])
    with pytest.raises(SourceError, match=message):
        episode(spec_for(tmp_path, state=[arm(**columns)]))


# -- commands --------------------------------------------------------------------------------------------------


def test_delta_commands_become_absolute_targets(tmp_path: Path) -> None:
    poses = {
        "observation.state.pose": lambda _, n: pa.array([[0.1 * i, 0.0, 0.0, 0.0, 0.0, 0.0] for i in range(n)]),
        "action.delta": lambda _, n: pa.array([[100.0, 0.0, 0.0, 0.0, 0.0, 1.0]] * n),
    }
    write_v2(tmp_path, [10], extra=poses)
    part = {"start": 0, "stop": 3}, {"start": 3, "stop": 6, "encoding": "euler_xyz"}
    state, target = (
        arm(position={"column": column, **part[0]}, rotation={"column": column, **part[1]}, position_scale_m=scale)
        for column, scale in (("observation.state.pose", 1.0), ("action.delta", 0.001))
    )
    commands = Commands(mode=CommandMode.DELTA, space=CommandSpace.END_EFFECTOR, rotation_scale=0.5)
    actions = episode(spec_for(tmp_path, state=[state], target=[target], commands=commands, frame="world")).actions
    assert actions is not None
    assert actions.commands == commands.semantics
    assert actions.frame == "world"
    assert np.asarray(actions.target[0].position)[3] == pytest.approx([0.4, 0, 0])
    assert np.asarray(actions.target[0].rotation)[3, 0] == pytest.approx(np.cos(0.5))


def test_commands_of_joints_are_kept_in_their_columns_and_say_what_they_are(tmp_path: Path) -> None:
    write_v2(tmp_path, [10])
    commands = Commands(mode=CommandMode.VELOCITY, space=CommandSpace.JOINT, frame="joint")
    actions = episode(spec_for(tmp_path, commands=commands)).actions
    assert actions is not None
    assert (actions.commands, actions.target) == (commands.semantics, ())
    assert actions.joint_target is not None


# -- annotations -----------------------------------------------------------------------------------------------


def test_language_persistent_lasts_until_the_next_of_its_style(tmp_path: Path) -> None:
    items = [
        {"style": "subtask", "content": "reach", "timestamp": 0.0},
        {"style": "subtask", "content": "grasp", "timestamp": 0.2},
        {"style": "plan", "content": "reach, then grasp", "timestamp": 0.0},
    ]
    write_v2(tmp_path, [10], extra={"language_persistent": lambda _, n: pa.array([items] * n)})
    assert episode(spec_for(tmp_path)).annotations == (
        SourceSpan("plan", 0, 10 * STEP_NS, "reach, then grasp"),
        SourceSpan("subtask", 0, 4 * STEP_NS, "reach", SpanMeaning.SUBTASK),
        SourceSpan("subtask", 4 * STEP_NS, 10 * STEP_NS, "grasp", SpanMeaning.SUBTASK),
        SourceSpan("task_index", 0, 10 * STEP_NS, "task 0", SpanMeaning.TASK),
    )


def test_runs_of_index_and_flag_columns_become_spans(tmp_path: Path) -> None:
    extra = {
        "annotation.human.coarse": lambda _, n: pa.array([1] * 4 + [7] * (n - 4), pa.int64()),
        "is_error_segment": lambda _, n: pa.array([False] * 3 + [True] * 2 + [False] * (n - 5)),
    }
    scalar = {"dtype": "int64", "shape": [1]}
    write_v2(tmp_path, [10], extra=extra, extra_features={"annotation.human.coarse": scalar})
    raw = episode(spec_for(tmp_path))
    assert raw.annotations[:3] == (
        SourceSpan("annotation.human.coarse", 0, 4 * STEP_NS, "task 1", SpanMeaning.TASK),
        SourceSpan("annotation.human.coarse", 4 * STEP_NS, 10 * STEP_NS, "7", SpanMeaning.TASK),
        SourceSpan("is_error_segment", 3 * STEP_NS, 5 * STEP_NS, "true", SpanMeaning.ERROR),
    )
    assert about(raw.findings, "annotation_without_text").value == 7


def test_what_a_dataset_says_of_an_episode_as_a_whole_reaches_it(tmp_path: Path) -> None:
    write_v2(tmp_path, [10])
    config = [{"start_frame": 2, "end_frame": 6, "action_text": "Grasp the cup", "skill": "Pick"}]
    line = {"episode_index": 0, "tasks": ["task 0"], "length": 10, "action_config": config}
    (tmp_path / "meta/episodes.jsonl").write_text(json.dumps(line) + "\n")
    assert (
        SourceSpan("action_config", 2 * STEP_NS, 6 * STEP_NS, "Grasp the cup", SpanMeaning.SUBTASK)
        in episode(spec_for(tmp_path)).annotations
    )


def test_a_coarse_task_is_the_instruction_where_the_task_changes(tmp_path: Path) -> None:
    extra = {
        "task_index": lambda _, n: pa.array([0] * (n // 2) + [1] * (n - n // 2)),
        "coarse_task_index": lambda _, n: pa.array([7] * n),
    }
    write_v2(tmp_path, [10], extra=extra, extra_features={"coarse_task_index": {"dtype": "int64", "shape": [1]}})
    with (tmp_path / "meta/tasks.jsonl").open("a") as file:
        file.write(json.dumps({"task_index": 7, "task": "tidy up"}) + "\n")
    raw = episode(spec_for(tmp_path))
    assert raw.instruction == "tidy up"
    assert [(span.text, span.meaning) for span in raw.annotations] == [
        ("tidy up", SpanMeaning.TASK), ("task 0", SpanMeaning.SUBTASK), ("task 1", SpanMeaning.SUBTASK),
    ]  # fmt: skip


# -- defects, made ---------------------------------------------------------------------------------------------


def test_stated_totals_that_disagree_are_told(tmp_path: Path) -> None:
    write_v2(tmp_path, [12, 15], info={"total_episodes": 3, "total_frames": 100})
    _, findings = discovered(spec_for(tmp_path))
    assert checks(findings) == ["listed_total_disagrees"] * 2
    assert "total_episodes says 3, the listed episodes make 2" in findings[0].message


def test_episodes_of_one_file_without_windows_are_not_guessed(tmp_path: Path) -> None:
    write_v3(tmp_path, [12, 15], windows=False)
    refs, findings = discovered(spec_for(tmp_path))
    assert refs == []
    assert about(findings, "video_window_missing").verdict is Verdict.DROP


def test_a_width_that_is_not_the_stated_one_is_an_error(tmp_path: Path) -> None:
    vector = {"dtype": "float32", "shape": [28], "names": None}
    write_v2(tmp_path, [10], extra_features={"action": vector})
    with pytest.raises(SourceError, match=r"action has 2 values per row, info\.json says \[28\]"):
        episode(spec_for(tmp_path))


def test_a_damaged_table_is_an_error_that_names_it(tmp_path: Path) -> None:
    write_v2(tmp_path, [12])
    path = tmp_path / "data/chunk-000/episode_000000.parquet"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(SourceError, match=r"episode_000000\.parquet: not a readable parquet file"):
        episode(spec_for(tmp_path))


def test_a_damaged_table_hides_no_other_episode_from_the_listing(tmp_path: Path) -> None:
    """Even where the texts an episode needs are looked up in its rows while listing."""
    write_v2(tmp_path, [12, 12, 12], extra={"subtask_index": lambda _, n: pa.array([0] * n)})
    path = tmp_path / "data/chunk-000/episode_000001.parquet"
    path.write_bytes(path.read_bytes()[:-40])
    refs, _ = discovered(spec_for(tmp_path))
    assert [ref.locator for ref in refs] == ["episode_index=0", "episode_index=1", "episode_index=2"]
    lerobot.read(refs[0], SourceFiles(refs[0].root))
    with pytest.raises(SourceError, match=r"episode_000001\.parquet: not a readable parquet file"):
        lerobot.read(refs[1], SourceFiles(refs[1].root))


def test_time_stamps_that_contradict_the_frame_rate_place_the_rows(tmp_path: Path) -> None:
    late = {"timestamp": lambda _, n: pa.array([i / FPS + (0.5 if i > 5 else 0.0) for i in range(n)])}
    write_v2(tmp_path, [10], extra=late)
    raw = episode(spec_for(tmp_path))
    assert about(raw.findings, "timestamps_disagree_with_fps").value == pytest.approx(0.5)
    assert raw.actions is not None
    assert raw.actions.times_ns[6] == pytest.approx(0.8e9)
    assert not raw.rows_are_frames


def test_missing_rows_keep_the_others_in_place(tmp_path: Path) -> None:
    kept = [0, 1, 2, 5, 6, 7]
    extra = {
        "frame_index": lambda _, n: pa.array(kept[:n]),
        "timestamp": lambda _, n: pa.array([k / FPS for k in kept[:n]]),
    }
    write_v2(tmp_path, [6], extra=extra)
    raw = episode(spec_for(tmp_path))
    assert about(raw.findings, "frame_index_gaps").value == 2
    assert raw.actions is not None
    assert raw.actions.times_ns.tolist() == [k * STEP_NS for k in kept]


@pytest.mark.parametrize(
    ("info", "message"),
    [
        ({"codebase_version": "v1.6"}, r"codebase_version is v1\.6, expected v2\.0, v2\.1 or v3\.0"),
        ({"fps": 0}, r"fps is 0, expected a number above 0"),
        ({"data_path": "data/{episode}.parquet"}, r"data_path has the placeholder 'episode'"),
    ],
)
def test_metadata_that_cannot_be_read_is_an_error(tmp_path: Path, info: dict[str, Any], message: str) -> None:
    write_v2(tmp_path, [10], info=info)
    with pytest.raises(SourceError, match=message):
        discovered(spec_for(tmp_path))


def test_a_camera_the_dataset_does_not_have_is_an_error(tmp_path: Path) -> None:
    write_v2(tmp_path, [10])
    with pytest.raises(SourceError, match=r"no view 'wrist', found \['observation\.images\.front'\]"):
        discovered(spec_for(tmp_path, cameras=["wrist"]))


def test_cameras_stand_in_the_recipes_order_and_keep_short_names_apart(tmp_path: Path) -> None:
    write_v2(tmp_path, [10], cameras=(CAMERA, "other.front", "observation.images.wrist"))
    raw = episode(spec_for(tmp_path, cameras=["observation.images.wrist", "other.front", CAMERA]))
    assert [camera.name for camera in raw.cameras] == ["wrist", "other.front", CAMERA]


def test_a_picture_size_may_be_stated_channels_first(tmp_path: Path) -> None:
    first = {"dtype": "video", "shape": [3, 96, 128], "names": ["channels", "height", "width"]}
    write_v2(tmp_path, [10], extra_features={CAMERA: first})
    assert checks(episode(spec_for(tmp_path)).findings) == []


# -- defects, real ---------------------------------------------------------------------------------------------


def test_g1_metadata_lists_100_episodes_and_5_are_present(real: Path) -> None:
    refs, findings = discovered(real_spec(real, G1))
    assert [ref.locator for ref in refs] == [f"episode_index={i}" for i in (29, 30, 31, 59, 82)]
    missing = about(findings, "listed_episode_missing")
    assert (missing.value, missing.verdict, missing.subject) == (95.0, Verdict.DROP, "real")
    assert "(0-28, 32-58, 60-81, 83-99)" in missing.message
    assert checks(findings) == ["listed_episode_missing"]


def test_g1_has_26_named_joints_and_two_hands(real: Path) -> None:
    hands = [
        ArmColumns.model_validate({"arm": name, "fingers": {"column": "observation.state", "start": a, "stop": a + 6}})
        for name, a in (("left", 14), ("right", 20))
    ]
    actions = episode(real_spec(real, G1, state=hands)).actions
    assert actions is not None
    assert len(actions.joint_names) == 26
    assert actions.joint_names[14] == "kLeftHandPinky"
    assert [(track.n_fingers, np.asarray(track.fingers).shape) for track in actions.state] == [(6, (221 * 6,))] * 2


def test_gr1_lists_a_camera_without_files_and_totals_that_are_wrong(real: Path) -> None:
    refs, findings = discovered(real_spec(real, GR1))
    assert len(refs) == 5
    assert about(findings, "camera_missing").message.startswith("real: the listed camera observation.images.egoview")
    assert checks(findings) == [
        "arms_not_mapped", "camera_missing", "listed_total_disagrees", "listed_total_disagrees",
    ]  # fmt: skip
    told = about(findings, "arms_not_mapped").message
    assert "state left_arm 0:7, state left_hand 7:13" in told, "meta/modality.json says so"


def test_gr1_annotation_columns_become_spans_in_words(real: Path) -> None:
    raw = episode(real_spec(real, GR1), 1)
    spans = {span.track: span.text for span in raw.annotations}
    assert spans["annotation.human.validity"] == "valid"
    assert not [span for span in raw.annotations if span.meaning is SpanMeaning.INVALID], "1 is the index of 'valid'"
    assert spans["annotation.human.action.task_description"] == raw.instruction
    assert raw.instruction == "pick the sweet potato from the counter and place it in the plate"
    assert about(raw.findings, "timestamp_offset").value == pytest.approx(0.05, abs=1e-4)


def test_droid_missing_cameras_and_nonstandard_templates_are_told(real: Path) -> None:
    refs, findings = discovered(real_spec(real, DROID))
    assert [file.part for file in refs[0].files] == ["table", "video/exterior_image_2_left"]
    assert checks(findings) == [
        "camera_missing", "camera_missing", "listed_total_disagrees",
        "path_template_nonstandard", "path_template_nonstandard",
    ]  # fmt: skip
    assert any("episode_file" in finding.message for finding in findings)


def test_droid_empty_task_collapsed_joints_and_zero_gripper_are_told(real: Path) -> None:
    raw = episode(real_spec(real, DROID))
    assert raw.instruction == ""
    assert raw.annotations == ()
    assert checks(raw.findings) == [
        "gripper_constant", "scalar_collapsed", "scalar_collapsed", "task_text_empty",
    ]  # fmt: skip
    assert "observation.state.gripper_position is 0 in every row" in about(raw.findings, "gripper_constant").message
    assert "' |  | '" in about(raw.findings, "task_text_empty").message


def test_droid_gripper_command_opens_and_closes_at_the_known_frames(real: Path) -> None:
    columns = arm(
        position={"column": "observation.state.cartesian_position", "start": 0, "stop": 3},
        rotation={"column": "observation.state.cartesian_position", "start": 3, "stop": 6, "encoding": "euler_xyz"},
        opening={"column": "action.gripper_position", "closed": 1.0, "open": 0.0},
    )
    actions = episode(real_spec(real, DROID, state=[columns])).actions
    assert actions is not None
    (track,) = actions.state
    opened = np.asarray(track.opening) > 0.5
    assert (np.flatnonzero(np.diff(opened)) + 1).tolist() == [47, 111, 185, 225, 275, 342, 344, 438, 495, 593]
    assert opened[0], "the episode starts with an open gripper"
    assert np.asarray(track.position)[47, 2] < 0.3, "the first grasp happens low"
