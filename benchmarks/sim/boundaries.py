"""Boundaries by their physical definitions (events.md), read off what bodies did: arithmetic, no simulator.

- GRASP (B1): first frame of a hold of at least 0.2 s.
- LIFT (B2): the held object is 1 cm above its pose at GRASP, or 2 cm beside it if it is never lifted.
- TRANSPORT (B3): the vertical share of the tool's velocity is below one half for at least 0.2 s, after a LIFT upwards.
- SUPPORT (B4): the lifted object first touches its support in the last contact run before the release.
- RELEASE (B5): last frame of the hold.
- RETREAT (B6): the tool is 3 cm from where it let go; failing that, 1 cm back along the way it came.
- MISS (X1): fingers that closed to the hard stop on nothing leave it within 2 cm.
- SLIP (X2): instead of RELEASE, when the object hung free and is grasped again later.

Where the table leaves room: a contact run counts as the one before the release when it lasts until at most 0.2 s before
it, so that a grazed wall is no place. An object that stands on something when it is let go has not slipped, lifted
before or not. A push has no grasp: it begins with a CONTACT and ends, as in the demo corpus, with a RETREAT.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.mask_runs import first_true, runs_of
from pipeline.synthetic.truth import PHASE_AFTER, Phase
from schemas.array import Bools, Floats
from schemas.event import BoundaryKind
from schemas.time import NS_PER_S

MIN_CONTACT_S = 0.2
LIFT_M, DRAG_M = 0.01, 0.02
LEVEL_SHARE, LEVEL_S = 0.5, 0.2
MOVING_M_S = 0.02
RETREAT_M, REVERSAL_M, CAME_S = 0.03, 0.01, 0.5
HARD_STOP, MISS_TRAVEL_M = 0.02, 0.02
PUSHED_M = 0.005


@dataclass(frozen=True, eq=False)
class ItemTrace:
    """What one object did, T frames; contacts are debounced."""

    label: str
    position: Floats
    """float64 [T, 3], metres, z up."""
    held: Bools
    """Both fingers are on it."""
    touched: Bools
    """Any part of the gripper is on it."""
    supported: Bools
    """It rests on something that is no part of the robot."""


@dataclass(frozen=True, eq=False)
class Trace:
    """What one arm and the objects around it did, T frames, without noise."""

    rate_hz: float
    tool: Floats
    """float64 [T, 3], between the fingertips, metres, z up."""
    opening: Floats
    """float64 [T], 0 closed on nothing … 1 open."""
    items: tuple[ItemTrace, ...]

    @property
    def n(self) -> int:
        """How many frames there are."""
        return len(self.tool)

    def frames(self, seconds: float) -> int:
        """The least number of frames that last so long."""
        return int(np.ceil(seconds * self.rate_hz - 1e-9))

    def time_ns(self, frame: int) -> int:
        """When a frame was taken."""
        return round(frame * NS_PER_S / self.rate_hz)


@dataclass(frozen=True)
class Mark:
    """A boundary at a frame."""

    frame: int
    kind: BoundaryKind
    item: str = ""
    """Empty for a miss."""


@dataclass(frozen=True)
class PhaseSpan:
    """A half-open run of frames in which the arm does one thing."""

    start: int
    end: int
    phase: Phase


def debounced(mask: Bools, fill: int, shortest: int) -> Bools:
    """``mask`` with gaps of at most ``fill`` frames between contacts filled, then runs below ``shortest`` dropped."""
    whole = mask.copy()
    for start, end in runs_of(~mask):
        if start > 0 and end < len(mask) and end - start <= fill:
            whole[start:end] = True
    for start, end in runs_of(whole):
        if end - start < shortest:
            whole[start:end] = False
    return whole


def boundaries_of(trace: Trace) -> list[Mark]:
    """Every boundary, in time order."""
    holds = _holds(trace)
    found = [mark for k in range(len(holds)) for mark in _hold(trace, holds, k)]
    found += [Mark(frame, BoundaryKind.MISS) for frame in _misses(trace)]
    for start, end, item in _pushes(trace):
        found.append(Mark(start, BoundaryKind.CONTACT, item.label))
        away = _retreat(trace, end - 1, _next_contact(trace, end))
        found += [] if away is None else [Mark(away, BoundaryKind.RETREAT, item.label)]
    return sorted(found, key=lambda mark: (mark.frame, _ORDER.index(mark.kind), mark.item))


_ORDER = list(BoundaryKind)
_Hold = tuple[int, int, ItemTrace]


def _holds(trace: Trace) -> list[_Hold]:
    """Holds long enough to count, in time order."""
    shortest = trace.frames(MIN_CONTACT_S)
    runs = [(a, b, item) for item in trace.items for a, b in runs_of(item.held) if b - a >= shortest]
    return sorted(runs, key=lambda run: run[:2])


def _hold(trace: Trace, holds: list[_Hold], which: int) -> list[Mark]:
    """Boundaries of one hold and of the retreat after it."""
    start, end, item = holds[which]
    later = holds[which + 1 :]
    found = [(start, BoundaryKind.GRASP)]
    raised, dragged = _lift(item, start, end)
    support = None
    if raised is not None:
        found.append((raised, BoundaryKind.LIFT))
        support = _support(trace, item, raised, end)
        level = _levelled(trace, start, raised, end if support is None else support)
        found += [] if level is None else [(level, BoundaryKind.TRANSPORT)]
    elif dragged is not None:
        found.append((dragged, BoundaryKind.LIFT))
    found += [] if support is None else [(support, BoundaryKind.SUPPORT)]
    if end < trace.n:
        hung = not _rests(trace, item, end)
        slipped = hung and any(other is item for _, _, other in later)
        found.append((end - 1, BoundaryKind.SLIP if slipped else BoundaryKind.RELEASE))
        free_until = later[0][0] if later else trace.n
        away = None if slipped else _retreat(trace, end - 1, free_until)
        found += [] if away is None else [(away, BoundaryKind.RETREAT)]
    return [Mark(frame, kind, item.label) for frame, kind in found]


def _lift(item: ItemTrace, start: int, end: int) -> tuple[int | None, int | None]:
    """B2: when the object is raised; else when it is dragged."""
    raised = first_true(item.position[:, 2] > item.position[start, 2] + LIFT_M, start, end)
    if raised is not None:
        return raised, None
    aside = np.linalg.norm(item.position[:, :2] - item.position[start, :2], axis=1)
    return None, first_true(aside > DRAG_M, start, end)


def _support(trace: Trace, item: ItemTrace, raised: int, end: int) -> int | None:
    """B4: start of the contact run that lasts until the release, if it began after the object was raised."""
    runs = runs_of(item.supported[:end])
    if not runs or not _rests(trace, item, end):
        return None
    return runs[-1][0] if runs[-1][0] > raised else None


def _rests(trace: Trace, item: ItemTrace, end: int) -> bool:
    """Whether the object stands on something when it is let go."""
    return bool(np.any(item.supported[max(0, end - trace.frames(MIN_CONTACT_S)) : end]))


def _levelled(trace: Trace, start: int, raised: int, until: int) -> int | None:
    """B3: where a level run of the tool begins; one that began before the object was raised counts from then on."""
    velocity = np.gradient(trace.tool, 1.0 / trace.rate_hz, axis=0)[start:until]
    speed = np.linalg.norm(velocity, axis=1)
    level = (speed > MOVING_M_S) & (np.abs(velocity[:, 2]) < LEVEL_SHARE * speed)
    for a, b in runs_of(level):
        if b - a >= trace.frames(LEVEL_S) and start + b > raised + 1:
            return max(start + a, raised + 1)
    return None


def _retreat(trace: Trace, released: int, until: int) -> int | None:
    """B6, before the next contact."""
    gone = trace.tool - trace.tool[released]
    away = first_true(np.linalg.norm(gone, axis=1) > RETREAT_M, released, until)
    if away is not None:
        return away
    came = trace.tool[released] - trace.tool[max(0, released - trace.frames(CAME_S))]
    length = float(np.linalg.norm(came))
    return first_true(gone @ (came / length) < -REVERSAL_M, released, until) if length > REVERSAL_M else None


def _misses(trace: Trace) -> list[int]:
    """X1: frames at which fingers that closed on nothing leave the hard stop."""
    touched = np.any([item.held | item.touched for item in trace.items], axis=0)
    found = []
    for start, end in runs_of(trace.opening <= HARD_STOP):
        travel = np.linalg.norm(trace.tool[start:end] - trace.tool[start], axis=1).max()
        if start > 0 and end < trace.n and travel < MISS_TRAVEL_M and not touched[start:end].any():
            found.append(end)
    return found


def _pushes(trace: Trace) -> list[_Hold]:
    """Contacts without a hold that move the object."""
    held = _held(trace)
    found = []
    for item in trace.items:
        for start, end in runs_of(item.touched & ~held):
            moved = np.linalg.norm(item.position[start:end] - item.position[start], axis=1).max()
            beside_a_hold = held[max(0, start - 1) : end + 1].any()
            if end - start >= trace.frames(MIN_CONTACT_S) and moved > PUSHED_M and not beside_a_hold:
                found.append((start, end, item))
    return sorted(found, key=lambda run: run[:2])


def _held(trace: Trace) -> Bools:
    held = np.zeros(trace.n, np.bool_)
    for start, end, _ in _holds(trace):
        held[start:end] = True
    return held


def _next_contact(trace: Trace, frame: int) -> int:
    starts = [start for start, _, _ in (*_holds(trace), *_pushes(trace)) if start >= frame]
    return min(starts, default=trace.n)


def phases_of(trace: Trace, marks: list[Mark]) -> list[PhaseSpan]:
    """What the arm does when; phases tile the episode.

    Setting out is the first motion. Between a retreat and the next contact, reaching begins where the tool is farthest
    from that contact.
    """
    speed = np.linalg.norm(np.gradient(trace.tool, 1.0 / trace.rate_hz, axis=0), axis=1)
    edges = {0: Phase.IDLE}
    moving = first_true(speed > MOVING_M_S, 0, trace.n)
    edges |= {} if moving is None else {moving: Phase.REACH}
    edges |= {end: Phase.RELEASE for _, end, _ in _pushes(trace) if end < trace.n}
    edges |= {mark.frame: PHASE_AFTER[mark.kind] for mark in marks}
    edges |= dict.fromkeys(_turns(trace, marks), Phase.REACH)
    starts = sorted(edges)
    spans: list[PhaseSpan] = []
    for start, end in zip(starts, [*starts[1:], trace.n], strict=True):
        if spans and spans[-1].phase is edges[start]:
            spans[-1] = PhaseSpan(spans[-1].start, end, edges[start])
        else:
            spans.append(PhaseSpan(start, end, edges[start]))
    return spans


def _turns(trace: Trace, marks: list[Mark]) -> list[int]:
    found = []
    for mark in marks:
        following = _next_contact(trace, mark.frame)
        if mark.kind is BoundaryKind.RETREAT and mark.frame + 1 < following < trace.n:
            to_go = np.linalg.norm(trace.tool[mark.frame + 1 : following] - trace.tool[following], axis=1)
            found.append(mark.frame + 1 + int(np.argmax(to_go)))
    return found
