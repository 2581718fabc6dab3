"""Captions as hashed words."""

import numpy as np

from clustering.caption_words import hashed_words, tokens_of
from schemas.episode import Arm
from schemas.event import Verb
from tests.clustering.made import event


def test_tokens_are_words_and_slots_without_numbers() -> None:
    item = event(caption="Grasp the Red cup (4 s).", objects=("Red cup",), arm=Arm.LEFT)
    assert tokens_of(item) == ["grasp", "the", "red", "cup", "s", "object=red cup", "verb=grasp", "arm=left"]


def test_an_unknown_verb_is_no_slot() -> None:
    assert tokens_of(event(caption="", verb=Verb.OTHER, objects=())) == []
    assert not hashed_words(event(caption="", verb=Verb.OTHER, objects=()), 64).any()


def test_captions_are_as_close_as_the_words_they_share() -> None:
    cup, same, other = (
        hashed_words(event(caption=text, verb=verb, objects=(thing,)), 512)
        for text, verb, thing in (
            ("grasp the red cup", Verb.GRASP, "cup"),
            ("the cup is grasped", Verb.GRASP, "cup"),
            ("fold a towel", Verb.FOLD, "towel"),
        )
    )  # fmt: skip
    assert cup @ same > 2 * abs(cup @ other)


def test_repeating_a_word_counts_less_than_saying_another() -> None:
    once, thrice = (
        hashed_words(event(caption=text, verb=Verb.OTHER, objects=()), 64) for text in ("cup", "cup cup cup")
    )
    assert np.abs(thrice).sum() < 3 * np.abs(once).sum()
