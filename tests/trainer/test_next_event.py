"""What is next, and how long it takes."""

import pytest

from tests.trainer.policies import DURATIONS_S, observation
from trainer.next_event import AsTold, Durations, InTurns, NextEvent, PastEvent, Script, script_of

DURATIONS = Durations(DURATIONS_S)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("lift the cup", 0.6),
        ("the left gripper lifts the cup", 0.6),
        ("lifting the cup off the table", 0.6),
        ("move the arm to the cup", 1.0),
        ("moving the arm", 1.0),
        ("moved backward", 3.0),
        ("Move Backward, then lift", 3.0),
        ("lift the cup, then move backward", 0.6),
        ("remove the shoplift tag", 1.5),
        ("shake hands", 1.5),
        ("lift the cup; this takes 4 s", 4.0),
        ("move for 2.5 seconds", 2.5),
        ("lift the 3 small cups", 0.6),
    ],
)
def test_a_duration_is_what_the_text_says_or_what_its_verb_takes(text: str, seconds: float) -> None:
    assert DURATIONS.of(text) == seconds


def test_without_any_duration_there_is_none() -> None:
    with pytest.raises(ValueError, match="say how long it takes"):
        Durations({"lift": 1.0}).of("pour the tea")


def test_a_person_says_it_in_the_observation_and_ends_it_by_silence() -> None:
    planner = AsTold(DURATIONS)
    assert planner.next(observation("lift the cup"), []) == NextEvent("lift the cup", 0.6)
    assert planner.next(observation(""), [PastEvent("lift the cup", 0.6)]) is None


def test_a_script_goes_on_after_what_was_done() -> None:
    script = script_of(["lift it", "move it, 2 s"], DURATIONS)
    assert script == Script((NextEvent("lift it", 0.6), NextEvent("move it, 2 s", 2.0)))
    past = PastEvent("lift it", 0.6)
    assert [script.next(observation(), [past] * done) for done in range(3)] == [*script.events, None]


def test_planners_take_turns() -> None:
    first, second = (Script(tuple(NextEvent(f"{name} {n}", 1.0) for n in range(4))) for name in "ab")
    turns, past = InTurns({0: first, 2: second}), PastEvent("", 1.0)
    said = [turns.next(observation(), [past] * done) for done in range(5)]
    assert [event and event.text for event in said] == ["a 0", "a 1", "b 2", "b 3", None]
    with pytest.raises(ValueError, match=r"from events \[1\]"):
        InTurns({1: first})
