"""The template language."""

import pytest

from annotators.words.template import load_templates, parse_templates, render, slots_of
from schemas.identity import digest

SLOTS = {"object": "the can", "arm": "", "direction": "up"}


def test_optional_parts_vanish_with_their_empty_slots() -> None:
    assert render("move {object}[ {direction}][ with the {arm} arm]", SLOTS) == "Move the can up"
    assert render("move the[ {arm}] arm", SLOTS) == "Move the arm"


def test_an_empty_slot_outside_brackets_is_an_error() -> None:
    with pytest.raises(ValueError, match="'arm' is empty"):
        render("move the {arm} arm", SLOTS)


def test_braces_in_a_value_are_left_alone() -> None:
    assert render("{object}", {"object": "the {arm} of {x}"}) == "The {arm} of {x}"


def test_slots_are_found_inside_and_outside_brackets() -> None:
    assert slots_of("a {object}[ b {arm}]") == {"object", "arm"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version = 1\nnonsense", "x.txt:2"),
        ("version = 1\na.b = {colour}", "unknown slot 'colour'"),
        ("version = 1\na.b = x\na.b = y", "given twice"),
        ("a.b = x", "version"),
        ("version = one\na.b = x", "version"),
    ],
)
def test_a_broken_file_is_an_error_that_says_where(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_templates(text, "x.txt")


def test_one_changed_character_changes_the_digest() -> None:
    text = "version = 1\n# note\na.b = x"
    assert parse_templates(text, "x").digest == digest(text)
    assert parse_templates(text.replace("note", "nota"), "x").digest != digest(text)


def test_the_most_specific_name_wins_and_a_missing_one_says_what_was_tried() -> None:
    templates = load_templates("en")
    assert templates.find("action.grasp.miss", "action.grasp") == templates.phrases["action.grasp.miss"]
    assert templates.find("action.grasp.never", "action.grasp") == templates.phrases["action.grasp"]
    with pytest.raises(KeyError, match="nothing"):
        templates.find("nothing")


def test_the_english_file_is_complete_and_in_style() -> None:
    templates = load_templates("en")
    assert templates.version >= 1
    assert {"task.named", "task.unnamed", "subtask.any", "action.any", "duration"} <= set(templates.phrases)
    for name, phrase in templates.phrases.items():
        assert not phrase.endswith("."), name
        assert "  " not in phrase, name
