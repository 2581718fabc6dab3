"""The caption table and the caption's drop rate."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainer.model.language import NO_CAPTION, WordTable, drop_rate, words_of


def test_the_drop_rate_is_the_published_ramp() -> None:
    assert drop_rate(1) == drop_rate(129) == pytest.approx(0.1)
    assert drop_rate(220) == drop_rate(5000) == pytest.approx(0.9)
    assert sum(map(drop_rate, (174, 175))) / 2 == pytest.approx(0.5), "half way, at 174.5 frames"


def test_words_are_the_same_in_every_process() -> None:
    assert words_of("Lift the cup, lift!", 256, 8) == (176, 226, 161, 176)


def test_a_caption_without_words_is_no_caption() -> None:
    assert words_of("", 256, 8) == words_of(" … ", 256, 8) == (NO_CAPTION,)


@given(st.text(max_size=60), st.integers(2, 300))
def test_words_are_rows_of_the_table_and_never_the_empty_one(caption: str, entries: int) -> None:
    words = words_of(caption, entries, 5)
    assert 1 <= len(words) <= 5
    assert words == (NO_CAPTION,) or all(0 < word < entries for word in words)


def test_equal_words_have_equal_vectors() -> None:
    vectors = WordTable(16, 4)(torch.tensor([3, 5, 3]))
    assert torch.equal(vectors[0], vectors[2])
    assert not torch.equal(vectors[0], vectors[1])
