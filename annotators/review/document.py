"""A tree under review, as boundaries with ranks, so that the four levels nest by construction (review.md §3.1).

A boundary of rank r bounds every level of depth ≥ r: rank 0 cuts tasks and all below, rank 3 segments only. The lane
of a level is the tiling cut at all boundaries with rank ≤ its depth. Nothing that people do to boundaries can
therefore break the nesting; what is left to check is their order and the shortest span.

Kept ranges (what cleaning left of the recording) are bounded by *pinned* boundaries, which nobody moves: the first
opens events, the last does not. Frames are ordinals of the master view's pictures, spans half-open.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

from schemas.episode import Arm
from schemas.event import BoundaryKind, Level, ReviewState, Verb
from schemas.identity import canonical_json, digest
from schemas.time import MIN_EVENT_FRAMES

LEVELS = tuple(Level)


class Origin(StrEnum):
    """Who a value is from. What a person said is never overwritten by a machine."""

    MACHINE = "machine"
    HUMAN = "human"


@dataclass(frozen=True)
class ReviewBoundary:
    """One edge, shared by the lanes of its rank and below."""

    frame: int
    rank: int
    """Depth of the coarsest level it bounds, 0 … 3."""
    kind: BoundaryKind
    confidence: float
    origin: Origin = Origin.MACHINE
    state: ReviewState = ReviewState.PROPOSED
    pinned: bool = False
    """An edge of a kept range: it neither moves nor goes away."""
    opens: bool = True
    """False for the end of a kept range, where no event begins."""


@dataclass(frozen=True)
class Label:
    """What one event is called: the words belong to the event that starts at a boundary, at one level."""

    caption: str
    verb: Verb
    objects: tuple[str, ...] = ()
    arm: Arm | None = None
    origin: Origin = Origin.MACHINE
    state: ReviewState = ReviewState.PROPOSED


def boundary_key(boundary_id: str) -> str:
    """The entity key of a boundary, as operations, versions and conflicts name it."""
    return f"boundary:{boundary_id}"


def label_key(level: Level, boundary_id: str) -> str:
    """The entity key of the label of the event of ``level`` that starts at a boundary."""
    return f"label:{level}:{boundary_id}"


@dataclass(frozen=True)
class ReviewedSpan:
    """One event of a lane."""

    level: Level
    start_id: str
    end_id: str
    frame_start: int
    frame_end: int
    label: Label | None


@dataclass(frozen=True)
class Document:
    """One episode as people see it. ``boundaries`` and ``labels`` are keyed by id; equal documents are equal values."""

    episode_id: str
    n_frames: int
    boundaries: Mapping[str, ReviewBoundary]
    labels: Mapping[str, Label] = field(default_factory=dict)
    """By `label_key`."""

    def in_order(self) -> list[tuple[str, ReviewBoundary]]:
        """(id, boundary) by frame; ids break no ties because no two boundaries share a frame."""
        return sorted(self.boundaries.items(), key=lambda item: item[1].frame)

    def lane(self, level: Level) -> Iterator[ReviewedSpan]:
        """The events of a level, in time order, without those that cleaning left out."""
        cuts = [(name, edge) for name, edge in self.in_order() if edge.rank <= level.depth]
        for (start_id, start), (end_id, end) in pairwise(cuts):
            if start.opens:
                label = self.labels.get(label_key(level, start_id))
                yield ReviewedSpan(level, start_id, end_id, start.frame, end.frame, label)

    @property
    def sha256(self) -> str:
        """Digest of everything a person could have changed."""
        boundaries = {name: _plain(edge) for name, edge in self.boundaries.items()}
        labels = {name: _plain(label) for name, label in self.labels.items()}
        return digest(canonical_json([self.episode_id, self.n_frames, boundaries, labels]))


def problems(document: Document) -> list[str]:
    """Every broken invariant as a sentence; empty for a document that may be saved."""
    found = []
    order = document.in_order()
    if not order or not order[0][1].pinned or not order[-1][1].pinned:
        return ["the first and the last boundary must be edges of a kept range"]
    for (start_id, start), (end_id, end) in pairwise(order):
        if start.opens and end.frame - start.frame < MIN_EVENT_FRAMES:
            n_frames = end.frame - start.frame
            found.append(f"{start_id} to {end_id}: {n_frames} frames, expected at least {MIN_EVENT_FRAMES}")
        if end.frame <= start.frame:
            found.append(f"{end_id} at frame {end.frame} does not come after {start_id} at {start.frame}")
        if not start.opens and not (end.pinned and end.opens):
            found.append(f"{end_id} at frame {end.frame} lies where cleaning kept nothing")
    if order[0][1].frame < 0 or order[-1][1].frame > document.n_frames:
        found.append(f"boundaries leave the recording of {document.n_frames} frames")
    starts = {label_key(level, span.start_id) for level in LEVELS for span in document.lane(level)}
    found += [f"{name}: no event starts there" for name in sorted(set(document.labels) - starts)]
    return found


def neighbours(document: Document, boundary_id: str) -> tuple[str | None, str | None]:
    """Ids of the boundaries before and after one."""
    names = [name for name, _ in document.in_order()]
    at = names.index(boundary_id)
    return (names[at - 1] if at else None), (names[at + 1] if at + 1 < len(names) else None)


def _plain(record: ReviewBoundary | Label) -> dict[str, object]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(record).items()}
