"""A tree in which what people said stands: where their events begin and end, and what they are called.

The machine's tree is made first, as if nobody had said anything, so everything people left alone is what it would have
been. Their events are then laid over it (`annotators.tree.impose`). What changed by that is described anew from the
signals; what did not keeps its record.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise, takewhile

from annotators.tracks.inform import recovered, worded
from annotators.tracks.track import HUMAN
from annotators.tree.build import TreeBuilder, subtask_label, task_label
from annotators.tree.evidence import Label
from annotators.tree.impose import Claim, clipped, imposed
from schemas.event import Boundary, BoundaryKind, Event, Level, Provenance, ReviewState
from schemas.review import Review, ReviewedBoundary, ReviewedEvent

LEVELS = tuple(Level)
_SIGMA_S = 0.5
"""People who mark actions agree within half a second or so."""
_SEEN = "review"
"""The detector of an edge that a person saw and left, and the machine no longer finds."""


def with_people(
    tree: Sequence[Event], review: Review, builder: TreeBuilder, ranges: Sequence[tuple[int, int]]
) -> list[Event]:
    """The tree over the same ranges with everything in it that people said and that can be an event.

    Sorted by level and time like the tree it was given.
    """
    return _Imposed(tree, review, builder, tuple(ranges)).events()


@dataclass(frozen=True, eq=False)
class _Imposed:
    """One episode."""

    tree: Sequence[Event]
    review: Review
    builder: TreeBuilder
    ranges: tuple[tuple[int, int], ...]

    def events(self) -> list[Event]:
        found: list[Event] = []
        parents: list[Event] = []
        for level in LEVELS:
            parents = [self._event(level, first, last, parents) for first, last in self._lanes[level]]
            found += parents
        return recovered(worded(found, self.builder.tracks), self.builder.tracks)

    @cached_property
    def _ranks(self) -> Mapping[int, int]:
        claims = [Claim(said.level.depth, said.frame_start, said.frame_end) for said in self.review.events]
        placed = {edge.frame: edge.rank for edge in self.review.boundaries if edge.by}
        machine: dict[int, int] = {}
        for event in self.tree:
            for edge in (event.start, event.end):
                machine[edge.frame] = min(event.level.depth, machine.get(edge.frame, event.level.depth))
        return imposed(machine, self.ranges, claims, placed, self.builder.fits)

    @cached_property
    def _lanes(self) -> Mapping[Level, list[tuple[int, int]]]:
        """Frames of every level's events, in time order."""
        only_ends = {last for _, last in self.ranges} - {first for first, _ in self.ranges}
        order = sorted(self._ranks.items())
        return {
            level: [(a, b) for a, b in pairwise(f for f, rank in order if rank <= level.depth) if a not in only_ends]
            for level in LEVELS
        }

    # -- edges ---------------------------------------------------------------------------------------------------------

    @cached_property
    def _machine_edges(self) -> Mapping[int, Boundary]:
        found: dict[int, Boundary] = {}
        for event in self.tree:
            for edge in (event.start, event.end):
                found.setdefault(edge.frame, edge)
        return found

    @cached_property
    def _said_edges(self) -> Mapping[int, ReviewedBoundary]:
        return {edge.frame: edge for edge in self.review.boundaries}

    def _edge(self, frame: int) -> Boundary:
        """The machine's edge if nobody touched it; else people's, with what signals still say about it."""
        machine, said = self._machine_edges.get(frame), self._said_edges.get(frame)
        if machine is not None and (said is None or not said.by or machine.kind is BoundaryKind.RANGE_EDGE):
            return machine
        kind = BoundaryKind.ANNOTATION if said is None or said.kind is BoundaryKind.RANGE_EDGE else said.kind
        detectors = {f"{HUMAN}:{said.by}" if said is not None and said.by else _SEEN}
        return Boundary(
            kind=kind if machine is None else machine.kind,
            frame=frame,
            t_ns=self.builder.clock.edge_ns(frame),
            confidence=1.0,
            sigma_s=_SIGMA_S if machine is None else min(_SIGMA_S, machine.sigma_s),
            detectors=tuple(sorted(detectors | set(() if machine is None else machine.detectors))),
            arm=None if machine is None else machine.arm,
        )

    # -- events --------------------------------------------------------------------------------------------------------

    @cached_property
    def _machine_events(self) -> Mapping[tuple[Level, int, int], Event]:
        return {(event.level, event.span.frame_start, event.span.frame_end): event for event in self.tree}

    @cached_property
    def _said(self) -> Mapping[tuple[Level, int, int], ReviewedEvent]:
        found = {}
        for said in self.review.events:
            for kept in self.ranges:
                part = clipped(Claim(said.level.depth, said.frame_start, said.frame_end), kept, self.builder.fits)
                if part is not None:
                    found[said.level, part.first, part.last] = said
        return found

    def _event(self, level: Level, first: int, last: int, parents: Sequence[Event]) -> Event:
        at = bisect_right(parents, first, key=lambda parent: parent.span.frame_start) - 1
        parent_id = parents[at].event_id if parents else ""
        start, end = self._edge(first), self._edge(last)
        before = self._machine_events.get((level, first, last))
        if before is not None:
            event = replace(before, start=start, end=end, parent_id=parent_id)
        else:
            event = self.builder.stretch(level, start, end, self._label(level, start, end), parent_id)
        said = self._said.get((level, first, last))
        return event if said is None else self._as_said(event, said)

    def _label(self, level: Level, start: Boundary, end: Boundary) -> Label:
        """What signals say of a stretch nobody has described: of actions directly, of what they make up together."""
        evidence, actions = self.builder.evidence, self._lanes[Level.ACTION]
        at = bisect_right(actions, start.frame, key=lambda action: action[0]) - 1
        if level is Level.SEGMENT:
            return evidence.segment_label(evidence.label(*map(self._edge, actions[at])), start, end)
        if level is Level.ACTION:
            return evidence.label(start, end)
        inside = takewhile(lambda action: action[1] <= end.frame, actions[at:])
        labels = [evidence.label(self._edge(a), self._edge(b)) for a, b in inside]
        return task_label(labels) if level is Level.TASK else subtask_label(labels)

    def _as_said(self, event: Event, said: ReviewedEvent) -> Event:
        edges = [self._said_edges[frame] for frame in (said.frame_start, said.frame_end) if frame in self._said_edges]
        placed_by = sorted({edge.by for edge in edges if edge.by} | ({said.joined_by} - {""}))
        moved = bool(said.joined_by) or any(edge.by and edge.state is ReviewState.EDITED for edge in edges)
        event = replace(
            event,
            boundaries_by=Provenance(HUMAN, ", ".join(placed_by)) if placed_by else event.boundaries_by,
            review=ReviewState.EDITED if moved else event.review,
        )
        words = said.words
        if words is None:
            return event
        edited = moved and words.state is ReviewState.ACCEPTED
        return replace(
            event,
            verb=words.verb,
            caption=words.caption,
            objects=words.objects,
            arm=words.arm,
            needs_vlm=False,
            caption_by=Provenance(HUMAN, words.by),
            review=ReviewState.EDITED if edited else words.state,
        )
