"""AgiBot World: two arms, eight views, skill spans, and what a partial download leaves of them."""

import hashlib
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from pydantic import ValidationError
from scipy.spatial.transform import Rotation

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.ingest import ingest
from pipeline.sources.agibot import agibot
from pipeline.sources.raw import RawCamera, RawEpisode
from pipeline.video import ONE_THREAD, Picture
from schemas.episode import ActionTrack, Arm, CameraRole, CommandSpace, Episode, SpanMeaning
from schemas.finding import Finding, Verdict
from schemas.pose import matrix_of
from schemas.recipe import IngestSpec
from schemas.recipe_formats.agibot import AgiBotSource
from schemas.source import EpisodeRef
from tests.pipeline.sources.written.agibot import (
    EPISODE,
    OTHER_RUN,
    TASK,
    VIEWS,
    Recording,
    entry,
    recording,
    write,
    write_episode,
    write_task,
)


@pytest.fixture(scope="module")
def rec(real: Path) -> Recording:
    return recording(real)


def spec_for(root: Path, **more: Any) -> AgiBotSource:
    stated = {"format": "agibot", "name": "agibot", "path": str(root), "card": {"licence": "CC-BY-NC-SA-4.0"}, **more}
    return AgiBotSource.model_validate(stated)


def discovered(root: Path, **more: Any) -> tuple[list[EpisodeRef], list[Finding]]:
    found = list(agibot.discover(spec_for(root, **more), SourceFiles(str(root)), MemoryDigests()))
    return [x for x in found if isinstance(x, EpisodeRef)], [x for x in found if isinstance(x, Finding)]


def only(root: Path, **more: Any) -> tuple[EpisodeRef, RawEpisode]:
    (ref,), _ = discovered(root, **more)
    return ref, agibot.read(ref, SourceFiles(str(root)))


def written(root: Path, rec: Recording, **more: Any) -> RawEpisode:
    write(root, rec, **more)
    return only(root)[1]


def track_of(raw: RawEpisode) -> ActionTrack:
    assert raw.actions is not None
    return raw.actions


def checks(raw: RawEpisode) -> list[str]:
    return [finding.check for finding in raw.findings]


def pictures_of(ref: EpisodeRef, camera: RawCamera) -> list[Picture]:
    return list(agibot.pictures(ref, SourceFiles(ref.root), camera.video, ONE_THREAD))


# -- rows --------------------------------------------------------------------------------------------------------------


def test_both_arms_come_back_measured_and_commanded(tmp_path: Path, rec: Recording) -> None:
    raw = written(tmp_path, rec)
    track = track_of(raw)
    for side, arms in (("state", track.state), ("action", track.target)):
        assert [arm.arm for arm in arms] == [Arm.LEFT, Arm.RIGHT]
        for i, arm in enumerate(arms):
            assert arm.position is not None
            assert arm.rotation is not None
            np.testing.assert_allclose(arm.position, rec[f"{side}/end/position"][:, i], atol=1e-6)
            wanted = Rotation.from_quat(rec[f"{side}/end/orientation"][:, i])
            assert (Rotation.from_matrix(matrix_of(arm.rotation)) * wanted.inv()).magnitude().max() < 1e-5
    assert track.frame == "base"
    assert track.commands is not None
    assert track.commands.space is CommandSpace.END_EFFECTOR
    assert checks(raw) == []


def test_a_gripper_is_measured_in_millimetres_and_commanded_to_close(tmp_path: Path, rec: Recording) -> None:
    track = track_of(written(tmp_path, rec))
    for i in range(2):
        measured, commanded = track.state[i].opening, track.target[i].opening
        assert measured is not None
        assert commanded is not None
        np.testing.assert_allclose(measured, rec["state/effector/position"][:, i] / 120.0, atol=1e-6)
        np.testing.assert_allclose(commanded, 1 - rec["action/effector/position"][:, i], atol=1e-6)


def test_the_recipe_states_the_range_of_the_gripper(tmp_path: Path, rec: Recording) -> None:
    write(tmp_path, rec)
    opening = track_of(only(tmp_path, gripper_closed_mm=120, gripper_open_mm=20)[1]).state[1].opening
    assert opening is not None
    np.testing.assert_allclose(opening, (120 - rec["state/effector/position"][:, 1]) / 100, atol=1e-5)
    with pytest.raises(ValidationError, match="the same as gripper_closed_mm"):
        spec_for(tmp_path, gripper_closed_mm=120.0)


def test_a_gripper_that_grows_when_told_to_close_is_told(tmp_path: Path, rec: Recording) -> None:
    raw = written(tmp_path, rec.with_(state__effector__position=120 - rec["state/effector/position"]))
    assert "gripper_polarity_contradicts" in checks(raw)
    swapped = {"gripper_closed_mm": 120.0, "gripper_open_mm": 0.0}
    assert "gripper_polarity_contradicts" not in checks(only(tmp_path, **swapped)[1])


def test_the_recipe_states_the_polarity_of_the_command(tmp_path: Path, rec: Recording) -> None:
    raw = written(tmp_path, rec.with_(action__effector__position=1 - rec["action/effector/position"]))
    assert "gripper_polarity_contradicts" in checks(raw)
    turned = only(tmp_path, gripper_command_closed=0.0, gripper_command_open=1.0)[1]
    assert "gripper_polarity_contradicts" not in checks(turned)
    opening = track_of(turned).target[0].opening
    assert opening is not None
    np.testing.assert_allclose(opening, 1 - rec["action/effector/position"][:, 0], atol=1e-6)


def test_hands_of_six_joints_are_fingers(tmp_path: Path, rec: Recording) -> None:
    fingers = np.repeat(rec["state/effector/position"], 6, axis=1) / 100
    raw = written(tmp_path, rec.with_(state__effector__position=fingers, action__effector__position=fingers))
    for i, arm in enumerate(track_of(raw).state):
        assert (arm.n_fingers, arm.opening) == (6, None)
        assert arm.fingers is not None
        np.testing.assert_allclose(arm.fingers.reshape(-1, 6), fingers[:, 6 * i : 6 * i + 6], atol=1e-6)


def test_joints_are_kept_natively(tmp_path: Path, rec: Recording) -> None:
    track = track_of(written(tmp_path, rec))
    assert track.joint_state is not None
    assert track.joint_target is not None
    assert track.joint_names[:14] == tuple(f"{side}_joint_{i}" for side in ("left", "right") for i in range(7))
    state, target = (values.reshape(track.n_rows, -1) for values in (track.joint_state, track.joint_target))
    np.testing.assert_allclose(state[:, :14], rec["state/joint/position"], atol=1e-6)
    np.testing.assert_allclose(target[:, :14], rec["action/joint/position"], atol=1e-6)
    waist = track.joint_names.index("waist_lift")
    assert state[0, waist] == np.float32(0.3)


def test_a_pose_that_was_never_commanded_is_no_target(tmp_path: Path, rec: Recording) -> None:
    nothing = {
        "action__end__position": np.zeros_like(rec["action/end/position"]),
        "action__end__orientation": np.zeros_like(rec["action/end/orientation"]),
    }
    raw = written(tmp_path, rec.with_(**nothing))
    track = track_of(raw)
    assert "command_pose_empty" in checks(raw)
    assert [arm.position for arm in track.target] == [None, None]
    assert track.target[0].opening is not None
    assert track.commands is not None
    assert track.commands.space is CommandSpace.JOINT
    assert track.valid.all()


def test_empty_datasets_are_as_good_as_none(tmp_path: Path, rec: Recording) -> None:
    empty = {f"action__{key}": np.zeros(0) for key in ("end__position", "end__orientation", "effector__position")}
    track = track_of(written(tmp_path, rec.with_(**empty)))
    assert track.target == ()
    assert track.joint_target is not None


def test_commands_sent_in_some_rows_are_told(tmp_path: Path, rec: Recording) -> None:
    raw = written(tmp_path, rec.with_(action__end__index=np.arange(0, 30, 2)))
    (finding,) = (f for f in raw.findings if f.check == "commands_not_in_every_row")
    assert finding.value == 0.5


@pytest.mark.parametrize("compact", [False, True])
def test_a_command_holds_until_the_next_one_is_sent(tmp_path: Path, rec: Recording, compact: bool) -> None:
    """Datasets have a value for every row, of which those that were not sent mean nothing, or for those sent only."""
    sent = np.arange(3, 30, 4)
    changed: dict[str, Any] = {}
    for part, names in {"end": ("position", "orientation"), "effector": ("position",), "joint": ("position",)}.items():
        changed[f"action__{part}__index"] = sent
        for name in names:
            values = np.zeros_like(rec[f"action/{part}/{name}"])
            values[sent] = rec[f"action/{part}/{name}"][sent]
            changed[f"action__{part}__{name}"] = values[sent] if compact else values
    raw = written(tmp_path, rec.with_(**changed))
    track = track_of(raw)
    latest = np.array([row - (row - 3) % 4 for row in range(3, 30)])
    assert np.flatnonzero(~track.valid).tolist() == [0, 1, 2]
    for i, arm in enumerate(track.target):
        assert arm.position is not None
        assert arm.opening is not None
        np.testing.assert_allclose(arm.position[3:], rec["action/end/position"][latest, i], atol=1e-6)
        np.testing.assert_allclose(arm.opening[3:], 1 - rec["action/effector/position"][latest, i], atol=1e-6)
        assert np.isnan(arm.position[:3]).all()
    assert track.joint_target is not None
    native = track.joint_target.reshape(30, -1)[3:, :14]
    np.testing.assert_allclose(native, rec["action/joint/position"][latest], atol=1e-6)
    told = [finding for finding in raw.findings if finding.check == "commands_not_in_every_row"]
    assert len(told) == 3
    assert "in 3 rows before the first there is none" in told[0].message


@pytest.mark.parametrize("index", [np.array([5, 4]), np.array([2, 31]), np.zeros((3, 2), np.int64), np.array([0.5])])
def test_an_index_that_is_no_list_of_rows_is_told(tmp_path: Path, rec: Recording, index: Any) -> None:
    raw = written(tmp_path, rec.with_(action__end__index=index))
    assert checks(raw) == ["command_index_unusable"]
    position = track_of(raw).target[0].position
    assert position is not None
    np.testing.assert_allclose(position, rec["action/end/position"][:, 0], atol=1e-6)


# -- clocks ------------------------------------------------------------------------------------------------------------


def test_frame_i_of_every_view_is_row_i_at_its_own_time(tmp_path: Path, rec: Recording) -> None:
    raw = written(tmp_path, rec)
    ref, _ = only(tmp_path)
    truth_ns = (rec["timestamp"] - rec["timestamp"][0]).tolist()
    assert track_of(raw).times_ns.tolist() == truth_ns
    for camera in raw.cameras:
        assert [picture.pts_ns for picture in pictures_of(ref, camera)] == truth_ns
    records = list(ingest(ref, SourceFiles(ref.root), IngestSpec()))
    (episode,) = (record for record in records if isinstance(record, Episode))
    (track,) = (record for record in records if isinstance(record, ActionTrack))
    assert np.array_equal(track.times_ns, episode.master.times_ns)
    assert episode.annotations == raw.annotations
    assert not [record for record in records if isinstance(record, Finding)]


def test_pictures_are_those_of_the_files(tmp_path: Path, rec: Recording) -> None:
    raw = written(tmp_path, rec)
    ref, _ = only(tmp_path)
    for camera in raw.cameras:
        path = tmp_path / f"observations/{TASK}/{EPISODE}/videos/{camera.name}.mp4"
        with av.open(str(path)) as video:
            wanted = [hashlib.sha256(f.to_ndarray(format="rgb24")).hexdigest() for f in video.decode(video=0)]
        seen = [p.frame.to_ndarray(format="rgb24") for p in pictures_of(ref, camera)]
        assert [hashlib.sha256(picture).hexdigest() for picture in seen] == wanted


@pytest.mark.parametrize(("unit", "dtype"), [(1_000_000, np.int64), (1_000_000_000, np.float64)])
def test_stamps_in_another_unit_are_recognised_and_told(tmp_path: Path, rec: Recording, unit: int, dtype: type) -> None:
    stamps = (rec["timestamp"] / unit).astype(dtype)
    raw = written(tmp_path, rec.with_(timestamp=stamps))
    assert checks(raw) == ["timestamp_unit"]
    assert np.diff(track_of(raw).times_ns).max() == pytest.approx(40_100_000, abs=1_000_000)


@pytest.mark.parametrize("stamps", [np.zeros(30, np.int64), np.arange(20) * 33_333_333, np.full(30, np.nan)])
def test_stamps_that_mean_nothing_leave_rows_to_frames(tmp_path: Path, rec: Recording, stamps: Any) -> None:
    raw = written(tmp_path, rec.with_(timestamp=stamps))
    assert checks(raw) == ["timestamps_unusable"]
    assert raw.rows_are_frames
    assert track_of(raw).times_ns[3] == 100_000_000
    assert {camera.expected_fps for camera in raw.cameras} == {30.0}


def test_a_view_with_another_number_of_frames_keeps_its_own_clock(tmp_path: Path, rec: Recording) -> None:
    write(tmp_path, rec)
    short = Recording(rec.datasets, rec.pictures[:20])
    write_episode(tmp_path, short, 1)
    (tmp_path / f"observations/{TASK}/1/videos/hand_left_color.mp4").rename(
        tmp_path / f"observations/{TASK}/{EPISODE}/videos/hand_left_color.mp4"
    )
    _, raw = only(tmp_path)
    (finding,) = raw.findings
    assert finding.check == "frame_times_unusable"
    assert "view hand_left_color: there are 30 stamps for 20 frames" in finding.message


# -- spans, language, cameras ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["lable_info", "label_info"])
def test_actions_and_recoveries_are_spans_however_the_key_is_spelt(tmp_path: Path, rec: Recording, key: str) -> None:
    raw = written(tmp_path, rec, key=key)
    times_ns = track_of(raw).times_ns
    found = {(span.track, span.text): span for span in raw.annotations}
    pick = found["action_config", "Pick up the can from the table."]
    place = found["action_config", "Place the can into the bin."]
    recovery = found["key_frame", "Failure recovery"]
    assert (pick.start_ns, pick.end_ns, pick.meaning) == (0, times_ns[12], SpanMeaning.SUBTASK)
    assert place.start_ns == pick.end_ns
    assert place.end_ns > times_ns[-1]
    assert (recovery.start_ns, recovery.end_ns, recovery.meaning) == (times_ns[6], times_ns[15], SpanMeaning.RECOVERY)
    assert found["skill", "Pick"].meaning is SpanMeaning.ACTION


def test_the_task_is_the_instruction_and_the_scene_stands_beside_it(tmp_path: Path, rec: Recording) -> None:
    raw = written(tmp_path, rec)
    assert raw.instruction == "Sort the cans"
    assert [span.text for span in raw.annotations if span.track == "init_scene_text"] == [
        "A robot stands at a table with a can and four bins."
    ]


def test_annotations_outside_the_episode_are_counted_and_left_out(tmp_path: Path, rec: Recording) -> None:
    spans = [
        {"start_frame": 0, "end_frame": 31, "action_text": "one frame too long", "skill": ""},
        {"start_frame": 5, "end_frame": 5, "action_text": "empty", "skill": "Pick"},
        {"start_frame": 28, "end_frame": 90, "action_text": "too long", "skill": "Pick"},
        {"start_frame": "x", "end_frame": None, "action_text": "no numbers", "skill": "Pick"},
    ]
    raw = written(tmp_path, rec, lable_info={"action_config": spans, "key_frame": "none"})
    assert [span.text for span in raw.annotations if span.track == "action_config"] == ["one frame too long"]
    assert [(f.check, f.value) for f in raw.findings] == [("annotation_outside", 3)]


def test_the_head_is_the_master_view_and_hands_are_wrists(tmp_path: Path, rec: Recording) -> None:
    raw = written(tmp_path, rec)
    assert [(camera.name, camera.role) for camera in raw.cameras] == [
        ("head_color", CameraRole.EGO),
        ("hand_left_color", CameraRole.WRIST_LEFT),
        ("hand_right_color", CameraRole.WRIST_RIGHT),
    ]
    _, other = only(tmp_path, cameras=["hand_right_color"], camera_roles={"hand_right_color": "ego"})
    assert [(camera.name, camera.role) for camera in other.cameras] == [("hand_right_color", CameraRole.EGO)]


def test_a_missing_view_is_told(tmp_path: Path, rec: Recording) -> None:
    write_task(tmp_path, [entry()])
    write_episode(tmp_path, rec, views=VIEWS[1:])
    assert checks(only(tmp_path)[1]) == ["camera_missing"]


def test_an_unreadable_view_costs_itself_and_the_master_view_the_episode(tmp_path: Path, rec: Recording) -> None:
    write(tmp_path, rec)
    videos = tmp_path / f"observations/{TASK}/{EPISODE}/videos"
    (videos / "hand_left_color.mp4").write_bytes(b"no video")
    raw = only(tmp_path)[1]
    assert checks(raw) == ["view_unreadable"]
    assert [camera.name for camera in raw.cameras] == ["head_color", "hand_right_color"]
    (videos / "head_color.mp4").write_bytes(b"no video")
    with pytest.raises(SourceError, match=r"head_color\.mp4"):
        only(tmp_path)


# -- listing -----------------------------------------------------------------------------------------------------------


def test_what_is_listed_and_not_downloaded_is_counted(tmp_path: Path, rec: Recording) -> None:
    write_task(tmp_path, [entry(1), entry(EPISODE), entry(3)])
    write_episode(tmp_path, rec)
    refs, (finding,) = discovered(tmp_path)
    assert [ref.locator for ref in refs] == [f"task_id={TASK}, episode_id={EPISODE}"]
    assert (finding.check, finding.value, finding.verdict) == ("listed_episode_missing", 2.0, Verdict.DROP)


def test_an_episode_without_its_table_has_pictures_and_spans(tmp_path: Path, rec: Recording) -> None:
    write(tmp_path, rec)
    (tmp_path / f"proprio_stats/{TASK}/{EPISODE}/proprio_stats.h5").unlink()
    _, findings = discovered(tmp_path)
    assert [finding.check for finding in findings] == ["table_missing"]
    ref, raw = only(tmp_path)
    assert raw.actions is None
    assert len(pictures_of(ref, raw.cameras[0])) == 30
    assert [span.end_ns for span in raw.annotations if span.text == "Pick"] == [400_000_000]


def test_tasks_are_in_numeric_order(tmp_path: Path, rec: Recording) -> None:
    for task in (1000, 352, 327):
        write_task(tmp_path, [entry(task=task)], task)
        write_episode(tmp_path, rec, task=task)
    refs, _ = discovered(tmp_path)
    assert [ref.locator.split(",")[0] for ref in refs] == ["task_id=327", "task_id=352", "task_id=1000"]


def test_ids_that_would_leave_the_folder_are_no_ids(tmp_path: Path, rec: Recording) -> None:
    write(tmp_path, rec)
    write_task(tmp_path, [entry(), entry("../../../etc")], TASK)  # type: ignore[arg-type]
    refs, findings = discovered(tmp_path)
    assert len(refs) == 1
    assert [(finding.check, finding.verdict) for finding in findings] == [("task_info_unreadable", Verdict.DROP)]
    assert "has no episode_id" in findings[0].message


def test_a_damaged_task_file_costs_no_other_task(tmp_path: Path, rec: Recording) -> None:
    write(tmp_path, rec)
    write_task(tmp_path, [entry(task=1)], 1)
    path = tmp_path / "task_info/task_1.json"
    path.write_text(path.read_text()[:-40])
    refs, findings = discovered(tmp_path)
    assert [ref.locator for ref in refs] == [f"task_id={TASK}, episode_id={EPISODE}"]
    assert [finding.check for finding in findings] == ["task_info_unreadable"]


def test_appending_an_episode_changes_no_old_fingerprint(tmp_path: Path, rec: Recording, real: Path) -> None:
    write(tmp_path, rec)
    (before,), _ = discovered(tmp_path)
    write_task(tmp_path, [entry(1), entry()])
    write_episode(tmp_path, recording(real, OTHER_RUN), 1)
    after, _ = discovered(tmp_path)
    assert after[1].fingerprint == before.fingerprint


def test_moving_the_folder_changes_no_id(tmp_path: Path, rec: Recording) -> None:
    write(tmp_path / "here", rec)
    (before,), _ = discovered(tmp_path / "here")
    (tmp_path / "here").rename(tmp_path / "there")
    (after,), _ = discovered(tmp_path / "there")
    assert (after.episode_id, after.fingerprint) == (before.episode_id, before.fingerprint)


def test_a_truncated_table_is_an_error_that_names_it(tmp_path: Path, rec: Recording) -> None:
    write(tmp_path, rec)
    path = tmp_path / f"proprio_stats/{TASK}/{EPISODE}/proprio_stats.h5"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(SourceError, match=r"proprio_stats\.h5"):
        only(tmp_path)


def test_columns_of_different_lengths_are_an_error(tmp_path: Path, rec: Recording) -> None:
    with pytest.raises(SourceError, match=r"/state/end/position has 20 rows, others 30"):
        written(tmp_path, rec.with_(state__end__position=rec["state/end/position"][:20]))


def test_a_folder_without_tasks_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no task_<number>\.json"):
        discovered(tmp_path)
