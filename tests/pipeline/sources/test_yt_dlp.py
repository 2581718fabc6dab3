"""`<name>.info.json` as yt-dlp writes it."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.sources.yt_dlp import Chapter, VideoInfo, info_of

S = 1_000_000_000
SAID = {
    "id": "dQw4w9WgXcQ",
    "title": "How to fold a shirt",
    "formats": [{"format_id": "137", "url": "https://example.invalid/x"}],
    "description": "Fold it.\nTwice.",
    "uploader": "Ann",
    "upload_date": "20240131",
    "webpage_url": "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    "license": None,
    "language": "en",
    "duration": 12,
    "fps": 30,
    "chapters": [
        {"start_time": 0.0, "end_time": 4.5, "title": "spread"},
        {"start_time": 4.5, "end_time": 12.0, "title": "fold"},
    ],
    "subtitles": {"de": []},
    "automatic_captions": {"en": [], "de": []},
    "_type": "video",
}


def info(root: Path, **changed: Any) -> VideoInfo:
    (root / "a.info.json").write_text(json.dumps({**SAID, **changed}))
    return info_of(SourceFiles(str(root)), "a.info.json")


def test_facts_chapters_and_who_wrote_the_subtitles_are_read(tmp_path: Path) -> None:
    found = info(tmp_path)
    assert found.chapters == (Chapter(0, 9 * S // 2, "spread"), Chapter(9 * S // 2, 12 * S, "fold"))
    assert (found.duration_ns, found.is_section, found.automatic) == (12 * S, False, {"en"})
    assert found.texts["title"] == "How to fold a shirt"
    assert found.texts["description"] == "Fold it.\nTwice."
    assert "license" not in found.texts


def test_a_chapter_without_an_end_lasts_to_the_next_or_to_the_end(tmp_path: Path) -> None:
    chapters = [{"start_time": 0, "title": "a"}, {"start_time": 5, "title": "b"}]
    assert info(tmp_path, chapters=chapters).chapters == (Chapter(0, 5 * S, "a"), Chapter(5 * S, 12 * S, "b"))


def test_chapters_that_nobody_named_are_no_annotation(tmp_path: Path) -> None:
    """yt-dlp itself calls them so."""
    found = info(tmp_path, chapters=[{"start_time": 0, "end_time": 5, "title": "<Untitled Chapter 1>"}])
    assert (found.chapters, found.unreadable) == ((), 0)


@pytest.mark.parametrize(
    "chapter",
    [
        {"start_time": "0", "end_time": 4, "title": "a"},
        {"start_time": 0, "end_time": float("nan"), "title": "a"},
        {"start_time": 0, "end_time": 1e300, "title": "a"},
        {"start_time": 5, "end_time": 4, "title": "a"},
        {"start_time": -5, "end_time": 4, "title": "a"},
        {"start_time": 0, "end_time": 4, "title": "—"},
        {},
    ],
)
def test_chapters_without_words_or_with_impossible_times_are_counted(tmp_path: Path, chapter: dict[str, Any]) -> None:
    found = info(tmp_path, chapters=[chapter, {"start_time": 0, "end_time": 4, "title": "ok"}])
    assert (found.chapters, found.unreadable) == ((Chapter(0, 4 * S, "ok"),), 1)


@pytest.mark.parametrize("value", [None, [], {}, 5, "x", True])
def test_any_member_may_be_of_any_type(tmp_path: Path, value: object) -> None:
    for key in SAID:
        info(tmp_path, **{key: value})


def test_a_section_of_a_video_is_known_by_its_start(tmp_path: Path) -> None:
    assert info(tmp_path, section_start=10.0, section_end=20.0).is_section


def test_half_surrogates_and_endless_descriptions_can_be_held(tmp_path: Path) -> None:
    found = info(tmp_path, title="a\ud800b", description="x" * 100_000)
    assert found.texts["title"] == "a?b"
    assert len(found.texts["description"]) == 10_000


@pytest.mark.parametrize("text", ["", '{"title": "cut', "[1, 2", "<html>", "[" * 100_000])
def test_what_is_no_json_is_an_error_that_names_the_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.info.json").write_text(text)
    with pytest.raises(SourceError, match=r"a\.info\.json"):
        info_of(SourceFiles(str(tmp_path)), "a.info.json")
