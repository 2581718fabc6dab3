"""Which closed stretches of an opening are holds, by what the opening is of: gripper, hand, switch or command.

`find_holds` reads fingers that close on something and stop. Three kinds of opening are not that:

- A **command** has no plateau of contact: it goes on to where it was sent, and the fingers meet the object somewhere on
  the way. Of an object of unknown width half-way is the best guess, so both edges are where the command passes the
  middle of the gripper's range. Two edges too close to be an event apart are moved apart along their own ramps, which
  bracket them: an event no tree can hold would be lost, and a grasp or release with it.
- A **hand** fidgets: it is pre-shaped, relaxes, settles when a controller starts. A stretch that is both shallow and
  short is that. Real holds are at least one of deep and long: on the G1 recordings .35 of the range and 3 s. And its
  many joints meet the object one after another and go on closing while it is carried (GR-1 lifts half a second before
  the plateau), and where they have settled hangs on noise: so its edges, too, are half-way between open and plateau.
- A **switch** is open or closed (a vacuum sensor, a binary gripper). It has no plateau to measure and no hard stop to
  tell from an object; only where it goes says whether it caught something (`contact`).

A hand that closes and then rests beside the table before or after its arm's work grasps nothing.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from annotators.kinematic.gripper import Hold, find_holds
from annotators.kinematic.signals import ArmSignals, Effector
from pipeline.mask_runs import first_true
from schemas.array import Floats
from schemas.recipe import SegmentSpec

_HALF = 0.5
_FIDGET_DEPTH = 0.35
_FIDGET_S = 0.6
_REST_S = 2.0
_REST_TRAVEL = 0.03
"""Metres, or ranges of the busiest arm."""


def holds_of(signals: ArmSignals, spec: SegmentSpec, shortest_s: float) -> list[Hold]:
    """Every hold of one arm, in time order; ``shortest_s`` is how long an event is at least."""
    if signals.opening is None:
        return []
    opening = signals.opening
    measured = not signals.commanded and signals.effector is Effector.GRIPPER
    holds = find_holds(opening, signals.grid.rate_hz, spec, squeezes=measured)
    if signals.commanded:
        halves = _crossings(opening, holds, _half_way)
        holds = _apart(halves, holds, int(np.ceil(shortest_s * signals.grid.rate_hz)))
    if signals.effector is Effector.HAND:
        settled = [hold for hold in holds if not _is_fidget(signals, hold)]
        holds = _crossings(opening, settled, lambda plateau, peak: (plateau + peak) / 2)
    return [hold for hold in holds if not _is_rest(signals, hold)]


def _half_way(plateau: float, peak: float) -> float:
    """The middle of a command's range, or of this ramp if it never gets there."""
    return _HALF if plateau < _HALF <= peak else (plateau + peak) / 2


def _crossings(opening: Floats, holds: list[Hold], level: Callable[[float, float], float]) -> list[Hold]:
    """The holds with their edges moved outwards to where the opening passes ``level(plateau, peak)``."""
    moved = []
    for k, hold in enumerate(holds):
        closed, opened = hold.closed, hold.opened
        if closed is not None:
            before = (holds[k - 1].opened or 0) if k else 0
            closed += 1 - _steps_to(opening[before : closed + 1][::-1], hold.plateau, level)
        if opened is not None:
            following = holds[k + 1].closed if k + 1 < len(holds) else None
            opened += _steps_to(opening[opened:following], hold.plateau, level)
        moved.append(replace(hold, closed=closed, opened=opened))
    return moved


def _steps_to(way: Floats, plateau: float, level: Callable[[float, float], float]) -> int:
    """Steps out of a hold until the opening is at the level; 0 where there is no way out."""
    if not len(way):
        return 0
    return first_true(way >= level(plateau, float(way.max())), 0, len(way)) or 0


def _apart(halves: list[Hold], wide: list[Hold], shortest: int) -> list[Hold]:
    """Holds whose gaps last ``shortest`` samples, as far as the ramps go (``wide``: the same holds, ramps left out)."""
    for k in range(len(halves) - 1):
        opened, closed = halves[k].opened, halves[k + 1].closed
        first, last = wide[k].opened, wide[k + 1].closed
        if opened is None or closed is None or first is None or last is None:
            continue
        lacking = max(0, shortest - (closed - opened))
        earlier = min(opened - first, max(lacking // 2, lacking - (last - closed)))
        halves[k] = replace(halves[k], opened=opened - earlier)
        halves[k + 1] = replace(halves[k + 1], closed=closed + min(last - closed, lacking - earlier))
    return halves


def _span(signals: ArmSignals, hold: Hold) -> tuple[int, int]:
    return hold.closed or 0, signals.grid.n if hold.opened is None else hold.opened


def _is_fidget(signals: ArmSignals, hold: Hold) -> bool:
    start, end = _span(signals, hold)
    return hold.depth < _FIDGET_DEPTH and end - start < _FIDGET_S * signals.grid.rate_hz


def _is_rest(signals: ArmSignals, hold: Hold) -> bool:
    """Fingers closed on a resting arm, before its first or after its last use: a posture, not a grasp."""
    if signals.speed is None or (hold.closed is not None and hold.opened is not None):
        return False
    start, end = _span(signals, hold)
    speed = signals.speed[start:end]
    travel = float(np.sum(np.where(speed > signals.moving_above, speed, 0.0))) / signals.grid.rate_hz
    return end - start >= _REST_S * signals.grid.rate_hz and travel <= _REST_TRAVEL
