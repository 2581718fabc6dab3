"""A body is one answer to what was asked, or it is none: nothing in between, whatever is in it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotators.vlm.chat import Declined, OddAnswer, answer_of, body_of, models_of, words_of
from annotators.vlm.request import Answer, Call, Request, Stop

REQUEST = Request(Call.TREE, "ev-1", "m@1", "You see.", (b"one", b"two"), "What happens?", '{"type": "object"}', 100)


def reply(**changes: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": '{"a": 1}'}
    return {
        "id": "chatcmpl-t1",
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3},
    } | changes


def read(value: Any) -> Answer:
    return answer_of("k", "m", "t1", json.dumps(value).encode())


def test_pictures_come_first_and_the_variable_text_last() -> None:
    system, user = body_of(REQUEST, "m")["messages"]
    assert system == {"role": "system", "content": "You see."}
    assert [part["type"] for part in user["content"]] == ["image_url", "image_url", "text"]
    assert user["content"][0]["image_url"]["url"] == "data:image/jpeg;base64,b25l"
    assert user["content"][-1]["text"] == "What happens?"


def test_the_schema_is_asked_for_in_the_one_way_that_is_not_ignored() -> None:
    body = body_of(REQUEST, "m")
    assert body["response_format"]["type"] == "json_schema"
    assert body["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert "guided_json" not in body


def test_sampling_leaves_nothing_to_chance() -> None:
    body = body_of(REQUEST, "m")
    assert (body["temperature"], body["seed"], body["max_tokens"]) == (0.0, 0, 100)


def test_a_whole_reply_is_an_answer() -> None:
    assert read(reply()) == Answer("k", '{"a": 1}', Stop.DONE, 7, 3, cached=False)


def test_half_a_character_is_a_question_mark_because_nothing_can_be_written_with_it() -> None:
    message = {"role": "assistant", "content": '{"a": "\ud83d"}'}
    answer = read(reply(choices=[{"index": 0, "message": message, "finish_reason": "stop"}]))
    assert answer.text == '{"a": "?"}'


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": "n"}, "answered as model 'n', expected 'm'"),
        ({"id": "chatcmpl-t2"}, "answers another request"),
        ({"choices": []}, "found 0 choices"),
        ({"choices": None}, "no list of choices"),
        ({"choices": [{}, {}]}, "found 2 choices"),
        ({"choices": [{"finish_reason": "stop"}]}, "no message"),
        ({"choices": [{"message": {"content": "x"}, "finish_reason": "abort"}]}, "stopped for 'abort'"),
        ({"choices": [{"message": {"content": None}, "finish_reason": "stop"}]}, "content None"),
        ({"choices": [{"message": {"content": " \n"}, "finish_reason": "stop"}]}, "empty answer"),
        ({"usage": None}, "usage.prompt_tokens is None"),
        ({"usage": {"prompt_tokens": 1, "completion_tokens": True}}, "usage.completion_tokens is True"),
        ({"usage": {"prompt_tokens": -1, "completion_tokens": 1}}, "usage.prompt_tokens is -1"),
    ],
)
def test_what_is_no_answer_is_said(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(OddAnswer, match=said):
        read(reply(**changes))


@pytest.mark.parametrize("raw", [b"", b"<html>", b"\xff\xfe", b"[1]", b'"x"', b"[" * 100_000, b'{"model": "m"'])
def test_a_body_that_is_no_object_is_no_answer(raw: bytes) -> None:
    with pytest.raises(OddAnswer):
        answer_of("k", "m", None, raw)
    with pytest.raises(OddAnswer):
        models_of(raw)
    assert len(words_of(raw)) < 300


def test_a_model_that_only_thought_until_its_tokens_were_gone_is_truncated() -> None:
    choice = {"message": {"content": None}, "finish_reason": "length"}
    assert (read(reply(choices=[choice])).text, read(reply(choices=[choice])).stop) == ("", Stop.TRUNCATED)


@pytest.mark.parametrize(
    "choice",
    [
        {"message": {"content": None, "refusal": "I will not."}, "finish_reason": "stop"},
        {"message": {"content": "half"}, "finish_reason": "content_filter"},
    ],
)
def test_a_model_may_decline(choice: dict[str, Any]) -> None:
    with pytest.raises(Declined):
        read(reply(choices=[choice]))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)


@given(st.dictionaries(st.sampled_from(["id", "model", "choices", "usage"]), JSON, max_size=4))
def test_whatever_stands_in_a_reply_it_is_an_answer_or_odd(changes: dict[str, Any]) -> None:
    try:
        answer = read(reply(**changes))
    except (OddAnswer, Declined):
        return
    assert answer.text.strip()
    assert reply(**changes)["model"] == "m"


def test_a_servers_words_are_its_error_message() -> None:
    assert words_of(b'{"error": {"message": "too long"}}') == "'too long'"
    assert words_of(b'{"detail": "no"}') == "{'detail': 'no'}"
