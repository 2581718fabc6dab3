"""What an instruction names; nothing is better than something wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotators.words.instruction import NamedGoal, named_goals
from schemas.episode import Arm


@pytest.mark.parametrize(
    ("instruction", "goals"),
    [
        ("Pick up the yellow bottle on the table.", [NamedGoal("yellow bottle")]),
        (
            "pick the pear from the counter and place it in the plate",
            [NamedGoal("pear", "in the plate")],
        ),
        ("pick up the can and place it in the bin", [NamedGoal("can", "in the bin")]),
        ("put the cup in the bowl", [NamedGoal("cup", "in the bowl")]),
        ("Place the sponge on top of the red mug", [NamedGoal("sponge", "on top of the red mug")]),
        ("pick the cup up, then put it next to the kettle", [NamedGoal("cup", "next to the kettle")]),
        (
            "put the red cube on the blue plate with the left arm and put the can on the tray with the right arm",
            [NamedGoal("red cube", "on the blue plate", Arm.LEFT), NamedGoal("can", "on the tray", Arm.RIGHT)],
        ),
        (
            "pick up the apple, place the apple in the box, pick up the pear and put the pear in the box",
            [NamedGoal("apple", "in the box"), NamedGoal("pear", "in the box")],
        ),
        ("move the left arm to the cup", []),
        ("", []),
        ("valid", []),
        ("arrange the mouse", []),
        ("pick it up", []),
        ("put everything away", []),
        ("pick up one of the many small shiny blue things", []),
        ("pick up the small shiny blue metal box", []),
        ("clear the table", []),
        ("拿起黄色的瓶子", []),
        ("set the set on the set", [NamedGoal("set", "on the set")]),
    ],
)
def test_named_goals(instruction: str, goals: list[NamedGoal]) -> None:
    assert named_goals(instruction) == goals


@given(st.text(max_size=200))
def test_any_text_is_read_without_failing_and_names_stay_short(text: str) -> None:
    for goal in named_goals(text):
        assert 1 <= len(goal.noun.split()) <= 3
