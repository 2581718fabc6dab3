"""Which contacts stay, and on which frames, where the five-frame minimum leaves too little room for all of them.

A lift often comes two frames after its grasp, and no event is shorter than five. Dropping one of them loses more than
it keeps right: both may stand a frame or two from where they were seen, within what a policy or a scorer can tell. So
contacts are moved, as little as possible, and dropped only where moving does not help. Candidates (`MOTION` and all
else that knows no contact) move nothing: they take the room that is left (`annotators.tree.divide`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from annotators.tree.claim import remember
from annotators.tree.ranges import Fits
from schemas.event import Boundary
from schemas.time import NS_PER_S, FrameClock
from schemas.truth import PHYSICAL_KINDS

MOST_MOVED_S = 0.15
"""Nothing is moved farther: events.md takes cuts closer than this for one."""


@dataclass(frozen=True)
class _Place:
    """The best way to place contacts up to this one, if it stands here."""

    at: Boundary
    moved: Boundary | None
    """The contact as it was; None for the range's start."""
    worth: float
    before: "_Place | None"


def placed(start: Boundary, end: Boundary, cuts: Sequence[Boundary], clock: FrameClock, fits: Fits) -> list[Boundary]:
    """``cuts`` between two edges, in time order, contacts moved apart or left out so that each pair fits an event.

    Worth of a contact is its confidence, down to half of it at `MOST_MOVED_S`; the sum is as large as it can be, by
    dynamic programming over all places. What is moved is less sure of its time by as much; what is left out is
    remembered by its neighbour.
    """
    contacts = [cut for cut in cuts if cut.kind in PHYSICAL_KINDS]
    open_ends = [_Place(start, None, 0.0, None)]
    for cut in contacts:
        places = [at for at in _reachable(cut, clock) if fits(start.frame, at.frame) and fits(at.frame, end.frame)]
        if places:
            settled = [place for place in open_ends if fits(place.at.frame, places[0].frame)]
            others = [place for place in open_ends if not fits(place.at.frame, places[0].frame)]
            open_ends = [max(settled, key=lambda place: place.worth), *others]
            open_ends += [_after(open_ends, cut, at, fits) for at in places]
    kept = _chain(max(open_ends, key=lambda place: place.worth))
    lost = [cut for cut in contacts if all(cut is not place.moved for place in kept)]
    standing = [_with_lost(place.at, lost, fits) for place in kept]
    others_too = [cut for cut in cuts if cut.kind not in PHYSICAL_KINDS]
    return sorted([*standing, *others_too], key=lambda cut: cut.t_ns)


def _reachable(cut: Boundary, clock: FrameClock) -> list[Boundary]:
    """A contact on every frame edge near enough, in time order; its own one always."""
    most = int(MOST_MOVED_S * NS_PER_S)
    first, last = np.searchsorted(clock.times_ns, [cut.t_ns - most, cut.t_ns + most + 1]).tolist()
    places = []
    for frame in range(min(first, cut.frame), max(last, cut.frame + 1)):
        t_ns = clock.edge_ns(frame)
        sigma_s = round(float(np.hypot(cut.sigma_s, (t_ns - cut.t_ns) / NS_PER_S)), 4)
        places.append(cut if frame == cut.frame else replace(cut, frame=frame, t_ns=t_ns, sigma_s=sigma_s))
    return places


def _after(open_ends: Sequence[_Place], cut: Boundary, at: Boundary, fits: Fits) -> _Place:
    best = max((place for place in open_ends if fits(place.at.frame, at.frame)), key=lambda place: place.worth)
    off = (at.t_ns - cut.t_ns) / (MOST_MOVED_S * NS_PER_S)
    return _Place(at, cut, best.worth + cut.confidence * (1.0 - off * off / 2.0), best)


def _chain(last: _Place) -> list[_Place]:
    found = []
    place: _Place | None = last
    while place is not None and place.moved is not None:
        found.append(place)
        place = place.before
    return found[::-1]


def _with_lost(standing: Boundary, lost: Sequence[Boundary], fits: Fits) -> Boundary:
    """A contact that remembers the detectors of those it left no room."""
    for cut in lost:
        first, last = sorted((standing.frame, cut.frame))
        standing = standing if fits(first, last) else remember(standing, cut)
    return standing
