"""What stands beside a video, on the video's clock; read through the format it belongs to."""

import io
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from pipeline.files import SourceFiles
from pipeline.sources.formats import read
from pipeline.sources.raw import RawEpisode
from schemas.episode import SourceSpan, SpanMeaning
from tests.pipeline.films import drifting, film
from tests.pipeline.sources.test_captions import ROLLING
from tests.pipeline.sources.test_video_folder import discovered, spec_for

MS = 1_000_000
VTT = "WEBVTT\n\n00:00.500 --> 00:01.000\npick it up\n"


def episode(root: Path, data: bytes | None = None, **recipe: Any) -> RawEpisode:
    (root / "a.mp4").write_bytes(film(drifting(40)) if data is None else data)
    (ref,), _ = discovered(spec_for(root, **recipe))
    return read(ref, SourceFiles(ref.root))


def info(root: Path, **said: Any) -> None:
    stated = {"id": "x1", "title": "How to fold a shirt", "duration": 2, **said}
    (root / "a.info.json").write_text(json.dumps(stated))


def checks(raw: RawEpisode) -> list[str]:
    return [finding.check for finding in raw.findings]


def test_each_language_is_a_track_of_speech(tmp_path: Path) -> None:
    (tmp_path / "a.en.vtt").write_text(VTT)
    (tmp_path / "a.de.srt").write_text("1\n00:00:00,500 --> 00:00:01,000\nheb es auf\n")
    (tmp_path / "a.vtt").write_text(VTT)
    raw = episode(tmp_path)
    assert raw.annotations == (
        SourceSpan("subtitles", 500 * MS, 1000 * MS, "pick it up", SpanMeaning.SPEECH),
        SourceSpan("subtitles.de", 500 * MS, 1000 * MS, "heb es auf", SpanMeaning.SPEECH),
        SourceSpan("subtitles.en", 500 * MS, 1000 * MS, "pick it up", SpanMeaning.SPEECH),
    )
    assert raw.findings == ()


def test_captions_of_a_machine_are_called_so_and_taken_once_where_they_roll(tmp_path: Path) -> None:
    (tmp_path / "a.en.vtt").write_bytes(ROLLING)
    info(tmp_path, automatic_captions={"en": []}, duration=10)
    raw = episode(tmp_path, film(drifting(100), rate=10))
    said = [span.text for span in raw.annotations if span.track == "automatic_captions.en"]
    assert said == ["now pick it", "up slowly", "and turn"]
    (finding,) = raw.findings
    assert finding.check == "captions_rolling"
    assert "a.en.vtt rolls: 4 of 5 cues repeat lines" in finding.message


def test_chapters_are_spans_and_facts_are_kept_as_they_stand(tmp_path: Path) -> None:
    info(tmp_path, uploader="Ann", chapters=[{"start_time": 0.0, "end_time": 1.5, "title": "spread"}])
    assert episode(tmp_path).annotations == (
        SourceSpan("chapters", 0, 1500 * MS, "spread", SpanMeaning.CHAPTER),
        SourceSpan("info.id", 0, 2000 * MS, "x1"),
        SourceSpan("info.title", 0, 2000 * MS, "How to fold a shirt"),
        SourceSpan("info.uploader", 0, 2000 * MS, "Ann"),
    )


def test_a_title_is_no_instruction_unless_the_recipe_says_so(tmp_path: Path) -> None:
    info(tmp_path)
    assert episode(tmp_path).instruction == ""
    assert episode(tmp_path, title_is_instruction=True).instruction == "How to fold a shirt"


def test_times_count_from_when_the_container_begins_not_from_the_first_picture(tmp_path: Path) -> None:
    """Players call the container's beginning 0: a transport stream's first time stamp says nothing."""
    (tmp_path / "a.vtt").write_text(VTT)
    (tmp_path / "a.mp4").write_bytes(film(drifting(40), pts=[4000 + i for i in range(40)], container="mpegts"))
    (ref,), _ = discovered(spec_for(tmp_path))
    assert [span.start_ns for span in read(ref, SourceFiles(ref.root)).annotations] == [500 * MS]


def test_chapters_in_the_container_serve_where_no_info_file_is(tmp_path: Path, chaptered: bytes) -> None:
    raw = episode(tmp_path, chaptered)
    assert raw.annotations == (SourceSpan("chapters", 0, 1000 * MS, "spread", SpanMeaning.CHAPTER),)


def test_a_licence_other_than_the_cards_is_told(tmp_path: Path) -> None:
    info(tmp_path, license="Creative Commons Attribution license (reuse allowed)")
    (finding,) = episode(tmp_path).findings
    assert finding.check == "licence_disagrees"
    assert "the card says 'CC0-1.0', which counts" in finding.message
    assert checks(episode(tmp_path, card={"licence": "CC-BY-3.0"})) == []


def test_an_info_file_of_a_longer_video_gives_no_times(tmp_path: Path) -> None:
    """A cut or a section has its own times; where they are in the whole nothing says."""
    (tmp_path / "a.en.vtt").write_text(VTT)
    info(tmp_path, duration=60, chapters=[{"start_time": 0.0, "end_time": 1.5, "title": "spread"}])
    raw = episode(tmp_path)
    assert checks(raw) == ["duration_disagrees"]
    assert {span.track for span in raw.annotations} == {"info.id", "info.title"}


def test_an_info_file_of_a_section_gives_no_times(tmp_path: Path) -> None:
    (tmp_path / "a.en.vtt").write_text(VTT)
    info(tmp_path, section_start=10.0, section_end=12.0)
    raw = episode(tmp_path)
    assert checks(raw) == ["sidecar_of_whole_video"]
    assert {span.track for span in raw.annotations} == {"info.id", "info.title"}


def test_a_broken_info_file_loses_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a.info.json").write_text('{"title": "cut')
    (tmp_path / "a.vtt").write_text(VTT)
    raw = episode(tmp_path)
    assert checks(raw) == ["sidecar_damaged"]
    assert "a.info.json" in raw.findings[0].message
    assert len(raw.annotations) == len(raw.cameras) == 1


def test_a_broken_cue_is_told_by_file_and_line_and_loses_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a.vtt").write_text(VTT + "\n00:0x.000 --> 00:02.000\nlost\n\n00:01.500 --> 00:02.000\nput it down\n")
    raw = episode(tmp_path)
    (finding,) = raw.findings
    assert finding.check == "subtitle_unreadable"
    assert "a.vtt, line 6: found '00:0x.000 --> 00:02.000', expected two times" in finding.message
    assert [span.text for span in raw.annotations] == ["pick it up", "put it down"]


def test_of_two_files_of_a_language_one_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.en.vtt").write_text(VTT)
    (tmp_path / "a.en.srt").write_text("1\n00:00:00,500 --> 00:00:01,000\npick it up\n")
    raw = episode(tmp_path)
    assert checks(raw) == ["subtitles_twice"]
    assert "a.en.vtt is read, not a.en.srt" in raw.findings[0].message
    assert len(raw.annotations) == 1


def test_a_second_file_stands_in_for_one_that_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.en.vtt").write_text("WEBVTT\n\n00:0x.000 --> 00:02.000\nlost\n")
    (tmp_path / "a.en.srt").write_text("1\n00:00:00,500 --> 00:00:01,000\npick it up\n")
    raw = episode(tmp_path)
    assert checks(raw) == ["subtitle_unreadable"]
    assert [span.text for span in raw.annotations] == ["pick it up"]


def test_what_begins_after_the_end_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.vtt").write_text(VTT + "\n01:10.000 --> 01:12.000\nlong gone\n")
    raw = episode(tmp_path)
    assert [(finding.check, finding.value) for finding in raw.findings] == [("annotation_outside", 1)]
    assert [span.text for span in raw.annotations] == ["pick it up"]


@pytest.fixture(scope="module")
def chaptered() -> bytes:
    sink = io.BytesIO()
    with av.open(io.BytesIO(film(drifting(40)))) as source, av.open(sink, "w", format="mp4") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        out.set_chapters(
            [{"id": 1, "start": 0, "end": 1000, "time_base": Fraction(1, 1000), "metadata": {"title": "spread"}}]
        )
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    return sink.getvalue()
