"""What has been answered once is not asked again, by no run and no worker; what is no whole answer is."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from annotators.vlm.cache import CachedAsker, path_of
from annotators.vlm.request import Answer, Call, Refusal, Request, Stop
from pipeline.blobs import Blobs
from schemas.identity import canonical_json
from tests.pipeline.s3_server import s3_bucket


class Counting:
    """Answers at once and counts. Whoever is behind the cache is not what is tested."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def ask(self, requests: Sequence[Request]) -> Iterator[Answer | Refusal]:
        for request in requests:
            self.asked.append(request.subject)
            if request.text == "refuse":
                yield Refusal(request.key, "too long")
                continue
            stop = Stop.TRUNCATED if request.text == "truncate" else Stop.DONE
            yield Answer(request.key, f"answer {request.text} ü", stop, 11, 5, cached=False)


def request(text: str) -> Request:
    return Request(Call.TREE, f"ev-{text}", "m@1", "", (b"jpeg",), text, "{}", 10)


REQUESTS = [request(text) for text in ("a", "b", "a")]


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(str(tmp_path))


def test_a_second_run_makes_no_call(blobs: Blobs) -> None:
    first = {answer.key: answer for answer in CachedAsker(Counting(), blobs).ask(REQUESTS)}
    inner = Counting()
    second = list(CachedAsker(inner, blobs).ask(REQUESTS))
    assert inner.asked == []
    assert len(second) == 2
    assert all(isinstance(answer, Answer) and answer.cached for answer in second)
    assert {answer.key: replace(answer, cached=False) for answer in second} == first  # type: ignore[type-var]


def test_only_what_is_unknown_is_asked(blobs: Blobs) -> None:
    list(CachedAsker(Counting(), blobs).ask(REQUESTS))
    inner = Counting()
    assert len(list(CachedAsker(inner, blobs).ask([*REQUESTS, request("c")]))) == 3
    assert inner.asked == ["ev-c"]


@pytest.mark.parametrize("text", ["truncate", "refuse"])
def test_what_is_no_whole_answer_is_asked_again(blobs: Blobs, text: str) -> None:
    inner = Counting()
    for _ in range(2):
        assert len(list(CachedAsker(inner, blobs).ask([request(text)]))) == 1
    assert inner.asked == [f"ev-{text}"] * 2


def test_an_answer_is_kept_before_it_is_handed_on(blobs: Blobs) -> None:
    """Whoever is killed while working on an answer has not paid for nothing."""
    answers = CachedAsker(Counting(), blobs).ask(REQUESTS)
    next(answers)
    assert blobs.exists(path_of(REQUESTS[0].key))


KEY = REQUESTS[0].key
FORGED = canonical_json({"key": KEY, "text": "forged", "prompt_tokens": 1, "completion_tokens": 1, "digest": "0"})


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"\xff", b"{}", FORGED.encode()])
def test_a_damaged_entry_is_asked_again_and_mended(blobs: Blobs, raw: bytes) -> None:
    blobs.put_bytes(path_of(KEY), raw)
    inner = Counting()
    for _ in range(2):
        (answer,) = CachedAsker(inner, blobs).ask([REQUESTS[0]])
        assert isinstance(answer, Answer)
        assert answer.text == "answer a ü"
    assert inner.asked == ["ev-a"]


def test_an_entry_under_another_key_is_not_believed(blobs: Blobs) -> None:
    list(CachedAsker(Counting(), blobs).ask([request("a")]))
    blobs.put_bytes(path_of(request("b").key), blobs.read(path_of(request("a").key)))
    (answer,) = CachedAsker(Counting(), blobs).ask([request("b")])
    assert isinstance(answer, Answer)
    assert (answer.text, answer.cached) == ("answer b ü", False)


def test_an_object_store_keeps_answers_too() -> None:
    with s3_bucket("answers") as storage:
        blobs = Blobs("s3://answers/workspace", storage)
        for cached in (False, True):
            (answer,) = CachedAsker(Counting(), blobs).ask([request("a")])
            assert isinstance(answer, Answer)
            assert answer.cached is cached
