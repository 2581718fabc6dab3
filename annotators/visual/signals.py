"""Where pictures change, and how much: the signals of one view.

Peaks of the two-window change score are candidates; Ward's method says how unlike the stretches on their two sides are
and so puts them in an order that nests. Each shot is judged alone: across a hard cut everything differs.
"""

from dataclasses import dataclass

import numpy as np

from annotators.visual.change import change_score, peaks_of
from annotators.visual.live import live_frames
from annotators.visual.rows import STILL_DIFFERENCE, frame_period_s, seen, shots_of
from annotators.visual.ward import ward_heights
from schemas.array import Bools, Floats
from schemas.filmstrip import Filmstrip, FrameFlag
from schemas.time import FrameClock

WINDOW_S = 0.8
_APART_S = 0.3
_LEAST_SCORE = 0.15
"""A step of the motion by a seventh, held for a whole window on both sides; less is noise."""


@dataclass(frozen=True)
class Change:
    """A candidate."""

    frame: int
    height: float
    """Seconds of squared distance by which merging what it divides would spread the rows (`annotators.visual.ward`)."""


@dataclass(frozen=True, eq=False)
class VisualSignals:
    """Change along the master view, one value per frame, and the candidates it gives."""

    score: Floats
    """float64 [N], the two-window change score; 0 inside freezes."""
    hard_cut: Bools
    """bool [N], the first frame of a new shot."""
    frozen: Bools
    """bool [N], inside a freeze."""
    still: Bools
    """bool [N], frames in which nothing moves. A repeated picture alone is no stillness, a freeze is."""
    changes: tuple[Change, ...]
    """In time order, none inside a freeze."""


def visual_signals(strip: Filmstrip, clock: FrameClock) -> VisualSignals:
    """The change signals of one view. The strip has one row per frame of ``clock``."""
    n = len(clock)
    flags = np.asarray(strip.flags)
    hard_cut: Bools = (flags & FrameFlag.HARD_CUT) != 0
    frozen: Bools = (flags & FrameFlag.FROZEN) != 0
    live = live_frames(strip, clock)
    rows = seen(strip, clock, live)
    frame_s = frame_period_s(clock)
    window, apart = max(2, round(WINDOW_S / frame_s)), max(2, round(_APART_S / frame_s))
    score = np.zeros(n)
    changes = []
    for first, last in shots_of(live):
        shot, frames = rows[first:last], live.frames[first:last]
        score[frames] = change_score(shot, window)
        peaks = _outside(frozen[frames], peaks_of(score[frames], _LEAST_SCORE, apart))
        heights = ward_heights(shot, peaks)
        changes += [Change(int(frames[row]), height * frame_s) for row, height in zip(peaks, heights, strict=True)]
    score[frozen] = 0.0
    still = frozen.copy()
    still[live.frames] = np.asarray(strip.difference)[live.source] < STILL_DIFFERENCE
    if n > 1:
        still[0] = still[1]  # the first frame has no frame before it
    return VisualSignals(score, hard_cut, frozen, still, tuple(changes))


def _outside(frozen: Bools, peaks: list[int]) -> list[int]:
    """Peaks of a shot, those in a freeze moved to its nearer end; none where the shot begins."""
    free = np.flatnonzero(~frozen)
    if not len(free):
        return []
    moved = {int(free[np.argmin(np.abs(free - row))]) if frozen[row] else row for row in peaks}
    return sorted(moved - {0})
