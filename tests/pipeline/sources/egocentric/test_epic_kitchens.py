"""EPIC-KITCHENS-100: overlapping segments stay what they are, and frame numbers are held against the times."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.sources.egocentric.epic_kitchens import clock_ns
from pipeline.sources.formats import discover, pictures, read
from pipeline.sources.raw import RawEpisode
from schemas.arrow import to_table
from schemas.episode import CameraRole, SourceSpan, SpanMeaning
from schemas.finding import Finding
from schemas.recipe_formats.epic_kitchens import EpicKitchensSource
from schemas.source import EpisodeRef
from tests.pipeline.sources.written.egodex import SHORT, hashes_of
from tests.pipeline.sources.written.epic_kitchens import FPS, segment, write_epic

TRAIN, VALIDATION, TEST = "EPIC_100_train.csv", "EPIC_100_validation.csv", "EPIC_100_test_timestamps.csv"
TWO = [segment(0, 0.02, 0.1, "open door"), segment(1, 0.08, 0.16, "take plate")]


def discovered(root: Path, **more: Any) -> tuple[list[EpisodeRef], list[Finding]]:
    stated = {"format": "epic_kitchens", "name": "epic", "path": str(root), "card": {"licence": "CC-BY-NC-4.0"}, **more}
    found = list(discover(EpicKitchensSource.model_validate(stated), SourceFiles(str(root)), MemoryDigests()))
    return [x for x in found if isinstance(x, EpisodeRef)], [x for x in found if isinstance(x, Finding)]


def episode(ref: EpisodeRef) -> RawEpisode:
    return read(ref, SourceFiles(ref.root))


def spans(raw: RawEpisode, track: str) -> list[SourceSpan]:
    return [span for span in raw.annotations if span.track == track]


def checks(findings: Any) -> list[str]:
    return [finding.check for finding in findings]


def test_a_download_round_trips(real: Path, tmp_path: Path) -> None:
    write_epic(tmp_path, real / SHORT, {TRAIN: TWO})
    (ref,), findings = discovered(tmp_path)
    assert (ref.locator, ref.embodiment, findings) == ("video_id=P01_01", "human", [])
    assert ref.files[0].path == "P01/videos/P01_01.MP4"
    raw = episode(ref)
    (camera,) = raw.cameras
    assert (camera.role, camera.expected_fps) == (CameraRole.EGO, pytest.approx(float(FPS)))
    shown = list(pictures(ref, SourceFiles(str(tmp_path)), camera.video))
    assert hashes_of(shown) == hashes_of(real / SHORT)
    assert [round(picture.pts_ns * FPS / 10**9) for picture in shown] == list(range(10))
    assert (raw.findings, raw.actions, raw.instruction) == ((), None, "")


def test_segments_overlap_and_stay_segments(real: Path, tmp_path: Path) -> None:
    write_epic(tmp_path, real / SHORT, {TRAIN: TWO})
    said = spans(episode(discovered(tmp_path)[0][0]), "narration")
    assert [(span.start_ns, span.end_ns) for span in said] == [(20_000_000, 100_000_000), (80_000_000, 160_000_000)]
    assert [span.text for span in said] == ["open door", "take plate"]
    assert {span.meaning for span in said} == {SpanMeaning.ACTION}


def test_word_classes_are_kept_beside(real: Path, tmp_path: Path) -> None:
    rich = segment(0, 0.02, 0.1, "put cup on table", all_nouns="['cup', 'table']", all_noun_classes="[13, 9]")
    write_epic(tmp_path, real / SHORT, {TRAIN: [rich, TWO[1]]})
    raw = episode(discovered(tmp_path)[0][0])
    assert [span.text for span in spans(raw, "verb")] == ["put", "take"]
    assert [span.text for span in spans(raw, "verb_class")] == ["3", "3"]
    assert [span.text for span in spans(raw, "noun")] == ["cup on table", "plate"]
    assert [span.text for span in spans(raw, "all_nouns")] == ["['cup', 'table']"]
    assert {span.meaning for span in spans(raw, "verb")} == {SpanMeaning.OTHER}


def test_the_moment_of_narration_is_a_point(real: Path, tmp_path: Path) -> None:
    write_epic(tmp_path, real / SHORT, {TRAIN: TWO[:1]})
    (point,) = spans(episode(discovered(tmp_path)[0][0]), "narration_timestamp")
    assert (point.start_ns, point.end_ns) == (40_000_000, 40_000_000)
    assert (point.meaning, point.text) == (SpanMeaning.NARRATION, "open door")


def test_the_split_travels_with_the_video(real: Path, tmp_path: Path) -> None:
    tables = {
        TRAIN: TWO,
        VALIDATION: [segment(0, 0, 1, video_id="P02_01")],
        TEST: [segment(0, 0.5, 1, video_id="P03_01")],
    }
    write_epic(tmp_path, real / SHORT, tables)
    refs, findings = discovered(tmp_path)
    raws = [episode(ref) for ref in refs]
    assert [spans(raw, "split")[0].text for raw in raws] == ["train", "validation", "test"]
    assert spans(raws[0], "split")[0].end_ns == 166_830_000
    assert [span.meaning for span in spans(raws[2], "narration")] == [SpanMeaning.OTHER]
    assert [raw.cameras for raw in raws[1:]] == [(), ()]
    assert [(finding.check, finding.value) for finding in findings] == [("video_missing", 2.0)]


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("00:00:00.14", 140_000_000),
        ("00:00:01.089", 1_089_000_000),
        ("01:02:03.5", 3_723_500_000_000),
        ("00:00:07", 7_000_000_000),
        (" 00:00:07 ", 7_000_000_000),
        ("00:61:00", None),
        ("7.5", None),
        ("", None),
        ("nan", None),
        ("-00:00:01.00", None),
        ("9999:00:00", None),
    ],
)
def test_clock_texts_are_read_in_whole_numbers(text: str, ns: int | None) -> None:
    assert clock_ns(text) == ns


def test_frame_numbers_count_from_one_and_agree(real: Path, tmp_path: Path) -> None:
    """The first row of the published training table: 0.14 s is frame 8 at 59.94 per second, 3.37 s frame 202."""
    row = segment(0, 0.14, 3.37, start_frame="8", stop_frame="202")
    write_epic(tmp_path, real / SHORT, {TRAIN: [row]})
    assert episode(discovered(tmp_path)[0][0]).findings == ()


def test_frame_numbers_of_another_rate_are_told(real: Path, tmp_path: Path) -> None:
    row = segment(9, 60.0, 61.0, start_frame="3000", stop_frame="3050")
    write_epic(tmp_path, real / SHORT, {TRAIN: [row, *TWO]})
    (finding,) = episode(discovered(tmp_path)[0][0]).findings
    assert finding.check == "frames_disagree"
    assert "1 of 3 segments have frame numbers up to 607 frames from their times at 59.9401 fps" in finding.message
    assert "times count" in finding.message


def test_without_video_info_nothing_is_checked_and_that_is_told(real: Path, tmp_path: Path) -> None:
    write_epic(tmp_path, real / SHORT, {TRAIN: TWO})
    (tmp_path / "EPIC_100_video_info.csv").unlink()
    (ref,), findings = discovered(tmp_path)
    assert checks(findings) == ["video_info_missing"]
    assert episode(ref).cameras[0].expected_fps is None


def test_copies_of_tables_under_other_names_are_not_read(real: Path, tmp_path: Path) -> None:
    """The retrieval challenge's tables hold the same segments again; pickles are never opened."""
    write_epic(tmp_path, real / SHORT, {TRAIN: TWO, "EPIC_100_retrieval_train.csv": [segment(7, 0, 0.1)]})
    (tmp_path / "EPIC_100_train.pkl").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    raw = episode(discovered(tmp_path)[0][0])
    assert len(spans(raw, "narration")) == 2


def test_a_segment_listed_twice_counts_once(real: Path, tmp_path: Path) -> None:
    write_epic(tmp_path, real / SHORT, {TRAIN: [*TWO, TWO[0]]})
    (ref,), findings = discovered(tmp_path)
    assert checks(findings) == ["segment_listed_twice"]
    assert len(spans(episode(ref), "narration")) == 2


def test_one_more_segment_changes_its_video_only(real: Path, tmp_path: Path) -> None:
    other = segment(0, 0.0, 0.1, video_id="P02_01")
    write_epic(tmp_path, real / SHORT, {TRAIN: [*TWO, other]})
    before, _ = discovered(tmp_path)
    new = [segment(5, 1, 2, video_id="P04_01"), segment(1, 0.1, 0.2, video_id="P02_01")]
    write_epic(tmp_path, real / SHORT, {TRAIN: [*new, *TWO, other]})
    after, _ = discovered(tmp_path)
    assert [ref.locator for ref in after] == ["video_id=P01_01", "video_id=P02_01", "video_id=P04_01"]
    assert after[0].fingerprint == before[0].fingerprint
    assert after[1].fingerprint != before[1].fingerprint
    assert after[1].episode_id == before[1].episode_id


def test_another_folder_changes_no_id(real: Path, tmp_path: Path) -> None:
    write_epic(tmp_path / "a", real / SHORT, {TRAIN: TWO})
    before, _ = discovered(tmp_path / "a")
    after, _ = discovered((tmp_path / "a").rename(tmp_path / "b"))
    assert [ref.fingerprint for ref in after] == [ref.fingerprint for ref in before]


def test_a_truncated_table_is_told_by_name_and_line(real: Path, tmp_path: Path) -> None:
    write_epic(tmp_path, real / SHORT, {TRAIN: TWO})
    path = tmp_path / TRAIN
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(SourceError, match=r"EPIC_100_train\.csv: line 3 "):
        discovered(tmp_path)


@pytest.mark.parametrize(
    "odd",
    [
        {"start_timestamp": ""},
        {"stop_timestamp": "later"},
        {"start_timestamp": "00:00:09.00"},
    ],
)
def test_impossible_times_are_left_out_and_told(real: Path, tmp_path: Path, odd: dict[str, str]) -> None:
    row = {**TWO[0], **odd, "start_frame": "x", "stop_frame": "9" * 30}
    write_epic(tmp_path, real / SHORT, {TRAIN: [row, TWO[1]]})
    raw = episode(discovered(tmp_path)[0][0])
    assert [span.text for span in spans(raw, "narration")] == ["take plate"]
    assert checks(raw.findings) == ["annotation_unreadable"]
    to_table(SourceSpan, raw.annotations)


def test_nothing_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"found none of EPIC_100_train\.csv.* correct `path` of source epic"):
        discovered(tmp_path)
    with pytest.raises(SourceError, match=r"no such file, although `annotations` of epic names it"):
        discovered(tmp_path, annotations=["mine.csv"])
