"""The model's own heads as a planner: an observation and what was done, to what is next and how long it takes.

Text comes from the next-event head, greedily; the duration from the remaining-time head once it has read that text, or
the text of whoever else has said it. Where nothing is left to do, the next-event head says nothing at all: it was
taught to at the ends of episodes (`trainer.batch.asked_at_the_end`). `StaircaseThinker` is the other way to be told by
the model itself: latents instead of words.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from trainer.batch import Example, sight_of
from trainer.device import to_device
from trainer.length import length_of
from trainer.model.conditioner import Conditioner, Understood, words_there
from trainer.model.staircase import Staircase
from trainer.next_event import NextEvent, PastEvent
from trainer.policy import Observation, WallWMPolicy
from trainer.story import NO_STORY, Question, Story, answers, story_tokens, text_of
from trainer.vlm import FrozenVlm

_SHORTEST_S = 0.1
"""Of a look: an observation alone, with the shortest future an example can have."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What the heads say of one observation."""

    text: str
    """Empty where nothing is left to do."""
    duration_s: float
    text_SC: Tensor
    """Features of the project-out head: what the denoiser's text encoder would have made of the text."""


@dataclass(frozen=True, eq=False)
class Heads:
    """The language heads of a trained model, and the frozen model they read, where they do."""

    conditioner: Conditioner
    vlm: FrozenVlm | None = None

    @torch.no_grad()
    def say(self, examples: Sequence[Example]) -> list[Answer]:
        """What is to be done at these observations, and for how long. Of a story, only what comes before is used."""
        stories = [asked_of(example.story or NO_STORY) for example in examples]
        understood = self.understand(examples)
        conditioner = self.conditioner
        states_SD = conditioner.norm(understood.top_SD)
        written_EL = conditioner.decoder.write(states_SD, understood.lengths, conditioner.config.limits.answer)
        texts = [text_of(tokens) for tokens in written_EL.tolist()]
        features = [words_there(*each) for each in zip(*conditioner.features(understood), strict=True)]
        seconds = self._seconds(understood, texts, stories)
        return [Answer(*each) for each in zip(texts, seconds, features, strict=True)]

    @torch.no_grad()
    def seconds(self, examples: Sequence[Example], texts: Sequence[str]) -> list[float]:
        """How long it takes still to do what the texts say at these observations."""
        stories = [asked_of(example.story or NO_STORY) for example in examples]
        return self._seconds(self.understand(examples), texts, stories)

    @torch.no_grad()
    def understand(self, examples: Sequence[Example], slot_D: Tensor | None = None) -> Understood:
        """States of these observations' questions."""
        stories = [asked_of(example.story or NO_STORY) for example in examples]
        foreign = None if self.vlm is None else self.vlm.understand(stories)
        tokens = story_tokens(stories, self.conditioner.config.limits)
        device = next(self.conditioner.parameters()).device
        question = to_device(Question(tokens, sight_of(examples), foreign), device)
        return self.conditioner.understand(question.story.asked, question.sight, question.foreign, slot_D)

    def _seconds(self, understood: Understood, texts: Sequence[str], stories: Sequence[Story]) -> list[float]:
        device = understood.top_SD.device
        read = to_device(answers(texts, self.conditioner.config.limits.answer), device)
        elapsed_E = torch.tensor([story.elapsed_s for story in stories], device=device)
        log_E = self.conditioner.log_seconds(self.conditioner.hear(read, understood), read.last_E, elapsed_E)
        seconds: list[float] = log_E.exp().tolist()
        return seconds


def asked_of(story: Story) -> Story:
    """The story without its answers."""
    return replace(story, now="", after=(), remaining_s=0.0, words=(), over=False, end=None)


Show = Callable[[Observation], Example]
"""An observation as the model reads it."""


@dataclass(frozen=True, eq=False)
class HeadPlanner:
    """Heads behind ``next(observation, history)``, for whoever rolls out (`trainer.next_event.Planner`)."""

    heads: Heads
    show: Show
    instruction: str = ""
    latent: bool = False
    """Whether the denoiser reads the heads' features in place of their text."""

    def next(self, observation: Observation, history: Sequence[PastEvent]) -> NextEvent | None:
        """What is next after these; None where the heads say nothing."""
        example = _asked(self.show(observation), self.instruction, history)
        (answer,) = self.heads.say([example])
        if not answer.text:
            return None
        return NextEvent(answer.text, answer.duration_s, answer.text_SC if self.latent else None)


@dataclass(frozen=True, eq=False)
class StaircaseThinker:
    """Staircase latents of an observation (`trainer.text_source.Thinker`)."""

    staircase: Staircase
    heads: Heads
    show: Show

    @torch.no_grad()
    def think(self, observation: Observation, instruction: str, history: Sequence[PastEvent]) -> Tensor:
        """What the towers read in place of a caption [K_c, width of the model's text]."""
        example = _asked(self.show(observation), instruction, history)
        return self.staircase.text(self.staircase(self.heads.understand([example], self.staircase.slot)))


def _asked(example: Example, instruction: str, history: Sequence[PastEvent]) -> Example:
    pictures = (example.story or NO_STORY).pictures
    before = tuple(each.text for each in history)
    return replace(example, story=Story(instruction, before, "", (), 0.0, (), pictures))


@dataclass(frozen=True, eq=False)
class OwnWords:
    """Everything a policy's own language parts can say: planners of tasks, and a thinker."""

    policy: WallWMPolicy
    heads: Heads
    staircase: Staircase

    @staticmethod
    def of(policy: WallWMPolicy) -> "OwnWords":
        """Raises ValueError for a model without heads, or one whose heads read another model that is not there."""
        model, language = policy.model, policy.config.model.language
        if language is None or model.language is None or model.staircase is None:
            raise ValueError(
                f"configuration {policy.config.name} has no language heads to plan with; train one that has "
                "(`--config tiny-language`), or let a person or a VLM say the next event"
            )
        vlm = FrozenVlm.load(language, policy.device) if language.vlm else None
        return OwnWords(policy, Heads(model.language.eval(), vlm), model.staircase.eval())

    def planner(self, task: str, *, latent: bool = False) -> HeadPlanner:
        """Of one task."""
        return HeadPlanner(self.heads, self.show, task, latent)

    def thinker(self) -> StaircaseThinker:
        """Of chunks."""
        return StaircaseThinker(self.staircase, self.heads, self.show)

    def show(self, observation: Observation) -> Example:
        """The observation as training would have shown it, pictures beside it where a frozen model looks."""
        body, data = self.policy.embodiment, self.policy.config.data
        example = self.policy.example(observation, length_of(_SHORTEST_S, body.fps, body.control_hz, data))
        pictures = () if self.heads.vlm is None else tuple(observation.pictures[name] for name in self.policy.cameras)
        return replace(example, story=replace(NO_STORY, pictures=pictures))
