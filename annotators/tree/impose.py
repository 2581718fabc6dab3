"""What people said laid over what a machine says: theirs stands whole, the machine's fills the rest.

On bare numbers, a boundary being a frame and a rank (`annotators.review.document`), because two places need it to be
the same: `segment` imposes people's events on a new tree, and a review imposes them on the newer tree it takes in.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from annotators.tree.ranges import Fits
from schemas.time import MIN_EVENT_FRAMES

DEEPEST = 3
"""Rank of what bounds segments only."""
SAME_FRAMES = 2 * MIN_EVENT_FRAMES
"""Nearer than this to an edge of people's that it does not see, a machine's boundary is the same one seen otherwise."""


@dataclass(frozen=True, order=True)
class Claim:
    """One event of people: it begins and ends there, and nothing of its depth or above divides it."""

    depth: int
    first: int
    last: int


def imposed(
    machine: Mapping[int, int],
    ranges: Sequence[tuple[int, int]],
    claims: Iterable[Claim],
    placed: Mapping[int, int],
    fits: Fits,
) -> dict[int, int]:
    """Frame → rank of every boundary of the kept ``ranges``, their edges included.

    ``machine`` are its boundaries by frame, ``placed`` the ranks that people gave theirs. A machine's boundary inside
    a claim goes below it, or away; one so near to a claim's edge that no event ``fits`` between them goes away, and so
    does one that is that edge seen elsewhere.
    """
    claims = list(claims)
    found: dict[int, int] = {}
    for first, last in ranges:
        inside = [part for claim in claims if (part := clipped(claim, (first, last), fits)) is not None]
        found |= _Range(first, last, inside, placed, fits).ranks(machine)
    return found


def clipped(claim: Claim, kept: tuple[int, int], fits: Fits) -> Claim | None:
    """A claim's part of a kept range: what cleaning trimmed is nobody's event. None when it has none."""
    first, last = max(claim.first, kept[0]), min(claim.last, kept[1])
    if last <= first:
        return None
    first = first if first == kept[0] or fits(kept[0], first) else kept[0]
    last = last if last == kept[1] or fits(last, kept[1]) else kept[1]
    return Claim(claim.depth, first, last)


class _Range:
    """One kept range."""

    def __init__(self, first: int, last: int, claims: Sequence[Claim], placed: Mapping[int, int], fits: Fits) -> None:
        self._ends = first, last
        self._fits = fits
        self._placed = placed
        self._by_depth = [sorted(c for c in claims if c.depth == depth) for depth in range(DEEPEST + 1)]
        self._held: dict[int, int] = {}
        for claim in claims:
            for frame in (claim.first, claim.last):
                self._held[frame] = min(claim.depth, self._held.get(frame, DEEPEST))

    def ranks(self, machine: Mapping[int, int]) -> dict[int, int]:
        first, last = self._ends
        frames = [first, last]
        for frame in sorted(self._held):
            self._add(frames, frame)
        unseen = sorted(self._held.keys() - machine.keys())
        for frame in sorted(frame for frame in machine if first < frame < last):
            near = bisect_left(unseen, frame - SAME_FRAMES + 1) < bisect_left(unseen, frame + SAME_FRAMES)
            if frame in self._held or (self._deepest_around(frame) < DEEPEST and not near):
                self._add(frames, frame)
        inner = {frame: self._rank(frame, machine.get(frame, DEEPEST)) for frame in frames[1:-1]}
        return {first: 0, **inner, last: 0}

    def _rank(self, frame: int, said: int) -> int:
        """People's own rank; else the machine's, pushed below what lies around it, but no deeper than the claims."""
        if frame in self._placed:
            return self._placed[frame]
        return min(max(said, self._deepest_around(frame) + 1), self._held.get(frame, DEEPEST))

    def _add(self, frames: list[int], frame: int) -> None:
        """Take a boundary in unless it leaves too little beside it."""
        at = bisect_left(frames, frame)
        if at < len(frames) and frames[at] == frame:
            return
        if self._fits(frames[at - 1], frame) and self._fits(frame, frames[at]):
            frames.insert(at, frame)

    def _deepest_around(self, frame: int) -> int:
        """Depth of the finest claim that a frame lies strictly inside of; −1 for none."""
        return max((depth for depth, claims in enumerate(self._by_depth) if _inside(claims, frame)), default=-1)


def _inside(claims: Sequence[Claim], frame: int) -> bool:
    """Whether one of the sorted, disjoint claims of a depth has the frame strictly inside."""
    at = bisect_right(claims, frame, key=lambda claim: claim.first) - 1
    return any(claims[i].first < frame < claims[i].last for i in (at - 1, at) if i >= 0)
