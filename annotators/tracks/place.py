"""Spans of people and sources onto frames: pieces of a level that stand as they are, and the gaps between them.

An edge moves to its nearest frame and no further, but for one reason: a tree covers everything, so a gap that could
not be an event of its own (five frames, one control row, `merge_s`) is given to the span beside it. The source's own
times stay in `Episode.annotations`.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from annotators.tracks.choose import Choice
from annotators.tracks.track import RANK
from annotators.tree.divide import nearest_edges
from annotators.tree.ranges import Fits
from schemas.episode import SpanMeaning
from schemas.event import Boundary, BoundaryKind, Provenance
from schemas.time import FrameClock
from schemas.truth import TRUTH_KINDS

_MOSTLY = 0.8
"""Share of a finer span that must lie in one coarser piece to be an event inside it."""
_SIGMA_S = {SpanMeaning.CHAPTER: 2.0, SpanMeaning.TASK: 1.0}
_USUAL_SIGMA_S = 0.5
"""People who mark actions agree within half a second or so; chapters are set by eye, to whole seconds."""


@dataclass(frozen=True)
class Given:
    """One span as half-open frames of the master view, with its words and who says so."""

    first: int
    last: int
    text: str
    by: Provenance
    detector: str
    sigma_s: float


@dataclass(frozen=True)
class Piece:
    """A part of a level: given, or left to the detectors."""

    start: Boundary
    end: Boundary
    given: Given | None


def given_spans(choices: Sequence[Choice], clock: FrameClock) -> list[Given]:
    """One level's spans on frames, in time order and disjoint; a lower rank fills what a higher one leaves."""
    taken: list[Given] = []
    for choice in sorted(choices, key=lambda choice: RANK.index(choice.track.proposer)):
        track = choice.track
        sigma_s = _SIGMA_S.get(track.meaning, _USUAL_SIGMA_S)
        edges = nearest_edges(np.array([(s.start_ns, s.end_ns) for s in choice.spans], np.int64).reshape(-1), clock)
        found: list[Given] = []
        for i, span in enumerate(choice.spans):
            first, last = int(edges[2 * i]), int(edges[2 * i + 1])
            first = max(first, found[-1].last) if found else first
            if first < last and not any(other.first < last and first < other.last for other in taken):
                found.append(Given(first, last, span.text, track.provenance, track.detector, sigma_s))
        taken = sorted([*taken, *found], key=lambda given: given.first)
    return taken


def within(given: Sequence[Given], first: int, last: int) -> list[Given]:
    """The spans cut to a kept range: what cleaning trimmed is nobody's event."""
    return [
        replace(one, first=max(one.first, first), last=min(one.last, last))
        for one in given
        if one.first < last and first < one.last
    ]


@dataclass(frozen=True, eq=False)
class Tiler:
    """What tiling needs to know of an episode. A piece shorter than ``merge_ns`` is none."""

    clock: FrameClock
    fits: Fits
    merge_ns: int

    def pieces(self, start: Boundary, end: Boundary, given: Sequence[Given], cuts: Sequence[Boundary]) -> list[Piece]:
        """``[start, end)`` tiled by the given spans that fit into it and by the gaps between them.

        A physical cut of ``cuts`` within ``merge_ns`` of a given edge lends it its kind and arm: the edge is both.
        """
        chosen = list(self._fitting(start.frame, end.frame, given))
        ends = {start.frame: start, end.frame: end}
        for first, last, one in chosen:
            for frame in {first, last} - ends.keys():
                t_ns = self.clock.edge_ns(frame)
                edge = Boundary(BoundaryKind.ANNOTATION, frame, t_ns, 1.0, one.sigma_s, (one.detector,))
                ends[frame] = _with_physics(edge, cuts, self.merge_ns)
        owner = {first: one for first, _, one in chosen}
        return [Piece(ends[first], ends[last], owner.get(first)) for first, last in pairwise(sorted(ends))]

    def _fitting(self, start: int, end: int, given: Sequence[Given]) -> Iterator[tuple[int, int, Given]]:
        """Frames of each given span that can be an event inside ``[start, end)`` and leaves only gaps that can."""
        at = start
        for one in given:
            first, last = max(one.first, start), min(one.last, end)
            if last - first < _MOSTLY * (one.last - one.first):
                continue
            first = first if first >= at and self._gap(at, first) else at
            last = last if self._gap(last, end) else end
            if first < last and self.fits(first, last):
                yield first, last, one
                at = last

    def _gap(self, first: int, last: int) -> bool:
        """Whether frames ``[first, last)`` are nothing or enough."""
        long = self.clock.edge_ns(last) - self.clock.edge_ns(first) >= self.merge_ns
        return first == last or (long and self.fits(first, last))


def _with_physics(edge: Boundary, cuts: Sequence[Boundary], merge_ns: int) -> Boundary:
    low = bisect_right(cuts, edge.t_ns - merge_ns, key=lambda cut: cut.t_ns)
    high = bisect_left(cuts, edge.t_ns + merge_ns, key=lambda cut: cut.t_ns)
    near = [cut for cut in cuts[low:high] if cut.kind in TRUTH_KINDS]
    if not near:
        return edge
    best = max(near, key=lambda cut: (cut.confidence, -abs(cut.t_ns - edge.t_ns), -cut.frame))
    detectors = tuple(sorted({*edge.detectors, *best.detectors}))
    return replace(edge, kind=best.kind, arm=best.arm, sigma_s=min(edge.sigma_s, best.sigma_s), detectors=detectors)
