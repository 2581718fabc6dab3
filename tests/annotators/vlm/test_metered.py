"""Every request leaves one row that says what it cost in this run, however it ended."""

from collections.abc import Iterator, Sequence

import pytest

from annotators.vlm.metered import MeteredAsker
from annotators.vlm.request import Answer, Call, Refusal, Request, Stop
from pipeline.errors import ServiceError
from schemas.model_call import CallOutcome, ModelCall


class Ending:
    """Answers by what the text says, then loses its servers when asked to."""

    def ask(self, requests: Sequence[Request]) -> Iterator[Answer | Refusal]:
        for request in requests:
            match request.text:
                case "lost":
                    raise ServiceError("down")
                case "refused":
                    yield Refusal(request.key, "too long")
                case text:
                    stop = Stop.TRUNCATED if text == "truncated" else Stop.DONE
                    yield Answer(request.key, "{}", stop, 100, 20, cached=text == "cached", attempts=3, seconds=1.5)


def request(text: str) -> Request:
    return Request(Call.VERIFY, f"ev-{text}", "m@1", "", (), text, "{}", 10)


def rows(*texts: str) -> list[ModelCall]:
    noted: list[ModelCall] = []
    answers = MeteredAsker(Ending(), noted.append).ask([request(text) for text in texts])
    if "lost" in texts:
        with pytest.raises(ServiceError):
            list(answers)
    else:
        assert len(list(answers)) == len(texts)
    return noted


@pytest.mark.parametrize("text", ["answered", "truncated"])
def test_an_answer_costs_what_the_server_counted(text: str) -> None:
    (row,) = rows(text)
    assert row.outcome == text
    assert (row.prompt_tokens, row.completion_tokens, row.attempts, row.seconds) == (100, 20, 3, 1.5)
    assert (row.call, row.subject, row.model, row.key) == ("verify", f"ev-{text}", "m@1", request(text).key)


@pytest.mark.parametrize("text", ["cached", "refused"])
def test_what_was_known_or_refused_cost_nothing_that_we_know_of(text: str) -> None:
    (row,) = rows(text)
    assert row.outcome == text
    assert (row.tokens, row.attempts, row.seconds) == (0, 0, 0.0)


def test_requests_that_lost_their_server_leave_rows_too() -> None:
    assert [row.outcome for row in rows("answered", "lost", "after")] == [
        CallOutcome.ANSWERED,
        CallOutcome.UNANSWERED,
        CallOutcome.UNANSWERED,
    ]


def test_what_a_caller_leaves_unread_is_noted() -> None:
    noted: list[ModelCall] = []
    answers = MeteredAsker(Ending(), noted.append).ask([request("a"), request("b")])
    next(answers)
    answers.close()  # type: ignore[attr-defined]  # it is a generator
    assert [row.outcome for row in noted] == [CallOutcome.ANSWERED, CallOutcome.UNANSWERED]
