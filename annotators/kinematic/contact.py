"""What a hold turned out to be: when it lifted, travelled, came down, let go, or failed (events.md B2-B6, X1, X2).

One `Contact` per hold of the fingers, measured on the tool's path. Heights are along z of the base frame, which points
up. Where the source gives no position, only the fingers' own moments are known.

The object falls, so what was lost is looked for below: the 5 cm to its new grasp are horizontal. A hold is lost if
nothing was put down (no support contact) and it is grasped again; lost in the air it is a slip. What was never lifted,
only dragged, or is back at the height it was taken from stands on something. An opening that is only commanded loses
nothing: a command to open is a decision, and an accident does not show in it.
"""

from dataclasses import dataclass, replace

import numpy as np

from annotators.kinematic.gripper import HARD_STOP, SHUT, Hold
from annotators.kinematic.signals import ArmSignals, Effector
from pipeline.mask_runs import first_true, runs_of
from schemas.array import Floats
from schemas.recipe import SegmentSpec

_WIDE = 0.10
"""Plateaus above this have something between the fingers that would have kept them off the hard stop."""
_SHALLOW = 2.0
"""In reversals: fingers that close less and lift nothing took on a posture."""
SIDEWAYS_M = 0.02
MISS_TRAVEL_M = 0.02
SLIP_DISTANCE_M = 0.05
SLIDING_S = 0.5
"""How long an object that is let go in motion keeps the tool's pace, at most: a fall from 0.3 m and some sliding."""
SLIP_WINDOW_S = 10.0
"""Twice the 5 s of events.md: careful robots (robosuite's expert) need up to 5.1 s to come back."""
_LEVEL_SHARE = 0.5
_LEVEL_S = 0.2
_MOVING_M_S = 0.02
_BEFORE_S, _AFTER_S = 0.3, 0.2
"""Over which a knee of the descent is fitted; MetaWorld lets go 0.25 s after contact."""
_BRAKED_SHARE = 0.4
"""A support takes at least this share of the speed; people who slow down on their way take it more gently."""
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
    lost: bool = False
    """Let go without being put down, and grasped again: the hold failed."""
    slipped: bool = False
    """The same, in the air."""

    @property
    def raised(self) -> bool:
        """Whether the hold took the tool upwards."""
        return self.lifted is not None and not self.sideways


def contacts_of(signals: ArmSignals, holds: list[Hold], spec: SegmentSpec) -> list[Contact]:
    """What became of each hold, in time order.

    Recordings often start with half-closed fingers at rest. A hold whose beginning was not seen counts only when
    something was evidently put down at its end. Fingers that were closed on nothing hold nothing.
    """
    found = [
        _contact(signals, hold, holds[k + 1] if k + 1 < len(holds) else None, spec) for k, hold in enumerate(holds)
    ]
    empty = [
        contact.missed or (not hold.caught and _holds_nothing(signals, contact, found, spec))
        for contact, hold in zip(found, holds, strict=True)
    ]
    contacts: list[Contact] = []
    for k, contact in enumerate(found):
        if contact.missed:
            contacts.append(contact)
        elif not empty[k] and (contact.closed is not None or contact.touched_down is not None):
            later = list(zip(found[k + 1 :], empty[k + 1 :], strict=True))
            lost = contact.touched_down is None and not signals.commanded and _fetched_again(signals, contact, later)
            slipped = lost and contact.raised and _in_the_air(signals, contact, spec)
            contacts.append(replace(contact, lost=lost, slipped=slipped))
    return contacts


def _contact(signals: ArmSignals, hold: Hold, following: Hold | None, spec: SegmentSpec) -> Contact:
    """A hold by itself; whether it failed shows in those after it."""
    plain = Contact(hold.closed, hold.opened, hold.plateau, hold.depth)
    if signals.position is None or signals.velocity is None or signals.speed is None:
        return replace(plain, left=_fingers_open(signals, hold, following))
    if _is_miss(signals.position, hold):
        return replace(plain, missed=True)
    hold = _until_lost(signals, hold, spec)
    plain = replace(plain, opened=hold.opened)
    n = signals.grid.n
    start, end = hold.closed or 0, n if hold.opened is None else hold.opened
    next_closed = n if following is None or following.closed is None else following.closed
    lifted, sideways = _lift(signals.position, start, end, spec) if hold.closed is not None else (None, False)
    touched_down = None
    if hold.opened is not None and not sideways and (lifted is not None or hold.closed is None):
        touched_down = _touchdown(signals, start if lifted is None else lifted, end, spec)
    levelled = None
    if lifted is not None and not sideways:
        levelled = _levelled(signals, lifted, end if touched_down is None else touched_down)
    left = None if hold.opened is None else _departure(signals, end, next_closed, spec)
    return replace(
        plain,
        lifted=lifted,
        sideways=sideways,
        levelled=levelled,
        touched_down=touched_down,
        left=left,
    )


def _until_lost(signals: ArmSignals, hold: Hold, spec: SegmentSpec) -> Hold:
    """The hold, up to where its fingers meet if they still close while the tool rises already: they let it slip out.

    Who takes something thin closes first and rises then.
    """
    position, opening = signals.position, signals.opening
    if position is None or opening is None or hold.closed is None or hold.plateau > HARD_STOP:
        return hold
    if hold.caught or signals.commanded or signals.effector is not Effector.GRIPPER:
        return hold
    met = first_true(opening <= SHUT, hold.closed, len(opening) if hold.opened is None else hold.opened)
    if met is None:
        return hold
    lifted, sideways = _lift(position, hold.closed, met, spec)
    return hold if lifted is None or sideways else replace(hold, opened=met)


def _holds_nothing(signals: ArmSignals, contact: Contact, contacts: list[Contact], spec: SegmentSpec) -> bool:
    """Whether fingers that closed more likely hold nothing: they changed posture, or met.

    Fingers at their hard stop may hold something thin. They do not when the arm holds something wide at another time:
    the same thing would have stopped them. And a thin thing is grasped to be lifted, whereas closed fingers that stay
    low press, push or wait. So do those that closed a little way.
    """
    told = signals.commanded or signals.effector is not Effector.GRIPPER
    if told or signals.position is None or contact.closed is None:
        return False
    if contact.plateau > HARD_STOP:
        return not contact.raised and contact.depth < _SHALLOW * spec.reversal
    return not contact.raised or any(other.plateau > _WIDE for other in contacts)


def _is_miss(position: Floats, hold: Hold) -> bool:
    """X1: closed to the hard stop and re-opened without going anywhere."""
    if hold.closed is None or hold.opened is None or hold.plateau > HARD_STOP or hold.caught:
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
    """B4: the last knee of the descent before release, where the tool abruptly sinks more slowly or not at all.

    A support pushes back: the path has a knee at first contact even where the hand goes on sinking, because its
    controller gives way or because the fingers open at once. A descent without a knee put nothing down.
    """
    assert signals.velocity is not None
    assert signals.position is not None
    grid = signals.grid
    before, after = grid.samples(_BEFORE_S), grid.samples(_AFTER_S)
    first = max(start, before, opened - int(spec.support_window_s * grid.rate_hz) + 1)
    last = min(opened + 1, grid.n - after)
    if last <= first:
        return None
    windows = np.lib.stride_tricks.sliding_window_view(signals.position[:, 2], before + after + 1)
    sinking, then = (windows[first - before : last - before] @ _knee(before, after)).T * grid.rate_hz
    braked = then - sinking
    fast = max(spec.descent_speed_m_s, signals.moving_above)
    knees = (sinking < -fast) & (sinking * before / grid.rate_hz < -spec.descent_drop_m)
    knees &= (braked > fast * _BRAKED_SHARE) & (braked > -_BRAKED_SHARE * sinking)
    peaks = [first + a + int(np.argmax(braked[a:b])) for a, b in runs_of(knees)]
    return peaks[-1] if peaks else None


def _knee(before: int, after: int) -> Floats:
    """Weights [before + 1 + after, 2] of the slopes, per sample, on both sides of a broken line's knee."""
    at = np.arange(-before, after + 1, dtype=np.float64)
    line = np.stack([np.ones_like(at), np.minimum(at, 0.0), np.maximum(at, 0.0)], axis=1)
    weights: Floats = np.linalg.pinv(line)[1:].T
    return weights


def _in_the_air(signals: ArmSignals, contact: Contact, spec: SegmentSpec) -> bool:
    """Whether the tool lets go above where it took hold: back at that height, the object stands again."""
    position = signals.position
    if position is None or contact.opened is None or contact.closed is None:
        return False
    opened = min(contact.opened, len(position) - 1)
    return bool(position[opened, 2] > position[contact.closed, 2] + spec.lift_m)


def _fetched_again(signals: ArmSignals, contact: Contact, later: list[tuple[Contact, bool]]) -> bool:
    """X2 without its first half (no support contact): something is grasped soon, near where the object was let go.

    What is let go in motion moves on, so its speed widens the search. Fingers that close on nothing (True in
    ``later``) grasp nothing, but who tries is still after it, and knows where it is.
    """
    position, velocity = signals.position, signals.velocity
    if position is None or velocity is None or contact.opened is None or contact.closed is None:
        return False
    opened = min(contact.opened, len(position) - 1)
    where, reach = position[opened, :2], SLIP_DISTANCE_M + SLIDING_S * float(np.linalg.norm(velocity[opened, :2]))
    for attempt, empty in later:
        if attempt.closed is None or attempt.closed - opened >= SLIP_WINDOW_S * signals.grid.rate_hz:
            return False
        if float(np.linalg.norm(position[attempt.closed, :2] - where)) >= reach:
            return False
        if not empty:
            return True
        where, reach = position[attempt.closed, :2], SLIP_DISTANCE_M
        opened = signals.grid.n if attempt.opened is None else attempt.opened
    return False


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
