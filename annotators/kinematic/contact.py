"""What a hold turned out to be: when it lifted, travelled, came down, let go, or failed (events.md B2-B6, X1, X2).

One `Contact` per hold of the fingers, measured on the tool's path. Heights are along z of the base frame, which points
up. Where the source gives no position, only the fingers' own moments are known.

The object falls, so a slip's new grasp is looked for below the place of loss: its 5 cm are horizontal. A release
counts as a slip only if nothing was put down: no support contact, not back at the height it was taken from, and not
merely dragged. An
opening that is only commanded never slips: a command to open is a decision, and an accident does not show in it.
"""

from dataclasses import dataclass, replace

import numpy as np

from annotators.kinematic.gripper import Hold
from annotators.kinematic.signals import ArmSignals
from pipeline.mask_runs import first_true, runs_of
from schemas.array import Floats
from schemas.recipe import SegmentSpec

HARD_STOP = 0.05
"""Plateaus below this may be closed on nothing; above, something is between the fingers."""
SIDEWAYS_M = 0.02
MISS_TRAVEL_M = 0.02
SLIP_DISTANCE_M = 0.05
SLIP_WINDOW_S = 5.0
_LEVEL_SHARE = 0.5
_LEVEL_S = 0.2
_MOVING_M_S = 0.02
_DESCENT_ROWS = 3
_LATE_S = 0.05
_OPEN_PER_S = 0.2
_REVERSAL_M = 0.01


@dataclass(frozen=True)
class Contact:
    """The moments of one hold, in samples; None where it has no such moment."""

    closed: int | None
    opened: int | None
    plateau: float
    depth: float
    """How much less open the fingers were than before or after, whichever is less."""
    lifted: int | None = None
    sideways: bool = False
    """The object was dragged, never lifted: there is no transport of its own."""
    levelled: int | None = None
    touched_down: int | None = None
    left: int | None = None
    """The tool is 3 cm from where it let go."""
    missed: bool = False
    slipped: bool = False


def contacts_of(signals: ArmSignals, holds: list[Hold], spec: SegmentSpec) -> list[Contact]:
    """What became of each hold, in time order.

    Recordings often start with half-closed fingers at rest. A hold whose beginning was not seen counts only when
    something was evidently put down at its end.
    """
    contacts: list[Contact] = []
    for k, hold in enumerate(holds):
        following = holds[k + 1] if k + 1 < len(holds) else None
        contact = _contact(signals, hold, following, spec)
        if contact.closed is not None or contact.touched_down is not None:
            contacts.append(contact)
    return contacts


def _contact(signals: ArmSignals, hold: Hold, following: Hold | None, spec: SegmentSpec) -> Contact:
    plain = Contact(hold.closed, hold.opened, hold.plateau, hold.depth)
    if signals.position is None or signals.velocity is None or signals.speed is None:
        return replace(plain, left=_fingers_open(signals, hold, following))
    n = signals.grid.n
    start, end = hold.closed or 0, n if hold.opened is None else hold.opened
    next_closed = n if following is None or following.closed is None else following.closed
    if _is_miss(signals.position, hold):
        return replace(plain, missed=True)
    lifted, sideways = _lift(signals.position, start, end, spec) if hold.closed is not None else (None, False)
    touched_down = None
    if hold.opened is not None and not sideways and (lifted is not None or hold.closed is None):
        touched_down = _touchdown(signals, start if lifted is None else lifted, end, spec)
    levelled = None
    if lifted is not None and not sideways:
        levelled = _levelled(signals, lifted, end if touched_down is None else touched_down)
    loose = touched_down is None and not sideways and not signals.commanded
    slipped = loose and _regrasped(signals, hold, following, spec, raised=lifted is not None)
    left = None if hold.opened is None else _departure(signals, end, next_closed, spec)
    return replace(
        plain,
        lifted=lifted,
        sideways=sideways,
        levelled=levelled,
        touched_down=touched_down,
        left=left,
        slipped=slipped,
    )


def _is_miss(position: Floats, hold: Hold) -> bool:
    """X1: closed to the hard stop and re-opened without going anywhere."""
    if hold.closed is None or hold.opened is None or hold.plateau > HARD_STOP:
        return False
    travel = np.linalg.norm(position[hold.closed : hold.opened] - position[hold.closed], axis=1)
    return bool(travel.max() <= MISS_TRAVEL_M)


def _lift(position: Floats, closed: int, end: int, spec: SegmentSpec) -> tuple[int | None, bool]:
    """B2: 1 cm above the grasp, or 2 cm beside it if never lifted; and whether it was the latter."""
    up = first_true(position[closed:end, 2] > position[closed, 2] + spec.lift_m, 0, end - closed)
    if up is not None:
        return closed + up, False
    aside = np.linalg.norm(position[closed:end, :2] - position[closed, :2], axis=1)
    dragged = first_true(aside > SIDEWAYS_M, 0, len(aside))
    return (None, False) if dragged is None else (closed + dragged, True)


def _levelled(signals: ArmSignals, lifted: int, end: int) -> int | None:
    """B3: the vertical share of the velocity stays below one half for 0.2 s while the tool moves."""
    assert signals.velocity is not None
    assert signals.speed is not None
    # a level run may have begun before the lift was complete: look back half a second for its start
    first = max(0, lifted - signals.grid.samples(0.5))
    speed, vertical = signals.speed[first:end], np.abs(signals.velocity[first:end, 2])
    moving = speed > max(_MOVING_M_S, signals.moving_above)
    for start, stop in runs_of(moving & (vertical < _LEVEL_SHARE * speed)):
        if stop - start >= _LEVEL_S * signals.grid.rate_hz and first + stop > lifted:
            return max(first + start, lifted + 1)
    return None


def _touchdown(signals: ArmSignals, start: int, opened: int, spec: SegmentSpec) -> int | None:
    """B4: the end of the last descent before release; a descent that goes on past the release put nothing down."""
    assert signals.velocity is not None
    assert signals.position is not None
    grid = signals.grid
    last = min(grid.n, opened + grid.samples(_LATE_S) + 1)
    sink = -signals.velocity[start:last, 2]
    height = signals.position[start:last, 2]
    fast = max(spec.descent_speed_m_s, signals.moving_above)
    shortest = max(1, int((_DESCENT_ROWS - 0.5) * grid.row_s * grid.rate_hz))
    descents = [
        (a, b)
        for a, b in runs_of(sink > fast)
        if b - a >= shortest and height[a] - height[b - 1] > spec.descent_drop_m and start + a < opened
    ]
    if not descents:
        return None
    touched = start + descents[-1][1]
    if touched >= last:
        return None
    touched = min(touched, opened)
    return touched if opened - touched < spec.support_window_s * grid.rate_hz else None


def _regrasped(signals: ArmSignals, hold: Hold, following: Hold | None, spec: SegmentSpec, *, raised: bool) -> bool:
    """X2 without its first half (no support contact): a new grasp soon, and below where the object was lost."""
    position = signals.position
    if position is None or hold.opened is None or following is None or following.closed is None:
        return False
    opened, again = min(hold.opened, len(position) - 1), following.closed
    near = float(np.linalg.norm(position[again, :2] - position[opened, :2])) < SLIP_DISTANCE_M
    soon = again - opened < SLIP_WINDOW_S * signals.grid.rate_hz
    taken_from = position[hold.closed or 0, 2]
    put_back = raised and position[opened, 2] <= taken_from + spec.lift_m
    return near and soon and not put_back


def _fingers_open(signals: ArmSignals, hold: Hold, following: Hold | None) -> int | None:
    """Where the tool is not seen, letting go ends when the fingers have opened."""
    if hold.opened is None:
        return None
    before = signals.grid.n if following is None or following.closed is None else following.closed
    first = hold.opened + signals.grid.samples(_LATE_S)
    done = first_true(signals.closing[first:before] <= _OPEN_PER_S, 0, max(0, before - first))
    return None if done is None else first + done


def _departure(signals: ArmSignals, opened: int, before: int, spec: SegmentSpec) -> int | None:
    """B6: 3 cm from the release pose; failing that, 1 cm back along the way the tool came."""
    position = signals.position
    if position is None or opened >= before:
        return None
    away = position[opened:before] - position[opened]
    gone = first_true(np.linalg.norm(away, axis=1) > spec.retreat_m, 0, len(away))
    if gone is None:
        came = position[opened] - position[max(0, opened - signals.grid.samples(0.5))]
        length = float(np.linalg.norm(came))
        if length > _REVERSAL_M:
            gone = first_true(away @ (came / length) < -_REVERSAL_M, 0, len(away))
    return None if gone is None else opened + gone
