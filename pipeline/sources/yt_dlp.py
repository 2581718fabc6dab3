"""What yt-dlp writes beside a video: ``<name>.info.json``, of which the words, the chapters and the licence are read.

The file may be hundreds of megabytes long where it holds comments; one member is in memory at a time. Its title is what
strangers called the video to have it watched, and is no instruction unless the recipe says so.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from pipeline.files import SourceFiles
from pipeline.sources.spans import says_something
from pipeline.sources.storage.json_file import dict_of, dicts_of, entries, ns_of, text_of

TEXTS = ("id", "title", "description", "uploader", "upload_date", "webpage_url", "license", "language")
"""Facts about the video that are kept as they stand."""
_WANTED = frozenset((*TEXTS, "chapters", "duration", "section_start", "subtitles", "automatic_captions"))
_MAX_TEXT = 10_000
_MAX_CHAPTERS = 10_000
_PLACEHOLDER = re.compile(r"<Untitled Chapter \d+>", re.ASCII)
"""What yt-dlp itself calls a chapter that has no name."""


class Chapter(NamedTuple):
    """A part of the video that somebody named."""

    start_ns: int
    end_ns: int
    title: str


@dataclass(frozen=True)
class VideoInfo:
    """What is believed of an info file."""

    texts: dict[str, str]
    """Those of `TEXTS` that say something."""
    chapters: tuple[Chapter, ...]
    unreadable: int
    """Chapters without words or with impossible times; left out."""
    duration_ns: int | None
    """Of the whole video, rounded to seconds by most sites."""
    is_section: bool
    """Only a section was downloaded; chapters and subtitles count from the beginning of the whole video."""
    automatic: frozenset[str]
    """Languages of captions that a machine wrote and nobody else."""


def info_of(files: SourceFiles, path: str) -> VideoInfo:
    """Raises SourceError when the file is no JSON object."""
    said: dict[str, Any] = {}
    for keys, value in entries(files, path):
        if keys[0] in _WANTED:
            said[keys[0]] = value
    duration_ns = ns_of(said.get("duration"))
    duration_ns = duration_ns if duration_ns is not None and duration_ns > 0 else None
    listed = dicts_of(said.get("chapters"))[:_MAX_CHAPTERS]
    named = [chapter for chapter in listed if not _PLACEHOLDER.fullmatch(text_of(chapter.get("title")).strip())]
    chapters = tuple(_chapters(named, duration_ns))
    texts = {key: text_of(said.get(key))[:_MAX_TEXT].strip() for key in TEXTS}
    return VideoInfo(
        texts={key: text for key, text in texts.items() if says_something(text)},
        chapters=chapters,
        unreadable=len(named) - len(chapters),
        duration_ns=duration_ns,
        is_section=ns_of(said.get("section_start")) is not None,
        automatic=frozenset(dict_of(said.get("automatic_captions"))) - frozenset(dict_of(said.get("subtitles"))),
    )


def _chapters(listed: list[dict[str, Any]], duration_ns: int | None) -> Iterator[Chapter]:
    """Without an end of its own a chapter lasts to the next one's start, the last one to the end of the video."""
    starts = [ns_of(chapter.get("start_time")) for chapter in listed]
    for chapter, start_ns, following_ns in zip(listed, starts, [*starts, duration_ns][1:], strict=True):
        title = " ".join(text_of(chapter.get("title"))[:_MAX_TEXT].split())
        end_ns = following_ns if chapter.get("end_time") is None else ns_of(chapter["end_time"])
        if start_ns is not None and end_ns is not None and 0 <= start_ns < end_ns and says_something(title):
            yield Chapter(start_ns, end_ns, title)
