"""Which frames show something new, and how fast things move in them.

A repeated picture says nothing: it is not stillness (film shown at a higher rate repeats every fourth frame), and what
comes after it has moved for longer than one frame. So the flow of a picture is spread evenly over the time since the
last different one.

A freeze that ends in a jump is a hole in the recording: its frames are left out altogether, and the pictures before and
after it are neighbours. One that goes on as it began is a scene at rest, drawn or coded without noise.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.mask_runs import runs_of
from schemas.array import Bools, Floats, Ints
from schemas.filmstrip import Filmstrip, FrameFlag
from schemas.time import NS_PER_S, FrameClock

_JUMP = 2.0
"""A hole shows in the first picture after it; motion that begins grows from there."""


@dataclass(frozen=True, eq=False)
class Live:
    """The frames of a strip that are part of what happens, and the steps between their pictures."""

    frames: Ints
    """int64 [L], frames outside holes, in order."""
    source: Ints
    """int64 [L], the frame whose flow and difference lead to this frame's time: itself, or the next new picture."""
    elapsed_s: Floats
    """float64 [L], how long that picture's flow took."""
    shot: Ints
    """int64 [L], number of the shot."""
    known: Bools
    """bool [L], false where that flow leads across a hole, a hard cut or the start: it measures no motion."""


def live_frames(strip: Filmstrip, clock: FrameClock) -> Live:
    """Read off the flags; ``strip`` has one row per frame of ``clock``."""
    flags = np.asarray(strip.flags)
    hard_cut: Bools = (flags & FrameFlag.HARD_CUT) != 0
    frozen: Bools = (flags & FrameFlag.FROZEN) != 0
    hole = _holes(frozen, hard_cut, np.asarray(strip.difference, np.float64))
    new = ~hole & (((flags & FrameFlag.DUPLICATE) == 0) | frozen)
    new[:1] = True
    frames, pictures = np.flatnonzero(~hole), np.flatnonzero(new)
    at = np.minimum(np.searchsorted(pictures, frames, side="left"), len(pictures) - 1)
    source, before = pictures[at], pictures[np.maximum(at - 1, 0)]
    shot: Ints = np.cumsum(hard_cut)
    holes: Ints = np.cumsum(hole)
    known = (at > 0) & (source >= frames) & (shot[source] == shot[before]) & (holes[source] == holes[before])
    elapsed_s = np.maximum(clock.times_ns[source] - clock.times_ns[before], 1) / NS_PER_S
    return Live(frames, source, elapsed_s, shot[frames], known)


def _holes(frozen: Bools, hard_cut: Bools, difference: Floats) -> Bools:
    """The frozen frames of freezes that end in a jump within their shot."""
    hole = np.zeros(len(frozen), np.bool_)
    changed = np.append(np.flatnonzero(difference), len(frozen))
    difference = np.append(difference, 0.0)
    for first, last in runs_of(frozen):
        if last == len(frozen) or hard_cut[last]:
            continue
        following = int(np.searchsorted(changed[:-1], last, side="right"))
        hole[first:last] = difference[last] > _JUMP * difference[changed[following]]
    return hole


def per_second(values: Floats, live: Live) -> Floats:
    """Amounts per picture [N, ...] as rates at the live frames, [L, ...]; unknown ones are those of the next known."""
    wide = (-1,) + (1,) * (values.ndim - 1)
    rates = np.asarray(values, np.float64)[live.source] / live.elapsed_s.reshape(wide)
    if not live.known.any():
        return np.zeros_like(rates)
    known = np.flatnonzero(live.known)
    after = np.minimum(np.searchsorted(known, np.arange(len(rates)), side="left"), len(known) - 1)
    filled: Floats = rates[known[after]]
    return filled
