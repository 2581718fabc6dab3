"""Ego4D's annotation files, cut into one slice per video: metadata, narrations, critical frames, Goal-Step.

A file is known by how it begins, because releases name and nest them differently. Only what becomes a span or a claim
about the video is taken out, in nanoseconds of the video's own clock; words stay as they were written.
"""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from pipeline.files import SourceFiles
from pipeline.sources.spans import says_something
from pipeline.sources.storage.json_file import dict_of, dicts_of, entries, ns_of, number_of, text_of
from schemas.episode import SpanMeaning

_UID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_SPLITS = "split_"
_CRITICAL = ("pre_45", "pre_30", "pre_15", "pre_frame", "contact_frame", "pnr_frame", "post_frame")
_LEVELS = (("goalstep_step", SpanMeaning.SUBTASK), ("goalstep_substep", SpanMeaning.ACTION))


class Sort(StrEnum):
    """What a file of annotations is about."""

    METADATA = "metadata"
    NARRATION = "narration"
    CRITICAL_FRAMES = "critical_frames"
    GOAL_STEP = "goal_step"


_MARKS = (
    (Sort.GOAL_STEP, ('"goal_category"', '"goal_description"', '"step_category"')),
    (Sort.CRITICAL_FRAMES, ('"annotated_intervals"', '"critical_frames"')),
    (Sort.NARRATION, ('"narration_pass_',)),
    (Sort.METADATA, ('"video_metadata"', '"redacted_intervals"')),
)
"""Words a file of each sort has near its beginning; the first sort that fits counts."""


@dataclass
class Slice:
    """What one file says about one video. Plain values, so that it survives as JSON."""

    sort: str
    path: str
    spans: list[list[Any]] = field(default_factory=list)
    """[track, start_ns, end_ns, text, meaning]"""
    frames: list[list[Any]] = field(default_factory=list)
    """[track, frame, text, meaning]: given as a frame's number, counted from 0."""
    claims: dict[str, Any] = field(default_factory=dict)
    """What the metadata says about the video file."""
    unreadable: int = 0
    """Entries whose times or texts mean nothing."""

    def span(self, track: str, start: object, end: object, text: object, meaning: SpanMeaning) -> None:
        """A span given in seconds; counted as unreadable when it has no words or its times are no times."""
        start_ns, end_ns, words = ns_of(start), ns_of(end), text_of(text)
        if start_ns is None or end_ns is None or end_ns < start_ns or not says_something(words):
            self.unreadable += 1
        else:
            self.spans.append([track, start_ns, end_ns, words, str(meaning)])

    def remark(self, track: str, start: object, end: object, text: object) -> None:
        """What else is said of a span that stands in another track; nothing when nothing is said."""
        if says_something(text_of(text)):
            self.span(track, start, end, text, SpanMeaning.OTHER)

    def items(self, value: object) -> list[dict[str, Any]]:
        """The objects of a list; what else stands in it is counted as unreadable."""
        found = dicts_of(value)
        self.unreadable += len(value) - len(found) if isinstance(value, list) else 0
        return found

    def plain(self) -> dict[str, Any]:
        return asdict(self)


def sort_of(beginning: str) -> Sort | None:
    """What a JSON file is, by its first characters; None when it is none that is read."""
    return next((sort for sort, marks in _MARKS if any(mark in beginning for mark in marks)), None)


def slices_of(files: SourceFiles, path: str, sort: Sort) -> Iterator[tuple[str | None, dict[str, Any]]]:
    """(video_uid, slice) for every video of a file; (None, entry) for entries without a usable id.

    A clip's own id comes with a slice that says ``clip_of``. Raises SourceError when the file is no JSON.
    """
    for keys, entry in entries(files, path, inside=("videos", "clips")):
        if len(keys) == 1 and not _is_narrated(sort, entry):
            continue
        uid = _uid(keys[-1] or dict_of(entry).get("video_uid"))
        if uid is None or not isinstance(entry, dict):
            yield None, {}
        elif keys[0] == "clips":
            yield from _clip(uid, entry, sort, path)
        else:
            cut = Slice(str(sort), path)
            _CUTTERS[sort](cut, entry)
            yield uid, cut.plain()


def _is_narrated(sort: Sort, entry: object) -> bool:
    """Narrations come with and without a list of videos around them; version and date stand beside either."""
    return sort is Sort.NARRATION and any(key.startswith("narration_pass") for key in dict_of(entry))


def _uid(value: object) -> str | None:
    return value if isinstance(value, str) and _UID.fullmatch(value) else None


def _clip(uid: str, entry: dict[str, Any], sort: Sort, path: str) -> Iterator[tuple[str | None, dict[str, Any]]]:
    """A clip of a video: where it lies, and its id, under which a shortened copy of the video may be found."""
    clip = _uid(entry.get("clip_uid"))
    if sort is not Sort.METADATA or clip is None:
        return
    cut = Slice(str(sort), path)
    cut.span("clip", entry.get("video_start_sec"), entry.get("video_end_sec"), clip, SpanMeaning.OTHER)
    yield uid, cut.plain()
    yield clip, {"clip_of": uid}


def _metadata(cut: Slice, video: dict[str, Any]) -> None:
    stated = dict_of(video.get("video_metadata"))
    fps, frames = number_of(stated.get("fps")), number_of(stated.get("num_frames"))
    height, width = (number_of(stated.get(f"display_resolution_{side}")) for side in ("height", "width"))
    duration = video.get("duration_sec")
    cut.claims = {
        "fps": fps if fps is not None and 1.0 <= fps <= 1000.0 else None,
        "frames": int(frames) if frames is not None and 0 < frames < 1e9 else None,
        "size": [int(height), int(width)] if height and width and 0 < height < 1e5 and 0 < width < 1e5 else None,
        "stereo": video.get("is_stereo") is True,
    }
    end = duration if ns_of(duration) is not None else 0
    for key in sorted(video):
        if key.startswith(_SPLITS):
            cut.remark(key, 0, end, video[key])
    for scenario in _list(video.get("scenarios")):
        cut.remark("scenario", 0, end, scenario)
    for interval in _list(video.get("redacted_intervals")):
        start, stop = _interval(interval)
        cut.span("redacted_intervals", start, stop, "redacted", SpanMeaning.INVALID)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _interval(value: object) -> tuple[object, object]:
    if isinstance(value, list) and len(value) == 2:
        return value[0], value[1]
    stated = dict_of(value)
    return stated.get("start_sec"), stated.get("end_sec")


def _narrations(cut: Slice, video: dict[str, Any]) -> None:
    """Points in time, in the annotator's notation: ``#C`` the camera wearer, ``#O`` somebody else."""
    for track in sorted(key for key in video if key.startswith("narration_pass")):
        said = dict_of(video[track])
        for item in cut.items(said.get("narrations")):
            start = item.get("timestamp_sec")
            cut.span(track, start, item.get("end_sec", start), item.get("narration_text"), SpanMeaning.NARRATION)
        for item in cut.items(said.get("summaries")):
            cut.span(
                f"{track}_summary",
                item.get("start_sec"),
                item.get("end_sec"),
                item.get("summary_text"),
                SpanMeaning.NARRATION,
            )


def _critical_frames(cut: Slice, video: dict[str, Any]) -> None:
    for interval in cut.items(video.get("annotated_intervals")):
        for action in cut.items(interval.get("narrated_actions")):
            refused = action.get("is_valid_action") is False or action.get("is_rejected") is True
            track, meaning = ("fho_rejected_action", SpanMeaning.OTHER) if refused else ("fho", SpanMeaning.ACTION)
            text = text_of(action.get("narration_text")) or text_of(action.get("structured_verb")) or "action"
            cut.span(track, action.get("start_sec"), action.get("end_sec"), text, meaning)
            if refused:
                continue
            for name, frame in dict_of(action.get("critical_frames")).items():
                _critical_frame(cut, name, frame, text)


def _critical_frame(cut: Slice, name: str, frame: object, text: str) -> None:
    number = number_of(frame)
    if name not in _CRITICAL or number is None or not 0 <= number < 1e9:
        cut.unreadable += frame is not None
        return
    meaning = SpanMeaning.CONTACT if name == "contact_frame" else SpanMeaning.OTHER
    cut.frames.append([f"fho_{name}", int(number), text, str(meaning)])


def _goal_steps(cut: Slice, video: dict[str, Any]) -> None:
    """Goal, steps and substeps as they were said: they may overlap, and reach beyond what they belong to."""
    start, end = video.get("start_time"), video.get("end_time")
    goal = video.get("goal_description") or video.get("goal_category")
    if goal is not None:
        cut.span("goalstep_goal", start, end, goal, SpanMeaning.TASK)
        cut.remark("goalstep_goal_category", start, end, video.get("goal_category"))
        _attributes(cut, "goalstep_goal", video)
    level, depth = cut.items(video.get("segments")), 0
    while level:
        track, meaning = _LEVELS[min(depth, len(_LEVELS) - 1)]
        for segment in level:
            start, end = segment.get("start_time"), segment.get("end_time")
            text = segment.get("step_description") or segment.get("step_category")
            cut.span(track, start, end, text, meaning)
            cut.remark(f"{track}_category", start, end, segment.get("step_category"))
            cut.remark(f"{track}_is_relevant", start, end, segment.get("is_relevant"))
            _attributes(cut, track, segment)
        level, depth = [below for segment in level for below in cut.items(segment.get("segments"))], depth + 1


def _attributes(cut: Slice, track: str, segment: dict[str, Any]) -> None:
    start, end = segment.get("start_time"), segment.get("end_time")
    for flag in ("is_continued", "is_procedural"):
        if segment.get(flag) is True:
            cut.remark(f"{track}_{flag}", start, end, "true")
    for sentence in _list(segment.get("summary")):
        cut.remark(f"{track}_summary", start, end, sentence)


_CUTTERS = {
    Sort.METADATA: _metadata,
    Sort.NARRATION: _narrations,
    Sort.CRITICAL_FRAMES: _critical_frames,
    Sort.GOAL_STEP: _goal_steps,
}
