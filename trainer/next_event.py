"""What is to be done next, and for how long: where event mode gets its text (wall_wm.md §3.7).

A planner may be a person, a server with a vision-language model, or heads of the model; here are those that need
neither server nor heads. How long an event takes is said in its text, or else is the median of its verb in the shards:
the honest default, since the true duration of what has not happened yet is nobody's to know.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor

from trainer.policy import Observation

_SECONDS = re.compile(r"(\d+(?:\.\d+)?)\s*(?:s|sec|secs|seconds?)\b")
_ENDING = r"(?:\w{0,2}(?:s|es|ed|ing))?"
"""A verb's other forms: grasps, placed, gripping."""


@dataclass(frozen=True)
class NextEvent:
    """One event to be carried out."""

    text: str
    duration_s: float
    text_SC: Tensor | None = field(default=None, compare=False)
    """Vectors the towers read in place of the text, where whoever plans has such."""


@dataclass(frozen=True)
class PastEvent:
    """One event, or chunk, that was carried out."""

    text: str
    duration_s: float
    """As long as it was acted for."""


class PlannerError(RuntimeError):
    """Whoever was asked what is next could not say; asked again, it may."""


class Planner(Protocol):
    """Whoever says what is next."""

    def next(self, observation: Observation, history: Sequence[PastEvent]) -> NextEvent | None:
        """The next event after these; None when nothing is left to do. Raises PlannerError."""
        ...


@dataclass(frozen=True)
class Durations:
    """Median seconds by verb, of a policy's shards (`trainer.embodiment`); "" is the median of all events."""

    by_verb: Mapping[str, float]

    def of(self, text: str) -> float:
        """What the text itself says ("… this takes 4 s"), else the median of its first known verb, else of all events.

        Raises ValueError where neither says anything.
        """
        said = _SECONDS.search(text.lower())
        if said is not None and float(said[1]) > 0:
            return float(said[1])
        found = [(place, -len(verb), verb) for verb in self.by_verb if verb and (place := _place(verb, text)) >= 0]
        verb = min(found)[2] if found else ""
        if verb not in self.by_verb:
            raise ValueError(
                f"{text!r} has no verb whose duration is known; say how long it takes, as in '… takes 4 s'"
            )
        return self.by_verb[verb]


def _place(verb: str, text: str) -> int:
    """Where a verb, in any form, stands in a text; −1 for nowhere."""
    first, *rest = verb.lower().split()
    pattern = rf"\b(?:{re.escape(first)}|{re.escape(first.removesuffix('e'))}){_ENDING}\b"
    pattern += "".join(rf"\W+{re.escape(word)}\b" for word in rest)
    found = re.search(pattern, text.lower())
    return -1 if found is None else found.start()


@dataclass(frozen=True)
class AsTold:
    """A person, or an environment that knows its task, says what is next in the observation's text; "" ends it."""

    durations: Durations

    def next(self, observation: Observation, history: Sequence[PastEvent]) -> NextEvent | None:
        del history
        return NextEvent(observation.text, self.durations.of(observation.text)) if observation.text else None


@dataclass(frozen=True)
class Script:
    """Events written down beforehand, one after the other."""

    events: tuple[NextEvent, ...]

    def next(self, observation: Observation, history: Sequence[PastEvent]) -> NextEvent | None:
        del observation
        return self.events[len(history)] if len(history) < len(self.events) else None


@dataclass(frozen=True)
class InTurns:
    """One planner after another, each from its event on: a person, then a server, then the heads, in one rollout."""

    planners: Mapping[int, Planner]
    """By the number of the first event; 0 must be there."""

    def __post_init__(self) -> None:
        if 0 not in self.planners:
            raise ValueError(f"planners from events {sorted(self.planners)}: which one says the first event, 0?")

    def next(self, observation: Observation, history: Sequence[PastEvent]) -> NextEvent | None:
        chosen = max(first for first in self.planners if first <= len(history))
        return self.planners[chosen].next(observation, history)


def script_of(texts: Sequence[str], durations: Durations) -> Script:
    """A script of texts, each as long as it says or as its verb takes."""
    return Script(tuple(NextEvent(text, durations.of(text)) for text in texts))
