"""The model's own heads as a planner: an observation and what was done, to what is next and how long it takes.

Text comes from the next-event head, greedily; the duration from the remaining-time head once it has read that text, or
the text of whoever else has said it. The heads have no word for "done": who calls decides when a task is over.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from trainer.batch import Example, sight_of
from trainer.device import to_device
from trainer.model.conditioner import Conditioner, Understood
from trainer.next_event import NextEvent, PastEvent
from trainer.policy import Observation
from trainer.story import NO_STORY, Question, Story, answers, story_tokens, text_of
from trainer.vlm import FrozenVlm


@dataclass(frozen=True, eq=False)
class Heads:
    """The language heads of a trained model, and the frozen model they read, where they do."""

    conditioner: Conditioner
    vlm: FrozenVlm | None = None

    @torch.no_grad()
    def say(self, examples: Sequence[Example]) -> list[NextEvent]:
        """What is to be done at these observations, and for how long. Of a story, only what comes before is used."""
        stories = [asked_of(example.story or NO_STORY) for example in examples]
        understood = self._understand(examples, stories)
        conditioner = self.conditioner
        states_SD = conditioner.norm(understood.top_SD)
        written_EL = conditioner.decoder.write(states_SD, understood.lengths, conditioner.config.limits.answer)
        texts = [text_of(tokens) for tokens in written_EL.tolist()]
        return [NextEvent(*pair) for pair in zip(texts, self._seconds(understood, texts), strict=True)]

    @torch.no_grad()
    def seconds(self, examples: Sequence[Example], texts: Sequence[str]) -> list[float]:
        """How long it takes to do what the texts say at these observations."""
        stories = [asked_of(example.story or NO_STORY) for example in examples]
        return self._seconds(self._understand(examples, stories), texts)

    def _understand(self, examples: Sequence[Example], stories: Sequence[Story]) -> Understood:
        foreign = None if self.vlm is None else self.vlm.understand(stories)
        tokens = story_tokens(stories, self.conditioner.config.limits)
        device = next(self.conditioner.parameters()).device
        question = to_device(Question(tokens, sight_of(examples), foreign), device)
        return self.conditioner.understand(question.story.asked, question.sight, question.foreign)

    def _seconds(self, understood: Understood, texts: Sequence[str]) -> list[float]:
        read = to_device(answers(texts, self.conditioner.config.limits.answer), understood.top_SD.device)
        log_E = self.conditioner.log_seconds(self.conditioner.hear(read, understood), read.last_E)
        seconds: list[float] = log_E.exp().tolist()
        return seconds


def asked_of(story: Story) -> Story:
    """The story without its answers."""
    return replace(story, now="", after=(), remaining_s=0.0, words=())


@dataclass(frozen=True, eq=False)
class HeadPlanner:
    """Heads behind ``next(observation, history)``, for whoever rolls out (`trainer.next_event.Planner`)."""

    heads: Heads
    show: Callable[[Observation], Example]
    """The observation as the model reads it."""
    instruction: str = ""

    def next(self, observation: Observation, history: Sequence[PastEvent]) -> NextEvent:
        """What is next after these."""
        before = tuple(each.text for each in history)
        example = self.show(observation)
        pictures = (example.story or NO_STORY).pictures
        return self.heads.say([replace(example, story=Story(self.instruction, before, "", (), 0.0, (), pictures))])[0]
