"""WebVTT and SubRip subtitles that strangers made: cues with their lines, and what was wrong line by line.

Own code, because a cue that cannot be read must be told by its line: webvtt-py passes it over in silence, pysubs2 and
pysrt read comments and styles of WebVTT as speech, and none of them bounds what it reads. The grammar is W3C's parser
for WebVTT; SubRip has none, and a cue's text there ends before the number above the next one's times.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.errors import SourceError
from pipeline.files import SourceFiles

MAX_BYTES = 8 << 20
"""Twelve hours of captions that roll are six megabytes."""
_MAX_HOURS_DIGITS = 4
_TIME = rf"(?:(\d{{1,{_MAX_HOURS_DIGITS}}}):)?([0-5]\d):([0-5]\d)[.,](\d{{3}})"
_TIMES = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?", re.ASCII)
_TAG = re.compile(r"<[^<>]*>")
_OVERRIDE = re.compile(r"\{\\[^{}]*\}")
"""Substation Alpha's, which SubRip files are full of: ``{\\an8}``."""
_NUMBER = re.compile(r"\s*\d{1,9}\s*", re.ASCII)
_NO_CUE = re.compile(r"(NOTE|STYLE|REGION)([ \t]|$)")
_LINE_END = re.compile(r"\r\n|\n|\r")
_UNREADABLE = "\ufffd"
_SHOWN_CHARS = 60


class Cue(NamedTuple):
    """One subtitle."""

    start_ns: int
    end_ns: int
    lines: tuple[str, ...]
    """Plain words; empty lines are left out."""
    number: int
    """Of the line in the file that gives its times, from 1."""


class Problem(NamedTuple):
    """What could not be read; only the cue it is part of is left out."""

    number: int
    found: str
    expected: str


@dataclass(frozen=True)
class Subtitles:
    """What a file holds, cues in order of time."""

    cues: tuple[Cue, ...]
    problems: tuple[Problem, ...]


def subtitles(files: SourceFiles, path: str) -> Subtitles:
    """All cues of a ``.vtt`` or ``.srt`` file. Raises SourceError when it cannot be opened or is too large."""
    with files.open(path) as stream:
        data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise SourceError(
            f"{files.url_of(path)}: is larger than {MAX_BYTES >> 20} MiB, expected subtitles; take it out of the folder"
        )
    return parse(data, is_webvtt=path.lower().endswith(".vtt"))


def parse(data: bytes, *, is_webvtt: bool) -> Subtitles:
    """The cues in a file's content, which counts for more than its name where it is WebVTT called ``.srt``."""
    lines = _LINE_END.split(_text(data))
    has_header = re.match(r"WEBVTT([ \t]|$)", lines[0]) is not None
    if is_webvtt and not has_header:
        return Subtitles((), (Problem(1, _shown(lines[0]), "WEBVTT"),))
    cues, problems = [], []
    for found in _webvtt(lines) if has_header else _subrip(lines):
        if isinstance(found, Problem):
            problems.append(found)
        elif found.lines:
            cues.append(found)
    return Subtitles(tuple(sorted(cues)), tuple(problems))


def _text(data: bytes) -> str:
    """UTF-8, or UTF-16 where a mark says so; what is neither becomes U+FFFD, and its cue is left out."""
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return data.decode(encoding, "replace").replace("\0", _UNREADABLE)


def _webvtt(lines: list[str]) -> Iterator[Cue | Problem]:
    """A cue's text goes on to the next empty line; a line with one space is no empty line."""
    at = next((i for i, line in enumerate(lines) if not line or (i and "-->" in line)), len(lines))
    while at < len(lines):
        if not lines[at]:
            at += 1
            continue
        stop = at
        while stop < len(lines) and lines[stop] and (stop == at or "-->" not in lines[stop]):
            stop += 1
        if "-->" in lines[at]:
            yield _cue(lines, at, stop, is_webvtt=True)
        elif not (stop < len(lines) and "-->" in lines[stop]) and not _NO_CUE.match(lines[at]):
            yield Problem(at + 1, _shown(lines[at]), "the times of a cue")
        at = stop


def _subrip(lines: list[str]) -> Iterator[Cue | Problem]:
    """A cue's text goes on to the number above the next times, across empty lines."""
    times = [i for i, line in enumerate(lines) if "-->" in line]
    for i in range(times[0] if times else len(lines)):
        if lines[i].strip() and not _NUMBER.fullmatch(lines[i]):
            yield Problem(i + 1, _shown(lines[i]), "the number or the times of a cue")
            break
    for at, following in zip(times, [*times, len(lines)][1:], strict=True):
        stop = following
        if following < len(lines) and stop - 1 > at and _NUMBER.fullmatch(lines[stop - 1]):
            stop -= 1
        yield _cue(lines, at, stop, is_webvtt=False)


def _cue(lines: list[str], at: int, stop: int, *, is_webvtt: bool) -> Cue | Problem:
    found = _TIMES.fullmatch(lines[at])
    if found is None:
        return Problem(at + 1, _shown(lines[at]), "two times such as 00:01:02.500 --> 00:01:04.000")
    start_ns, end_ns = _ns(found.groups()[:4]), _ns(found.groups()[4:])
    if end_ns <= start_ns:
        return Problem(at + 1, _shown(lines[at]), "an end after the start")
    texts = [_plain(line, is_webvtt=is_webvtt) for line in lines[at + 1 : stop]]
    for number, text in enumerate(texts, at + 2):
        if _UNREADABLE in text:
            return Problem(number, _shown(text), "text in UTF-8")
    return Cue(start_ns, end_ns, tuple(text for text in texts if text), at + 1)


def _ns(parts: tuple[str | None, ...]) -> int:
    hours, minutes, seconds, thousandths = (int(part or 0) for part in parts)
    return (((hours * 60 + minutes) * 60 + seconds) * 1000 + thousandths) * 1_000_000


def _plain(line: str, *, is_webvtt: bool) -> str:
    text = _TAG.sub("", line)
    return " ".join((html.unescape(text) if is_webvtt else _OVERRIDE.sub("", text)).split())


def _shown(line: str) -> str:
    """A line as findings quote it."""
    return repr(line if len(line) <= _SHOWN_CHARS else line[:_SHOWN_CHARS] + "…")
