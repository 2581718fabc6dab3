"""RLDS episodes: bridge as it is, bridge written anew, and small datasets in the layout of others."""

import io
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.sources.raw import RawEpisode
from pipeline.sources.rlds import rlds
from pipeline.video import ONE_THREAD
from schemas.episode import CommandMode, CommandSemantics, CommandSpace, SpanMeaning, VideoWindow
from schemas.finding import Finding, Verdict
from schemas.pose import matrix_of
from tests.pipeline.sources.written import rlds as written
from tests.pipeline.sources.written.rlds import discovered, spec_for

N_EPISODES, N_STEPS, STEP_NS = 25, 10, 200_000_000
STATE = {
    "arm": "right",
    "position": {"column": "observation/state", "start": 0, "stop": 3},
    "rotation": {"column": "observation/state", "start": 3, "stop": 6, "encoding": "euler_xyz"},
    "opening": {"column": "observation/state", "start": 6, "stop": 7},
}
TARGET = {
    "arm": "right",
    "position": {"column": "action", "start": 0, "stop": 3},
    "rotation": {"column": "action", "start": 3, "stop": 6, "encoding": "euler_xyz"},
    "opening": {"column": "action", "start": 6, "stop": 7, "signal": "binary"},
}
DELTA = {"mode": "delta", "space": "end_effector", "frame": "base"}
MAPPED = {"state": [STATE], "target": [TARGET], "commands": DELTA}


def read(root: Path, position: int = 0, **more: Any) -> RawEpisode:
    refs, _ = discovered(spec_for(root, **more))
    return rlds.read(refs[position], SourceFiles(str(root)))


def checks(findings: Any) -> list[str]:
    return sorted(finding.check for finding in findings)


def about(findings: Any, check: str) -> Finding:
    (found,) = [finding for finding in findings if finding.check == check]
    return found  # type: ignore[no-any-return]


def copied(real: Path, root: Path) -> Path:
    """A copy of bridge that may be bent; its training file."""
    shutil.copytree(real / written.BRIDGE, root, copy_function=shutil.copyfile)
    root.chmod(0o755)
    (root / "1.0.0").chmod(0o755)
    return root / "1.0.0/bridge_dataset-train.tfrecord-00000-of-00001"


# -- bridge ----------------------------------------------------------------------------------------------------


def test_the_val_split_of_bridge_holds_the_recordings_of_train_in_another_order(real: Path) -> None:
    refs, findings = discovered(spec_for(real / written.BRIDGE))
    assert len(refs) == 2 * N_EPISODES
    train, val = refs[:N_EPISODES], refs[N_EPISODES:]
    assert {ref.episode_id for ref in train} == {ref.episode_id for ref in val}
    assert [ref.episode_id for ref in train] != [ref.episode_id for ref in val]
    assert {ref.fingerprint for ref in train} == {ref.fingerprint for ref in val}, "nothing is read twice"
    assert checks(findings) == ["feature_not_read"]
    assert "discount, language_embedding, reward are no view" in findings[0].message
    only, _ = discovered(spec_for(real / written.BRIDGE, splits=["val"]))
    assert [ref.locator for ref in only] == [ref.locator for ref in val]


def test_image_3_of_bridge_is_black_and_the_has_image_flags_are_wrong(real: Path) -> None:
    for position in range(0, N_EPISODES, 6):
        raw = read(real / written.BRIDGE, position)
        assert [camera.name for camera in raw.cameras] == ["image_0", "image_1", "image_2"]
        assert "image_3 holds the same black picture in every step" in about(raw.findings, "view_black").message
        flags = about(raw.findings, "view_flag_disagrees")
        assert (flags.value, "has_image_0, has_image_1, has_image_2" in flags.message) == (3, True)


def test_a_black_view_that_the_recipe_names_is_kept_and_told(real: Path) -> None:
    raw = read(real / written.BRIDGE, cameras=["observation/image_3", "observation/image_0"])
    assert [camera.name for camera in raw.cameras] == ["image_3", "image_0"]
    assert "kept, because the recipe names it" in about(raw.findings, "view_black").message


def test_bridge_was_cut_to_ten_steps_so_that_no_step_is_the_last(real: Path) -> None:
    message = about(read(real / written.BRIDGE).findings, "episode_marks_odd").message
    assert "is_last is set nowhere, expected only at step 9" in message


def test_bridge_steps_are_frames_at_the_rate_the_recipe_states(real: Path) -> None:
    raw = read(real / written.BRIDGE, **MAPPED)
    assert raw.instruction == "put cup from counter or drying rack into sink"
    assert raw.rows_are_frames
    assert raw.actions is not None
    assert raw.actions.times_ns.tolist() == [step * STEP_NS for step in range(N_STEPS)]
    assert raw.actions.valid.all()
    spans = {span.track: span for span in raw.annotations}
    assert spans["language_instruction"].meaning is SpanMeaning.TASK
    assert spans["episode_metadata/file_path"].text.endswith("drying_rack_into_sink/val/out.npy")


def test_pictures_are_those_of_the_record(real: Path) -> None:
    root = real / written.BRIDGE
    refs, _ = discovered(spec_for(root))
    files = SourceFiles(str(root))
    raw = rlds.read(refs[2], files)
    found = list(rlds.pictures(refs[2], files, raw.cameras[1].video, ONE_THREAD))
    assert [(picture.pts_ns, picture.end_ns) for picture in found] == [
        (step * STEP_NS, (step + 1) * STEP_NS) for step in range(N_STEPS)
    ]
    message = written.Example.FromString(written.bridge_records(real)[2])
    jpegs = message.features.feature["steps/observation/image_1"].bytes_list.value
    for picture, jpeg in zip(found, jpegs, strict=True):
        expected = np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))
        assert np.array_equal(picture.frame.to_ndarray(format="rgb24"), expected)
    window = VideoWindow("record", 0, 2 * STEP_NS, 5 * STEP_NS, "observation/image_1")
    part = rlds.pictures(refs[2], files, window, ONE_THREAD)
    assert [picture.pts_ns // STEP_NS for picture in part] == [2, 3, 4]


def next_state_error(real: Path, frame: str) -> tuple[float, float]:
    """How far the target of a row is from the state of the next: metres and degrees, mean over all of bridge."""
    metres, degrees = [], []
    for position in range(N_EPISODES):
        mapped = {**MAPPED, "commands": {**DELTA, "frame": frame}}
        actions = read(real / written.BRIDGE, position, splits=["train"], **mapped).actions
        assert actions is not None
        (state,), (target,) = actions.state, actions.target
        metres.append(np.linalg.norm(np.asarray(target.position)[:-1] - np.asarray(state.position)[1:], axis=1))
        turns = (
            matrix_of(np.asarray(target.rotation))[:-1].transpose(0, 2, 1) @ matrix_of(np.asarray(state.rotation))[1:]
        )
        degrees.append(np.degrees(np.arccos(np.clip((np.trace(turns, axis1=1, axis2=2) - 1) / 2, -1, 1))))
    return float(np.mean(metres)), float(np.mean(degrees))


def test_bridge_deltas_are_steps_in_the_base_frame(real: Path) -> None:
    base, tool = next_state_error(real, "base"), next_state_error(real, "tool")
    assert base == pytest.approx((0.0045, 1.12), rel=0.02)
    assert tool == pytest.approx((0.0055, 1.41), rel=0.02), "the other frame predicts the next state worse"


def test_a_delta_command_is_an_absolute_target_and_the_track_says_what_it_was(real: Path) -> None:
    actions = read(real / written.BRIDGE, 4, **MAPPED).actions
    assert actions is not None
    assert actions.commands == CommandSemantics(CommandMode.DELTA, CommandSpace.END_EFFECTOR, "base")
    native = np.asarray(actions.joint_target).reshape(N_STEPS, -1)
    moved = np.asarray(actions.target[0].position) - np.asarray(actions.state[0].position)
    assert moved == pytest.approx(native[:, 7:10], abs=1e-6)
    assert "delta in the base frame, added to the state of its row" in actions.provenance
    assert np.isnan(native[:, :7]).all(), "no command of the state's name"
    assert np.isfinite(np.asarray(actions.joint_state).reshape(N_STEPS, -1)[:, :7]).all()


def test_a_bridge_gripper_on_its_way_counts_as_the_end_it_reaches(real: Path) -> None:
    actions = read(real / written.BRIDGE, 4, **MAPPED).actions
    assert actions is not None
    raw = np.asarray(actions.joint_target).reshape(N_STEPS, -1)[:, 13]
    assert raw[8] == pytest.approx(0.56, abs=0.01), "on its way"
    assert np.asarray(actions.target[0].opening).tolist() == [1.0] * 8 + [0.0, 0.0]


# -- identity --------------------------------------------------------------------------------------------------


def test_a_dataset_written_anew_with_other_shards_changes_nothing(tmp_path: Path, real: Path) -> None:
    records = written.bridge_records(real)[:4]
    features = written.bridge_features(real)
    written.write_files(tmp_path / "a", {"train": [records]}, features)
    written.write_files(tmp_path / "b", {"train": [records[2:], [], records[:2]]}, features, name="renamed")
    old, _ = discovered(spec_for(tmp_path / "a", embodiment="widowx"))
    new, findings = discovered(spec_for(tmp_path / "b", embodiment="widowx"))
    assert {(ref.episode_id, ref.fingerprint) for ref in old} == {(ref.episode_id, ref.fingerprint) for ref in new}
    assert [ref.locator for ref in new][:2] == ["renamed-train.tfrecord-00000-of-00003#0", new[1].locator]
    assert checks(findings) == ["feature_not_read"]


def test_appending_an_episode_or_moving_the_folder_changes_no_old_one(tmp_path: Path, real: Path) -> None:
    records, features = written.bridge_records(real)[:3], written.bridge_features(real)
    written.write_files(tmp_path / "a", {"train": [records[:2]]}, features)
    written.write_files(tmp_path / "b", {"train": [records]}, features)
    old, _ = discovered(spec_for(tmp_path / "a"))
    new, _ = discovered(spec_for(tmp_path / "b"))
    assert [ref.fingerprint for ref in new[:2]] == [ref.fingerprint for ref in old]
    assert new[0].root != old[0].root


def test_what_influences_reading_changes_the_fingerprint_and_not_the_id(real: Path) -> None:
    (at_5, *_), _ = discovered(spec_for(real / written.BRIDGE))
    (at_3, *_), _ = discovered(spec_for(real / written.BRIDGE, fps=3))
    assert at_5.episode_id == at_3.episode_id
    assert at_5.fingerprint != at_3.fingerprint


def test_records_are_hashed_once_and_only_their_headers_read_again(tmp_path: Path, real: Path) -> None:
    path = copied(real, tmp_path / "bridge")
    digests = MemoryDigests()
    before, _ = discovered(spec_for(tmp_path / "bridge"), digests)
    assert len(digests.known) == 2 * N_EPISODES
    assert all("#" in url for url, _, _ in digests.known)
    stat, data = path.stat(), bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    after, _ = discovered(spec_for(tmp_path / "bridge"), digests)
    assert [ref.episode_id for ref in after] == [ref.episode_id for ref in before]
    with pytest.raises(SourceError, match=r"the checksum of the record at byte 0 is wrong"):
        rlds.read(after[0], SourceFiles(str(tmp_path / "bridge")))


# -- damage ----------------------------------------------------------------------------------------------------


def test_a_flipped_bit_costs_one_record_and_names_it(tmp_path: Path, real: Path) -> None:
    path = copied(real, tmp_path / "bridge")
    data = bytearray(path.read_bytes())
    data[200_000] ^= 1
    path.write_bytes(data)
    refs, findings = discovered(spec_for(tmp_path / "bridge", splits=["train"]))
    assert len(refs) == N_EPISODES - 1
    finding = about(findings, "record_damaged")
    assert finding.verdict is Verdict.DROP
    assert "bridge_dataset-train.tfrecord-00000-of-00001: the checksum of the record at byte 1" in finding.message


def test_a_truncated_file_keeps_its_whole_records_and_is_named(tmp_path: Path, real: Path) -> None:
    path = copied(real, tmp_path / "bridge")
    path.write_bytes(path.read_bytes()[:-1000])
    refs, findings = discovered(spec_for(tmp_path / "bridge", splits=["train"]))
    assert len(refs) == N_EPISODES - 1
    message = about(findings, "record_damaged").message
    assert "tfrecord-00000-of-00001: the record at byte" in message
    assert "the file is truncated: fetch it again; what follows in the file is left out" in message


def test_a_truncated_record_is_an_error_that_names_it(tmp_path: Path, real: Path) -> None:
    path = copied(real, tmp_path / "bridge")
    refs, _ = discovered(spec_for(tmp_path / "bridge", splits=["train"]))
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(SourceError, match=r"tfrecord-00000-of-00001: the record at byte 0 takes .* is truncated"):
        rlds.read(refs[0], SourceFiles(str(tmp_path / "bridge")))


def test_missing_files_and_totals_that_disagree_are_told(tmp_path: Path, real: Path) -> None:
    records, features = written.bridge_records(real)[:3], written.bridge_features(real)
    shards = {"train": [records[:1], records[1:2]], "val": [records[2:]]}
    folder = written.write_files(tmp_path, shards, features)
    (folder / "made-train.tfrecord-00001-of-00002").unlink()
    (folder / "made-val.tfrecord-00000-of-00001").unlink()
    refs, findings = discovered(spec_for(tmp_path))
    assert len(refs) == 1
    told = [finding.message for finding in findings if finding.check != "feature_not_read"]
    assert told == [
        "made: split train has 1 of 2 files; complete the download",
        "made: dataset_info.json says 2 records for split train, the files have 1",
        "made: dataset_info.json lists the split val, of which no file is there",
    ]


def test_a_record_that_is_not_as_features_json_says_is_an_error(tmp_path: Path) -> None:
    steps = {"action": np.zeros((3, 7)), "is_first": np.array([True, False, False])}
    odd = written.record({**steps, "action": np.zeros((3, 6))})
    written.write_files(tmp_path, {"train": [[odd]]}, written.features_json(steps, {}))
    with pytest.raises(SourceError, match=r"steps/action holds 18 values, expected 7 for each of 3 steps"):
        read(tmp_path)


# -- folders ---------------------------------------------------------------------------------------------------


def test_the_path_may_be_the_datasets_or_the_versions_folder(real: Path) -> None:
    above, _ = discovered(spec_for(real / written.BRIDGE))
    inside, _ = discovered(spec_for(real / written.BRIDGE / "1.0.0"))
    assert [ref.fingerprint for ref in above] == [ref.fingerprint for ref in inside]


def test_several_versions_of_a_dataset_are_not_mixed(tmp_path: Path, real: Path) -> None:
    copied(real, tmp_path / "bridge")
    shutil.copytree(tmp_path / "bridge/1.0.0", tmp_path / "bridge/2.0.0")
    with pytest.raises(SourceError, match=r"several datasets below it, \['1\.0\.0', '2\.0\.0'\]; name one of them"):
        discovered(spec_for(tmp_path / "bridge"))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"splits": ["test"]}, r"no split 'test', found \['train', 'val'\]; correct `splits`"),
        (
            {"cameras": ["image_0"]},
            r"no picture feature 'image_0', found \['observation/image_0', .*; correct `cameras`",
        ),
    ],
)
def test_what_the_recipe_names_and_the_dataset_lacks_is_an_error(real: Path, more: Any, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        discovered(spec_for(real / written.BRIDGE, **more))


def test_a_folder_that_is_no_dataset_is_an_error(tmp_path: Path, real: Path) -> None:
    with pytest.raises(SourceError, match=r"no features\.json below it, expected a TFDS dataset folder"):
        discovered(spec_for(tmp_path))
    (folder := tmp_path / "x").mkdir()
    shutil.copyfile(real / written.BRIDGE / "1.0.0/features.json", folder / "features.json")
    (folder / "x-train.array_record-00000-of-00001").write_bytes(b"")
    with pytest.raises(SourceError, match=r"no file named .*, found \['array_record'\]; write the dataset as tfrecord"):
        discovered(spec_for(folder))


# -- other datasets of the collection ----------------------------------------------------------------------------


def flags(n_steps: int) -> dict[str, Any]:
    return {"is_first": np.arange(n_steps) == 0, "is_last": np.arange(n_steps) == n_steps - 1}


def test_rt1_closes_its_gripper_by_relative_commands(tmp_path: Path) -> None:
    closedness = np.array([0.0, 0.0, 1.0, 0.0, -1.0, 0.0], np.float32)[:, None]
    written.write(tmp_path, {"action/gripper_closedness_action": closedness, **flags(6)})
    opening = {"column": "action/gripper_closedness_action", "closed": 1.0, "open": -1.0, "signal": "relative"}
    actions = read(tmp_path, fps=3, target=[{"arm": "right", "opening": opening}]).actions
    assert actions is not None
    assert np.asarray(actions.target[0].opening).tolist() == [1, 1, 0, 0, 1, 1]


def test_a_relative_gripper_that_is_never_commanded_is_unknown_and_told(tmp_path: Path) -> None:
    written.write(tmp_path, {"action": np.zeros((4, 1), np.float32), **flags(4)})
    opening = {"column": "action", "closed": 1.0, "open": -1.0, "signal": "relative"}
    raw = read(tmp_path, target=[{"arm": "right", "opening": opening}])
    assert raw.actions is not None
    assert raw.actions.target[0].opening is None
    assert "whether it is open is unknown" in about(raw.findings, "gripper_never_commanded").message


def test_velocities_are_steps_of_one_period(tmp_path: Path) -> None:
    state = np.tile(np.array([[1.0, 2.0, 3.0, 0.0, 0.0, 0.0]], np.float32), (3, 1))
    velocity = np.tile(np.array([[0.5, 0.0, 0.0, 0.0, 0.0, np.pi]], np.float32), (3, 1))
    written.write(tmp_path, {"observation/state": state, "action": velocity, **flags(3)})
    arms = {
        key: [{k: v for k, v in arm.items() if k != "opening"}] for key, arm in (("state", STATE), ("target", TARGET))
    }
    actions = read(tmp_path, **arms, commands={**DELTA, "mode": "velocity"}).actions
    assert actions is not None
    assert np.asarray(actions.target[0].position)[0] == pytest.approx([1.1, 2.0, 3.0])
    assert np.asarray(actions.target[0].rotation)[0, 0] == pytest.approx(np.cos(np.pi / 5))


def test_the_same_joint_stands_in_one_column_and_embeddings_in_none(tmp_path: Path) -> None:
    joints = np.arange(21, dtype=np.float32).reshape(3, 7)
    steps = {
        "observation/joint_position": joints,
        "observation/natural_language_embedding": np.zeros((3, 8), np.float32),
        "observation/pointcloud": np.zeros((3, 100), np.float32),
        "action_dict/joint_position": joints + 1,
        **flags(3),
    }
    written.write(tmp_path, steps)
    refs, findings = discovered(spec_for(tmp_path))
    actions = rlds.read(refs[0], SourceFiles(str(tmp_path))).actions
    assert actions is not None
    assert actions.joint_names == tuple(f"joint_position.{i}/7" for i in range(7))
    state, target = (np.asarray(side).reshape(3, 7) for side in (actions.joint_state, actions.joint_target))
    assert (target - state == 1).all()
    assert "observation/natural_language_embedding, observation/pointcloud" in findings[0].message


def test_the_first_wording_that_says_something_is_the_instruction(tmp_path: Path) -> None:
    steps = {
        "language_instruction": ["", "", ""],
        "language_instruction_2": ["wipe", "wipe", "wipe"],
        "language_instruction_3": ["wipe it", "wipe it", "rinse"],
        **flags(3),
    }
    written.write(tmp_path, steps)
    raw = read(tmp_path)
    assert raw.instruction == "wipe"
    assert [(span.track, span.text, span.meaning) for span in raw.annotations] == [
        ("language_instruction_2", "wipe", SpanMeaning.TASK),
        ("language_instruction_3", "wipe it", SpanMeaning.SUBTASK),
        ("language_instruction_3", "rinse", SpanMeaning.SUBTASK),
    ]


def test_language_table_writes_its_instruction_as_code_points(tmp_path: Path) -> None:
    codes = np.zeros((2, 12), np.int32)
    codes[:, :6] = [ord(letter) for letter in "schieb"]
    codes[:, 6:8] = ord("ü"), 0x10FFFF + 5
    written.write(tmp_path, {"observation/instruction": codes, **flags(2)})
    assert read(tmp_path).instruction == "schiebü"


def test_an_episode_without_words_is_told(tmp_path: Path) -> None:
    written.write(tmp_path, {"language_instruction": ["", ""], **flags(2)})
    raw = read(tmp_path)
    assert raw.instruction == ""
    assert about(raw.findings, "task_text_empty")


def test_sirius_says_who_steered(tmp_path: Path) -> None:
    mode = np.array([-1, 0, 0, 1, 1, 0], np.float32)
    written.write(tmp_path, {"action_mode": mode, **flags(6)})
    spans = [(span.start_ns // STEP_NS, span.text, span.meaning) for span in read(tmp_path).annotations]
    assert spans == [
        (0, "demonstration", SpanMeaning.OTHER), (1, "policy", SpanMeaning.OTHER),
        (3, "intervention", SpanMeaning.INTERVENTION), (5, "policy", SpanMeaning.OTHER),
    ]  # fmt: skip


def test_flags_and_segments_of_an_intervention_become_spans(tmp_path: Path) -> None:
    steps = {
        "is_intervention": np.array([False, True, True]),
        "control_mode": ["policy", "human", "human"],
        **flags(3),
    }
    written.write(tmp_path, steps)
    spans = {(span.track, span.start_ns // STEP_NS, span.meaning) for span in read(tmp_path).annotations}
    assert spans == {
        ("is_intervention", 1, SpanMeaning.INTERVENTION),
        ("control_mode", 0, SpanMeaning.OTHER),
        ("control_mode", 1, SpanMeaning.INTERVENTION),
    }


@pytest.mark.parametrize(
    ("marks", "message"),
    [
        ({"is_first": [1, 0, 1, 0]}, r"is_first is set at 2 steps from 0 on, expected only at step 0"),
        ({"is_last": [0, 1, 0, 0]}, r"is_last is set at step 1, expected only at step 3"),
        ({"is_terminal": [1, 0, 0, 0]}, r"is_terminal is set at step 0, expected at step 3 if at all"),
    ],
)
def test_marks_of_several_episodes_in_one_record_are_told(tmp_path: Path, marks: dict[str, Any], message: str) -> None:
    steps = {**flags(4), "is_terminal": np.zeros(4, bool), **{key: np.array(v, bool) for key, v in marks.items()}}
    written.write(tmp_path, steps)
    assert message in about(read(tmp_path).findings, "episode_marks_odd").message


def test_the_marks_of_one_whole_episode_are_not_told(tmp_path: Path) -> None:
    written.write(tmp_path, {**flags(4), "is_terminal": np.array([False, False, False, True])})
    assert checks(read(tmp_path).findings) == ["task_text_empty"]


def png(level: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((8, 8), level, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def test_grey_pictures_are_a_view_and_depth_is_none(tmp_path: Path) -> None:
    written.write(tmp_path, {"observation/grey": [png(90)] * 2, "observation/depth": [png(90)] * 2, **flags(2)})
    assert [camera.name for camera in read(tmp_path).cameras] == ["grey"]


def test_a_view_that_is_black_for_a_while_or_still_and_lit_fills_no_place(tmp_path: Path) -> None:
    views = {"dawn": [png(0), png(0), png(90)], "still": [png(90)] * 3, "lid": [png(0)] * 3}
    written.write(tmp_path, {f"observation/{name}": files for name, files in views.items()} | flags(3))
    raw = read(tmp_path)
    assert [camera.name for camera in raw.cameras] == ["dawn", "still"]
    assert about(raw.findings, "view_black").message.count("lid") == 1


def test_right_flags_of_views_are_not_told(tmp_path: Path) -> None:
    steps = {"observation/a": [png(90)] * 2, "observation/b": [png(0)] * 2, **flags(2)}
    written.write(tmp_path, steps, {"has_a": True, "has_b": False})
    assert checks(read(tmp_path).findings) == ["task_text_empty", "view_black"]


# -- recipes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"fps": None}, r"fps"),
        ({"target": [TARGET]}, r"commands: missing, and `target` names a position; most RLDS actions are steps"),
        ({**MAPPED, "state": []}, r"a delta needs the measured position it starts from; name it in `state`"),
        ({**MAPPED, "cameras": ["a", "a"]}, r"cameras: found 'a' twice"),
    ],
)
def test_a_recipe_that_contradicts_itself_names_the_key(tmp_path: Path, more: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        spec_for(tmp_path, **more)


def test_poses_may_be_relative_to_something_else(tmp_path: Path) -> None:
    written.write(tmp_path, {"action": np.zeros((2, 1), np.float32), **flags(2)})
    actions = read(tmp_path, frame="world").actions
    assert actions is not None
    assert (actions.frame, actions.commands) == ("world", None)
