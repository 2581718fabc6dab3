"""The heads behind ``next(observation, history)``."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.trainer.events import MadeSteps, example, lively, small, talking
from tests.trainer.policies import DURATIONS_S, Reaching, body, observation
from trainer.batch import Example
from trainer.head_planner import HeadPlanner, Heads, OwnWords, asked_of
from trainer.loop import Trainer
from trainer.model.language import words_of
from trainer.model.wam import build
from trainer.next_event import AsTold, Durations, InTurns, PastEvent
from trainer.parallel import Ranks
from trainer.policy import ActionChunk, Observation, WallWMPolicy
from trainer.rollout import event_rollout, unified_rollout
from trainer.sampling import Sampling
from trainer.story import Closing, Story
from trainer.text_source import Thoughts


def heads() -> Heads:
    model = lively(talking().model)
    assert model.language is not None
    return Heads(model.language)


def observed(shade: int) -> Observation:
    nothing = np.zeros(20, np.float32)
    return Observation({"front": np.full((4, 4, 3), shade, np.uint8)}, nothing, nothing > 0, "")


def shown(observation: Observation) -> Example:
    own = example(frames=5)
    return replace(own, latents_VFCHW=own.latents_VFCHW + observation.pictures["front"].mean() / 255, story=None)


def test_it_is_asked_with_the_observation_the_instruction_and_what_was_done() -> None:
    own, history = heads(), [PastEvent("reach", 1.0), PastEvent("grasp", 0.5)]
    found = HeadPlanner(own, shown, "tidy up").next(observed(128), history)
    story = Story("tidy up", ("reach", "grasp"), "the answer", ("more",), 9.0)
    (answer,) = own.say([replace(shown(observed(128)), story=story)])
    assert found is not None
    assert (found.text, found.duration_s, found.text_SC) == (answer.text, answer.duration_s, None)
    others = [
        HeadPlanner(own, shown, "tidy up").next(observed(0), history),
        HeadPlanner(own, shown, "pour").next(observed(128), history),
        HeadPlanner(own, shown, "tidy up").next(observed(128), history[:1]),
    ]
    assert all(other is not None and other.duration_s != found.duration_s for other in others)
    assert found.duration_s > 0


def test_only_what_comes_before_is_asked() -> None:
    asked = asked_of(Story("tidy up", ("reach",), "lift", ("place",), 2.0, (4,)))
    assert (asked.instruction, asked.before) == ("tidy up", ("reach",))
    assert (asked.now, asked.after, asked.remaining_s, asked.words) == ("", (), 0.0, ())


STEPS = 120


def episode() -> list[Example]:
    """Lifting for 0.6 s, then placing for 1.2 s, then nothing more; each seen to its end."""
    found = []
    for before, now, after, seconds in (((), "lift", ("place",), 0.6), (("lift",), "place", (), 1.2)):
        end = Closing(example().state_A, next_s=1.2 if after else 0.0)
        story = Story("tidy up", before, now, after, seconds, words_of(now, 256, 32), end=end)
        found.append(replace(example(), story=story))
    return found


@pytest.fixture(scope="module")
def taught() -> OwnWords:
    """The language stage, on one episode of two events."""
    config = replace(talking(), stage="language")
    model = build(config.model, 0)
    steps = MadeSteps(*episode(), n_steps=STEPS, packs=1)
    trainer = Trainer(config, model, steps, Ranks(0, 1, torch.device("cpu")))
    with steps.read(0, 0, 1) as read:
        for step in read:
            trainer.advance(step)
    own = body()
    return OwnWords.of(WallWMPolicy(model, config, own, Sampling(steps=2)))


def test_it_goes_through_the_task_and_says_when_it_is_over(taught: OwnWords) -> None:
    planner, history = taught.planner("tidy up"), []
    said = []
    while len(said) < 4 and (event := planner.next(observation(), history)) is not None:
        said.append(event)
        history.append(PastEvent(event.text, event.duration_s))
    assert [event.text for event in said] == ["lift", "place"]
    assert [event.duration_s for event in said] == pytest.approx([0.6, 1.2], rel=0.25)


def test_time_that_has_passed_is_taken_off(taught: OwnWords) -> None:
    asked = taught.show(observation())
    story = Story("tidy up", (), "", (), 0.0)
    fresh, begun = (replace(asked, story=replace(story, elapsed_s=s)) for s in (0.0, 0.4))
    assert taught.heads.seconds([fresh], ["lift"]) != taught.heads.seconds([begun], ["lift"])


def test_person_heads_and_latents_take_turns_in_one_rollout(taught: OwnWords) -> None:
    policy = taught.policy
    turns = InTurns(
        {0: AsTold(Durations(DURATIONS_S)), 1: taught.planner("tidy up"), 2: taught.planner("", latent=True)}
    )
    seen: list[Tensor | None] = []

    class Watched:
        def act(self, asked: Observation, duration_s: float, seed: int) -> ActionChunk:
            seen.append(asked.text_SC)
            return policy.act(asked, duration_s, seed)

    rollout = event_rollout(Watched(), turns, Reaching([(9.0, 9.0)]), seed=0, max_s=6.0)
    assert rollout.acts[0].text == "move to target 0"
    assert rollout.acts[1].text in {"lift", "place"}
    assert [text_SC is not None for text_SC in seen[:3]] == [False, False, True][: len(seen)]


def test_the_staircase_thinks_for_chunks_and_hears_what_was_done(taught: OwnWords) -> None:
    thinker = taught.thinker()
    latents = thinker.think(observation(), "tidy up", [])
    assert latents.shape == (4, taught.policy.config.model.text.width)
    assert not torch.equal(latents, thinker.think(observation(), "tidy up", [PastEvent("lift", 0.6)]))
    rollout = unified_rollout(
        taught.policy, Thoughts(thinker, "tidy up"), Reaching([(9.0, 9.0)]), 0.5, seed=0, max_s=1.0
    )
    assert [act.source for act in rollout.acts] == ["thoughts", "thoughts"]


def test_a_model_without_heads_plans_nothing() -> None:
    config = small()
    with pytest.raises(ValueError, match="has no language heads to plan with"):
        OwnWords.of(WallWMPolicy(lively(config.model), config, body(), Sampling(steps=2)))
