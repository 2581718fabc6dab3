"""How well people agree about the same episodes, and how often the machine was wrong (review.md §3.6).

Cutting is scored with boundaries and stretches, never with kappa: what is to be rated is not fixed, so there is no
chance agreement to correct for. Raters who saw the machine's boundaries agree with it more than they would have found,
so what blind ones say is told apart. Error rates come from the audit alone, which is a random sample; whoever mixed
in the doubtful episodes would publish a number about the queue.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations

from annotators.review.document import Document, Label, Origin, ReviewedSpan
from annotators.scores.boundaries import GEBD_SHARE, TOLERANCES_S, Tally, pooled, tolerance_ns
from annotators.scores.matching import matched_times
from annotators.scores.segments import Range, matched_segments
from pipeline.cards.interval import rate_of
from schemas.event import Level, ReviewState
from schemas.time import FrameClock

MACHINE = ""
"""The machine's name among raters; nobody else can have it."""
OVERLAPS = (0.1, 0.25, 0.5)
PICTURE, RELATIVE = "1 picture", f"{GEBD_SHARE:.0%}"
SLOTS: Mapping[str, Callable[[Label], object]] = {
    "verb": lambda label: label.verb,
    "objects": lambda label: frozenset(name.casefold() for name in label.objects),
    "arm": lambda label: label.arm,
}


@dataclass(frozen=True)
class Rated:
    """One episode and what each rater made of it."""

    episode_id: str
    clock: FrameClock
    documents: Mapping[str, Document]
    """By rater; two or more."""
    blind: bool
    """Whether they saw no boundaries of the machine's."""
    machine: Document
    """What the machine had made of it when it came under review."""


@dataclass(frozen=True)
class Audited:
    """One episode of the audit that a person has finished."""

    imported: Document
    """As the machine had it."""
    reviewed: Document


@dataclass(frozen=True)
class Share:
    """So many of so many."""

    n: int
    of: int

    def dumped(self) -> dict[str, object]:
        """With the share and its 95 % interval; null of nothing."""
        rate = rate_of(self.n, self.of)
        share, interval = (None, None) if rate is None else (rate.rate, [rate.low, rate.high])
        return {"n": self.n, "of": self.of, "share": share, "interval_95": interval}


@dataclass(frozen=True)
class F1:
    """Against everybody else, and against whoever is nearest."""

    mean: Tally
    """Every pair of raters once, pooled."""
    best: Tally
    """Every rater against the other with whom they agree most in that episode, pooled."""

    def dumped(self) -> dict[str, float]:
        return {"mean": self.mean.f1, "best": self.best.f1}


@dataclass
class Agreement:
    """Of one level, over some episodes."""

    episodes: int = 0
    pairs: int = 0
    boundaries: dict[str, F1] = field(default_factory=dict)
    """Tolerance → F1."""
    machine_boundaries: dict[str, Tally] = field(default_factory=dict)
    """Tolerance → the machine's F1 against the same people, every one of them once, pooled."""
    segments: dict[str, F1] = field(default_factory=dict)
    """Least tIoU → F1 of stretches, whatever they are called."""
    named_segments: dict[str, F1] = field(default_factory=dict)
    """The same for stretches that both call by the same verb."""
    delta_frames: Counter[int] = field(default_factory=Counter)
    """Frames from the first rater's boundary to the second's, raters by name, of pairs within a second."""
    slots: dict[str, Share] = field(default_factory=dict)
    """Of the stretches of two raters that share more than half of their union: how many agree."""

    def dumped(self) -> dict[str, object]:
        """JSON-ready form."""
        return {
            "episodes": self.episodes,
            "pairs": self.pairs,
            "boundary_f1": {name: f1.dumped() for name, f1 in self.boundaries.items()},
            "machine_boundary_f1": {name: tally.f1 for name, tally in self.machine_boundaries.items()},
            "segment_f1": {name: f1.dumped() for name, f1 in self.segments.items()},
            "named_segment_f1": {name: f1.dumped() for name, f1 in self.named_segments.items()},
            "delta_frames": {str(delta): n for delta, n in sorted(self.delta_frames.items())},
            "slots": {name: share.dumped() for name, share in self.slots.items()},
        }


def agreement(rated: Sequence[Rated], level: Level) -> Agreement:
    """How well the raters agree about one level; zeros over no episodes."""
    pairs = [_Pair(one, a, b, level) for one in rated for a, b in combinations(sorted(one.documents), 2)]
    with_machine = [_Pair(one, rater, MACHINE, level) for one in rated for rater in sorted(one.documents)]
    found = Agreement(len(rated), len(pairs))
    for name, tally in _boundary_tallies().items():
        found.boundaries[name] = _f1(pairs, tally)
        found.machine_boundaries[name] = pooled(map(tally, with_machine))
    for overlap in OVERLAPS:
        found.segments[f"{overlap:g}"] = _f1(pairs, partial(_Pair.stretches, least=overlap))
        found.named_segments[f"{overlap:g}"] = _f1(pairs, partial(_Pair.named_stretches, least=overlap))
    for pair in pairs:
        found.delta_frames.update(pair.deltas())
    both = [labels for pair in pairs for labels in pair.shared_labels()]
    for name, value in SLOTS.items():
        found.slots[name] = Share(sum(value(a) == value(b) for a, b in both), len(both))
    return found


def _boundary_tallies() -> dict[str, Callable[[_Pair], Tally]]:
    """Tolerance → how to count at it."""
    near = {f"{s:g} s": partial(_Pair.near, tolerance=tolerance_ns(s)) for s in TOLERANCES_S}
    return {**near, PICTURE: _Pair.within_a_picture, RELATIVE: _Pair.within_a_share}


def _f1(pairs: Sequence[_Pair], tally: Callable[[_Pair], Tally]) -> F1:
    best: dict[tuple[str, str], Tally] = {}
    every = []
    for pair in pairs:
        one = tally(pair)
        every.append(one)
        for rater in (pair.a, pair.b):
            key = pair.rated.episode_id, rater
            if key not in best or one.f1 > best[key].f1:
                best[key] = one
    return F1(pooled(every), pooled(best.values()))


class _Side:
    """One rater's level of an episode."""

    def __init__(self, document: Document, clock: FrameClock, level: Level) -> None:
        self.spans = list(document.lane(level))
        edges = document.in_order()
        self.cuts = [edge.frame for _, edge in edges if edge.rank <= level.depth and not edge.pinned]
        """The edges of what cleaning kept are given, and nobody's finding."""
        self.times = [clock.edge_ns(frame) for frame in self.cuts]
        self.ranges: list[Range] = [(clock.edge_ns(s.frame_start), clock.edge_ns(s.frame_end)) for s in self.spans]

    def by_verb(self) -> dict[str, list[Range]]:
        found: dict[str, list[Range]] = {}
        for span, one in zip(self.spans, self.ranges, strict=True):
            if span.label is not None:
                found.setdefault(str(span.label.verb), []).append(one)
        return found


class _Pair:
    """Two raters of one episode, at one level; one of them may be the machine."""

    def __init__(self, rated: Rated, a: str, b: str, level: Level) -> None:
        self.rated, self.a, self.b = rated, a, b
        documents = {MACHINE: rated.machine, **rated.documents}
        self._one, self._two = (_Side(documents[name], rated.clock, level) for name in (a, b))

    def near(self, tolerance: int) -> Tally:
        """Boundaries at most so many nanoseconds apart."""
        matched = matched_times(self._one.times, self._two.times, tolerance)
        return Tally(len(matched), len(self._one.times), len(self._two.times))

    def within_a_share(self) -> Tally:
        """Boundaries at most 5 % of the kept duration apart, as GEBD has it."""
        duration_ns = sum(end - start for start, end in self._one.ranges)
        return self.near(round(GEBD_SHARE * duration_ns))

    def within_a_picture(self) -> Tally:
        """Boundaries on the same picture or the next."""
        matched = matched_times(self._one.cuts, self._two.cuts, 1)
        return Tally(len(matched), len(self._one.cuts), len(self._two.cuts))

    def deltas(self) -> list[int]:
        """Frames from the first rater's boundary to the second's, where they mean the same one."""
        pairs = matched_times(self._one.times, self._two.times, tolerance_ns(max(TOLERANCES_S)))
        return [self._two.cuts[j] - self._one.cuts[i] for i, j in pairs]

    def stretches(self, least: float) -> Tally:
        """Stretches that share at least so much of their union, whatever they are called."""
        matched = matched_segments(self._one.ranges, self._two.ranges, least)
        return Tally(matched, len(self._one.ranges), len(self._two.ranges))

    def named_stretches(self, least: float) -> Tally:
        """The same of stretches that both call by the same verb."""
        one, two = self._one.by_verb(), self._two.by_verb()
        matched = sum(matched_segments(one[verb], two[verb], least) for verb in sorted(one.keys() & two.keys()))
        return Tally(matched, len(self._one.ranges), len(self._two.ranges))

    def shared_labels(self) -> list[tuple[Label, Label]]:
        """The words of both for the same stretch: one that shares more than half of its union with another's."""
        found = []
        two = self._two
        for span, one in zip(self._one.spans, self._one.ranges, strict=True):
            first = bisect_right(two.ranges, one[0], key=lambda other: other[1])
            last = bisect_left(two.ranges, one[1], key=lambda other: other[0])
            for other, at in zip(two.spans[first:last], two.ranges[first:last], strict=True):
                if _overlap(one, at) > 0.5 and span.label is not None and other.label is not None:
                    found.append((span.label, other.label))
        return found


def _overlap(a: Range, b: Range) -> float:
    return (min(a[1], b[1]) - max(a[0], b[0])) / (max(a[1], b[1]) - min(a[0], b[0]))


# -- the machine against people ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Errors:
    """How often the machine was wrong about one level, in the audit."""

    events: Share
    """Events that people moved, divided, joined, renamed or rejected. Those of one episode hang together, so this
    interval is narrower than the truth."""
    episodes: Share
    """Episodes with any such event: independent draws, so this interval holds."""

    def dumped(self) -> dict[str, object]:
        return {"events": self.events.dumped(), "episodes": self.episodes.dumped()}


def errors(audited: Iterable[Audited], level: Level) -> Errors:
    """Of the machine's events, those that did not survive review as they were."""
    wrong = n_events = bad = n = 0
    for one in audited:
        now = {(span.frame_start, span.frame_end): span.label for span in one.reviewed.lane(level)}
        lane = list(one.imported.lane(level))
        mistaken = sum(not _right(span, now) for span in lane)
        wrong, n_events, bad, n = wrong + mistaken, n_events + len(lane), bad + (mistaken > 0), n + 1
    return Errors(Share(wrong, n_events), Share(bad, n))


def _right(span: ReviewedSpan, now: Mapping[tuple[int, int], Label | None]) -> bool:
    """Whether an event of the machine's is still there, and neither rejected nor called otherwise."""
    key = span.frame_start, span.frame_end
    if key not in now:
        return False
    label = now[key]
    if label is None or span.label is None:
        return label is span.label
    said = label.caption, label.verb, label.objects, label.arm
    return label.state is not ReviewState.REJECTED and said == (
        span.label.caption, span.label.verb, span.label.objects, span.label.arm,
    )  # fmt: skip


def moved_frames(audited: Iterable[Audited]) -> Counter[int]:
    """Frames from where the machine had a boundary to where people put it, and 0 for those they accepted."""
    found: Counter[int] = Counter()
    for one in audited:
        for name, edge in one.reviewed.boundaries.items():
            before = one.imported.boundaries.get(name)
            if before is not None and edge.origin is Origin.HUMAN and not edge.pinned:
                found[edge.frame - before.frame] += 1
    return found
