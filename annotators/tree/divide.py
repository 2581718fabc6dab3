"""Putting cuts on frames so that every piece can be an event, and dividing pieces that are too long.

Cuts that would leave a piece too short (five frames, or no control row) lose against the more confident neighbour.
A piece longer than its cap is divided where it does least harm: at the calmest frame of its middle half, again and
again until no piece is too long or none can be divided.
"""

from collections.abc import Iterable

import numpy as np

from annotators.tree.claim import PRIORS, Cut, survivors
from annotators.tree.ranges import Fits
from schemas.array import Floats, Ints
from schemas.event import Boundary, BoundaryKind
from schemas.time import NS_PER_S, FrameClock


def on_frames(cuts: Iterable[Cut], clock: FrameClock) -> list[Boundary]:
    """Every cut moved to the nearest frame edge (ties: the earlier), in time order."""
    cuts = sorted(cuts, key=lambda cut: cut.t_ns)
    frames = nearest_edges(np.array([cut.t_ns for cut in cuts], np.int64), clock).tolist()
    return [
        Boundary(cut.kind, frame, clock.edge_ns(frame), cut.confidence, cut.sigma_s, cut.detectors, cut.arm)
        for cut, frame in zip(cuts, frames, strict=True)
    ]


def nearest_edges(times_ns: Ints, clock: FrameClock) -> Ints:
    """The frame edge nearest to each time (ties: the earlier), int64 [N]; the last edge is the recording's end."""
    edges = np.append(clock.times_ns, clock.end_ns)
    after = np.clip(np.searchsorted(edges, times_ns, side="left"), 1, len(edges) - 1)
    nearest: Ints = np.where(edges[after] - times_ns < times_ns - edges[after - 1], after, after - 1)
    return nearest


def range_edge(frame: int, clock: FrameClock) -> Boundary:
    """Where a kept range starts or ends: certain, because align decided it."""
    prior = PRIORS[BoundaryKind.RANGE_EDGE]
    return Boundary(BoundaryKind.RANGE_EDGE, frame, clock.edge_ns(frame), prior.confidence, prior.sigma_s, ("align",))


def pieces_between(
    start: Boundary, end: Boundary, inner: Iterable[Boundary], fits: Fits, least_ns: int = 0
) -> list[Boundary]:
    """The boundaries of a tiling of ``[start, end)``: both ends and those of ``inner`` that leave only valid pieces.

    A piece is valid when it ``fits`` and lasts at least ``least_ns``. Raises ValueError if the whole does not fit.
    """
    if not fits(start.frame, end.frame):
        raise ValueError(f"frames [{start.frame}, {end.frame}) cannot be one event; leave the range out first")

    def too_close(a: Boundary, b: Boundary) -> bool:
        return b.t_ns - a.t_ns < least_ns or not fits(a.frame, b.frame)

    inside = (b for b in inner if start.frame < b.frame < end.frame and not too_close(start, b))
    kept = [b for b in survivors(inside, too_close) if not too_close(b, end)]
    return [start, *kept, end]


def divide_long(
    edges: list[Boundary], longest_s: float, unrest: tuple[Floats, str], clock: FrameClock, fits: Fits
) -> list[Boundary]:
    """``edges`` with DURATION_CAP boundaries added wherever two neighbours are more than ``longest_s`` apart."""
    longest_ns = int(longest_s * NS_PER_S)
    done = [edges[0]]
    open_ends = list(reversed(edges[1:]))
    while open_ends:
        start, end = done[-1], open_ends[-1]
        middle = _calmest(start, end, unrest, clock, fits) if end.t_ns - start.t_ns > longest_ns else None
        if middle is None:
            done.append(open_ends.pop())
        else:
            open_ends.append(middle)
    return done


def _calmest(
    start: Boundary, end: Boundary, unrest: tuple[Floats, str], clock: FrameClock, fits: Fits
) -> Boundary | None:
    """The best frame of the middle half (half-way where all are alike), or None if no division leaves valid pieces."""
    values, detector = unrest
    quarter = (end.frame - start.frame) // 4
    first, last = start.frame + quarter, end.frame - quarter
    half_way = (start.frame + end.frame) // 2
    options = [half_way]
    if last > first and np.ptp(values[first:last]) > 0:
        options.insert(0, first + int(np.argmin(values[first:last])))
    for frame, name in zip(options, [detector, "even"][-len(options) :], strict=True):
        if fits(start.frame, frame) and fits(frame, end.frame):
            prior = PRIORS[BoundaryKind.DURATION_CAP]
            t_ns = clock.edge_ns(frame)
            return Boundary(BoundaryKind.DURATION_CAP, frame, t_ns, prior.confidence, prior.sigma_s, (name,))
    return None


def windows_between(start: Boundary, end: Boundary, n_frames: int, clock: FrameClock, fits: Fits) -> list[Boundary]:
    """``[start, end)`` as windows of ``n_frames``; the last takes what is left over, so that none is shorter.

    Where a window would not be a valid event, it is joined with the next.
    """
    prior = PRIORS[BoundaryKind.DURATION_CAP]
    edges = [start]
    for frame in range(start.frame + n_frames, end.frame - n_frames + 1, n_frames):
        if fits(edges[-1].frame, frame) and fits(frame, end.frame):
            t_ns = clock.edge_ns(frame)
            edges.append(Boundary(BoundaryKind.DURATION_CAP, frame, t_ns, prior.confidence, prior.sigma_s, ("window",)))
    return [*edges, end]
