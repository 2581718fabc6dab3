"""Reading answers: JSON as servers really send it, and text as captions may hold it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotators.vlm.answer import (
    MAX_WORDS,
    TEXT_CHARS,
    Part,
    clean,
    list_of,
    number_to,
    read,
    record,
    schema_text,
    sentence,
    text_of,
)
from annotators.vlm.draft import Fault, Problem
from annotators.vlm.request import Answer, Refusal, Stop


class Said(Part):
    text: str


def reply(text: str, stop: Stop = Stop.DONE) -> Answer:
    return Answer("k", text, stop, 1, 1, cached=False)


def fault(text: str, stop: Stop = Stop.DONE) -> Fault:
    found = read(Said, reply(text, stop))
    assert isinstance(found, Problem)
    return found.fault


def test_an_answer_is_read() -> None:
    assert read(Said, reply('{"text": "Grasp"}')) == Said(text="Grasp")


def test_raw_control_characters_inside_strings_are_forgiven() -> None:
    """Some guided decoders let them through (xgrammar did in 23 of 32 answers)."""
    assert read(Said, reply('{"text": "Grasp\nthe\tcup"}')) == Said(text="Grasp\nthe\tcup")


@pytest.mark.parametrize(
    "text", ["", "Sure! {", '{"text": 1}', "{}", '{"text": "a", "t": 1.5}', "[" * 100_000, "1" * 5000]
)
def test_what_cannot_be_read_is_a_problem_and_no_exception(text: str) -> None:
    assert fault(text) is Fault.UNREADABLE


def test_a_truncated_answer_is_not_read_even_if_it_could_be() -> None:
    assert fault('{"text": "Grasp"}', Stop.TRUNCATED) is Fault.TRUNCATED


def test_a_refusal_says_why() -> None:
    found = read(Said, Refusal("k", "too\nlong"))
    assert isinstance(found, Problem)
    assert (found.fault, found.fatal) == (Fault.REFUSED, True)
    assert "too long" in found.text


@given(st.text(max_size=300))
def test_a_sentence_is_one_printable_line_of_bounded_length(text: str) -> None:
    found = sentence(text)
    assert len(found) <= TEXT_CHARS + 2  # a letter may have an upper case of more letters
    assert found.isprintable()
    assert found == " ".join(found.split())
    assert not found.endswith(".")


def test_a_sentence_that_fills_its_room_was_cut_short_and_is_none() -> None:
    """Guided decoding ends a string where the schema does, in the middle of a word."""
    long = "Move the transparent plastic container carefully toward the right-hand corner "
    long += "of the wooden kitchen countertops"
    assert (len(long.split()), len(long)) == (MAX_WORDS, TEXT_CHARS + 1)
    assert sentence(long[:TEXT_CHARS]) == sentence(long) == ""
    assert sentence(long.replace("wooden ", "")) == long.replace("wooden ", "")


def test_half_characters_do_not_get_into_captions() -> None:
    assert clean("cup \ud83d", 40).encode() == b"cup ?"


def test_schemas_keep_the_order_of_keys_and_allow_no_others() -> None:
    schema = schema_text(record({"z": text_of(3), "a": list_of(number_to(4), 2)}, {"m": text_of(1)}))
    assert list(json.loads(schema)["properties"]) == ["z", "a", "m"]
    assert json.loads(schema)["required"] == ["z", "a"]
    assert json.loads(schema)["additionalProperties"] is False
