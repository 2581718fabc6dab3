"""Recordings of one's own recorder: what was recorded is what is read."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.ingest import ingest
from pipeline.recorder import EpisodeRecorder
from pipeline.sources.formats import discover, read
from schemas.episode import ActionTrack, CameraRole, Episode, SpanMeaning
from schemas.finding import Finding, Verdict
from schemas.recipe import IngestSpec
from schemas.recipe_formats.self_collected import SelfCollectedSource
from schemas.recording import Actor, Annotation, FailureMode, RecoveryNote
from schemas.source import EpisodeRef
from schemas.source_card import SourceCard
from tests.pipeline.sources.written.self_collected import LATE_NS, PERIOD_NS, STARTS_NS, recording, write


def spec_for(root: Path) -> SelfCollectedSource:
    return SelfCollectedSource(format="self_collected", name="own", path=str(root), card=SourceCard(licence="CC0-1.0"))


def discovered(root: Path) -> tuple[list[EpisodeRef], list[Finding]]:
    found = list(discover(spec_for(root), SourceFiles(str(root)), MemoryDigests()))
    return [r for r in found if isinstance(r, EpisodeRef)], [f for f in found if isinstance(f, Finding)]


def test_what_was_recorded_is_what_is_read(tmp_path: Path, real: Path) -> None:
    numbers = write(tmp_path / "can" / "0001", real)
    (ref,), findings = discovered(tmp_path)
    raw = read(ref, SourceFiles(str(tmp_path)))
    assert findings == []
    assert (ref.embodiment, raw.instruction) == ("panda", "pick up the can and place it in the bin")
    assert raw.actions is not None
    (arm,) = raw.actions.state
    assert arm.position is not None
    assert arm.opening is not None
    np.testing.assert_array_equal(arm.position, numbers["eef_pos"].astype(np.float32))
    np.testing.assert_allclose(arm.opening, numbers["gripper_qpos"][:, 0] / 0.04, rtol=1e-6)
    np.testing.assert_array_equal(raw.actions.times_ns, np.arange(40) * PERIOD_NS + 7)
    assert raw.actions.joint_state is not None
    joints = numbers["joint_pos"].astype(np.float32)
    np.testing.assert_array_equal(raw.actions.joint_state.reshape(40, 7), joints)


def test_every_view_keeps_its_own_clock(tmp_path: Path, real: Path) -> None:
    """The wrist camera starts later; both stand on the recorder's clock, whose origin is the first front picture."""
    write(tmp_path / "0001", real)
    (ref,), _ = discovered(tmp_path)
    records = list(ingest(ref, SourceFiles(str(tmp_path)), IngestSpec()))
    episode = next(record for record in records if isinstance(record, Episode))
    front, wrist = episode.cameras
    np.testing.assert_array_equal(front.times_ns, np.arange(40) * PERIOD_NS)
    np.testing.assert_array_equal(wrist.times_ns, np.arange(40) * PERIOD_NS + LATE_NS)
    assert (front.role, wrist.role) == (CameraRole.THIRD_PERSON, CameraRole.WRIST_RIGHT)
    track = next(record for record in records if isinstance(record, ActionTrack))
    assert track.times_ns[0] == 7


def test_who_steers_and_what_is_done_become_spans(tmp_path: Path, real: Path) -> None:
    write(tmp_path / "0001", real)
    (ref,), _ = discovered(tmp_path)
    spans = read(ref, SourceFiles(str(tmp_path))).annotations
    (taken_over,) = (span for span in spans if span.meaning is SpanMeaning.INTERVENTION)
    assert (taken_over.text, taken_over.start_ns) == ("human", 10 * PERIOD_NS + 7)
    assert [span.text for span in spans if span.track == "phase"] == ["reach", "grasp"]


def test_a_recovery_says_what_went_wrong_and_when(tmp_path: Path, real: Path) -> None:
    folder = tmp_path / "0001"
    write(folder, real)
    note = RecoveryNote(
        failure_mode=FailureMode.SLIP,
        t_failure_onset_ns=STARTS_NS + 100,
        t_recovery_start_ns=STARTS_NS + 400,
        t_recovery_end_ns=STARTS_NS + 900,
        actor=Actor.HUMAN,
        outcome="success",
    )
    (folder / "recovery.json").write_text(note.model_dump_json(), encoding="utf-8")
    (ref,), _ = discovered(tmp_path)
    spans = {span.meaning: span for span in read(ref, SourceFiles(str(tmp_path))).annotations}
    error, recovery = spans[SpanMeaning.ERROR], spans[SpanMeaning.RECOVERY]
    assert (error.start_ns, error.end_ns, error.text) == (100, 400, "slip")
    assert (recovery.start_ns, recovery.end_ns, recovery.text) == (400, 900, "human recovers from slip: success")


def test_annotations_are_on_the_recorders_clock(tmp_path: Path, real: Path) -> None:
    folder = tmp_path / "0001"
    write(folder, real)
    note = Annotation(track="mine", start_ns=STARTS_NS, end_ns=STARTS_NS + 5, text="x", meaning=SpanMeaning.ACTION)
    (folder / "annotations.jsonl").write_text(note.model_dump_json() + "\n", encoding="utf-8")
    (ref,), _ = discovered(tmp_path)
    (span,) = (s for s in read(ref, SourceFiles(str(tmp_path))).annotations if s.track == "mine")
    assert (span.start_ns, span.end_ns, span.meaning) == (0, 5, SpanMeaning.ACTION)


def test_a_recorder_that_died_leaves_nothing_that_is_used(tmp_path: Path, real: Path) -> None:
    write(tmp_path / "0001", real)
    recorder = EpisodeRecorder(tmp_path / "0002", recording()).__enter__()
    recorder.picture("front", np.zeros((16, 16, 3), np.uint8), 5)
    refs, findings = discovered(tmp_path)
    assert [ref.locator for ref in refs] == ["0001"]
    assert [(f.check, f.verdict) for f in findings] == [("recording_unfinished", Verdict.DROP)]


def test_a_corrected_instruction_is_the_same_recording_read_again(tmp_path: Path, real: Path) -> None:
    folder = tmp_path / "0001"
    write(folder, real)
    (before,), _ = discovered(tmp_path)
    said = json.loads((folder / "recording.json").read_text(encoding="utf-8"))
    (folder / "recording.json").write_text(json.dumps({**said, "instruction": "lift the can"}), encoding="utf-8")
    (after,), _ = discovered(tmp_path)
    assert after.episode_id == before.episode_id
    assert after.fingerprint != before.fingerprint


def test_a_renamed_folder_is_the_same_recording(tmp_path: Path, real: Path) -> None:
    write(tmp_path / "0001", real)
    (before,), _ = discovered(tmp_path)
    (tmp_path / "0001").rename(tmp_path / "0007")
    (after,), _ = discovered(tmp_path)
    assert after.fingerprint == before.fingerprint


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"joinery_recording": 2}, "joinery_recording: input should be 1"),
        ({"cameras": []}, "cameras: list should have at least 1 item"),
        ({"cameras": [{"name": "a", "file": "../../etc/passwd", "role": "ego"}]}, "expected the name of a file in"),
        ({"colour": "red"}, "colour: extra inputs are not permitted"),
    ],
)
def test_a_wrong_recording_costs_only_itself(tmp_path: Path, real: Path, change: dict[str, object], said: str) -> None:
    write(tmp_path / "0001", real)
    write(tmp_path / "0002", real)
    path = tmp_path / "0002" / "recording.json"
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **change}), encoding="utf-8")
    refs, (finding,) = discovered(tmp_path)
    assert [ref.locator for ref in refs] == ["0001"]
    assert said in finding.message.lower() or said in finding.message
    assert "0002/recording.json" in finding.message


def test_more_pictures_than_times_are_refused(tmp_path: Path, real: Path) -> None:
    """Which picture belongs to which time would be a guess."""
    folder = tmp_path / "0001"
    write(folder, real)
    lines = (folder / "frames.csv").read_text(encoding="utf-8").splitlines()
    del lines[10]
    (folder / "frames.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (ref,), _ = discovered(tmp_path)
    with pytest.raises(SourceError, match="more than the 39 frames"):
        list(ingest(ref, SourceFiles(str(tmp_path)), IngestSpec()))


def test_an_empty_source_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no recording\.json below it"):
        discovered(tmp_path)


def test_two_columns_of_one_name_are_an_error(tmp_path: Path, real: Path) -> None:
    write(tmp_path / "0001", real, n_frames=8)
    path = tmp_path / "0001/rows.parquet"
    table = pq.read_table(path)
    pq.write_table(table.append_column("gripper", table.column("gripper")), path)
    (ref,), _ = discovered(tmp_path)
    with pytest.raises(SourceError, match=r"rows\.parquet: has two columns of one name"):
        read(ref, SourceFiles(str(tmp_path)))
