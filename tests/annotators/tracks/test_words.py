"""Reading a verb off the words people and sources use."""

import pytest

from annotators.tracks.words import verb_of
from schemas.event import Verb


@pytest.mark.parametrize(
    ("text", "verb"),
    [
        ("Pick up the toast from the tray", Verb.PICK_UP),
        ("Pick", Verb.PICK_UP),
        ("C picks up a knife", Verb.PICK_UP),
        ("grasping the mug", Verb.GRASP),
        ("Move forward a little", Verb.MOVE_FORWARD),
        ("moving the pan", Verb.MOVE),
        ("Place the held toast in the plate", Verb.PLACE),
        ("put-down plate", Verb.PLACE),
        ("stirred soup", Verb.STIR),
        ("The robot holds still", Verb.HOLD_STILL),
        ("taking the lid off", Verb.PICK_UP),
        ("Fold over the towel", Verb.FOLD_OVER),
    ],
)
def test_the_leading_verb_is_found_however_it_is_inflected(text: str, verb: Verb) -> None:
    assert verb_of(text) is verb


@pytest.mark.parametrize("text", ["", "cup", "Get the cup", "the quick move", "dinner and place", "另一个"])
def test_what_cannot_be_read_is_not_guessed(text: str) -> None:
    assert verb_of(text) is None
