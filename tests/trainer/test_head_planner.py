"""The heads behind ``next(observation, history)``."""

from dataclasses import dataclass, replace

from tests.trainer.events import example, lively, small
from trainer.batch import Example
from trainer.head_planner import HeadPlanner, Heads, asked_of
from trainer.story import Story


@dataclass(frozen=True)
class Done:
    """As `trainer.next_event.PastEvent` has it."""

    text: str
    duration_s: float


def heads() -> Heads:
    model = lively(small().model)
    assert model.language is not None
    return Heads(model.language)


def shown(observation: float) -> Example:
    own = example(frames=5)
    return replace(own, latents_VFCHW=own.latents_VFCHW + observation, story=None)


def test_it_is_asked_with_the_observation_the_instruction_and_what_was_done() -> None:
    own, history = heads(), [Done("reach", 1.0), Done("grasp", 0.5)]
    found = HeadPlanner(own, shown, "tidy up").next(0.5, history)
    story = Story("tidy up", ("reach", "grasp"), "the answer", ("more",), 9.0)
    assert found == own.say([replace(shown(0.5), story=story)])[0]
    others = [
        HeadPlanner(own, shown, "tidy up").next(0.0, history),
        HeadPlanner(own, shown, "pour").next(0.5, history),
        HeadPlanner(own, shown, "tidy up").next(0.5, history[:1]),
    ]
    assert all(other.duration_s != found.duration_s for other in others)
    assert found.duration_s > 0


def test_only_what_comes_before_is_asked() -> None:
    asked = asked_of(Story("tidy up", ("reach",), "lift", ("place",), 2.0, (4,)))
    assert (asked.instruction, asked.before) == ("tidy up", ("reach",))
    assert (asked.now, asked.after, asked.remaining_s, asked.words) == ("", (), 0.0, ())
