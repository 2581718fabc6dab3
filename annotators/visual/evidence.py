"""Pictures as evidence: proposals for recordings whose actions say nothing (events.md, "Video-only detector").

Everything is read off the filmstrip. Hard cuts divide shots; within a shot, changes divide Segments, the larger of them
Actions, the largest Subtasks. They nest because each level only drops cuts of the one below. What pixels propose is
never certain: no confidence exceeds 0.3, and every event is to be looked at.
"""

from dataclasses import dataclass

import numpy as np

from annotators.tree.claim import Cut, make_cut
from annotators.tree.evidence import Goal, Label, Phase
from annotators.visual.signals import Change, VisualSignals
from schemas.array import Floats
from schemas.episode import Arm
from schemas.event import Boundary, BoundaryKind, Motion, RecoveryKind, Verb
from schemas.recipe import SegmentSpec
from schemas.time import FrameClock


def visual_cuts(signals: VisualSignals, clock: FrameClock, spec: SegmentSpec) -> list[Cut]:
    """Boundaries of actions, in time order: hard cuts, and changes at least ``visual_cut`` high."""
    hard = [
        make_cut(int(clock.times_ns[frame]), BoundaryKind.HARD_CUT, "hard_cut")
        for frame in np.flatnonzero(signals.hard_cut).tolist()
    ]
    high = [change for change in signals.changes if change.height >= spec.visual_cut]
    return sorted([*hard, *(_cut(change, clock, spec) for change in high)], key=lambda cut: cut.t_ns)


def _cut(change: Change, clock: FrameClock, spec: SegmentSpec) -> Cut:
    """Trust grows with the height and stays below 1: of two cuts too close the higher survives."""
    trust = change.height / (change.height + spec.visual_cut)
    return make_cut(int(clock.times_ns[change.frame]), BoundaryKind.VISUAL_CHANGE, "visual_change", trust=trust)


@dataclass(frozen=True, eq=False)
class VisualEvidence:
    """One view (`annotators.tree.evidence.Evidence`); without a filmstrip nothing is proposed at all."""

    clock: FrameClock
    signals: VisualSignals | None
    spec: SegmentSpec
    proposer: str = "visual"

    def cuts(self) -> list[Cut]:
        return [] if self.signals is None else visual_cuts(self.signals, self.clock, self.spec)

    def primitive_cuts(self) -> list[Cut]:
        return [] if self.signals is None else [_cut(change, self.clock, self.spec) for change in self.signals.changes]

    def starts_goal(self, boundary: Boundary, /) -> bool:
        if self.signals is None or boundary.kind is not BoundaryKind.VISUAL_CHANGE:
            return boundary.kind is BoundaryKind.HARD_CUT
        high = (change.frame for change in self.signals.changes if change.height >= self.spec.visual_subtask)
        return boundary.frame in high

    def label(self, _start: Boundary, _end: Boundary, /) -> Label:
        return Label(Verb.OTHER, None, Phase.UNSEEN, Goal.UNKNOWN, RecoveryKind.NONE)

    def segment_label(self, parent: Label, _start: Boundary, _end: Boundary, /) -> Label:
        return parent

    def unrest(self) -> tuple[Floats, str]:
        """Cuts nobody proposed go where pictures change most, and not into a freeze."""
        if self.signals is None:
            return np.zeros(len(self.clock)), "even"
        return np.where(self.signals.frozen, 1.0, -self.signals.score), "visual_change"

    def motion(self, _arm: Arm | None, _start: Boundary, _end: Boundary, /) -> Motion | None:
        return None

    def static_fraction(self, start: Boundary, end: Boundary, /) -> float:
        return 0.0 if self.signals is None else float(np.mean(self.signals.still[start.frame : end.frame]))
