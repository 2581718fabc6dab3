"""Quasi-static frames, pruned when events are built (wall_wm.md §2.3), if the recipe asks for it.

Align trims what rests for long in the control record, whoever watches. This sees what the evidence sees, pictures too,
and shorter rests; but a rest cut out of the middle divides the Task, so the default keeps it and every event says how
much of it is rest. What is left out is told, and the findings say which part of a recording a tree has to cover.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from annotators.tree.divide import range_edge
from annotators.tree.evidence import Evidence
from annotators.tree.ranges import Fits
from pipeline.mask_runs import runs_of
from schemas.episode import Episode
from schemas.finding import Finding, Verdict
from schemas.recipe import SegmentSpec
from schemas.time import NS_PER_S, FrameClock

MARGIN_S = 0.5
"""What is left of a rest beside a motion: an event begins and ends at rest."""
Ranges = list[tuple[int, int]]


def moving_ranges(
    ranges: Sequence[tuple[int, int]], evidence: Evidence, clock: FrameClock, fits: Fits, spec: SegmentSpec
) -> Ranges:
    """The ranges without rests longer than ``max_static_s``; what is left too short for an event goes with them."""
    if spec.on_static == "keep":
        return list(ranges)
    rests = [rest for first, last in ranges for rest in _rests(first, last, evidence, clock, spec)]
    left = subtracted(ranges, rests)
    return [(first, last) for first, last in left if fits(first, last)]


def _rests(first: int, last: int, evidence: Evidence, clock: FrameClock, spec: SegmentSpec) -> Ranges:
    """Frames to leave out of a range: rests that are too long, less a margin where something moves beside them."""
    edges = [range_edge(frame, clock) for frame in range(first, last + 1)]
    still = np.array([evidence.static_fraction(a, b) >= 0.5 for a, b in pairwise(edges)])
    margin_ns = int(MARGIN_S * NS_PER_S)
    found = []
    for start, stop in runs_of(still):
        if edges[stop].t_ns - edges[start].t_ns > spec.max_static_s * NS_PER_S:
            start_ns = edges[start].t_ns + (margin_ns if start > 0 else 0)
            stop_ns = edges[stop].t_ns - (margin_ns if stop < len(still) else 0)
            one = clock.frames_within(start_ns, stop_ns)
            found += [one] if one[0] < one[1] else []
    return found


def subtracted(ranges: Sequence[tuple[int, int]], holes: Sequence[tuple[int, int]]) -> Ranges:
    """Sorted disjoint ranges without sorted disjoint holes."""
    found = []
    for first, last in ranges:
        at = first
        for start, stop in holes:
            if start < last and at < stop:
                if start > at:
                    found.append((at, start))
                at = max(at, stop)
        if at < last:
            found.append((at, last))
    return found


def static_findings(
    episode: Episode, ranges: Sequence[tuple[int, int]], covered: Sequence[tuple[int, int]], spec: SegmentSpec
) -> Iterator[Finding]:
    """One TRIM per stretch of the usable ranges that the tree does not cover."""
    clock = episode.master.clock
    for first, last in subtracted(ranges, covered):
        start_ns, end_ns = clock.edge_ns(first), clock.edge_ns(last)
        seconds = round((end_ns - start_ns) / NS_PER_S, 6)
        yield Finding(
            subject=episode.episode_id,
            source=episode.source,
            stage="segment",
            check="static",
            verdict=Verdict.TRIM,
            message=f"{episode.locator}: nothing moves in frames [{first}, {last}), {seconds:.2f} s; left out",
            value=seconds,
            threshold=spec.max_static_s,
            start_ns=start_ns,
            end_ns=end_ns,
        )


def covered_ranges(ranges: Sequence[tuple[int, int]], findings: Sequence[Finding], clock: FrameClock) -> Ranges:
    """What a tree has to cover: the usable ranges without what `segment` says it has pruned."""
    holes = [
        clock.frames_within(finding.start_ns, finding.end_ns)
        for finding in findings
        if finding.check == "static" and finding.start_ns is not None and finding.end_ns is not None
    ]
    return subtracted(ranges, sorted(holes))
