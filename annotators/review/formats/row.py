"""An event as every format carries it, as far as it can, and what a wrong line in a file is answered with.

Frames are 0-based, spans half-open, as everywhere here; each format converts at its own border and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from annotators.review.document import LEVELS, Document
from pipeline.errors import JoineryError
from schemas.array import Floats
from schemas.episode import Arm
from schemas.event import Level, ReviewState, Verb
from schemas.time import MIN_EVENT_FRAMES, NS_PER_S, FrameClock


class FormatError(JoineryError):
    """A file does not say what it should."""

    def __init__(self, file: str, where: str, found: object, expected: str) -> None:
        super().__init__(f"{file}, {where}: found {found!r}, expected {expected}")


@dataclass(frozen=True)
class Row:
    """One event."""

    level: Level
    frame_start: int
    frame_end: int
    caption: str = ""
    verb: Verb | None = None
    """None where a format, or a file, does not say."""
    objects: tuple[str, ...] = ()
    arm: Arm | None = None
    state: ReviewState = ReviewState.PROPOSED


@dataclass(frozen=True, eq=False)
class Recording:
    """The pictures an annotation is of."""

    episode_id: str
    video: str
    """What the other tool calls the film: a file name."""
    clock: FrameClock
    width: int = 640
    height: int = 480
    timestamps: Floats | None = field(default=None)
    """Seconds of each frame as a dataset's own table has them, float32 [N]; else those of the clock."""

    @property
    def seconds(self) -> Floats:
        """Float32 seconds of each frame."""
        if self.timestamps is not None:
            return self.timestamps
        seconds: Floats = (self.clock.times_ns / NS_PER_S).astype(np.float32)
        return seconds

    def frame_at(self, t_ns: float) -> int:
        """The frame edge nearest to a time that was rounded on its way."""
        return self.clock.nearest_edge(round(t_ns))


def rows_of(document: Document, levels: Iterable[Level] = LEVELS) -> list[Row]:
    """A document's events, by level and time."""
    found = []
    for level in levels:
        for span in document.lane(level):
            row = Row(level, span.frame_start, span.frame_end)
            if span.label is not None:
                one = span.label
                row = Row(
                    level, span.frame_start, span.frame_end, one.caption, one.verb, one.objects, one.arm, one.state
                )
            found.append(row)
    return found


def checked(rows: Iterable[tuple[str, Row]], n_frames: int, file: str) -> list[Row]:
    """Rows, each with where it stands in the file, by level and time. Raises FormatError for the first that is none."""
    found = sorted(rows, key=lambda pair: (pair[1].level.depth, pair[1].frame_start, pair[1].frame_end))
    before: tuple[str, Row] | None = None
    for where, row in found:
        span = f"frames [{row.frame_start}, {row.frame_end})"
        if not 0 <= row.frame_start < row.frame_end <= n_frames:
            raise FormatError(file, where, span, f"a span within [0, {n_frames})")
        if row.frame_end - row.frame_start < MIN_EVENT_FRAMES:
            raise FormatError(file, where, span, f"at least {MIN_EVENT_FRAMES} frames")
        if before is not None and before[1].level is row.level and row.frame_start < before[1].frame_end:
            other = f"[{before[1].frame_start}, {before[1].frame_end})"
            raise FormatError(file, where, span, f"no overlap with {row.level} {other} of {before[0]}")
        before = where, row
    return [row for _, row in found]


def level_in(file: str, where: str, text: object) -> Level:
    """A level by its name."""
    if text not in list(Level):
        raise FormatError(file, where, text, f"a level: {', '.join(Level)}")
    return Level(str(text))


def verb_in(file: str, where: str, text: str) -> Verb | None:
    """A verb of the vocabulary; nothing says nothing."""
    if text and text not in list(Verb):
        raise FormatError(file, where, text, "a verb of the vocabulary (docs/segment.md), or `other`")
    return Verb(text) if text else None


def arm_in(file: str, where: str, text: str) -> Arm | None:
    """An arm; nothing says nothing."""
    if text and text not in list(Arm):
        raise FormatError(file, where, text, "left, right or nothing")
    return Arm(text) if text else None


def state_in(file: str, where: str, text: str) -> ReviewState:
    """A review state; nothing is `proposed`."""
    if text and text not in list(ReviewState):
        raise FormatError(file, where, text, f"one of {', '.join(ReviewState)}")
    return ReviewState(text) if text else ReviewState.PROPOSED


def whole_in(file: str, where: str, text: object) -> int:
    """A whole number."""
    try:
        number = float(str(text))
    except ValueError:
        raise FormatError(file, where, text, "a whole number") from None
    if number != int(number):
        raise FormatError(file, where, text, "a whole number")
    return int(number)


def objects_in(text: str) -> tuple[str, ...]:
    """Objects as formats without lists have them: with semicolons between."""
    return tuple(name.strip() for name in text.split(";") if name.strip())


def objects_out(objects: tuple[str, ...]) -> str:
    """The inverse of `objects_in`."""
    return "; ".join(objects)
