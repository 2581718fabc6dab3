"""Where unified mode gets its text, chunk by chunk: one instruction for all, a short one for each, or latent thoughts.

All three end in vectors the towers read in place of words, so a rollout can go from one to another at any chunk
(`Switched`) without the policy noticing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from torch import Tensor

from trainer.next_event import PastEvent, Planner
from trainer.policy import Observation


@dataclass(frozen=True, eq=False)
class Said:
    """What a chunk is to do."""

    text: str
    """For people and for the model where there are no vectors."""
    source: str
    text_SC: Tensor | None = None
    """Vectors [S, width of the model's text] that are read in place of the text."""


class TextSource(Protocol):
    """One of the three, or something that chooses among them."""

    def say(self, observation: Observation, history: Sequence[PastEvent]) -> Said | None:
        """What the next chunk is to do; None when nothing is left to do."""
        ...


@dataclass(frozen=True, eq=False)
class GlobalInstruction:
    """One instruction for the whole task, embedded once."""

    text: str
    embed: Callable[[str], Tensor]
    """`trainer.policy.WallWMPolicy.embed`."""

    @cached_property
    def _embedded(self) -> Tensor:
        return self.embed(self.text)

    def say(self, observation: Observation, history: Sequence[PastEvent]) -> Said | None:
        del observation, history
        return Said(self.text, "global", self._embedded)


@dataclass(frozen=True, eq=False)
class ShortInstruction:
    """A short instruction per chunk, from whoever plans events; how long it says they take is not asked."""

    planner: Planner

    def say(self, observation: Observation, history: Sequence[PastEvent]) -> Said | None:
        event = self.planner.next(observation, history)
        return None if event is None else Said(event.text, "short")


class Thinker(Protocol):
    """What turns an observation and a task into continuous latents the towers read as text: a Staircase branch."""

    def think(self, observation: Observation, instruction: str, history: Sequence[PastEvent]) -> Tensor:
        """float [K_c, width of the model's text]."""
        ...


@dataclass(frozen=True, eq=False)
class Thoughts:
    """Latents thought anew before every chunk."""

    thinker: Thinker
    instruction: str

    def say(self, observation: Observation, history: Sequence[PastEvent]) -> Said | None:
        return Said(self.instruction, "thoughts", self.thinker.think(observation, self.instruction, history))


@dataclass(frozen=True, eq=False)
class Switched:
    """One source after another: each from its chunk on."""

    sources: Mapping[int, TextSource]
    """By the number of the first chunk; 0 must be there."""

    def __post_init__(self) -> None:
        if 0 not in self.sources:
            raise ValueError(f"text sources from chunks {sorted(self.sources)}: which one says the first chunk, 0?")

    def say(self, observation: Observation, history: Sequence[PastEvent]) -> Said | None:
        chosen = max(first for first in self.sources if first <= len(history))
        return self.sources[chosen].say(observation, history)
