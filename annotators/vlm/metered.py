"""Writes down what every request cost, whoever answers it.

Outermost of the askers, so that answers from the cache are counted as what they are. A request without an answer
leaves a row too: a run that fails has cost something all the same.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from annotators.vlm.request import Answer, Asker, Refusal, Request, Stop
from schemas.model_call import CallOutcome, ModelCall


@dataclass(frozen=True)
class MeteredAsker:
    """An `Asker` that notes a `ModelCall` per request. ``write_down`` gets it without run and item."""

    inner: Asker
    write_down: Callable[[ModelCall], None]

    def ask(self, requests: Sequence[Request]) -> Iterator[Answer | Refusal]:
        """See `annotators.vlm.request.Asker`. What a caller leaves unread counts as unanswered."""
        left = {request.key: request for request in requests}
        try:
            for answer in self.inner.ask(requests):
                if request := left.pop(answer.key, None):
                    self.write_down(_row(request, answer))
                yield answer
        finally:
            for request in left.values():
                self.write_down(_row(request, None))


def _row(request: Request, answer: Answer | Refusal | None) -> ModelCall:
    spent = answer if isinstance(answer, Answer) and not answer.cached else None
    return ModelCall(
        run_id="",
        item="",
        call=str(request.call),
        subject=request.subject,
        model=request.model,
        key=request.key,
        outcome=_outcome(answer),
        prompt_tokens=spent.prompt_tokens if spent else 0,
        completion_tokens=spent.completion_tokens if spent else 0,
        attempts=spent.attempts if spent else 0,
        seconds=spent.seconds if spent else 0.0,
    )


def _outcome(answer: Answer | Refusal | None) -> CallOutcome:
    if answer is None:
        return CallOutcome.UNANSWERED
    if isinstance(answer, Refusal):
        return CallOutcome.REFUSED
    if answer.cached:
        return CallOutcome.CACHED
    return CallOutcome.TRUNCATED if answer.stop is Stop.TRUNCATED else CallOutcome.ANSWERED
