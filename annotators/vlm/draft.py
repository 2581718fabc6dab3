"""A draft: a model's tree before it is one, nested by construction; and what is found wrong with it.

Conversations pass drafts from call to check to call. Nothing in a draft is a time that a model wrote: every edge is
a `Boundary` of the window or of a frame the model was shown, moved to where the pictures change.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from schemas.episode import Arm
from schemas.event import Boundary, Doubt, Outcome, RecoveryKind, Verb


@dataclass(frozen=True)
class Label:
    """What a model calls an action."""

    verb: Verb
    text: str
    object: str = ""
    origin: str = ""
    destination: str = ""
    arm: Arm | None = None
    outcome: Outcome = Outcome.UNKNOWN
    recovery: RecoveryKind = RecoveryKind.NONE


@dataclass(frozen=True)
class DraftRow:
    """A segment."""

    start: Boundary
    end: Boundary
    verb: Verb
    text: str


@dataclass(frozen=True)
class DraftAction:
    """Rows in time order that touch."""

    rows: tuple[DraftRow, ...]
    label: Label
    doubts: frozenset[Doubt] = frozenset()

    @property
    def start(self) -> Boundary:
        return self.rows[0].start

    @property
    def end(self) -> Boundary:
        return self.rows[-1].end

    def doubted(self, *doubts: Doubt) -> "DraftAction":
        return replace(self, doubts=self.doubts | set(doubts))


@dataclass(frozen=True)
class DraftSubtask:
    """Actions in time order that touch."""

    actions: tuple[DraftAction, ...]
    verb: Verb
    text: str


@dataclass(frozen=True)
class Draft:
    """All of a window."""

    subtasks: tuple[DraftSubtask, ...]
    task: str
    dropped: Mapping[str, str]
    """Candidate id → why it ends nothing."""

    def actions(self) -> Iterator[DraftAction]:
        for subtask in self.subtasks:
            yield from subtask.actions

    def with_actions(self, actions: Mapping[int, tuple[DraftAction, ...]]) -> "Draft":
        """The draft with some actions, by their number in time order, replaced by one or more others."""
        number, subtasks = 0, []
        for subtask in self.subtasks:
            changed: list[DraftAction] = []
            for action in subtask.actions:
                changed += actions.get(number, (action,))
                number += 1
            subtasks.append(replace(subtask, actions=tuple(changed)))
        return replace(self, subtasks=tuple(subtasks))


class Fault(StrEnum):
    """What can be wrong with an answer."""

    UNREADABLE = "unreadable"
    TRUNCATED = "truncated"
    REFUSED = "refused"
    UNKNOWN_END = "unknown_end"
    ORDER = "order"
    COVER = "cover"
    INSERT = "insert"
    CONTACT = "contact"
    VERB = "verb"
    ARM = "arm"
    OBJECT = "object"
    LENGTH = "length"
    WORDING = "wording"
    DOUBTS = "doubts"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, in words that help a model to do better."""

    fault: Fault
    text: str
    action: int | None = None
    """Number of the action in time order; None when the whole answer cannot be used."""
    candidate: str = ""
    """The contact that was dropped, for `Fault.CONTACT`."""

    @property
    def fatal(self) -> bool:
        """Whether no tree can be made of the answer."""
        return self.action is None
