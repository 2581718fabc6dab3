"""The machine's tree as a document to review.

Ids come from frames, so the same tree is the same document. A frame that several levels share is one boundary; its rank
is the coarsest of them. What people make of it goes back as `annotators.review.accepted` says.
"""

from __future__ import annotations

from collections.abc import Sequence

from annotators.review.document import Document, Label, Origin, ReviewBoundary, label_key
from schemas.event import Boundary, Event, ReviewState
from schemas.identity import make_id
from schemas.tree import own_violations


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
