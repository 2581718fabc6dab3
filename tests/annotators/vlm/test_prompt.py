"""Prompt files: what is sent, what is hashed, and what is wrong with a file that is none."""

import pytest

from annotators.vlm.prompt import load_prompt, parse_prompt, prompts_digest
from annotators.vlm.request import Call


@pytest.mark.parametrize("call", Call)
def test_every_call_has_its_prompt(call: Call) -> None:
    prompt = load_prompt(call)
    assert prompt.version >= 1
    assert len(prompt.text) > 100
    assert not prompt.text.startswith("#")
    assert "version =" not in prompt.text


def test_notes_are_hashed_and_not_sent() -> None:
    a, b = (parse_prompt(f"# {note}\nversion = 1\n---\nLook.\n", "x.txt") for note in ("one", "two"))
    assert a.text == b.text == "Look."
    assert a.digest != b.digest


def test_one_revision_covers_all_prompts() -> None:
    assert prompts_digest() == prompts_digest()
    assert len({load_prompt(call).digest for call in Call}) == len(Call)


@pytest.mark.parametrize(
    "text", ["Look.", "version = 1\nLook.", "version = x\n---\nLook.", "---\nLook.", "version = 1\n---\n "]
)
def test_a_file_that_is_none_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"x\.txt"):
        parse_prompt(text, "x.txt")
