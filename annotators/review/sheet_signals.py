"""The curves beside the pictures: how open each hand is, how fast each arm moves, how much the picture moves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from annotators.kinematic.signals import arm_signals
from annotators.review.sheet import Signal
from schemas.array import Floats, Ints
from schemas.calibration import Calibration
from schemas.episode import ActionTrack, Episode
from schemas.filmstrip import Filmstrip
from schemas.recipe import SegmentSpec

MOST_POINTS = 8192
"""Of one curve: more than any screen has columns, and an hour's episode still opens at once."""
_DIGITS = 4


def signals_of(
    episode: Episode,
    actions: ActionTrack | None,
    calibration: Calibration | None,
    strip: Filmstrip | None,
    spec: SegmentSpec,
) -> tuple[Signal, ...]:
    """Of the arms first, then of the master view. ``actions`` are on the video's clock."""
    found: list[Signal] = []
    for arm in arm_signals(actions, calibration, spec) if actions is not None else ():
        named = "" if arm.arm is None else str(arm.arm)
        times = arm.grid.times_ns()
        if arm.opening is not None:
            opening = np.where(arm.known, arm.opening, np.nan)
            found.append(_signal("opening", "0 closed … 1 open", named, times, opening))
        if arm.speed is not None:
            unit = "m/s" if arm.position is not None else "ranges/s"
            found.append(_signal("speed", unit, named, times, np.where(arm.known, arm.speed, np.nan)))
    if strip is not None:
        flow = np.hypot(strip.flow[..., 0], strip.flow[..., 1]).mean(axis=(1, 2))
        found.append(_signal("picture motion", "widths per picture", "", episode.master.times_ns, flow))
    return tuple(found)


def _signal(name: str, unit: str, arm: str, times_ns: Ints, values: Floats) -> Signal:
    kept = np.fromiter(thinned(values, MOST_POINTS), np.int64)
    numbers = tuple(float(f"{value:.{_DIGITS}g}") if np.isfinite(value) else None for value in values[kept])
    return Signal(name, unit, arm, tuple(times_ns[kept].tolist()), numbers)


def thinned(values: Floats, most: int) -> Iterator[int]:
    """Which samples to draw, in order: of each stretch the lowest and the highest, so that no peak is lost.

    A stretch with an unknown sample keeps its first one too, so that holes stay holes.
    """
    if len(values) <= most:
        yield from range(len(values))
        return
    edges = np.linspace(0, len(values), most // 3 + 1).astype(int)
    for first, last in pairwise(edges):
        yield from sorted(set(_extremes(values[first:last], int(first))))


def _extremes(stretch: Floats, first: int) -> Sequence[int]:
    known = np.isfinite(stretch)
    if not known.any():
        return [first]
    low = first + int(np.argmin(np.where(known, stretch, np.inf)))
    high = first + int(np.argmax(np.where(known, stretch, -np.inf)))
    return [low, high] if known.all() else [low, high, first + int(np.argmin(known))]
