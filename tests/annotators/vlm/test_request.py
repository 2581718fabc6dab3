"""A request is known by its content: what determines the answer is in its key, what does not is not."""

from dataclasses import replace

import pytest

from annotators.vlm.request import Call, Request

REQUEST = Request(Call.TREE, "ev-1", "model@1", "You see.", (b"jpeg",), "What happens?", "{}", 100)


def test_who_asks_about_what_is_no_part_of_the_key() -> None:
    assert replace(REQUEST, subject="ev-2").key == REQUEST.key


@pytest.mark.parametrize(
    "change",
    [
        {"call": Call.VERIFY},
        {"model": "model@2"},
        {"system": "You look."},
        {"images": (b"other",)},
        {"images": (b"jp", b"eg")},
        {"text": "What?"},
        {"schema": "[]"},
        {"max_tokens": 101},
        {"attempt": 1},
    ],
)
def test_whatever_determines_the_answer_is_in_the_key(change: dict[str, object]) -> None:
    assert replace(REQUEST, **change).key != REQUEST.key  # type: ignore[arg-type]
