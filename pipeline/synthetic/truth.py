"""Ground truth by definition: boundaries read off contact, support and motion, not off the script.

The definitions are those of the physical boundary table (`schemas.event.BoundaryKind`):

- GRASP: first sample with both pads on an item, when that contact lasts at least 0.2 s.
- LIFT: the held item is 1 cm above its height at GRASP, or moved 2 cm sideways if it is never lifted.
- TRANSPORT: the vertical share of the hand's velocity falls below one half for at least 0.2 s.
- SUPPORT: the held item first touches its support in the last contact run before release.
- RELEASE: last sample of the hold. SLIP instead, when there was no SUPPORT, no other hand holds the item, and the same
  item is grasped again.
- RETREAT: the hand is 3 cm from where it released. A slip has none: the hand goes back for the item.
- MISS: the fingers leave the hard stop after closing on nothing and moving less than 2 cm meanwhile.

- CONTACT: a push, which has no grasp, begins to touch its item. It ends with a RETREAT.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from pipeline.synthetic.contact import HandHistory
from pipeline.synthetic.script import FINE_HZ, ArmScript
from pipeline.synthetic.world import Item
from schemas.array import Bools, Floats
from schemas.episode import Arm
from schemas.event import BoundaryKind
from schemas.time import NS_PER_S

MIN_HOLD_S = 0.2
LIFT_M = 0.01
DRAG_M = 0.02
LEVEL_SHARE = 0.5
LEVEL_S = 0.2
MOVING_M_S = 0.02
RETREAT_M = 0.03
HARD_STOP = 0.02
MISS_TRAVEL_M = 0.02


class Phase(StrEnum):
    """What an arm is doing between two boundaries; the phases of an arm tile the episode."""

    IDLE = "idle"
    REACH = "reach"
    GRASP = "grasp"
    LIFT = "lift"
    TRANSPORT = "transport"
    PLACE = "place"
    RELEASE = "release"
    RETREAT = "retreat"
    PUSH = "push"


PHASE_AFTER = {
    BoundaryKind.GRASP: Phase.GRASP,
    BoundaryKind.LIFT: Phase.LIFT,
    BoundaryKind.TRANSPORT: Phase.TRANSPORT,
    BoundaryKind.SUPPORT: Phase.PLACE,
    BoundaryKind.RELEASE: Phase.RELEASE,
    BoundaryKind.RETREAT: Phase.RETREAT,
    BoundaryKind.SLIP: Phase.REACH,
    BoundaryKind.MISS: Phase.REACH,
    BoundaryKind.CONTACT: Phase.PUSH,
}
"""What an arm does once it has crossed a boundary."""


@dataclass(frozen=True, order=True)
class TrueBoundary:
    """One boundary, exact to the simulation step of 1/600 s."""

    t_ns: int
    kind: BoundaryKind
    arm: Arm
    item: str
    """Label of the item concerned; empty for a miss."""


@dataclass(frozen=True, order=True)
class TruePhase:
    """A half-open span of one arm's doing."""

    start_ns: int
    end_ns: int
    phase: Phase
    arm: Arm


def nanoseconds(sample: int) -> int:
    """Time of a simulation sample."""
    return round(sample * NS_PER_S / FINE_HZ)


def sample_of(t_ns: int) -> int:
    """The simulation sample at a time; the inverse of `nanoseconds`."""
    return round(t_ns * FINE_HZ / NS_PER_S)


def runs(mask: Bools) -> list[tuple[int, int]]:
    """Half-open index ranges where ``mask`` is true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _first(mask: Bools, start: int, stop: int) -> int | None:
    hits = np.flatnonzero(mask[start:stop])
    return start + int(hits[0]) if hits.size else None


def _level_motion(position: Floats) -> list[tuple[int, int]]:
    velocity = np.gradient(position, 1.0 / FINE_HZ, axis=0)
    speed = np.linalg.norm(velocity, axis=1)
    level = (speed > MOVING_M_S) & (np.abs(velocity[:, 2]) < LEVEL_SHARE * speed)
    return [(a, b) for a, b in runs(level) if b - a >= LEVEL_S * FINE_HZ]


def _hold(
    hand: HandHistory, item: int, span: tuple[int, int], *, regrasped: bool, free_until: int
) -> list[tuple[int, BoundaryKind]]:
    """Boundaries of one hold, half-open sample ``span``, and of the retreat before ``free_until``."""
    start, end = span
    found = [(start, BoundaryKind.GRASP)]
    path = hand.item_position[item]
    lifted = _first(path[:, 2] > path[start, 2] + LIFT_M, start, end)
    if lifted is None:
        aside = np.linalg.norm(path[:, :2] - path[start, :2], axis=1)
        lifted = _first(aside > DRAG_M, start, end)
    support = None
    if lifted is not None:
        found.append((lifted, BoundaryKind.LIFT))
        contact = [run for run in runs(hand.supported[:end]) if run[0] > lifted and run[1] == end]
        support = contact[-1][0] if contact else None
        carried_until = end if support is None else support
        level = [a for a, b in _level_motion(hand.position) if b > lifted and a < carried_until]
        if level:
            found.append((max(level[0], lifted + 1), BoundaryKind.TRANSPORT))
    if support is not None:
        found.append((support, BoundaryKind.SUPPORT))
    if end == len(hand.held):
        return found
    slipped = support is None and regrasped and not hand.shared[end - 1]
    found.append((end - 1, BoundaryKind.SLIP if slipped else BoundaryKind.RELEASE))
    if not slipped:
        found += _retreat(hand, end - 1, free_until)
    return found


def _retreat(hand: HandHistory, released: int, free_until: int) -> list[tuple[int, BoundaryKind]]:
    gone = np.linalg.norm(hand.position - hand.position[released], axis=1) > RETREAT_M
    away = _first(gone, released, free_until)
    return [] if away is None else [(away, BoundaryKind.RETREAT)]


def _misses(hand: HandHistory) -> list[int]:
    found = []
    for start, end in runs((hand.opening <= HARD_STOP) & (hand.held < 0)):
        travel = np.linalg.norm(hand.position[start:end] - hand.position[start], axis=1).max()
        if end < len(hand.held) and travel < MISS_TRAVEL_M and not np.any(hand.pushing[start:end] >= 0):
            found.append(end)
    return found


def _pushes(hand: HandHistory) -> list[tuple[int, int]]:
    return [(a, b) for a, b in runs(hand.pushing >= 0) if b - a >= MIN_HOLD_S * FINE_HZ]


def boundaries_of(hand: HandHistory, items: tuple[Item, ...], arm: Arm) -> list[TrueBoundary]:
    """Every boundary of one arm, in time order."""
    holds = [(a, b, int(hand.held[a])) for a, b in runs(hand.held >= 0) if b - a >= MIN_HOLD_S * FINE_HZ]
    found: list[tuple[int, BoundaryKind, str]] = []
    for index, (start, end, item) in enumerate(holds):
        later = holds[index + 1 :]
        regrasped = any(other == item for _, _, other in later)
        free_until = later[0][0] if later else len(hand.held)
        found += [
            (k, kind, items[item].label)
            for k, kind in _hold(hand, item, (start, end), regrasped=regrasped, free_until=free_until)
        ]
    found += [(k, BoundaryKind.MISS, "") for k in _misses(hand)]
    for start, end in _pushes(hand):
        label = items[int(hand.pushing[end - 1])].label
        found.append((start, BoundaryKind.CONTACT, label))
        found += [(k, kind, label) for k, kind in _retreat(hand, end - 1, len(hand.held))]
    return sorted(TrueBoundary(nanoseconds(k), kind, arm, label) for k, kind, label in found)


def phases_of(hand: HandHistory, script: ArmScript, boundaries: list[TrueBoundary], arm: Arm) -> list[TruePhase]:
    """What the arm does when: phases that tile the episode, from its boundaries, its pushes and its setting out."""
    end_ns = nanoseconds(len(hand.held))
    edges = {0: Phase.IDLE, round(script.done_s * NS_PER_S): Phase.RETREAT}
    edges |= {round(start * NS_PER_S): Phase.REACH for start in script.approaches_s}
    edges |= {nanoseconds(end): Phase.RELEASE for _, end in _pushes(hand)}
    edges |= {boundary.t_ns: PHASE_AFTER[boundary.kind] for boundary in boundaries}
    starts = [t for t in sorted(edges) if t < end_ns]
    merged: list[TruePhase] = []
    for start, stop in zip(starts, [*starts[1:], end_ns], strict=True):
        phase = edges[start]
        continues = bool(merged) and merged[-1].phase is phase and phase is not Phase.REACH
        merged.append(TruePhase(merged.pop().start_ns if continues else start, stop, phase, arm))
    return merged
