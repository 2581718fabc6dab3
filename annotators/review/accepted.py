"""What people said of an episode, taken out of its document and its log: the record that goes back to the pipeline.

An event is said when a person worded it, decided on it, placed one of its edges, or took a boundary out of it. It then
stands with both its edges, because that is the event they saw. A rejected boundary counts as taken out: whoever
rejects it says that there is none. What only a pipeline's operations changed was said by nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from annotators.review.document import LEVELS, Document, Label, Origin, ReviewBoundary, ReviewedSpan, boundary_key
from annotators.review.log import LogEntry
from annotators.review.operation import Merge, OperationError, applied, change_of
from schemas.event import Level, ReviewState
from schemas.review import Review, ReviewedBoundary, ReviewedEvent, ReviewedWords

PIPELINE = "pipeline:"
"""What actors that are runs are called, before the run's id; no person's name begins so."""


def is_person(actor: str) -> bool:
    """Whether an entry of the log is a person's."""
    return not actor.startswith(PIPELINE)


def review_of(document: Document, entries: Iterable[LogEntry], left_out: str = "") -> Review | None:
    """What people said; None when they said nothing. ``entries`` is the episode's whole log up to the document."""
    touched = _Touched.of(entries)
    said = _said(_without_rejected(document, touched), touched)
    if not said.events and not left_out:
        return None
    edges = {name for event in said.events for name in (event.span.start_id, event.span.end_id)}
    boundaries = sorted((_boundary(said, name) for name in edges), key=lambda edge: edge.frame)
    events = tuple(_event(said, event) for event in said.events)
    return Review(document.episode_id, document.n_frames, tuple(boundaries), events, left_out)


@dataclass(frozen=True)
class SaidEvent:
    """An event of the document that people touched."""

    span: ReviewedSpan
    joined_by: str = ""


@dataclass(frozen=True)
class Said:
    """What people touched in a document."""

    document: Document
    events: tuple[SaidEvent, ...]
    """By level, then frame."""
    by: Mapping[str, str]
    """Entity key → who touched it last."""


def said_in(document: Document, entries: Iterable[LogEntry]) -> Said:
    """What people touched, with names. ``entries`` is the episode's whole log up to the document."""
    return _said(document, _Touched.of(entries))


def _said(document: Document, touched: _Touched) -> Said:
    events = []
    for level in LEVELS:
        joined = sorted(touched.joined(level))
        for span in document.lane(level):
            joined_by = next((by for frame, by in joined if span.frame_start < frame < span.frame_end), "")
            if joined_by or _is_said(document, span):
                events.append(SaidEvent(span, joined_by))
    return Said(document, tuple(events), touched.by)


def _without_rejected(document: Document, touched: _Touched) -> Document:
    """The document after every rejected boundary has gone, the words before it staying."""
    for name, edge in document.in_order():
        if edge.state is ReviewState.REJECTED and edge.origin is Origin.HUMAN:
            try:
                document = applied(document, change_of(document, Merge(boundary_id=name)))
            except OperationError:  # the edge of what cleaning kept: people cannot take it away
                continue
            touched.remove(name, edge, touched.by.get(boundary_key(name), ""))
    return document


def _is_said(document: Document, span: ReviewedSpan) -> bool:
    edges = [document.boundaries[name] for name in (span.start_id, span.end_id)]
    placed = any(edge.origin is Origin.HUMAN and not edge.pinned for edge in edges)
    return placed or (span.label is not None and span.label.origin is Origin.HUMAN)


def _boundary(said: Said, name: str) -> ReviewedBoundary:
    edge = said.document.boundaries[name]
    human = edge.origin is Origin.HUMAN and not edge.pinned
    by = said.by.get(boundary_key(name), "") if human else ""
    return ReviewedBoundary(edge.frame, edge.rank, edge.kind, edge.state if human else ReviewState.PROPOSED, by)


def _event(said: Said, event: SaidEvent) -> ReviewedEvent:
    span, words = event.span, None
    if span.label is not None and span.label.origin is Origin.HUMAN:
        label: Label = span.label
        by = said.by.get(f"label:{span.level}:{span.start_id}", "")
        words = ReviewedWords(label.caption, label.verb, label.objects, label.arm, label.state, by)
    return ReviewedEvent(span.level, span.frame_start, span.frame_end, event.joined_by, words)


@dataclass
class _Touched:
    """Who touched what last, and which boundaries people took away from which levels, as a log is read."""

    by: dict[str, str] = field(default_factory=dict)
    _gone: dict[tuple[str, int], tuple[int, str]] = field(default_factory=dict)
    """(boundary, depth) → the frame where it was, and who took it."""
    _made: set[str] = field(default_factory=set)
    """Boundaries that people made: whoever takes one of those away again leaves everything as it was."""

    @classmethod
    def of(cls, entries: Iterable[LogEntry]) -> _Touched:
        found = cls()
        for entry in entries:
            if entry.status.took_effect:
                found.take(entry)
        return found

    def take(self, entry: LogEntry) -> None:
        for key, (before, after) in entry.change.items():
            if is_person(entry.actor):
                self.by[key] = entry.actor
            name = key.removeprefix("boundary:")
            was = before if isinstance(before, ReviewBoundary) else None
            now = after if isinstance(after, ReviewBoundary) else None
            if was is None and entry.kind == "split":
                self._made.add(name)
            if was is not None and is_person(entry.actor) and name not in self._made:
                self.remove(name, was, entry.actor, down_to=len(LEVELS) if now is None else now.rank)
            for depth in range(len(LEVELS) if now is None else now.rank, len(LEVELS)):
                self._gone.pop((name, depth), None)

    def remove(self, name: str, was: ReviewBoundary, actor: str, down_to: int = len(LEVELS)) -> None:
        """A boundary no longer divides the levels from its rank to another."""
        for depth in range(was.rank, down_to):
            self._gone[name, depth] = was.frame, actor

    def joined(self, level: Level) -> Iterator[tuple[int, str]]:
        """Frames at which people took a boundary away from a level."""
        return (where for (_, depth), where in self._gone.items() if depth == level.depth)
