"""What a hand is told to do: overlapping minimum-jerk moves and opening ramps, and the choreography of each variant.

Point-to-point hand movements follow minimum-jerk profiles, and via-point movements are well described by adding
such profiles overlapping in time (Flash & Henis 1991). Superposition also makes a path one vectorised sum. A script
is only a command; what it leads to (contact, slips, support) is found out by `contact`.
"""

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from pipeline.synthetic.world import Item, Point, Support
from schemas.array import Floats

FINE_HZ = 600
"""Rate of the simulation: a common multiple of 20, 24, 25, 30, 50 and 60 frames per second."""
OPEN = 1.0
CLOSED = 0.0


class Variant(StrEnum):
    """How one task goes."""

    PLAIN = "plain"
    PAUSE = "pause"
    """A standstill of 0.5–1.2 s with the item in hand."""
    MISS = "miss"
    """X1: closes beside the item, re-opens, then grasps it."""
    SLIP = "slip"
    """X2: loses the item on the way, fetches it and goes on."""
    DROP = "drop"
    """Failure: loses the item on the way and gives up."""
    ABANDON = "abandon"
    """Failure: closes on nothing and gives up."""
    PUSH = "push"
    """Non-prehensile: closed fingers slide the item; the gripper says nothing."""


@dataclass(frozen=True)
class Move:
    """A minimum-jerk displacement."""

    start_s: float
    duration_s: float
    delta: Point
    yaw: float


@dataclass(frozen=True)
class Ramp:
    """A minimum-jerk change of the commanded opening; ramps of one script do not overlap."""

    start_s: float
    duration_s: float
    opening: float


@dataclass(frozen=True)
class ArmScript:
    """Everything one hand is told."""

    start: Point
    yaw: float
    opening: float
    moves: tuple[Move, ...]
    ramps: tuple[Ramp, ...]
    approaches_s: tuple[float, ...]
    """When the hand sets out for each task."""
    done_s: float
    """When the last task is over and the hand goes home."""
    end_s: float


def minimum_jerk(u: Floats) -> Floats:
    """Normalised position 10u³ − 15u⁴ + 6u⁵ for u clipped to [0, 1]."""
    u = np.clip(u, 0.0, 1.0)
    return u**3 * (10.0 - 15.0 * u + 6.0 * u * u)


def hand_path(script: ArmScript, times_s: Floats) -> tuple[Floats, Floats]:
    """Commanded position float64 [K, 3] in metres and yaw [K] in radians."""
    position = np.tile(np.asarray(script.start, np.float64), (len(times_s), 1))
    yaw = np.full(len(times_s), script.yaw)
    for move in script.moves:
        share = minimum_jerk((times_s - move.start_s) / move.duration_s)
        position += share[:, None] * np.asarray(move.delta)
        yaw += share * move.yaw
    return position, yaw


def commanded_opening(script: ArmScript, times_s: Floats) -> Floats:
    """Opening ramps as the fingers execute them when nothing is between them, float64 [K]."""
    opening = np.full(len(times_s), script.opening)
    before = script.opening
    for ramp in script.ramps:
        opening += (ramp.opening - before) * minimum_jerk((times_s - ramp.start_s) / ramp.duration_s)
        before = ramp.opening
    return opening


def opening_request(script: ArmScript, times_s: Floats) -> Floats:
    """What an operator's trigger says: steps at the ramps' starts, ahead of contact as real commands are."""
    request = np.full(len(times_s), script.opening)
    for ramp in script.ramps:
        request[times_s >= ramp.start_s] = ramp.opening
    return request


@dataclass
class Choreographer:
    """Writes a script: a cursor in time, the hand's planned position, and a source of human variation."""

    rng: np.random.Generator
    home: Point
    now_s: float
    pace: float = 1.0
    """Durations are multiplied by this; people are quicker than teleoperated robots."""
    position: Point = field(init=False)
    yaw: float = 0.0
    moves: list[Move] = field(default_factory=list)
    ramps: list[Ramp] = field(default_factory=list)
    approaches_s: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.position = self.home

    def between(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def move(self, goal: Point, low_s: float, high_s: float, overlap: float = 0.0, yaw: float | None = None) -> None:
        """Go to ``goal`` in a random time; ``overlap`` is the share of that time spent before the last move ends."""
        duration = self.between(low_s, high_s) * self.pace
        turn = 0.0 if yaw is None else yaw - self.yaw
        delta = (goal[0] - self.position[0], goal[1] - self.position[1], goal[2] - self.position[2])
        start = self.now_s - overlap * duration
        self.moves.append(Move(start, duration, delta, turn))
        self.position, self.yaw, self.now_s = goal, self.yaw + turn, start + duration

    def grip(self, opening: float, low_s: float, high_s: float) -> None:
        duration = self.between(low_s, high_s) * self.pace
        self.ramps.append(Ramp(self.now_s, duration, opening))
        self.now_s += duration

    def wait(self, low_s: float, high_s: float) -> None:
        self.now_s += self.between(low_s, high_s) * self.pace

    def above(self, height_m: float) -> Point:
        return (self.position[0], self.position[1], self.position[2] + height_m)

    def script(self) -> ArmScript:
        """The finished script: home again, and a moment of rest."""
        done = self.now_s
        self.move(self.home, 0.9, 1.2, yaw=0.0)
        self.wait(0.2, 0.3)
        return ArmScript(
            self.home, 0.0, OPEN, tuple(self.moves), tuple(self.ramps), tuple(self.approaches_s), done, self.now_s
        )


def perform(hand: Choreographer, item: Item, goal: Support, variant: Variant) -> None:
    """Write one task: ``item`` onto ``goal`` (or, for a push, ``item`` across the table)."""
    hand.approaches_s.append(hand.now_s)
    if variant is Variant.PUSH:
        _push(hand, item, goal)
        return
    if variant in (Variant.MISS, Variant.ABANDON):
        _close_on_nothing(hand, item)
    if variant is Variant.ABANDON:
        hand.move(hand.above(0.10), 0.6, 0.9)
        return
    grasp_at(hand, item, item.start, item.yaw)
    hand.move(hand.above(hand.between(0.08, 0.14)), 0.6, 0.9)
    over = (goal.centre[0], goal.centre[1], hand.position[2] + hand.between(-0.01, 0.02))
    if variant in (Variant.SLIP, Variant.DROP):
        _lose_on_the_way(hand, over, hand.between(0.3, 0.5))
    if variant is Variant.DROP:
        hand.move(hand.above(0.06), 0.5, 0.8)
        return
    if variant is Variant.SLIP:
        landed = (hand.position[0], hand.position[1], item.size_m[2] / 2)
        grasp_at(hand, item, landed, hand.yaw, hovering=True)
        hand.move(hand.above(hand.between(0.07, 0.12)), 0.6, 0.9)
    if variant is Variant.PAUSE:
        hand.wait(0.5, 1.2)
    hand.move(over, 0.9, 1.4, overlap=0.0 if variant is Variant.PAUSE else hand.between(0.1, 0.35))
    put_down(hand, item, goal)


def grasp_at(hand: Choreographer, item: Item, centre: Point, yaw: float, *, hovering: bool = False) -> None:
    """Approach from above and close on the item; a few millimetres off, as people are."""
    grasp = (centre[0] + hand.between(-0.003, 0.003), centre[1] + hand.between(-0.003, 0.003), centre[2])
    if not hovering:
        hand.move((grasp[0], grasp[1], grasp[2] + hand.between(0.09, 0.13)), 0.8, 1.3, yaw=yaw)
    hand.move(grasp, 0.5, 0.8, overlap=hand.between(0.0, 0.3) * (not hovering))
    hand.wait(0.03, 0.2)
    hand.grip(max(0.0, item.opening - 0.15), 0.3, 0.75)
    hand.wait(0.12, 0.3)


def _close_on_nothing(hand: Choreographer, item: Item) -> None:
    """Close beside the item, to the hard stop, notice, and re-open on the spot."""
    angle, offset = hand.between(-np.pi, np.pi), hand.between(0.055, 0.07)
    beside = (item.start[0] + offset * np.cos(angle), item.start[1] + offset * np.sin(angle), item.start[2])
    hand.move((beside[0], beside[1], beside[2] + 0.1), 0.8, 1.3, yaw=item.yaw)
    hand.move(beside, 0.5, 0.8, overlap=0.2)
    hand.grip(CLOSED, 0.35, 0.6)
    hand.wait(0.15, 0.45)
    hand.grip(OPEN, 0.3, 0.45)
    hand.move(hand.above(0.05), 0.35, 0.5)


def _lose_on_the_way(hand: Choreographer, over: Point, share: float) -> None:
    """Carry the item part of the way, stop, and let the grip open by itself."""
    x, y, _ = hand.position
    hand.move((x + share * (over[0] - x), y + share * (over[1] - y), over[2]), 0.6, 0.9, overlap=0.2)
    hand.grip(OPEN, 0.2, 0.35)
    hand.wait(0.25, 0.45)


def put_down(hand: Choreographer, item: Item, goal: Support) -> None:
    """Descend until the item presses on its support by 0.5–2.5 mm, let go, and rise."""
    rest = goal.height_m + item.size_m[2] / 2 - hand.between(0.0005, 0.0025)
    hand.move((hand.position[0], hand.position[1], rest), 0.6, 0.95, overlap=hand.between(0.0, 0.2))
    hand.wait(0.1, 0.3)
    hand.grip(OPEN, 0.25, 0.45)
    hand.wait(0.03, 0.12)
    hand.move(hand.above(hand.between(0.08, 0.12)), 0.6, 0.9)


def _push(hand: Choreographer, item: Item, goal: Support) -> None:
    """Close the fingers, come down behind the item, slide it 8–14 cm towards the goal, back off and rise."""
    x, y, _ = item.start
    length = float(np.hypot(goal.centre[0] - x, goal.centre[1] - y))
    ux, uy = (goal.centre[0] - x) / length, (goal.centre[1] - y) / length
    z = max(0.012, 0.4 * item.size_m[2])
    behind = (x - 0.08 * ux, y - 0.08 * uy)
    hand.grip(CLOSED, 0.3, 0.4)
    hand.move((behind[0], behind[1], z + 0.08), 0.8, 1.2)
    hand.move((behind[0], behind[1], z), 0.5, 0.7, overlap=0.2)
    travel = 0.05 + hand.between(0.08, 0.14)
    hand.move((behind[0] + travel * ux, behind[1] + travel * uy, z), 1.0, 1.6)
    hand.wait(0.1, 0.3)
    hand.move((hand.position[0] - 0.03 * ux, hand.position[1] - 0.03 * uy, z), 0.4, 0.6)
    hand.move(hand.above(0.10), 0.6, 0.9, overlap=0.2)
    hand.grip(OPEN, 0.3, 0.4)
