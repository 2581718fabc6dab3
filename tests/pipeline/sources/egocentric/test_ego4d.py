"""Ego4D: every annotated video is listed, spans lie on the pictures' clock, and one more video changes no other."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.sources.egocentric.ego4d_annotations import Sort, sort_of
from pipeline.sources.formats import discover, pictures, read
from pipeline.sources.raw import RawEpisode
from schemas.arrow import to_table
from schemas.episode import CameraRole, Protocol, SourceSpan, SpanMeaning
from schemas.finding import Finding
from schemas.recipe_formats.ego4d import Ego4DSource
from schemas.source import EpisodeRef
from schemas.time import NS_PER_S
from tests.pipeline.sources.written.ego4d import (
    CLIP,
    OTHER,
    UID,
    clip_of,
    metadata_of,
    narrated_action,
    narration,
    write_ego4d,
)
from tests.pipeline.sources.written.egodex import SHORT, hashes_of

GOAL_STEP = "egocentric/ego4d_goalstep_annotations"
FRAME_NS = NS_PER_S / 30


def spec_for(root: Path, **more: Any) -> Ego4DSource:
    stated = {"format": "ego4d", "name": "ego4d", "path": str(root), "card": {"licence": "Ego4D"}, **more}
    return Ego4DSource.model_validate(stated)


def discovered(root: Path, **more: Any) -> tuple[list[EpisodeRef], list[Finding]]:
    found = list(discover(spec_for(root, **more), SourceFiles(str(root)), MemoryDigests()))
    return [x for x in found if isinstance(x, EpisodeRef)], [x for x in found if isinstance(x, Finding)]


def episode(ref: EpisodeRef) -> RawEpisode:
    return read(ref, SourceFiles(ref.root))


def spans(raw: RawEpisode, track: str) -> list[SourceSpan]:
    return [span for span in raw.annotations if span.track == track]


def checks(findings: Any) -> list[str]:
    return [finding.check for finding in findings]


# -- real Goal-Step annotations, without videos ------------------------------------------------------------------


def test_all_of_goal_step_is_there(real: Path) -> None:
    """134 videos, 3,349 steps, 4,347 substeps: the numbers its publishers give."""
    refs, findings = discovered(real / GOAL_STEP)
    assert [ref.locator for ref in refs] == sorted(ref.locator for ref in refs)
    assert len({ref.episode_id for ref in refs}) == 134
    raws = [episode(ref) for ref in refs]
    by_track = [span.track for raw in raws for span in raw.annotations]
    assert [by_track.count(f"goalstep_{level}") for level in ("goal", "step", "substep")] == [134, 3349, 4347]
    meanings = {span.track: span.meaning for raw in raws for span in raw.annotations}
    assert meanings["goalstep_goal"] is SpanMeaning.TASK
    assert meanings["goalstep_step"] is SpanMeaning.SUBTASK
    assert meanings["goalstep_substep"] is SpanMeaning.ACTION
    assert [finding for raw in raws for finding in raw.findings] == []
    assert [(finding.check, finding.value) for finding in findings] == [("video_missing", 134.0)]


def test_spans_are_kept_as_they_were_said(real: Path) -> None:
    """Also where steps overlap, reach beyond the goal, or substeps beyond their step."""
    said = json.loads((real / GOAL_STEP / "goalstep_valid.json").read_text())["videos"]
    refs, _ = discovered(real / GOAL_STEP)
    raws = {ref.locator: episode(ref) for ref in refs}
    beyond = 0
    for video in said:
        raw = raws[f"video_uid={video['video_uid']}"]
        steps = [
            (round(step["start_time"] * NS_PER_S), round(step["end_time"] * NS_PER_S), step["step_description"])
            for step in video["segments"]
        ]
        assert sorted(steps) == [(span.start_ns, span.end_ns, span.text) for span in spans(raw, "goalstep_step")]
        assert raw.instruction == video["goal_description"]
        relevance = [span.text for span in spans(raw, "goalstep_step_is_relevant")]
        assert sorted(relevance) == sorted(step["is_relevant"] for step in video["segments"] if "is_relevant" in step)
        continued = spans(raw, "goalstep_step_is_continued")
        assert len(continued) == sum(step.get("is_continued", False) for step in video["segments"])
        beyond += sum(end > round(video["end_time"] * NS_PER_S) for _, end, _ in steps)
    assert beyond > 0


def test_annotations_without_a_video_are_an_episode_without_pictures(real: Path) -> None:
    refs, _ = discovered(real / GOAL_STEP)
    raw = episode(refs[0])
    assert raw.cameras == ()
    assert raw.actions is None
    assert max(len(ref.metadata) for ref in refs) < 120_000


# -- a download as its own tool makes it ------------------------------------------------------------------------


def goal(uid: str = UID) -> dict[str, Any]:
    steps = [
        {"start_time": 0.1, "end_time": 0.2, "step_description": "opens", "segments": []},
        {"start_time": 0.15, "end_time": 0.3, "step_description": "inserts", "segments": []},
    ]
    return {"video_uid": uid, "start_time": 0.021, "end_time": 0.35, "goal_description": "refills", "segments": steps}


@pytest.fixture
def download(real: Path, tmp_path: Path) -> Path:
    frames = {"pre_45": None, "pre_30": 0, "pre_15": 1, "pre_frame": 2, "contact_frame": 3, "pnr_frame": 4}
    write_ego4d(
        tmp_path,
        real / SHORT,
        [metadata_of(UID, redacted_intervals=[{"start_sec": 0.2, "end_sec": 0.25}]), metadata_of(OTHER)],
        clips=[clip_of(UID, CLIP, 0.1, 0.3)],
        narrations={
            UID: {
                "narration_pass_1": {
                    "narrations": [narration(0.121, "#C C inserts the toner"), narration(0.2, "#O a man X nods")],
                    "summaries": [{"start_sec": 0.0, "end_sec": 0.3, "summary_text": "#Summary C refills"}],
                },
                "narration_pass_2": {"narrations": [narration(0.13, "#C C pushes")], "summaries": []},
                "status": "complete",
            }
        },
        actions={UID: [narrated_action(1, {**frames, "post_frame": 6}), narrated_action(2, {}, is_rejected=True)]},
        goal_steps=[goal()],
    )
    return tmp_path


def test_a_download_round_trips(real: Path, download: Path) -> None:
    refs, findings = discovered(download)
    assert [ref.locator for ref in refs] == [f"video_uid={OTHER}", f"video_uid={UID}"]
    assert checks(findings) == ["video_missing"]
    raw = episode(refs[1])
    (camera,) = raw.cameras
    assert (camera.name, camera.role, camera.expected_fps, camera.expected_frames) == ("ego", CameraRole.EGO, 30.0, 10)
    shown = list(pictures(refs[1], SourceFiles(str(download)), camera.video))
    assert hashes_of(shown) == hashes_of(real / SHORT)
    assert raw.findings == ()
    assert (raw.instruction, raw.actions) == ("refills", None)
    assert refs[1].embodiment == "human"
    assert spec_for(download).protocol is Protocol.UNSTRUCTURED


def first_ns(download: Path, ref: EpisodeRef) -> int:
    return next(pictures(ref, SourceFiles(str(download)), episode(ref).cameras[0].video)).pts_ns


def test_seconds_are_those_of_the_files_own_clock(download: Path) -> None:
    """The picture track starts at 0.021 s of the file: what was said at 0.121 s was said 0.1 s after frame 0."""
    ref = discovered(download)[0][1]
    raw, first = episode(ref), first_ns(download, ref)
    assert first == pytest.approx(21e6, abs=1e5)
    (said,) = [span for span in spans(raw, "narration_pass_1") if "toner" in span.text]
    assert said.start_ns == 121_000_000 - first
    assert spans(raw, "goalstep_goal")[0].start_ns == pytest.approx(0, abs=1e5)


def test_narrations_are_points_and_keep_who_is_meant(download: Path) -> None:
    raw = episode(discovered(download)[0][1])
    said = spans(raw, "narration_pass_1")
    assert [span.text for span in said] == ["#C C inserts the toner", "#O a man X nods"]
    assert [span.end_ns - span.start_ns for span in said] == [0, 0]
    assert {span.meaning for span in said} == {SpanMeaning.NARRATION}
    assert [span.text for span in spans(raw, "narration_pass_2")] == ["#C C pushes"]
    assert [span.text for span in spans(raw, "narration_pass_1_summary")] == ["#Summary C refills"]


def test_critical_frames_are_frames_counted_from_zero(download: Path) -> None:
    raw = episode(discovered(download)[0][1])
    (contact,) = spans(raw, "fho_contact_frame")
    assert (contact.start_ns, contact.end_ns) == (round(3 * FRAME_NS), round(4 * FRAME_NS))
    assert (contact.meaning, contact.text) == (SpanMeaning.CONTACT, "#C C inserts the toner")
    others = ("fho_pre_30", "fho_pre_15", "fho_pre_frame", "fho_pnr_frame", "fho_post_frame")
    assert [len(spans(raw, track)) for track in others] == [1] * 5
    assert spans(raw, "fho_pre_45") == []
    assert {span.meaning for track in others for span in spans(raw, track)} == {SpanMeaning.OTHER}


def test_a_rejected_action_is_no_action(download: Path) -> None:
    raw = episode(discovered(download)[0][1])
    assert [span.meaning for span in spans(raw, "fho")] == [SpanMeaning.ACTION]
    assert [span.meaning for span in spans(raw, "fho_rejected_action")] == [SpanMeaning.OTHER]


def test_redacted_parts_are_invalid(download: Path) -> None:
    ref = discovered(download)[0][1]
    (span,) = spans(episode(ref), "redacted_intervals")
    assert span.meaning is SpanMeaning.INVALID
    assert span.end_ns - span.start_ns == 50_000_000


def test_what_else_is_said_is_kept_as_other(download: Path) -> None:
    raw = episode(discovered(download)[0][1])
    for track, text in (("split_fho", "train"), ("scenario", "Office work"), ("clip", CLIP)):
        (span,) = spans(raw, track)
        assert (span.text, span.meaning) == (text, SpanMeaning.OTHER)
    assert spans(raw, "split_goalstep") == []


@pytest.mark.parametrize("listed", [True, False])
def test_narrations_come_with_and_without_a_list_around_them(real: Path, tmp_path: Path, listed: bool) -> None:
    said = {UID: {"narration_pass_1": {"narrations": [narration(0.1, "#C C looks")]}, "status": "complete"}}
    write_ego4d(tmp_path, real / SHORT, [metadata_of(UID)], narrations=said, listed=listed)
    (ref,), _ = discovered(tmp_path)
    assert [span.text for span in spans(episode(ref), "narration_pass_1")] == ["#C C looks"]


# -- identity -------------------------------------------------------------------------------------------------------


def test_one_more_annotated_video_changes_no_other(download: Path) -> None:
    before = {ref.locator: ref.fingerprint for ref in discovered(download)[0]}
    for path in (download / "ego4d.json", download / "v2/annotations/goalstep_train.json"):
        said = json.loads(path.read_text())
        new = metadata_of("ffff") if path.name == "ego4d.json" else goal("ffff")
        path.write_text(json.dumps({**said, "date": "later", "videos": [new, *said["videos"]]}))
    after = {ref.locator: ref.fingerprint for ref in discovered(download)[0]}
    assert after.keys() - before.keys() == {"video_uid=ffff"}
    assert {locator: after[locator] for locator in before} == before


def test_the_order_of_entries_is_no_content(download: Path) -> None:
    before, _ = discovered(download)
    path = download / "v2/annotations/goalstep_train.json"
    said = json.loads(path.read_text())
    said["videos"][0]["segments"].reverse()
    path.write_text(json.dumps(said))
    assert [ref.fingerprint for ref in discovered(download)[0]] == [ref.fingerprint for ref in before]


def test_a_corrected_annotation_changes_its_video_and_no_id(download: Path) -> None:
    before, _ = discovered(download)
    path = download / "v2/annotations/goalstep_train.json"
    path.write_text(path.read_text().replace("inserts", "puts in"))
    after, _ = discovered(download)
    assert [ref.episode_id for ref in after] == [ref.episode_id for ref in before]
    assert [a.fingerprint == b.fingerprint for a, b in zip(after, before, strict=True)] == [True, False]


def test_another_folder_changes_no_id(download: Path) -> None:
    before, _ = discovered(download)
    moved = Path(shutil.move(download, download.with_name(f"{download.name}-moved")))
    (moved / "v2").rename(moved / "release")
    after, _ = discovered(moved)
    assert [ref.fingerprint for ref in after] == [ref.fingerprint for ref in before]


# -- what is there twice, or is something else ----------------------------------------------------------------------


def test_of_several_copies_the_largest_is_read(download: Path) -> None:
    small = download / f"v2/a_small/{UID}.mp4"
    small.parent.mkdir()
    small.write_bytes(b"x" * 10)
    refs, findings = discovered(download)
    assert refs[1].files[0].path == f"v2/full_scale/{UID}.mp4"
    assert "several_video_files" in checks(findings)


def test_of_two_releases_the_later_path_counts(download: Path) -> None:
    before = discovered(download)[0]
    old = download / "v1/annotations/goalstep_train.json"
    old.parent.mkdir(parents=True)
    old.write_text((download / "v2/annotations/goalstep_train.json").read_text().replace("inserts", "puts in"))
    after, findings = discovered(download)
    assert [ref.fingerprint for ref in after] == [ref.fingerprint for ref in before]
    (finding,) = [finding for finding in findings if finding.check == "annotated_twice"]
    assert "v2/annotations/goalstep_train.json is read" in finding.message


def test_a_clip_of_a_video_is_no_video(real: Path, download: Path) -> None:
    shutil.copy(real / SHORT, download / f"{CLIP}.mp4")
    refs, findings = discovered(download)
    assert len(refs) == 2
    assert "clip_file_not_read" in checks(findings)


def test_a_video_nobody_annotated_is_listed(real: Path, tmp_path: Path) -> None:
    shutil.copy(real / SHORT, tmp_path / "abcd.mp4")
    (ref,), findings = discovered(tmp_path)
    assert ref.locator == "video_uid=abcd"
    assert len(episode(ref).cameras) == 1
    assert findings == []


def test_other_json_files_are_told(download: Path) -> None:
    (download / "v2/annotations/nlq_train.json").write_text('{"videos": [{"clips": []}]}')
    _, findings = discovered(download)
    (finding,) = [finding for finding in findings if finding.check == "annotation_file_not_read"]
    assert "nlq_train.json" in finding.message


def test_a_named_file_must_be_one(download: Path) -> None:
    (download / "other.json").write_text("{}")
    with pytest.raises(SourceError, match=r"other\.json: does not begin like"):
        discovered(download, annotations=["other.json"])
    with pytest.raises(SourceError, match=r"away\.json: no such JSON file"):
        discovered(download, annotations=["../away.json"])
    refs, _ = discovered(download, annotations=["ego4d.json"])
    assert {span.track for span in episode(refs[1]).annotations} == {
        "clip",
        "redacted_intervals",
        "scenario",
        "split_fho",
    }


def test_nothing_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"found neither an annotation file .*correct `path` of source ego4d"):
        discovered(tmp_path)


# -- damaged and hostile files --------------------------------------------------------------------------------------


def test_a_truncated_annotation_file_is_told_by_name(download: Path) -> None:
    path = download / "v2/annotations/narration.json"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(SourceError, match=r"narration\.json: .*damaged or cut short"):
        discovered(download)


def test_a_truncated_video_is_told_by_name(download: Path) -> None:
    path = download / f"v2/full_scale/{UID}.mp4"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(SourceError, match=rf"{UID}\.mp4: cannot be decoded"):
        episode(discovered(download)[0][1])


@pytest.mark.parametrize("value", [None, "x", -1e300, float("nan"), float("inf"), [], {}, True, 10**400])
def test_impossible_times_are_left_out_and_told(real: Path, tmp_path: Path, value: object) -> None:
    odd = {**goal(), "start_time": value}
    write_ego4d(tmp_path, real / SHORT, [metadata_of(UID, duration_sec=value)], goal_steps=[odd])
    raw = episode(discovered(tmp_path)[0][0])
    assert spans(raw, "goalstep_goal") == []
    assert len(spans(raw, "goalstep_step")) == 2
    assert checks(raw.findings) == ["annotation_unreadable"]
    to_table(SourceSpan, raw.annotations)


def test_a_step_that_ends_before_it_starts_is_left_out_and_told(real: Path, tmp_path: Path) -> None:
    write_ego4d(tmp_path, real / SHORT, [metadata_of(UID)], goal_steps=[{**goal(), "end_time": 0.001}])
    raw = episode(discovered(tmp_path)[0][0])
    assert spans(raw, "goalstep_goal") == []
    assert checks(raw.findings) == ["annotation_unreadable"]


@pytest.mark.parametrize("odd", [None, 3, "text", [], [[]], [3, None], {"a": 1}, [{}]])
def test_odd_shapes_are_no_crash(real: Path, tmp_path: Path, odd: Any) -> None:
    """Wherever a list or an object is expected, anything may stand."""
    video = metadata_of(UID, redacted_intervals=odd, scenarios=odd, video_metadata=odd)
    write_ego4d(
        tmp_path,
        real / SHORT,
        [video, odd, {"video_uid": odd}],
        clips=[odd, {"clip_uid": odd, "video_uid": UID}],
        narrations={UID: {"narration_pass_1": odd}, OTHER: odd, "odd": {"narration_pass_2": {"narrations": odd}}},
        actions={UID: odd},
        goal_steps=[{**goal(), "segments": odd, "summary": odd, "goal_category": odd}],
    )
    refs, _ = discovered(tmp_path)
    for ref in refs:
        to_table(SourceSpan, episode(ref).annotations)


def test_ids_that_are_paths_name_no_video(real: Path, tmp_path: Path) -> None:
    write_ego4d(tmp_path, real / SHORT, [metadata_of("../../etc/passwd"), metadata_of(UID)])
    refs, findings = discovered(tmp_path)
    assert [ref.locator for ref in refs] == [f"video_uid={UID}"]
    assert checks(findings) == ["annotation_without_video"]


def test_half_surrogates_can_be_stored(real: Path, tmp_path: Path) -> None:
    write_ego4d(tmp_path, real / SHORT, [metadata_of(UID)], goal_steps=[{**goal(), "goal_description": "a\ud800b"}])
    (ref,), _ = discovered(tmp_path)
    assert episode(ref).instruction == "a?b"


def test_stereo_pictures_are_told(real: Path, tmp_path: Path) -> None:
    write_ego4d(tmp_path, real / SHORT, [metadata_of(UID, is_stereo=True)])
    assert checks(episode(discovered(tmp_path)[0][0]).findings) == ["stereo_picture"]


@pytest.mark.parametrize(
    ("beginning", "sort"),
    [
        ('{"videos": [{"video_uid": "a", "goal_category": ', Sort.GOAL_STEP),
        ('{"videos": [{"annotated_intervals": [', Sort.CRITICAL_FRAMES),
        ('{"uid": {"narration_pass_1": {', Sort.NARRATION),
        ('{"videos": [{"video_uid": "a", "video_metadata": {', Sort.METADATA),
        ('{"name": "package"}', None),
    ],
)
def test_a_file_is_known_by_how_it_begins(beginning: str, sort: Sort | None) -> None:
    assert sort_of(beginning) is sort
