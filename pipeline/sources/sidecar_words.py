"""What the files beside a video say about it, as spans on the file's clock: chapters, subtitles, facts.

Nothing in them is trusted further than it can be checked: a broken file is a finding and loses nothing else, and where
the video is evidently not as long as its info file says, nothing that has a time in it is used.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.sources.captions import speech_of
from pipeline.sources.licences import disagree
from pipeline.sources.reference import about_episode, common_part
from pipeline.sources.sidecars import INFO, language_of, stem_of
from pipeline.sources.spans import says_something
from pipeline.sources.storage.subtitles import subtitles
from pipeline.sources.yt_dlp import VideoInfo, info_of
from pipeline.video import Contents
from schemas.episode import SourceSpan, SpanMeaning
from schemas.finding import Finding
from schemas.source import EpisodeRef
from schemas.time import NS_PER_S

_SLACK_NS, _SLACK = 2 * NS_PER_S, 0.01
"""A stated duration is rounded to seconds and counts the sound's end; beyond the sum of both the video is another."""


@dataclass
class Words:
    """What was found; times count from when the container begins, as players show them."""

    spans: list[SourceSpan] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    title: str = ""


def words_of(ref: EpisodeRef, files: SourceFiles, video: str, beside: list[str], listed: Contents) -> Words:
    """Everything in the sidecars ``beside`` (what follows the video's name in theirs) and in the container itself."""
    words = Words()
    info = _info(ref, files, stem_of(video) + INFO, words) if INFO in beside else None
    length_ns = listed.length_ns or (info.duration_ns if info else None) or 0
    if info is not None:
        words.title = info.texts.get("title", "")
        words.findings += _about_info(ref, video, info)
        facts = (SourceSpan(f"info.{key}", 0, length_ns, text) for key, text in sorted(info.texts.items()))
        words.spans += facts if length_ns > 0 else ()
    if info is None or (fault := _other_times(video, info, listed)) is None:
        words.spans += _chapters(info, listed)
        paths = _by_language(video, [rest for rest in beside if rest != INFO])
        _subtitles(ref, files, paths, info.automatic if info else frozenset(), words)
        _within(ref, video, length_ns, words)
    else:
        words.findings.append(about_episode(ref, *fault))
    return words


def _info(ref: EpisodeRef, files: SourceFiles, path: str, words: Words) -> VideoInfo | None:
    try:
        return info_of(files, path)
    except SourceError as error:
        words.findings.append(about_episode(ref, "sidecar_damaged", f"is left out: {error}"))
        return None


def _about_info(ref: EpisodeRef, video: str, info: VideoInfo) -> Iterator[Finding]:
    card, licence = common_part(ref).card, info.texts.get("license", "")
    if licence and disagree(card.licence, licence):
        message = (
            f"the info file beside {video} says its licence is '{licence[:100]}', the card says '{card.licence}', "
            "which counts; leave the video out or correct the card"
        )
        yield about_episode(ref, "licence_disagrees", message)
    if info.unreadable:
        message = (
            f"the info file beside {video} has {info.unreadable} chapters without words or with impossible times; "
            "they are left out"
        )
        yield about_episode(ref, "annotation_unreadable", message, info.unreadable, 0)


def _other_times(video: str, info: VideoInfo, listed: Contents) -> tuple[str, str, float | None, float | None] | None:
    """Check, message, value and threshold where the info file's times are not this video's."""
    left_out = "its chapters and subtitles are left out, because nothing says where they belong"
    if info.is_section:
        message = f"{video} is a section of what its info file is about; {left_out}"
        return "sidecar_of_whole_video", message, None, None
    if info.duration_ns is None or listed.length_ns is None:
        return None
    apart_ns, allowed_ns = abs(listed.length_ns - info.duration_ns), _SLACK_NS + _SLACK * info.duration_ns
    if apart_ns <= allowed_ns:
        return None
    message = (
        f"{video} lasts {listed.length_ns / NS_PER_S:.1f} s, its info file says {info.duration_ns / NS_PER_S:.1f} s; "
        f"{left_out}"
    )
    return "duration_disagrees", message, apart_ns / NS_PER_S, allowed_ns / NS_PER_S


def _chapters(info: VideoInfo | None, listed: Contents) -> Iterator[SourceSpan]:
    """The info file's, else the container's own."""
    of_file = [
        (start_ns - listed.start_ns, end_ns - listed.start_ns, " ".join(text.split()))
        for start_ns, end_ns, text in listed.chapters
    ]
    for start_ns, end_ns, text in (info.chapters if info else ()) or of_file:
        if start_ns < end_ns and says_something(text):
            yield SourceSpan("chapters", start_ns, end_ns, text, SpanMeaning.CHAPTER)


def _by_language(video: str, beside: list[str]) -> dict[str, list[str]]:
    """Paths of subtitle files, WebVTT first: it is what sites give, SubRip is made of it."""
    found: dict[str, list[str]] = {}
    for rest in sorted(beside, key=lambda rest: (not rest.lower().endswith(".vtt"), rest)):
        found.setdefault(language_of(rest), []).append(stem_of(video) + rest)
    return found


def _subtitles(
    ref: EpisodeRef, files: SourceFiles, paths: dict[str, list[str]], automatic: frozenset[str], words: Words
) -> None:
    """One track per language, from the first file of that language that says anything."""
    for language, alike in sorted(paths.items()):
        track = "automatic_captions" if language in automatic else "subtitles"
        for i, path in enumerate(alike):
            try:
                says = _read_subtitles(ref, files, path, f"{track}.{language}" if language else track, words)
            except SourceError as error:
                words.findings.append(about_episode(ref, "sidecar_damaged", f"{path} is left out: {error}"))
                says = False
            if says:
                if others := alike[i + 1 :]:
                    message = f"{path} is read, not {', '.join(others)} of the same language"
                    words.findings.append(about_episode(ref, "subtitles_twice", message, 1 + len(others), 1))
                break


def _within(ref: EpisodeRef, video: str, length_ns: int, words: Words) -> None:
    """Leave out what is said to begin after the video has ended."""
    outside = sum(span.start_ns >= length_ns for span in words.spans) if length_ns > 0 else 0
    if outside:
        words.spans = [span for span in words.spans if span.start_ns < length_ns]
        message = f"{outside} chapters or subtitles begin after {video} has ended; they are left out"
        words.findings.append(about_episode(ref, "annotation_outside", message, outside, 0))


def _read_subtitles(ref: EpisodeRef, files: SourceFiles, path: str, track: str, words: Words) -> bool:
    """Whether the file says anything."""
    found = subtitles(files, path)
    speech = speech_of(found.cues)
    words.spans += (SourceSpan(track, *said, SpanMeaning.SPEECH) for said in speech.said)
    if found.problems:
        first = found.problems[0]
        more = f" ({len(found.problems)} such places)" if len(found.problems) > 1 else ""
        message = (
            f"{path}, line {first.number}: found {first.found}, expected {first.expected}{more}; what it is part of is "
            "left out"
        )
        words.findings.append(about_episode(ref, "subtitle_unreadable", message, len(found.problems), 0))
    if speech.repeated:
        message = (
            f"{path} rolls: {speech.repeated} of {len(found.cues)} cues repeat lines of the one before; each line is "
            "taken once"
        )
        words.findings.append(about_episode(ref, "captions_rolling", message, speech.repeated, 0))
    return bool(speech.said)
