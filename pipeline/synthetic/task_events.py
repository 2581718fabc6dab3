"""Which events of a task a hand has done: read off contact, support and motion by the constants of `truth`.

For an item that is put on a support, in this order, each looked for from where the one before was done:

- reach: the item is between the pads, or held.
- grasp: it has been held for 0.2 s (GRASP).
- lift: it is 1 cm above where it was grasped, or 2 cm beside it (LIFT).
- move: it is held over its goal.
- place: it rests on its goal, held or not (SUPPORT).
- release: it rests there and no hand holds it (RELEASE).
- retreat: the hand is 3 cm from where it let go (RETREAT).

For one that is pushed: reach is done when the closed fingers begin to push (CONTACT), push when the item is 5 cm nearer
to its goal, retreat when the hand has left it by 3 cm. What is done stays done, so that progress never falls; whether
it *lasts* is the task's success.
"""

from __future__ import annotations

import numpy as np

from pipeline.synthetic.contact import CENTRED_M, TOUCH_M, HandHistory
from pipeline.synthetic.script import FINE_HZ
from pipeline.synthetic.truth import MIN_HOLD_S, RETREAT_M, TrueBoundary, boundaries_of, sample_of
from pipeline.synthetic.world import Item, Support
from schemas.array import Bools, Floats
from schemas.episode import Arm
from schemas.event import BoundaryKind, Verb

PUT = (Verb.REACH, Verb.GRASP, Verb.LIFT, Verb.MOVE, Verb.PLACE, Verb.RELEASE, Verb.RETREAT)
PUSHED = (Verb.REACH, Verb.PUSH, Verb.RETREAT)
NEARER_M = 0.05
"""By how much a push must bring its item nearer to the goal."""


def put_on(hand: HandHistory, items: tuple[Item, ...], index: int, goal: Support, arm: Arm) -> list[int]:
    """Samples at which the events of `PUT` were done, as many of them as were."""
    path = hand.item_position[index]
    held = hand.held == index
    first = {b.kind: sample_of(b.t_ns) for b in reversed(_boundaries(hand, items, index, arm))}
    resting = over(goal, path) & (path[:, 2] - items[index].size_m[2] / 2 <= goal.height_m + TOUCH_M)
    found = _Steps()
    found.first_of(held | _between_pads(hand, items[index], path))
    found.at(first.get(BoundaryKind.GRASP), later=round(MIN_HOLD_S * FINE_HZ))
    found.at(first.get(BoundaryKind.LIFT))
    found.first_of(held & over(goal, path))
    found.first_of(resting)
    found.first_of(resting & ~held)
    found.first_of(_gone(hand, found.last))
    return found.done


def pushed_to(hand: HandHistory, items: tuple[Item, ...], index: int, goal: Support, arm: Arm) -> list[int]:
    """Samples at which the events of `PUSHED` were done, as many of them as were."""
    path = hand.item_position[index]
    first = {b.kind: sample_of(b.t_ns) for b in reversed(_boundaries(hand, items, index, arm))}
    pushing = hand.pushing == index
    found = _Steps()
    found.at(first.get(BoundaryKind.CONTACT))
    found.first_of(nearer_by(items[index], goal, path) > NEARER_M)
    latest = np.maximum.accumulate(np.where(pushing, np.arange(len(pushing)), 0))
    found.first_of(np.linalg.norm(hand.position - hand.position[latest], axis=1) > RETREAT_M)
    return found.done


def nearer_by(item: Item, goal: Support, where: Floats) -> Floats:
    """By how much points [T, 3] are nearer to the goal than where the item stood at first; metres [T]."""
    away: Floats = np.linalg.norm(where[:, :2] - np.asarray(goal.centre), axis=1)
    return float(np.linalg.norm(np.subtract(item.start[:2], goal.centre))) - away


def over(goal: Support, where: Floats) -> Bools:
    """Whether points [T, 3] are above (or on) a support."""
    inside: Bools = np.all(np.abs(where[:, :2] - np.asarray(goal.centre)) < goal.half_m, axis=1)
    return inside


class _Steps:
    """Finds one step after the other; when one was never done, none after it was."""

    def __init__(self) -> None:
        self.done: list[int] = []
        self._missing = False

    @property
    def last(self) -> int | None:
        """When the step before was done; None when it never was."""
        return None if self._missing or not self.done else self.done[-1]

    def first_of(self, mask: Bools) -> None:
        start = self.done[-1] if self.done else 0
        hits = np.flatnonzero(mask[start:])
        self.at(start + int(hits[0]) if hits.size else None)

    def at(self, sample: int | None, later: int = 0) -> None:
        if self._missing or sample is None:
            self._missing = True
        else:
            self.done.append(max(sample + later, *self.done[-1:], 0))


def _boundaries(hand: HandHistory, items: tuple[Item, ...], index: int, arm: Arm) -> list[TrueBoundary]:
    return [found for found in boundaries_of(hand, items, arm) if found.item == items[index].label]


def _between_pads(hand: HandHistory, item: Item, path: Floats) -> Bools:
    """As `contact.Body.between_pads`, over time."""
    apart = np.abs(hand.position - path)
    inside: Bools = (apart[:, 2] < item.size_m[2] / 2) & np.all(apart[:, :2] < CENTRED_M, axis=1)
    return inside


def _gone(hand: HandHistory, since: int | None) -> Bools:
    """Where the hand is away from where it was at a sample; nowhere without one."""
    if since is None:
        return np.zeros(len(hand.position), np.bool_)
    away: Bools = np.linalg.norm(hand.position - hand.position[since], axis=1) > RETREAT_M
    away[:since] = False
    return away
