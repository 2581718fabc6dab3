"""The machine's tree as a document to review, and what people made of it as spans for `segment`.

Ids come from frames, so the same tree is the same document. A frame that several levels share is one boundary; its rank
is the coarsest of them. What goes back are spans: `annotators.segment` takes people's spans before anything else, and
fills in what only signals know.
"""

from __future__ import annotations

from collections.abc import Sequence

from annotators.review.document import LEVELS, Document, Label, Origin, ReviewBoundary, ReviewedSpan, label_key
from schemas.episode import SourceSpan, SpanMeaning
from schemas.event import Boundary, Event, Level, ReviewState
from schemas.identity import make_id
from schemas.time import FrameClock
from schemas.tree import own_violations

TRACK = "review"
"""Prefix of the tracks people's spans are on; one track per level."""
_MEANING = {
    Level.TASK: SpanMeaning.TASK,
    Level.SUBTASK: SpanMeaning.SUBTASK,
    Level.ACTION: SpanMeaning.ACTION,
    Level.SEGMENT: SpanMeaning.SEGMENT,
}


def boundary_id(episode_id: str, frame: int) -> str:
    """Id of the machine's boundary at a frame."""
    return make_id("rb", episode_id, str(frame))


def document_of(episode_id: str, n_frames: int, events: Sequence[Event]) -> Document:
    """A whole tree under review. Raises ValueError for events that are no tree of this episode."""
    broken = own_violations(events) if events else ["it has no events"]
    if broken or any(event.episode_id != episode_id for event in events):
        raise ValueError(f"{episode_id}: {broken[0] if broken else 'events of another episode'}")
    edges: dict[int, tuple[int, Boundary]] = {}
    for event in sorted(events, key=lambda event: -event.level.depth):  # coarser levels overwrite
        for edge in (event.end, event.start):
            edges[edge.frame] = event.level.depth, edge
    starts = {event.start.frame for event in events}
    ends = {event.end.frame for event in events}
    boundaries = {
        boundary_id(episode_id, frame): ReviewBoundary(
            frame=frame,
            rank=rank,
            kind=edge.kind,
            confidence=edge.confidence,
            pinned=frame not in starts or frame not in ends,
            opens=frame in starts,
        )
        for frame, (rank, edge) in edges.items()
    }
    labels = {label_key(event.level, boundary_id(episode_id, event.start.frame)): _label(event) for event in events}
    return Document(episode_id, n_frames, boundaries, labels)


def _label(event: Event) -> Label:
    return Label(event.caption, event.verb, event.objects, event.arm, Origin.MACHINE, ReviewState(event.review))


def people_spans(document: Document, clock: FrameClock) -> list[SourceSpan]:
    """What people said, as spans on the episode's clock, level by level and in time order.

    Those are the events of which a person touched an edge or the words, accepting included. The others are left to
    the machine, which may see better next time.
    """
    return [
        SourceSpan(
            track=f"{TRACK}.{level}",
            start_ns=clock.edge_ns(span.frame_start),
            end_ns=clock.edge_ns(span.frame_end),
            text=span.label.caption if span.label else "",
            meaning=_MEANING[level],
        )
        for level in LEVELS
        for span in document.lane(level)
        if _touched(document, span)
    ]


def _touched(document: Document, span: ReviewedSpan) -> bool:
    edges = (document.boundaries[name] for name in (span.start_id, span.end_id))
    origins = {edge.origin for edge in edges} | ({span.label.origin} if span.label else set())
    return Origin.HUMAN in origins
