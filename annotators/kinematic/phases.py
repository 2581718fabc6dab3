"""What an arm is doing between its contacts: phases that tile its track, and the cuts that stand between them.

`contacts_of` measures, this module names. Every phase knows its goal (pick, place or plain motion), because one
object-goal is one subtask (events.md, "Levels"), and what went wrong before or in it.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from annotators.kinematic.contact import Contact
from annotators.kinematic.gripper import HARD_STOP
from annotators.kinematic.primitives import dips
from annotators.kinematic.signals import ArmSignals, Effector
from annotators.kinematic.strokes import FreeMotion, Push
from annotators.tree.claim import Cut, make_cut
from annotators.tree.evidence import Goal, Phase
from schemas.event import BoundaryKind, RecoveryKind


@dataclass(frozen=True)
class PhaseSpan:
    """One phase from a sample to the start of the next."""

    start: int
    phase: Phase
    goal: Goal
    recovery: RecoveryKind = RecoveryKind.NONE


@dataclass(frozen=True, eq=False)
class ArmTimeline:
    """One arm's cuts and phases; phases tile the grid, the last one runs to its end."""

    signals: ArmSignals
    cuts: tuple[Cut, ...]
    phases: tuple[PhaseSpan, ...]
    motions: tuple[Cut, ...] = ()
    """Edges of strokes and rests, for an arm that touches nothing."""

    @property
    def has_contacts(self) -> bool:
        return any(span.phase is not Phase.MOTION for span in self.phases)

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """First sample of each phase."""
        return tuple(span.start for span in self.phases)


_NOTHING_OR_THIN = 0.5
"""Of the trust where fingers stop at their hard stop. In simulation, where nothing is thin, it would be 0.3."""
_LEAVING, _LEAVING_SIGMA_S = 0.75, 0.20
"""How far the retreat from a push is trusted: how long a sliding hand stays in contact is known only roughly."""
_DEEP = 0.5
"""Fingers whose tool is unseen are trusted fully from this depth of the opening on: hands fidget, grasps are deep."""


class _Writer:
    """Collects cuts and phases of one arm in time order."""

    def __init__(self, signals: ArmSignals) -> None:
        self.signals = signals
        self.cuts: list[Cut] = []
        self.phases: list[PhaseSpan] = []

    def cut(
        self, sample: int, kind: BoundaryKind, detector: str, trust: float = 1.0, sigma_s: float | None = None
    ) -> None:
        grid = self.signals.grid
        known = bool(self.signals.known[min(sample, grid.n - 1)])
        trust *= self.signals.trust if known else 0.5 * self.signals.trust
        t_ns, arm = grid.time_ns(sample), self.signals.arm
        self.cuts.append(make_cut(t_ns, kind, detector, trust=trust, arm=arm, sigma_s=sigma_s))

    def phase(self, start: int, phase: Phase, goal: Goal, recovery: RecoveryKind = RecoveryKind.NONE) -> None:
        """Open a phase; one that starts no later than the phase before replaces it."""
        while self.phases and self.phases[-1].start >= start:
            self.phases.pop()
        self.phases.append(PhaseSpan(start, phase, goal, recovery))


def arm_timeline(signals: ArmSignals, contacts: list[Contact], free: FreeMotion | None = None) -> ArmTimeline:
    """Name what happened; without contacts and pushes the whole track is one MOTION phase and has no cuts."""
    writer, free = _Writer(signals), free or FreeMotion()
    deeds: list[Contact | Push] = sorted([*contacts, *free.pushes], key=_begin)
    if not deeds:
        writer.phase(0, Phase.MOTION, Goal.MOVE)
    before: Contact | None = None
    for k, deed in enumerate(deeds):
        following = deeds[k + 1] if k + 1 < len(deeds) else None
        if isinstance(deed, Push):
            _write_push(writer, deed, following, first=k == 0)
            continue
        if deed.closed is not None and k == 0:
            writer.phase(0, Phase.REACH, Goal.PICK)
        _write_hold(writer, deed, before)
        if deed.opened is not None:
            _write_after(writer, deed, following)
        before = deed
    return ArmTimeline(signals, tuple(writer.cuts), tuple(writer.phases), _motions(signals, free))


def _begin(deed: Contact | Push) -> int:
    return deed.start if isinstance(deed, Push) else deed.closed or 0


def _motions(signals: ArmSignals, free: FreeMotion) -> tuple[Cut, ...]:
    writer = _Writer(signals)
    for stop in free.stops:
        writer.cut(stop.sample, BoundaryKind.MOTION, stop.detectors[0], stop.weight)
    return tuple(replace(cut, detectors=stop.detectors) for cut, stop in zip(writer.cuts, free.stops, strict=True))


def _write_push(writer: _Writer, push: Push, following: Contact | Push | None, *, first: bool) -> None:
    """Contact, and the retreat from it; what was reached for before it belongs to it."""
    if first:
        writer.phase(0, Phase.REACH, Goal.PUSH)
    writer.cut(push.start, BoundaryKind.CONTACT, push.detector, push.weight)
    writer.phase(push.start, Phase.PULL if push.pulled else Phase.PUSH, Goal.PUSH)
    if push.left is not None:
        trust = push.weight * _LEAVING
        writer.cut(push.left, BoundaryKind.RETREAT, "push_distance", trust, _LEAVING_SIGMA_S)
        writer.phase(push.left, Phase.RETREAT, Goal.PUSH)
    if following is not None:
        _write_turn(writer, push.ended if push.left is None else push.left, following)


def _trust(signals: ArmSignals, contact: Contact) -> float:
    """How far the fingers' evidence goes: less for commands, without poses, at the hard stop, at the track's start."""
    trust = 0.75 if signals.commanded else 1.0
    trust *= 1.0 if signals.position is not None else 0.8 * min(1.0, max(0.4, contact.depth / _DEEP))
    read = not signals.commanded and signals.effector is not Effector.SWITCH
    trust *= _NOTHING_OR_THIN if read and contact.plateau <= HARD_STOP and not contact.missed else 1.0
    return trust * (0.6 if contact.closed is None else 1.0)


def _again(before: Contact | None) -> RecoveryKind:
    """What a new attempt is, given the contact before it."""
    if before is None:
        return RecoveryKind.NONE
    if before.missed:
        return RecoveryKind.RETRY
    return RecoveryKind.REGRASP if before.lost else RecoveryKind.NONE


def _write_hold(writer: _Writer, contact: Contact, before: Contact | None) -> None:
    start = contact.closed or 0
    trust = _trust(writer.signals, contact)
    fingers = "gripper_command" if writer.signals.commanded else "gripper_plateau"
    if contact.missed:
        writer.cut(start, BoundaryKind.MOTION, fingers)
        writer.phase(start, Phase.MISS, Goal.PICK, RecoveryKind.MISS)
        return
    if contact.closed is not None:
        writer.cut(start, BoundaryKind.GRASP, fingers, trust)
    if writer.signals.position is None:
        _write_blind_hold(writer, contact, _again(before))
        return
    if contact.closed is None:
        writer.phase(start, Phase.TRANSPORT, Goal.PLACE)
    else:
        writer.phase(start, Phase.GRASP, Goal.PICK, _again(before))
    if contact.lifted is not None:
        writer.cut(contact.lifted, BoundaryKind.LIFT, "sideways" if contact.sideways else "height", trust)
        lifting = (Phase.TRANSPORT, Goal.PLACE) if contact.sideways else (Phase.LIFT, Goal.PICK)
        writer.phase(contact.lifted, *lifting)
    if contact.levelled is not None:
        writer.cut(contact.levelled, BoundaryKind.TRANSPORT, "vertical_share", trust)
        writer.phase(contact.levelled, Phase.TRANSPORT, Goal.PLACE)
    if contact.touched_down is not None:
        writer.cut(contact.touched_down, BoundaryKind.SUPPORT, "descent", trust)
        writer.phase(contact.touched_down, Phase.PLACE, Goal.PLACE)


def _write_blind_hold(writer: _Writer, contact: Contact, recovery: RecoveryKind) -> None:
    """Fingers closed, tool unseen: taking and bringing are told apart by the deepest dip of the joints' speed."""
    grid = writer.signals.grid
    start, end = contact.closed or 0, grid.n if contact.opened is None else contact.opened
    if contact.opened is None:
        writer.phase(start, Phase.TAKE, Goal.PICK, recovery)
        return
    found = (
        dips(writer.signals, start + grid.samples(0.4), end - grid.samples(0.4)) if contact.closed is not None else []
    )
    if not found:
        writer.phase(start, Phase.BRING, Goal.PLACE, recovery)
        return
    writer.phase(start, Phase.TAKE, Goal.PICK, recovery)
    dip = max(found, key=lambda dip: (dip.strength, -dip.sample))
    writer.cut(dip.sample, BoundaryKind.MOTION, dip.detector)
    writer.phase(dip.sample, Phase.BRING, Goal.PLACE)


def _write_after(writer: _Writer, contact: Contact, following: Contact | Push | None) -> None:
    """From the moment the fingers open to the next grasp."""
    opened = contact.opened
    assert opened is not None
    trust = _trust(writer.signals, contact)
    fingers = "gripper_command" if writer.signals.commanded else "gripper_plateau"
    if contact.missed:
        writer.cut(opened, BoundaryKind.MISS, fingers, trust)
        again = isinstance(following, Contact)
        writer.phase(
            opened, Phase.REACH if again else Phase.RETREAT, Goal.PICK, _again(contact) if again else RecoveryKind.NONE
        )
        return
    if contact.slipped:
        writer.cut(opened, BoundaryKind.SLIP, fingers, trust)
        goal = writer.phases[-1].goal
        writer.phase(opened, Phase.DROP, goal, RecoveryKind.SLIP)
        if contact.left is not None:
            writer.cut(contact.left, BoundaryKind.MOTION, "release_distance")
        writer.phase(opened + 1 if contact.left is None else contact.left, Phase.REACH, Goal.PICK, RecoveryKind.REGRASP)
        return
    writer.cut(opened, BoundaryKind.RELEASE, fingers, trust)
    writer.phase(opened, Phase.RELEASE, Goal.PLACE)
    if contact.left is not None:
        seen = writer.signals.position is not None
        kind, detector = (BoundaryKind.RETREAT, "release_distance") if seen else (BoundaryKind.MOTION, "fingers_end")
        writer.cut(contact.left, kind, detector, trust)
        writer.phase(contact.left, Phase.RETREAT, Goal.PLACE)
    if following is not None and (isinstance(following, Push) or following.closed is not None):
        _write_turn(writer, opened if contact.left is None else contact.left, following, _again(contact))


def _write_turn(
    writer: _Writer, left: int, following: Contact | Push, recovery: RecoveryKind = RecoveryKind.NONE
) -> None:
    """Where one thing is left and the next is reached for."""
    turn, detector = _turning_point(writer.signals, left, _begin(following))
    writer.cut(turn, BoundaryKind.MOTION, detector)
    if isinstance(following, Push):
        writer.phase(turn, Phase.REACH, Goal.PUSH)
    else:
        writer.phase(turn, Phase.REACH, Goal.PICK, recovery)


def _turning_point(signals: ArmSignals, left: int, closed: int) -> tuple[int, str]:
    """Where retreating ends and reaching begins: the deepest dip between, else where the next grasp becomes nearer."""
    found = dips(signals, left, closed - signals.grid.samples(0.3))
    if found:
        best = max(found, key=lambda dip: (dip.strength, -dip.sample))
        return best.sample, best.detector
    if signals.position is None:
        return (left + closed) // 2, "halfway"
    way = signals.position[left:closed]
    to_go = np.linalg.norm(way - signals.position[min(closed, len(signals.position) - 1)], axis=1)
    come = np.linalg.norm(way - signals.position[left], axis=1)
    nearer = np.flatnonzero(to_go < come)
    return (left + int(nearer[0]) if nearer.size else (left + closed) // 2), "nearer_to_next"
