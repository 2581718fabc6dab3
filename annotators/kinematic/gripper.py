"""When fingers hold something, read off the opening alone (events.md K3).

Zigzag pivots with a reversal of δ = 0.20 find the valleys of the opening; each valley's plateau is the median of the
samples within a band above its minimum. The hold lasts while the opening is in the plateau's band. Two traps this
avoids: rejecting holds by their width loses thin objects, and thresholds on closing speed miss slow closes and fire
on finger rebound.

Inside the band the edges are refined to where the opening settles on the plateau (a third of the band), within 0.3 s:
fingers cross the band before they touch. On the simulated recordings this moves grasps from 1.5 frames early to 0.5.

Fingers that are abruptly held up and still reach their hard stop have squeezed out what held them up: their hold
begins where they met resistance and ends at the stop. Closed fingers that are forced apart after they met have caught
it again: two holds in one valley.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.mask_runs import first_true, last_true, runs_of
from schemas.array import Bools, Floats
from schemas.recipe import SegmentSpec

_SETTLED = 1.0 / 3.0
_REFINE_S = 0.3
_RATE_S = 0.1
_HELD_UP_SHARE = 0.4
"""Of the closing speed: slower fingers meet resistance."""
_CALM_SHARE = 0.3
"""Of the closing speed: slower fingers are at rest, as far as a smoothed opening can show."""
HARD_STOP = 0.05
"""Plateaus below this may be closed on nothing; above, something is between the fingers."""
SHUT = 0.015
"""Thinner than this share of the opening counts as nothing between them; paper and cloth are thinner."""
_APART = 2.0 * SHUT
"""Fingers that have met and are this far apart again were forced."""


@dataclass(frozen=True)
class Hold:
    """One stretch of closed fingers, in samples."""

    closed: int | None
    """First sample on the plateau (B1); None when the signal starts closed."""
    opened: int | None
    """First sample off the plateau (B5); None when the signal ends closed."""
    plateau: float
    depth: float
    """How far below the lower of its neighbouring peaks the plateau lies; 0 … 1."""
    caught: bool = False
    """Something forced the fingers apart: they hold it, however thin."""


def pivots(opening: Floats, reversal: float) -> list[tuple[int, bool]]:
    """Alternating extremes of ``opening`` [N] as (sample, is_high): each differs from the next by ≥ ``reversal``.

    Only turning points can be pivots, so the scan visits those and not every sample.
    """
    if len(opening) == 0:
        return []
    steps = np.sign(np.diff(opening))
    moving = np.flatnonzero(steps)
    turns = moving[1:][steps[moving[1:]] != steps[moving[:-1]]] if moving.size else moving
    candidates = [0, *(int(i) for i in turns), len(opening) - 1]
    values = opening[candidates].tolist()
    found: list[tuple[int, bool]] = []
    high = low = 0
    rising: bool | None = None
    for i, value in enumerate(values):
        high = i if value > values[high] else high
        low = i if value < values[low] else low
        if rising is not False and values[high] - value >= reversal:
            found.append((candidates[high], True))
            rising, low = False, i
        elif rising is not True and value - values[low] >= reversal:
            found.append((candidates[low], False))
            rising, high = True, i
    if rising is not None:
        found.append((candidates[high], True) if rising else (candidates[low], False))
    return found


def find_holds(opening: Floats, rate_hz: float, spec: SegmentSpec, *, squeezes: bool = True) -> list[Hold]:
    """Every hold of at least ``min_hold_s`` in an opening [N] sampled at ``rate_hz``, in time order.

    ``squeezes``: fingers may meet resistance on their way and overcome it, as a gripper's do and a command does not.
    """
    marks = pivots(opening, spec.reversal)
    holds = []
    for k, (_, is_high) in enumerate(marks):
        if is_high:
            continue
        left = marks[k - 1][0] if k > 0 else None
        right = marks[k + 1][0] if k + 1 < len(marks) else None
        for hold in _in_valley(opening, left, right, rate_hz, spec, squeezes=squeezes):
            start = 0 if hold.closed is None else hold.closed
            end = len(opening) if hold.opened is None else hold.opened
            if end - start >= spec.min_hold_s * rate_hz:
                holds.append(hold)
    return holds


def _in_valley(
    opening: Floats, left: int | None, right: int | None, rate_hz: float, spec: SegmentSpec, *, squeezes: bool
) -> list[Hold]:
    """The hold between two high pivots (None: the signal's end); several if what was held is lost and caught again."""
    first, last = left or 0, len(opening) if right is None else right + 1
    valley = opening[first:last]
    plateau = float(np.median(valley[valley <= valley.min() + spec.plateau]))
    reach = max(1, round(_REFINE_S * rate_hz))
    closed = opened = None
    if left is not None:
        band = min(spec.plateau, (float(valley[0]) - plateau) / 2)
        entered = first_true(valley <= plateau + band, 0, len(valley))
        if entered is not None:
            settled = first_true(valley <= plateau + band * _SETTLED, entered, entered + reach + 1)
            closed = first + (entered if settled is None else settled)
    if right is not None:
        band = min(spec.plateau, (float(valley[-1]) - plateau) / 2)
        inside = _last_inside(valley > plateau + band, 0 if closed is None else closed - first, rate_hz, spec)
        if inside is not None:
            settled = last_true(valley <= plateau + band * _SETTLED, max(0, inside - reach), inside + 1)
            opened = first + (inside if settled is None else settled) + 1
    if squeezes and closed is not None and plateau <= HARD_STOP:
        stopped = first_true(valley <= plateau + spec.plateau * _SETTLED, 0, len(valley))
        resisted = None if stopped is None else _resistance(valley[:stopped], rate_hz, spec)
        if stopped is not None and resisted is not None:
            width = float(valley[resisted])
            return [Hold(first + resisted, first + stopped, width, float(valley[0]) - width)]
    sides = [float(valley[0])] * (left is not None) + [float(valley[-1])] * (right is not None)
    hold = Hold(closed, opened, plateau, min(sides) - plateau)
    if not squeezes:
        return [hold]
    return (
        _forced_apart(opening, first, hold, rate_hz, spec)
        if _comes_to_rest(opening, first, hold, rate_hz, spec)
        else []
    )


def _comes_to_rest(opening: Floats, left: int, hold: Hold, rate_hz: float, spec: SegmentSpec) -> bool:
    """Whether the fingers stay for `min_hold_s`. Those that turn round at once were told to: nothing stopped them."""
    if hold.closed is None or hold.opened is None:
        return True
    rate = np.gradient(opening[left : hold.opened + 1])
    calm = np.abs(rate[hold.closed - left :]) < _CALM_SHARE * -float(rate.min())
    return bool(np.count_nonzero(calm) >= spec.min_hold_s * rate_hz)


def _forced_apart(opening: Floats, left: int, hold: Hold, rate_hz: float, spec: SegmentSpec) -> list[Hold]:
    """The hold, divided where its fingers meet and are then forced apart, though nobody opens them.

    Nothing is between fingers that meet, and something is between fingers that press and do not: what was lost is
    caught again. It is as wide as it forces them apart, so the first hold begins where they were that close.
    """
    first, last = hold.closed or 0, len(opening) if hold.opened is None else hold.opened
    met = [(first + a, first + b) for a, b in runs_of(opening[first:last] <= _APART)]
    met = [(a, b) for a, b in met if opening[a:b].min() <= SHUT]
    between = zip([b for _, b in met], [*[a for a, _ in met], last][1:], strict=True)
    caught = [
        (a, b)
        for a, b in between
        if _before_rising(opening, a, b, rising=b == hold.opened) - a >= spec.min_hold_s * rate_hz
    ]
    if not caught:
        return [hold]
    widest = max(float(opening[a:b].max()) for a, b in caught)
    wider = last_true(opening[: met[0][0]] > widest + spec.plateau, left, met[0][0])
    before = None if hold.closed is None else left if wider is None else wider + 1
    parts = [(before, met[0][0]), *caught]
    return [
        Hold(a, None if b == len(opening) else b, float(np.median(opening[a or 0 : b])), hold.depth, (a, b) in caught)
        for a, b in parts
        if b > (a or 0)
    ]


def _before_rising(opening: Floats, first: int, end: int, *, rising: bool) -> int:
    """Where fingers that are open at ``end`` began to open; ``end`` itself if they do not open there."""
    falls = np.flatnonzero(np.diff(opening[first:end]) <= 0.0) if rising else np.array([end - first])
    return first + int(falls[-1]) if falls.size else first


def _resistance(closing: Floats, rate_hz: float, spec: SegmentSpec) -> int | None:
    """Where fingers on their way to the hard stop are abruptly held up for `min_hold_s`: something is squeezed out.

    Closing on nothing slows down only near the stop; what resists farther out was between the fingers until then.
    """
    reach = max(1, round(_RATE_S * rate_hz))
    if len(closing) <= 2 * reach:
        return None
    rate = closing[:-reach] - closing[reach:]
    fastest = int(np.argmax(rate))
    held_up = first_true(rate < _HELD_UP_SHARE * rate[fastest], fastest, len(rate))
    if held_up is None or closing[held_up] <= HARD_STOP + spec.plateau:
        return None
    return held_up if len(closing) - held_up >= spec.min_hold_s * rate_hz else None


def _last_inside(outside: Bools, start: int, rate_hz: float, spec: SegmentSpec) -> int | None:
    """The sample before the fingers leave the band for `min_hold_s`; what comes back sooner never left.

    An object that falls past opening fingers stops them half-way and may bring them into the band again.
    """
    for first, last in runs_of(outside):
        if first > start and last - first >= spec.min_hold_s * rate_hz:
            return first - 1
    return last_true(~outside, 0, len(outside))
