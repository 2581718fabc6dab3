"""EPIC-KITCHENS-100: first-person cooking videos and tables of segments that overlap, one row per narrated action.

Segments stay what they are, annotations of the source; they are no partition of the video (in the validation split
2,450 consecutive pairs overlap). Times are of the video file's own clock; the frame numbers beside them count from 1 at
the video's rate and serve as a check only, because players, not frame dumps, define when something happens.
"""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from pipeline.errors import SourceError
from pipeline.files import FileStat, SourceFiles
from pipeline.fingerprint import DigestCache
from pipeline.sources.egocentric.annotated_videos import AnnotatedVideos, seen
from pipeline.sources.facts import FormatFacts
from pipeline.sources.raw import RawEpisode
from pipeline.sources.reference import about_episode, about_source, dataset_part, declared_defects
from pipeline.sources.slices import Slices
from pipeline.sources.spans import says_something
from pipeline.sources.storage.csv_file import rows
from pipeline.sources.storage.json_file import MAX_SECONDS
from pipeline.sources.views import Claims
from schemas.episode import SourceSpan, SpanMeaning
from schemas.finding import Finding
from schemas.recipe_formats.epic_kitchens import EpicKitchensSource
from schemas.source import EpisodeRef, SourceKind
from schemas.time import NS_PER_S

_TABLES = ("EPIC_100_train.csv", "EPIC_100_validation.csv", "EPIC_100_test_timestamps.csv")
_VIDEO_INFO = "EPIC_100_video_info.csv"
_SEGMENT_COLUMNS = ("narration_id", "video_id", "start_timestamp", "stop_timestamp", "start_frame", "stop_frame")
_INFO_COLUMNS = ("video_id", "duration", "fps", "resolution")
_ABOUT_SEGMENT = ("verb", "verb_class", "noun", "noun_class", "all_nouns", "all_noun_classes")
_CLOCK = re.compile(r"([0-9]{1,4}):([0-5][0-9]):([0-5][0-9])(?:\.([0-9]{1,9}))?")
_FRAMES_APART = 2.5
"""Frames between a time and its frame number that rounding explains: numbers count from 1, times have two decimals
(0.6 frame at 59.94 per second), and the tables round half either way."""
FACTS = FormatFacts(
    title="EPIC-KITCHENS-100",
    kinds=(SourceKind.EGOCENTRIC,),
    layout="`EPIC_100_*.csv` and `<video_id>.MP4` in any folders; an annotated video without a file is an episode "
    "without pictures",
    clock="the video's own presentation times (50 or 59.94 fps); `HH:MM:SS.ff` is of the same clock, frame numbers "
    "count from 1 and are only checked against it",
    pose="-",
    rotation="-",
    gripper="-",
    commands="-",
    language="the recipe's `instruction`; narrations are spans",
    spans="segments (action; they overlap), narration_timestamp (narration, a point), verb, noun, their classes, split",
    refused="pickled copies of the tables, object detections, flow and frame dumps, IMU",
    tested_on="fixture: videos re-packed from headset_clips_4fps, tables in the published columns",
)


def discover(spec: EpicKitchensSource, files: SourceFiles, digests: DigestCache) -> Iterator[EpisodeRef | Finding]:
    """One reference per video, annotated or there, in order of id. Raises SourceError when there is neither."""
    yield from declared_defects(spec)
    videos = AnnotatedVideos(spec, files, digests, files.list())
    with Slices() as slices:
        yield from _gather(spec, files, videos.listing, slices)
        videos.add_to(slices)
        for video_id, pieces in slices.by_recording():
            part, twice = _merged(pieces)
            if twice:
                message = f"{spec.name}: {twice} segments of {video_id} are listed twice by id; the last one is read"
                yield about_source(spec.name, "segment_listed_twice", message, value=float(twice))
            yield from videos.references(video_id, "video_id", pieces, part)
    if not videos.listed:
        raise SourceError(
            f"{files.root}: found none of {', '.join(_TABLES)} and no video below it; correct `path` of source "
            f"{spec.name}"
        )
    yield from videos.findings()


def _gather(spec: EpicKitchensSource, files: SourceFiles, listing: list[FileStat], slices: Slices) -> Iterator[Finding]:
    """Segments and video facts by video, and findings about the tables."""
    there = [stat.path for stat in listing]
    for path in spec.annotations or ():
        if path not in there:
            raise SourceError(f"{files.url_of(path)}: no such file, although `annotations` of {spec.name} names it")
    tables = sorted(spec.annotations or [path for path in there if PurePosixPath(path).name in _TABLES])
    for path in tables:
        for row in rows(files, path, _SEGMENT_COLUMNS):
            slices.add(row["video_id"], {"segment": _segment(row), "split": _split_of(path)})
    facts = [path for path in there if PurePosixPath(path).name == _VIDEO_INFO]
    if not facts and tables:
        message = (
            f"{spec.name}: no {_VIDEO_INFO} below {files.root}; without it neither frame rates nor the frame numbers "
            "of segments can be checked"
        )
        yield about_source(spec.name, "video_info_missing", message)
    for path in facts[-1:]:
        for row in rows(files, path, _INFO_COLUMNS):
            slices.add(row["video_id"], {"info": {column: row[column] for column in _INFO_COLUMNS}})


def _segment(row: dict[str, str]) -> dict[str, Any]:
    """One row as it stands, times and frames as whole numbers, None where they mean nothing."""
    words = {key: row[key] for key in ("narration", *_ABOUT_SEGMENT) if says_something(row.get(key, ""))}
    if words.get("all_nouns") == f"['{words.get('noun')}']":
        del words["all_nouns"]
        words.pop("all_noun_classes", None)
    return {
        "id": row["narration_id"],
        "narrated_ns": clock_ns(row.get("narration_timestamp", "")),
        "span_ns": [clock_ns(row[f"{edge}_timestamp"]) for edge in ("start", "stop")],
        "frames": [_whole(row[f"{edge}_frame"]) for edge in ("start", "stop")],
        "words": words,
    }


def clock_ns(text: str) -> int | None:
    """``HH:MM:SS.ff`` as nanoseconds, in whole numbers; None for anything else."""
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        return None
    hours, minutes, seconds, fraction = found.groups()
    whole = (int(hours) * 60 + int(minutes)) * 60 + int(seconds)
    return None if whole > MAX_SECONDS else whole * NS_PER_S + int((fraction or "").ljust(9, "0"))


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _number(text: str) -> float | None:
    """A frame rate or duration in seconds; None for what cannot be one."""
    found = re.fullmatch(r"[0-9]{1,8}(?:\.[0-9]{1,20})?", text.strip())
    return float(text) if found and float(text) > 0 else None


def _split_of(path: str) -> str:
    """``train``, ``validation`` or ``test``, by the name of the table."""
    return PurePosixPath(path).stem.removeprefix("EPIC_100_").removesuffix("_timestamps")


def _merged(pieces: list[dict[str, Any]]) -> tuple[dict[str, Any], int]:
    """A video's slices as one, and how many segments are there more than once."""
    segments = {piece["segment"]["id"]: piece["segment"] for piece in pieces if "segment" in piece}
    merged: dict[str, Any] = {
        "info": next((piece["info"] for piece in pieces if "info" in piece), {}),
        "splits": sorted({piece["split"] for piece in pieces if "split" in piece}),
        "segments": sorted(segments.values(), key=lambda segment: (segment["span_ns"][0] or 0, segment["id"])),
    }
    return merged, sum("segment" in piece for piece in pieces) - len(segments)


def read(ref: EpisodeRef, files: SourceFiles) -> RawEpisode:
    """One video with its segments. Raises SourceError when its container cannot be read."""
    said = dataset_part(ref)
    info = said["info"]
    fps = _number(info.get("fps", ""))
    cameras, findings, first_ns = seen(ref, files, Claims(fps=fps, size=_size(info.get("resolution", ""))))
    spans = [span for segment in said["segments"] for span in _spans(segment, first_ns)]
    duration_s = _number(info.get("duration", ""))
    end_ns = max([span.end_ns for span in spans], default=0) if duration_s is None else round(duration_s * NS_PER_S)
    spans += [SourceSpan("split", 0, end_ns, split) for split in said["splits"]]
    return RawEpisode(
        instruction="",
        cameras=tuple(cameras),
        actions=None,
        rows_are_frames=False,
        annotations=tuple(sorted(spans, key=lambda span: (span.track, span.start_ns, span.end_ns, span.text))),
        findings=(*findings, *_findings(ref, said["segments"], fps)),
    )


def _size(text: str) -> tuple[int, int] | None:
    """``1920x1080`` as height and width."""
    width, _, height = text.partition("x")
    sides = _whole(height.strip()), _whole(width.strip())
    return None if sides[0] is None or sides[1] is None else (sides[0], sides[1])


def _is_readable(segment: dict[str, Any]) -> bool:
    start_ns, stop_ns = segment["span_ns"]
    return start_ns is not None and stop_ns is not None and stop_ns >= start_ns


def _spans(segment: dict[str, Any], first_ns: int) -> Iterator[SourceSpan]:
    """A segment as the span of its narration, one more per word class, and the moment somebody spoke."""
    words = segment["words"]
    text = words.get("narration", segment["id"])
    if _is_readable(segment):
        start_ns, stop_ns = (edge - first_ns for edge in segment["span_ns"])
        meaning = SpanMeaning.ACTION if "narration" in words else SpanMeaning.OTHER
        yield SourceSpan("narration", start_ns, stop_ns, text, meaning)
        for column in _ABOUT_SEGMENT:
            if column in words:
                yield SourceSpan(column, start_ns, stop_ns, words[column])
    if segment["narrated_ns"] is not None:
        point_ns = segment["narrated_ns"] - first_ns
        yield SourceSpan("narration_timestamp", point_ns, point_ns, text, SpanMeaning.NARRATION)


def _findings(ref: EpisodeRef, segments: list[dict[str, Any]], fps: float | None) -> Iterator[Finding]:
    unreadable = [segment for segment in segments if not _is_readable(segment)]
    if unreadable:
        message = (
            f"{len(unreadable)} segments have no times as HH:MM:SS.ff, or end before they start, e.g. "
            f"{unreadable[0]['id']}; they are left out"
        )
        yield about_episode(ref, "annotation_unreadable", message, len(unreadable), 0)
    apart = [(_frames_apart(segment, fps), segment) for segment in segments] if fps is not None else []
    far = [(distance, segment) for distance, segment in apart if distance > _FRAMES_APART]
    if far:
        worst, segment = max(far, key=lambda item: item[0])
        message = (
            f"{len(far)} of {len(segments)} segments have frame numbers up to {worst:.0f} frames from their times at "
            f"{fps:g} fps, e.g. {segment['id']}: {segment['frames']} at {segment['span_ns']} ns; times count"
        )
        yield about_episode(ref, "frames_disagree", message, worst, _FRAMES_APART)


def _frames_apart(segment: dict[str, Any], fps: float) -> float:
    """How far a segment's frame numbers are from its times, in frames; 0 where either is missing."""
    distances = [
        abs(frame - 1 - edge * fps / NS_PER_S)
        for frame, edge in zip(segment["frames"], segment["span_ns"], strict=True)
        if frame is not None and edge is not None
    ]
    return max(distances, default=0.0)
