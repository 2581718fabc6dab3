"""Where pictures change: proposals for recordings whose actions say nothing (events.md, "Video-only detector").

Everything is read off the filmstrip. Hard cuts divide shots. Within a shot, a two-window score compares one second
before a frame with one second after: how much moves (flow left after the median of the grid, which is mostly camera
motion, is taken away), and what it looks like (the appearance descriptor). Peaks of the score are proposals.
Pixels alone barely beat a uniform grid on real recordings, so their confidence never exceeds 0.3.
"""

from dataclasses import dataclass

import numpy as np

from annotators.tree.claim import Cut, make_cut
from annotators.tree.evidence import Goal, Label, Phase
from pipeline.mask_runs import runs_of
from schemas.array import Bools, Floats
from schemas.episode import Arm
from schemas.event import Boundary, BoundaryKind, Motion, RecoveryKind, Verb
from schemas.filmstrip import Filmstrip, FrameFlag
from schemas.recipe import SegmentSpec
from schemas.time import NS_PER_S, FrameClock

WINDOW_S = 1.0
_STILL_DIFFERENCE = 0.1
"""Mean grey difference (of 255) below which nothing moves: a small robot in a wide view makes 0.1 to 0.3."""


@dataclass(frozen=True, eq=False)
class VisualSignals:
    """Change along the master view, one value per frame."""

    score: Floats
    """float64 [N] robust z-score of the two-window change; 0 near shot boundaries and the ends."""
    hard_cut: Bools
    """bool [N], the first frame of a new shot."""
    still: Bools
    """bool [N], frames that equal the one before."""
    window: int
    """Frames on each side of the comparison."""


def visual_signals(strip: Filmstrip, clock: FrameClock) -> VisualSignals:
    """The change signals of one view. The strip has one row per frame of ``clock``."""
    n = len(clock)
    flags = np.asarray(strip.flags)
    hard_cut: Bools = (flags & FrameFlag.HARD_CUT) != 0
    same: Bools = (flags & (FrameFlag.DUPLICATE | FrameFlag.FROZEN)) != 0
    still = same | (np.asarray(strip.difference) < _STILL_DIFFERENCE)
    if n > 1:
        still[0] = still[1]  # the first frame has no frame before it
    frame_s = float(np.median(np.diff(clock.times_ns))) / NS_PER_S if n > 1 else WINDOW_S
    window = max(2, round(WINDOW_S / frame_s))
    score = _change(_motion(strip)[:, None], window) + _change(np.asarray(strip.descriptor, np.float64), window)
    shots = np.cumsum(hard_cut)
    inside = np.zeros(n, np.bool_)
    if n > 2 * window:
        inside[window : n - window + 1] = shots[: n - 2 * window + 1] == shots[2 * window - 1 :]
    return VisualSignals(np.where(inside, _standardised(score, inside), 0.0), hard_cut, still, window)


def visual_cuts(signals: VisualSignals, clock: FrameClock, spec: SegmentSpec) -> list[Cut]:
    """Hard cuts and peaks of the change score that reach ``visual_cut_z``; peaks a window apart, the higher first."""
    cuts = [
        make_cut(int(clock.times_ns[frame]), BoundaryKind.HARD_CUT, "hard_cut")
        for frame in np.flatnonzero(signals.hard_cut).tolist()
    ]
    for frame in peaks_of(signals.score, spec.visual_cut_z, signals.window):
        trust = min(1.0, float(signals.score[frame]) / (2 * spec.visual_cut_z))
        cuts.append(make_cut(int(clock.times_ns[frame]), BoundaryKind.VISUAL_CHANGE, "visual_change", trust=trust))
    return sorted(cuts, key=lambda cut: cut.t_ns)


@dataclass(frozen=True, eq=False)
class VisualEvidence:
    """Pictures as evidence (`annotators.tree.evidence.Evidence`); without a filmstrip nothing is proposed at all."""

    clock: FrameClock
    signals: VisualSignals | None
    spec: SegmentSpec
    proposer: str = "visual"

    def cuts(self) -> list[Cut]:
        return [] if self.signals is None else visual_cuts(self.signals, self.clock, self.spec)

    def primitive_cuts(self) -> list[Cut]:
        return []

    def label(self, _start: Boundary, _end: Boundary, /) -> Label:
        return Label(Verb.OTHER, None, Phase.UNSEEN, Goal.UNKNOWN, RecoveryKind.NONE)

    def segment_label(self, parent: Label, _start: Boundary, _end: Boundary, /) -> Label:
        return parent

    def unrest(self) -> tuple[Floats, str]:
        if self.signals is None:
            return np.zeros(len(self.clock)), "even"
        return -self.signals.score, "visual_change"

    def motion(self, _arm: Arm | None, _start: Boundary, _end: Boundary, /) -> Motion | None:
        return None

    def static_fraction(self, start: Boundary, end: Boundary, /) -> float:
        return 0.0 if self.signals is None else float(np.mean(self.signals.still[start.frame : end.frame]))


def peaks_of(score: Floats, least: float, apart: int) -> list[int]:
    """Frames of the highest value of every run ≥ ``least``, none within ``apart`` frames of a higher one; sorted."""
    tops = [first + int(np.argmax(score[first:last])) for first, last in runs_of(score >= least)]
    taken = np.zeros(len(score) + 1, np.bool_)
    kept = []
    for frame in sorted(tops, key=lambda frame: (-float(score[frame]), frame)):
        if not taken[frame]:
            kept.append(frame)
            taken[max(0, frame - apart + 1) : frame + apart] = True
    return sorted(kept)


def _motion(strip: Filmstrip) -> Floats:
    """Mean length of the flow that is not the camera's, float64 [N], fractions of the image width per frame."""
    flow = np.nan_to_num(np.asarray(strip.flow, np.float64)).reshape(len(strip.flow), -1, 2)
    residual = flow - np.median(flow, axis=1, keepdims=True)
    motion: Floats = np.mean(np.linalg.norm(residual, axis=2), axis=1)
    return motion


def _change(values: Floats, window: int) -> Floats:
    """Distance between the means of ``window`` rows before and from each row, in units of its own median, [N]."""
    n = len(values)
    change = np.zeros(n)
    if n > 2 * window:
        total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
        means = (total[window:] - total[:-window]) / window
        # means[i] covers rows i … i + window − 1; row r compares means[r − window] with means[r]
        change[window : n - window + 1] = np.linalg.norm(means[window:] - means[:-window], axis=1)
    typical = float(np.median(change[change > 0])) if np.any(change > 0) else 1.0
    return change / typical


def _standardised(score: Floats, inside: Bools) -> Floats:
    """Robust z-score over the frames that count; zeros where the score does not vary."""
    if not inside.any():
        return np.zeros_like(score)
    middle = float(np.median(score[inside]))
    spread = 1.4826 * float(np.median(np.abs(score[inside] - middle)))
    return np.zeros_like(score) if spread <= 1e-9 else (score - middle) / spread
