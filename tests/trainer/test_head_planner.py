"""The heads behind ``next(observation, history)``."""

from dataclasses import replace

import numpy as np

from tests.trainer.events import example, lively, talking
from trainer.batch import Example
from trainer.head_planner import HeadPlanner, Heads, asked_of
from trainer.next_event import PastEvent
from trainer.policy import Observation
from trainer.story import Story


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
    assert found == own.say([replace(shown(observed(128)), story=story)])[0]
    others = [
        HeadPlanner(own, shown, "tidy up").next(observed(0), history),
        HeadPlanner(own, shown, "pour").next(observed(128), history),
        HeadPlanner(own, shown, "tidy up").next(observed(128), history[:1]),
    ]
    assert all(other.duration_s != found.duration_s for other in others)
    assert found.duration_s > 0


def test_only_what_comes_before_is_asked() -> None:
    asked = asked_of(Story("tidy up", ("reach",), "lift", ("place",), 2.0, (4,)))
    assert (asked.instruction, asked.before) == ("tidy up", ("reach",))
    assert (asked.now, asked.after, asked.remaining_s, asked.words) == ("", (), 0.0, ())
