"""What a detector has to know about an episode so that a tree can be built from it, whatever it looked at.

`annotators.kinematic.evidence` reads arms, `annotators.visual.evidence` reads pictures; `annotators.tree.build` sees
only this.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from annotators.tree.claim import Cut
from schemas.array import Floats
from schemas.episode import Arm
from schemas.event import Boundary, Motion, RecoveryKind, Verb


class Phase(StrEnum):
    """What an arm is doing."""

    REACH = "reach"
    MISS = "miss"
    GRASP = "grasp"
    LIFT = "lift"
    TRANSPORT = "transport"
    PLACE = "place"
    RELEASE = "release"
    DROP = "drop"
    RETREAT = "retreat"
    PUSH = "push"
    """Contact without a hold."""
    PULL = "pull"
    """The same, towards the robot."""
    TAKE = "take"
    """Fingers closed, motion of the tool unknown, first part."""
    BRING = "bring"
    """The same, second part."""
    MOTION = "motion"
    """An arm whose fingers say nothing."""
    HAND_OVER = "hand_over"
    """Two arms hold the object, and this one will let go."""
    DRIVE = "drive"
    """The base moves and the arms do not."""
    UNSEEN = "unseen"
    """No signal at all."""


class Goal(StrEnum):
    """What a subtask is for."""

    PICK = "pick"
    PLACE = "place"
    PUSH = "push"
    MOVE = "move"
    UNKNOWN = "unknown"


HOLDING = frozenset({Phase.GRASP, Phase.LIFT, Phase.TRANSPORT, Phase.PLACE, Phase.HAND_OVER, Phase.TAKE, Phase.BRING})
"""Phases in which something is between the fingers."""


@dataclass(frozen=True)
class Label:
    """What happens in a span: the event's verb, arm and recovery, and the phase and goal it came from."""

    verb: Verb
    arm: Arm | None
    phase: Phase
    goal: Goal
    recovery: RecoveryKind


class Evidence(Protocol):
    """One way of looking at an episode."""

    @property
    def proposer(self) -> str:
        """``kinematic`` or ``visual``, for `Provenance`."""

    def cuts(self) -> list[Cut]:
        """Boundaries of actions, in time order, anywhere on the episode clock."""

    def primitive_cuts(self) -> list[Cut]:
        """Places where an action may be divided into motion primitives."""

    def starts_goal(self, boundary: Boundary, /) -> bool:
        """Whether an action whose goal nobody knows pursues another one than the action before."""

    def label(self, start: Boundary, end: Boundary, /) -> Label:
        """What happens between two action boundaries."""

    def segment_label(self, parent: Label, start: Boundary, end: Boundary, /) -> Label:
        """What happens in a part of an action."""

    def unrest(self) -> tuple[Floats, str]:
        """One value per frame, lower where a cut does less harm, and the detector name for a cut placed by it."""

    def motion(self, arm: Arm | None, start: Boundary, end: Boundary, /) -> Motion | None:
        """What an arm did in a span; for None the arm that moved most. None when there is nothing to measure."""

    def static_fraction(self, start: Boundary, end: Boundary, /) -> float:
        """Share of a span in which nothing moves, 0 … 1."""
