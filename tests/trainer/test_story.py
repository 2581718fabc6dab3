"""Stories to tokens: what is asked, what is to be written."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from trainer.story import BEGIN, END, NO_STORY, PAD, Limits, Story, answers, asked, story_tokens, text_of, word_rows

LIMITS = Limits()


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), min_size=1, max_size=4))
def test_captions_of_any_language_come_back_from_their_bytes(captions: list[str]) -> None:
    found = answers(captions, 96)
    for caption, written, counted in zip(captions, found.written_EL.tolist(), found.counted_E.tolist(), strict=True):
        assert counted == bool(caption)
        if caption:
            assert text_of(written) == caption


def test_what_is_written_is_what_is_read_a_byte_later() -> None:
    found = answers(["lift", "go"], 96)
    assert found.read_EL[:, 0].tolist() == [BEGIN, BEGIN]
    assert torch.equal(found.read_EL[0, 1:], found.written_EL[0, :-1])
    assert found.written_EL[1].tolist()[2:] == [END, PAD, PAD]
    assert found.read_EL.gather(1, found.last_E[:, None])[:, 0].tolist() == [ord("t") + 3, ord("o") + 3]


def test_a_long_caption_is_cut() -> None:
    assert text_of(answers(["x" * 200], 10).written_EL[0].tolist()) == "x" * 10


def test_when_all_is_over_the_answer_is_to_say_nothing() -> None:
    over, unknown = Story("", (), "", (), 0.0, over=True), Story("", (), "", (), 0.0)
    tokens = story_tokens([over, unknown, Story("", (), "lift", (), 1.0, (3,))], LIMITS)
    assert tokens.now.counted_E.tolist() == [True, False, True]
    assert tokens.now.written_EL[0].tolist() == [END] + [PAD] * 4
    assert (tokens.now.written_EL[1] == PAD).all()
    assert (tokens.timed_E.tolist(), tokens.worded_E.tolist()) == ([False, False, True], [False, False, True])


def test_a_question_holds_instruction_and_the_latest_events_and_never_the_answer() -> None:
    story = Story("tidy up", ("one", "two", "three", "four"), "lift it", ("drop it",), 1.0)
    found = asked([story, NO_STORY], LIMITS)
    assert found.lengths == (5, 1)
    assert found.kind_S.tolist() == [0, 0, 1, 2, 3, 0]
    assert [tuple(row) for row in found.word_S2[2:5].tolist()] == [
        word_rows(word, 256, 24)[0] for word in ("four", "three", "two")
    ]
    other = asked([Story("tidy up", story.before, "something else", (), 9.0), NO_STORY], LIMITS)
    assert torch.equal(found.word_S2, other.word_S2)


def test_two_words_hardly_ever_share_both_rows() -> None:
    words = [f"word{n}" for n in range(1000)]
    assert len({word_rows(word, 256, 1)[0] for word in words}) > 985
    assert len({word_rows(word, 256, 1)[0][0] for word in words}) < 256


def test_the_chain_is_now_and_what_follows_as_far_as_anything_does() -> None:
    tokens = story_tokens([Story("", (), "a", ("b", "c", "d"), 2.0), Story("", (), "a", ("b",), 0.0)], LIMITS)
    assert [part.counted_E.tolist() for part in tokens.chain] == [[True, True], [True, True], [True, False]]
    assert tokens.timed_E.tolist() == [True, False]
