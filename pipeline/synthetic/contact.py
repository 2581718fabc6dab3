"""A small physics of hands: pads close on items, held items move with the hand, press on supports, and fall.

Small, but enough that grasp, lift, support contact and release happen by themselves at moments the script does not
know: a finger stops when both pads touch, an item held low presses on its support and stops the hand, an opening
finger lets go when it is wider than the item, and what is let go in the air falls.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from pipeline.synthetic.script import FINE_HZ, ArmScript, commanded_opening, hand_path
from pipeline.synthetic.world import Item, Support, support_height
from schemas.array import Bools, Floats, Ints

GRAVITY_M_S2 = 9.81
CENTRED_M = 0.02
"""How far beside an item's centre the hand may be for both pads to touch it."""
FINGER_RADIUS_M = 0.012
PUSHING_OPENING = 0.1
"""Fingers closed further than this push; open ones pass on both sides of an item."""
TOUCH_M = 0.0005

Outcome: TypeAlias = tuple[float, float, int, bool, int]
"""Of one step of one hand: its height, opening, held item, whether that is supported, pushed item."""


@dataclass(frozen=True, eq=False)
class HandHistory:
    """What one hand and the items of its region did, K samples at `FINE_HZ`."""

    position: Floats
    """float64 [K, 3], tool centre point."""
    yaw: Floats
    opening: Floats
    held: Ints
    """[K] index of the item in the hand (both pads touch), -1 for none."""
    supported: Bools
    """[K] the held item touches its support."""
    pushing: Ints
    """[K] index of the item the closed fingers slide, -1 for none."""
    item_position: Floats
    """float64 [n, K, 3], centres."""
    item_yaw: Floats
    """float64 [n, K]."""
    shared: Bools
    """[K] another hand holds the held item too."""


@dataclass
class Body:
    """An item's state while time runs."""

    item: Item
    x: float
    y: float
    z: float
    yaw: float
    falling_m_s: float = 0.0

    def rest(self, supports: tuple[Support, ...]) -> float:
        """Height of its centre when it lies on what is below it."""
        return support_height(supports, self.x, self.y) + self.item.size_m[2] / 2

    def fall(self, supports: tuple[Support, ...]) -> None:
        """One step of free fall, ending on the support; no bounce."""
        rest = self.rest(supports)
        if self.z <= rest:
            self.z, self.falling_m_s = rest, 0.0
            return
        self.falling_m_s += GRAVITY_M_S2 / FINE_HZ
        self.z = max(rest, self.z - self.falling_m_s / FINE_HZ)

    def between_pads(self, x: float, y: float, z: float) -> bool:
        level = abs(z - self.z) < self.item.size_m[2] / 2
        return level and abs(x - self.x) < CENTRED_M and abs(y - self.y) < CENTRED_M

    def slide(self, x: float, y: float, z: float) -> bool:
        """Give way to a closed fingertip at (x, y, z); whether it touches."""
        reach = self.item.size_m[0] / 2 + FINGER_RADIUS_M
        dx, dy = self.x - x, self.y - y
        distance = float(np.hypot(dx, dy))
        if abs(z - self.z) > self.item.size_m[2] / 2 or not 0.0 < distance < reach:
            return False
        self.x, self.y = x + dx / distance * reach, y + dy / distance * reach
        return True


@dataclass
class Grip:
    """The item in the hand and where it sits in it."""

    index: int
    dx: float
    dy: float
    dz: float
    dyaw: float


class Hand:
    """Steps one hand through time; `step` is called with the commanded pose and opening."""

    def __init__(self, items: tuple[Item, ...], supports: tuple[Support, ...]) -> None:
        self.bodies = [Body(item, *item.start, item.yaw) for item in items]
        self.supports = supports
        self.grip: Grip | None = None
        self.opening = np.inf
        """At the step before: only pads that close past an item's width take hold of it."""
        self.floor = -np.inf
        """A pressing hand stays at this height until it is told to be higher."""

    def step(self, x: float, y: float, z: float, yaw: float, opening: float) -> Outcome:
        """One step of a hand that is alone with its items."""
        z = self.take_hold(x, y, z, yaw, opening)
        self.let_fall({self.held})
        return self.carry_on(x, y, z, yaw, opening)

    @property
    def held(self) -> int:
        """Index of the item in the hand, -1 for none."""
        return -1 if self.grip is None else self.grip.index

    def take_hold(self, x: float, y: float, z: float, yaw: float, opening: float) -> float:
        """Let go of what is narrower than the opening, close on what is between the pads; the hand's height."""
        if z > self.floor:
            self.floor = -np.inf
        z = max(z, self.floor)
        if self.grip is not None and opening > self.bodies[self.grip.index].item.opening:
            self.grip = None
        if self.grip is None:
            self._close_on(x, y, z, yaw, opening)
        self.opening = opening
        return z

    def let_fall(self, held: set[int]) -> None:
        """One step of falling for everything that no hand holds."""
        for index, body in enumerate(self.bodies):
            if index not in held:
                body.fall(self.supports)

    def carry_on(self, x: float, y: float, z: float, yaw: float, opening: float) -> Outcome:
        """Move what is held, or push what is in the way; `step`'s answer."""
        if self.grip is None:
            return z, opening, -1, False, self._push(x, y, z, opening)
        z, supported = self._carry(self.grip, x, y, z, yaw)
        return z, self.bodies[self.held].item.opening, self.held, supported, -1

    def _close_on(self, x: float, y: float, z: float, yaw: float, opening: float) -> None:
        for index, body in enumerate(self.bodies):
            if opening <= body.item.opening < self.opening and body.between_pads(x, y, z):
                self.grip = Grip(index, body.x - x, body.y - y, body.z - z, body.yaw - yaw)
                return

    def _carry(self, grip: Grip, x: float, y: float, z: float, yaw: float) -> tuple[float, bool]:
        body = self.bodies[grip.index]
        body.x, body.y, body.yaw, body.falling_m_s = x + grip.dx, y + grip.dy, yaw + grip.dyaw, 0.0
        rest = body.rest(self.supports)
        if z + grip.dz < rest:
            z = self.floor = rest - grip.dz
        body.z = z + grip.dz
        return z, body.z <= rest + TOUCH_M

    def _push(self, x: float, y: float, z: float, opening: float) -> int:
        if opening > PUSHING_OPENING:
            return -1
        return next((index for index, body in enumerate(self.bodies) if body.slide(x, y, z)), -1)


def live_through(
    script: ArmScript, items: tuple[Item, ...], supports: tuple[Support, ...], n_samples: int
) -> HandHistory:
    """Run a script against the items of its region for ``n_samples`` steps of 1/`FINE_HZ` s."""
    (history,) = live_together((script,), items, supports, n_samples)
    return history


def live_together(
    scripts: tuple[ArmScript, ...], items: tuple[Item, ...], supports: tuple[Support, ...], n_samples: int
) -> list[HandHistory]:
    """Run several hands' scripts among the same items: what one of them holds does not fall, and others may take it."""
    times_s = np.arange(n_samples) / FINE_HZ
    hands = [Hand(items, supports) for _ in scripts]
    for hand in hands:
        hand.bodies = hands[0].bodies
    paths = [hand_path(script, times_s) for script in scripts]
    commands = [commanded_opening(script, times_s) for script in scripts]
    told = [
        zip(*position.T.tolist(), yaw.tolist(), command.tolist(), strict=True)
        for (position, yaw), command in zip(paths, commands, strict=True)
    ]
    outcomes: list[list[Outcome]] = [[] for _ in hands]
    bodies = np.empty((n_samples, len(items), 4))
    for k, now in enumerate(zip(*told, strict=True)):
        heights = [hand.take_hold(*command) for hand, command in zip(hands, now, strict=True)]
        hands[0].let_fall({hand.held for hand in hands})
        for hand, (x, y, _, yaw, opening), z, outcome in zip(hands, now, heights, outcomes, strict=True):
            outcome.append(hand.carry_on(x, y, z, yaw, opening))
        bodies[k] = [(body.x, body.y, body.z, body.yaw) for body in hands[0].bodies]
    by_item = bodies.transpose(1, 0, 2)
    held = np.array([[row[2] for row in outcome] for outcome in outcomes], np.int64)
    return [
        _history(
            position, yaw, outcome, by_item, np.any((held[i] >= 0) & (np.delete(held, i, axis=0) == held[i]), axis=0)
        )
        for i, ((position, yaw), outcome) in enumerate(zip(paths, outcomes, strict=True))
    ]


def _history(position: Floats, yaw: Floats, outcome: list[Outcome], by_item: Floats, shared: Bools) -> HandHistory:
    height, width, held, supported, pushing = zip(*outcome, strict=True)
    position[:, 2] = height
    return HandHistory(
        position=position,
        yaw=yaw,
        opening=np.asarray(width, np.float64),
        held=np.asarray(held, np.int64),
        supported=np.asarray(supported, np.bool_),
        pushing=np.asarray(pushing, np.int64),
        item_position=np.ascontiguousarray(by_item[:, :, :3]),
        item_yaw=np.ascontiguousarray(by_item[:, :, 3]),
        shared=shared,
    )
