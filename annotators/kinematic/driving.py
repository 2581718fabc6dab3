"""A base that drives, beside whatever the arms do (events.md, mobile robots).

Tool poses are relative to the base, so contacts, lifts and retreats are untouched by its travel. What is missing from
them is the travel itself: a robot that crosses the room with its arms still would look asleep. This wraps any
evidence: drives begin and end at MOTION cuts, a span of nothing but driving is a move of no arm, and what drives is
not static.
"""

from dataclasses import dataclass, replace

import numpy as np

from annotators.tree.claim import Cut, make_cut, merged
from annotators.tree.evidence import Evidence, Label, Phase
from pipeline.base_motion import base_motion
from pipeline.mask_runs import runs_of
from schemas.array import Bools, Floats
from schemas.episode import ActionTrack, Arm
from schemas.event import Boundary, BoundaryKind, Motion, Verb
from schemas.recipe import SegmentSpec
from schemas.time import NS_PER_S, FrameClock

_DRIVES_M_S = 0.03
_TURNS_RAD_S = 0.05
_LEAST_S = 0.5
"""Shorter twitches are balance and wheel slip; standing still for less than this is part of the drive."""
_MOSTLY = 0.8


@dataclass(frozen=True, eq=False)
class DrivenEvidence:
    """Somebody's evidence, and when the base drives (`annotators.tree.evidence.Evidence`)."""

    inner: Evidence
    clock: FrameClock
    rate: Floats
    """float64 [N]: how fast the base moves at each frame, in multiples of what counts as driving."""
    drives: Bools
    """bool [N]: frames of drives that last."""
    spec: SegmentSpec

    @property
    def proposer(self) -> str:
        return self.inner.proposer

    def cuts(self) -> list[Cut]:
        return merged([*self.inner.cuts(), *self._edges()], self.spec.merge_s)

    def primitive_cuts(self) -> list[Cut]:
        return sorted([*self.inner.primitive_cuts(), *self._edges()], key=lambda cut: (cut.t_ns, -cut.confidence))

    def starts_goal(self, boundary: Boundary) -> bool:
        return self.inner.starts_goal(boundary)

    def label(self, start: Boundary, end: Boundary) -> Label:
        return self._driven(self.inner.label(start, end), start, end)

    def segment_label(self, parent: Label, start: Boundary, end: Boundary) -> Label:
        return self._driven(self.inner.segment_label(parent, start, end), start, end)

    def unrest(self) -> tuple[Floats, str]:
        arms, detector = self.inner.unrest()
        return arms + self.rate, detector

    def motion(self, arm: Arm | None, start: Boundary, end: Boundary) -> Motion | None:
        return self.inner.motion(arm, start, end)

    def static_fraction(self, start: Boundary, end: Boundary) -> float:
        return min(self.inner.static_fraction(start, end), round(1.0 - self._share(start, end), 4))

    def _driven(self, label: Label, start: Boundary, end: Boundary) -> Label:
        """MOVE of no arm where the base drives and the arms rest; what it is for stays as it was."""
        if self._share(start, end) < _MOSTLY or self.inner.static_fraction(start, end) < _MOSTLY:
            return label
        return replace(label, verb=Verb.MOVE, arm=None, phase=Phase.DRIVE)

    def _share(self, start: Boundary, end: Boundary) -> float:
        """Share of a span's frames in which the base drives."""
        return float(np.mean(self.drives[start.frame : max(start.frame + 1, end.frame)]))

    def _edges(self) -> list[Cut]:
        found = []
        for first, last in runs_of(self.drives):
            for frame, detector in ((first, "base_start"), (last, "base_end")):
                if 0 < frame < len(self.clock):
                    found.append(make_cut(self.clock.edge_ns(frame), BoundaryKind.MOTION, detector))
        return found


def with_driving(evidence: Evidence, actions: ActionTrack, clock: FrameClock, spec: SegmentSpec) -> Evidence:
    """The evidence, wrapped if the base drives at all; ``actions`` are on the video clock."""
    base = base_motion(actions)
    if base is None:
        return evidence
    rate = np.maximum(base.speed / _DRIVES_M_S, base.turning / _TURNS_RAD_S)
    known = actions.valid & np.isfinite(rate)
    if not known.any():
        return evidence
    order = np.argsort(actions.times_ns[known], kind="stable")
    rates = np.interp(clock.times_ns, actions.times_ns[known][order], rate[known][order], left=0.0, right=0.0)
    drives = _lasting(rates > 1.0, clock)
    return DrivenEvidence(evidence, clock, rates, drives, spec) if drives.any() else evidence


def _lasting(moving: Bools, clock: FrameClock) -> Bools:
    """``moving`` without pauses and drives shorter than `_LEAST_S`."""
    edges = np.append(clock.times_ns, clock.end_ns)

    def short(first: int, last: int) -> bool:
        return bool(edges[last] - edges[first] < _LEAST_S * NS_PER_S)

    lasting = moving.copy()
    for first, last in runs_of(~moving):
        if first > 0 and last < len(moving) and short(first, last):
            lasting[first:last] = True
    for first, last in runs_of(lasting):
        if short(first, last):
            lasting[first:last] = False
    return lasting
