"""What people can do to a document, and what each deed changes.

Every operation becomes a `Change`: per entity its value before and after. That one form is the undo (swapped), the
conflict test (which entities, at which versions), the log's content, and the replay. Nothing else writes documents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from annotators.review.document import (
    LEVELS,
    Document,
    Label,
    Origin,
    ReviewBoundary,
    boundary_key,
    label_key,
    neighbours,
    problems,
)
from schemas.episode import Arm
from schemas.event import BoundaryKind, Level, ReviewState, Verb

Entity: TypeAlias = ReviewBoundary | Label
Change: TypeAlias = Mapping[str, tuple[Entity | None, Entity | None]]
"""Entity key → (before, after); None where it does not exist."""


class OperationError(Exception):
    """The operation makes no sense on this document, or would break it; the message says why."""


class _Payload(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Move(_Payload):
    """A boundary goes to another frame."""

    kind: Literal["move"] = "move"
    boundary_id: str
    frame: int


class Split(_Payload):
    """A new boundary; the event it divides keeps its words on both sides until somebody says otherwise."""

    kind: Literal["split"] = "split"
    boundary_id: str = Field(min_length=8, description="Made by the client, so that a retry is the same boundary.")
    frame: int
    rank: Annotated[int, Field(ge=0, le=3)]


class Merge(_Payload):
    """A boundary goes away; of the two events on each level one keeps its words."""

    kind: Literal["merge"] = "merge"
    boundary_id: str
    keep: Literal["left", "right"] = "left"


class Rank(_Payload):
    """A boundary is promoted (towards 0, the task) or demoted."""

    kind: Literal["rank"] = "rank"
    boundary_id: str
    rank: Annotated[int, Field(ge=0, le=3)]


class Relabel(_Payload):
    """What an event is called."""

    kind: Literal["label"] = "label"
    level: Level
    boundary_id: str = Field(description="Where the event starts.")
    caption: str
    verb: Verb
    objects: tuple[str, ...] = ()
    arm: Arm | None = None


class Decide(_Payload):
    """Accepted or rejected as it stands."""

    kind: Literal["decide"] = "decide"
    entity: str
    state: ReviewState
    reason: str = ""


Operation: TypeAlias = Annotated[Move | Split | Merge | Rank | Relabel | Decide, Field(discriminator="kind")]


def change_of(document: Document, operation: Operation) -> Change:
    """What an operation would change. Raises OperationError when it makes no sense or would break the document."""
    rules: dict[str, Callable[[Document, Operation], Change]] = {
        "move": _move, "split": _split, "merge": _merge, "rank": _rank, "label": _label, "decide": _decide,
    }  # fmt: skip
    change = {key: pair for key, pair in rules[operation.kind](document, operation).items() if pair[0] != pair[1]}
    broken = problems(applied(document, change))
    if broken:
        raise OperationError("; ".join(broken))
    return change


def applied(document: Document, change: Change) -> Document:
    """The document after a change."""
    boundaries, labels = dict(document.boundaries), dict(document.labels)
    for key, (_, after) in change.items():
        boundaries.pop(key.removeprefix("boundary:"), None)
        labels.pop(key, None)
        if isinstance(after, ReviewBoundary):
            boundaries[key.removeprefix("boundary:")] = after
        elif after is not None:
            labels[key] = after
    return replace(document, boundaries=boundaries, labels=labels)


def reversed_change(change: Change) -> Change:
    """The change that undoes one."""
    return {key: (after, before) for key, (before, after) in change.items()}


def concerns(document: Document, change: Change) -> frozenset[str]:
    """Entities that must not have changed meanwhile: those touched, and the boundaries next to touched ones.

    A move that was fine between two neighbours is another deed when a neighbour has moved (review.md §3.2).
    """
    found = set(change)
    for state in (document, applied(document, change)):
        for key in change:
            name = key.removeprefix("boundary:")
            if key.startswith("boundary:") and name in state.boundaries:
                found |= {boundary_key(other) for other in neighbours(state, name) if other is not None}
    return frozenset(found)


def value_of(document: Document, key: str) -> Entity | None:
    """The entity of a key, None when there is none."""
    if key.startswith("boundary:"):
        return document.boundaries.get(key.removeprefix("boundary:"))
    return document.labels.get(key)


def _boundary(document: Document, boundary_id: str) -> ReviewBoundary:
    found = document.boundaries.get(boundary_id)
    if found is None:
        raise OperationError(f"boundary {boundary_id}: there is none; it may have been merged away")
    return found


def _movable(document: Document, boundary_id: str) -> ReviewBoundary:
    found = _boundary(document, boundary_id)
    if found.pinned:
        raise OperationError(
            f"boundary {boundary_id}: it is the edge of what cleaning kept, which review does not move"
        )
    return found


def _touched(boundary: ReviewBoundary, **values: object) -> ReviewBoundary:
    edited: ReviewBoundary = replace(boundary, origin=Origin.HUMAN, state=ReviewState.EDITED, **values)  # type: ignore[arg-type]
    return edited


def _move(document: Document, operation: Operation) -> Change:
    assert isinstance(operation, Move)
    before = _movable(document, operation.boundary_id)
    for other in neighbours(document, operation.boundary_id):
        edge = document.boundaries[other] if other is not None else before
        if (edge.frame - before.frame) * (edge.frame - operation.frame) < 0:
            raise OperationError(
                f"frame {operation.frame}: boundary {other} at {edge.frame} is in the way; merge it first"
            )
    return {boundary_key(operation.boundary_id): (before, _touched(before, frame=operation.frame))}


def _split(document: Document, operation: Operation) -> Change:
    assert isinstance(operation, Split)
    if operation.boundary_id in document.boundaries:
        raise OperationError(f"boundary {operation.boundary_id}: there is one already; a new boundary needs a new id")
    if any(edge.frame == operation.frame for edge in document.boundaries.values()):
        raise OperationError(f"frame {operation.frame}: there is a boundary already; promote it instead")
    new = ReviewBoundary(
        operation.frame, operation.rank, BoundaryKind.ANNOTATION, 1.0, Origin.HUMAN, ReviewState.EDITED
    )
    change: dict[str, tuple[Entity | None, Entity | None]] = {boundary_key(operation.boundary_id): (None, new)}
    for level in LEVELS[operation.rank :]:
        for span in document.lane(level):
            if span.frame_start < operation.frame < span.frame_end and span.label is not None:
                change[label_key(level, operation.boundary_id)] = (None, span.label)
    return change


def _merge(document: Document, operation: Operation) -> Change:
    assert isinstance(operation, Merge)
    before = _movable(document, operation.boundary_id)
    change: dict[str, tuple[Entity | None, Entity | None]] = {boundary_key(operation.boundary_id): (before, None)}
    for level in LEVELS[before.rank :]:
        change |= _without_start(document, level, operation.boundary_id, right=operation.keep == "right")
    return change


def _without_start(
    document: Document, level: Level, boundary_id: str, *, right: bool
) -> dict[str, tuple[Entity | None, Entity | None]]:
    """An event of ``level`` no longer starts at the boundary: its words go, or take the place of those before it."""
    gone = label_key(level, boundary_id)
    words = document.labels.get(gone)
    found: dict[str, tuple[Entity | None, Entity | None]] = {} if words is None else {gone: (words, None)}
    if right and words is not None:
        for span in document.lane(level):
            if span.end_id == boundary_id:
                kept = replace(words, origin=Origin.HUMAN, state=ReviewState.EDITED)
                found[label_key(level, span.start_id)] = (span.label, kept)
    return found


def _rank(document: Document, operation: Operation) -> Change:
    assert isinstance(operation, Rank)
    before = _movable(document, operation.boundary_id)
    change: dict[str, tuple[Entity | None, Entity | None]] = {
        boundary_key(operation.boundary_id): (before, _touched(before, rank=operation.rank))
    }
    for level in LEVELS[operation.rank : before.rank]:  # promoted: it starts events of these levels from now on
        for span in document.lane(level):
            if span.frame_start < before.frame < span.frame_end and span.label is not None:
                change[label_key(level, operation.boundary_id)] = (None, span.label)
    for level in LEVELS[before.rank : operation.rank]:  # demoted: it no longer does
        change |= _without_start(document, level, operation.boundary_id, right=False)
    return change


def _label(document: Document, operation: Operation) -> Change:
    assert isinstance(operation, Relabel)
    if not any(span.start_id == operation.boundary_id for span in document.lane(operation.level)):
        raise OperationError(f"no {operation.level} starts at boundary {operation.boundary_id}")
    key = label_key(operation.level, operation.boundary_id)
    words = Label(
        operation.caption.strip(), operation.verb, operation.objects, operation.arm, Origin.HUMAN, ReviewState.EDITED
    )
    return {key: (document.labels.get(key), words)}


def _decide(document: Document, operation: Operation) -> Change:
    assert isinstance(operation, Decide)
    before = value_of(document, operation.entity)
    if before is None:
        raise OperationError(f"{operation.entity}: there is none; it may have been merged away")
    return {operation.entity: (before, replace(before, origin=Origin.HUMAN, state=operation.state))}
