"""A newer tree of the machine taken into an episode under review, without a word of people's changed (review.md §3.7).

What people touched stays, and so do the edges of the events they touched. Everything else becomes what the machine
says now. Where the machine would have it otherwise but for people, that is a *suggestion* beside their value: derived
from the document and the machine's newest tree whenever somebody looks, so it is gone once somebody follows it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from annotators.review.accepted import Said, SaidEvent, said_in
from annotators.review.document import (
    LEVELS,
    Document,
    Label,
    Origin,
    ReviewBoundary,
    ReviewedSpan,
    boundary_key,
    label_key,
    problems,
)
from annotators.review.from_tree import boundary_id
from annotators.review.log import LogEntry
from annotators.review.operation import Change, Entity
from annotators.tree.impose import Claim, imposed
from schemas.event import Level
from schemas.identity import make_id
from schemas.time import MIN_EVENT_FRAMES

_LEAST_OVERLAP = 0.5
"""tIoU from which on the machine's words are about the same event."""


class CannotFollowError(Exception):
    """The newer tree is of other pictures, or keeps other parts of them, and people have spoken; the message says."""


@dataclass(frozen=True)
class Suggestion:
    """What the machine says where people said something else."""

    beside: str
    """Key of the entity of people's that it stands beside."""
    value: Entity


def followed(document: Document, entries: Iterable[LogEntry], newer: Document) -> Change:
    """What changes when the machine's newer tree comes in; nothing of what people touched.

    Raises CannotFollowError where their frames would no longer mean the same.
    """
    if newer.episode_id != document.episode_id or newer.n_frames != document.n_frames:
        found, expected = f"{newer.episode_id}, {newer.n_frames} pictures", f"{document.n_frames}"
        raise CannotFollowError(f"{document.episode_id}: found {found}, expected {expected}; review it anew")
    said = said_in(document, entries)
    if _pinned(document) != _pinned(newer):
        if said.events or any(_human(edge) for edge in document.boundaries.values()):
            raise CannotFollowError(
                f"{document.episode_id}: cleaning keeps other parts now, and people have marked the ones before; "
                "the document stays as it is"
            )
        return _difference(document, newer)
    after = _Follower(document, said, newer).document()
    broken = problems(after)
    if broken:
        raise ValueError(f"{document.episode_id}: following {newer.sha256} broke it: {broken[0]}")
    return _difference(document, after)


def suggestions(document: Document, entries: Iterable[LogEntry], newest: Document) -> list[Suggestion]:
    """What the machine's newest tree has otherwise, by frame: boundaries first, then words."""
    said = said_in(document, entries)
    by_frame = {edge.frame: (name, edge) for name, edge in document.in_order()}
    found = []
    for _, edge in newest.in_order():
        here = by_frame.get(edge.frame)
        if here is None or here[1].rank > edge.rank:
            beside = boundary_key(here[0]) if here is not None and _human(here[1]) else _beside(said, edge)
            found += [Suggestion(beside, edge)] if beside else []
    for level in LEVELS:
        theirs = _Lane(newest, level)
        for event in said.events:
            label = event.span.label
            if event.span.level is level and label is not None and label.origin is Origin.HUMAN:
                words = theirs.words_for(event.span, _LEAST_OVERLAP)
                if words is not None and _words(words) != _words(label):
                    found.append(Suggestion(label_key(level, event.span.start_id), words))
    return found


def _beside(said: Said, edge: ReviewBoundary) -> str:
    """The entity of people's that keeps a boundary of the machine out; empty when none does.

    The nearest boundary of theirs at the ends of the finest event around it, or else that event.
    """
    around = [
        event
        for event in said.events
        if event.span.frame_start < edge.frame < event.span.frame_end and event.span.level.depth >= edge.rank
    ]
    if not around:
        return ""
    event: SaidEvent = around[-1]
    ends = [(name, said.document.boundaries[name]) for name in (event.span.start_id, event.span.end_id)]
    human = [(abs(end.frame - edge.frame), boundary_key(name)) for name, end in ends if _human(end)]
    return min(human)[1] if human else label_key(event.span.level, event.span.start_id)


@dataclass(frozen=True)
class _Follower:
    """One episode and the tree it takes in; both keep the same parts of the recording."""

    before: Document
    said: Said
    newer: Document

    def document(self) -> Document:
        plain = replace(self.before, boundaries=self._boundaries(), labels={})
        return replace(plain, labels=dict(self._labels(plain)))

    def _boundaries(self) -> dict[str, ReviewBoundary]:
        mine = {edge.frame: (name, edge) for name, edge in self.before.in_order()}
        theirs = {edge.frame: edge for edge in self.newer.boundaries.values()}
        ranks = self._ranks(theirs)
        kept = {frame: mine[frame][0] for frame in ranks if frame in mine}
        taken = set(kept.values())
        found = {}
        for frame, rank in sorted(ranks.items()):
            name = kept[frame] if frame in kept else _free_id(self.before.episode_id, frame, taken)
            taken.add(name)
            if frame in mine and _human(mine[frame][1]):
                found[name] = mine[frame][1]
            else:
                found[name] = replace(theirs[frame] if frame in theirs else mine[frame][1], rank=rank)
        return found

    def _ranks(self, theirs: Mapping[int, ReviewBoundary]) -> dict[int, int]:
        claims = [Claim(e.span.level.depth, e.span.frame_start, e.span.frame_end) for e in self.said.events]
        placed = {edge.frame: edge.rank for edge in self.before.boundaries.values() if _human(edge)}
        machine = {frame: edge.rank for frame, edge in theirs.items()}
        return imposed(machine, _kept(self.newer), claims, placed, _fits)

    def _labels(self, after: Document) -> Iterable[tuple[str, Label]]:
        for level in LEVELS:
            theirs = _Lane(self.newer, level)
            for span in after.lane(level):
                key = label_key(level, span.start_id)
                mine = self.before.labels.get(key)
                if mine is not None and mine.origin is Origin.HUMAN:
                    yield key, mine
                    continue
                words = theirs.words_for(span, 0.0) or mine
                if words is not None:
                    yield key, words


class _Lane:
    """The machine's events of one level, to be asked for words."""

    def __init__(self, document: Document, level: Level) -> None:
        self._spans = list(document.lane(level))

    def words_for(self, span: ReviewedSpan, least: float) -> Label | None:
        """Those of the event that a span overlaps most, at more than ``least`` of both together; ties: the earlier."""
        first = bisect_right(self._spans, span.frame_start, key=lambda one: one.frame_end)
        last = bisect_left(self._spans, span.frame_end, key=lambda one: one.frame_start)
        best = max(self._spans[first:last], key=lambda one: _overlap(one, span), default=None)
        return None if best is None or _overlap(best, span) <= least else best.label


def _overlap(a: ReviewedSpan, b: ReviewedSpan) -> float:
    shared = min(a.frame_end, b.frame_end) - max(a.frame_start, b.frame_start)
    return shared / (max(a.frame_end, b.frame_end) - min(a.frame_start, b.frame_start))


def _human(edge: ReviewBoundary) -> bool:
    return edge.origin is Origin.HUMAN


def _words(label: Label) -> tuple[object, ...]:
    return label.caption, label.verb, label.objects, label.arm


def _pinned(document: Document) -> set[tuple[int, bool]]:
    return {(edge.frame, edge.opens) for edge in document.boundaries.values() if edge.pinned}


def _kept(document: Document) -> list[tuple[int, int]]:
    """The parts of the recording that cleaning kept: tasks that touch are one part only if nothing pins their edge."""
    order = [edge for _, edge in document.in_order() if edge.pinned]
    return [(a.frame, b.frame) for a, b in pairwise(order) if a.opens]


def _fits(first: int, last: int) -> bool:
    return last - first >= MIN_EVENT_FRAMES


def _free_id(episode_id: str, frame: int, taken: set[str]) -> str:
    """The machine's id of a boundary at a frame; another one where a boundary that was moved away has that id."""
    name, number = boundary_id(episode_id, frame), 0
    while name in taken:
        number += 1
        name = make_id("rb", episode_id, str(frame), str(number))
    return name


def _difference(before: Document, after: Document) -> Change:
    found: dict[str, tuple[Entity | None, Entity | None]] = {}
    sides: Sequence[tuple[Mapping[str, Entity], Mapping[str, Entity]]] = (
        (_keyed(before), _keyed(after)),
        (before.labels, after.labels),
    )
    for old, new in sides:
        for key in sorted(old.keys() | new.keys()):
            if old.get(key) != new.get(key):
                found[key] = (old.get(key), new.get(key))
    return found


def _keyed(document: Document) -> Mapping[str, Entity]:
    return {boundary_key(name): edge for name, edge in document.boundaries.items()}
