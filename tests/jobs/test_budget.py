"""A run stops at its limits, and what was known from before costs nothing."""

import pytest

from jobs.budget import Budget
from pipeline.errors import ServiceError
from schemas.model_call import CallOutcome, ModelCall


def call(outcome: CallOutcome, tokens: int = 0) -> ModelCall:
    return ModelCall("r", "ep", "tree", "w", "m@1", "k", outcome, tokens, 0, 1, 1.0)


ANSWERED = call(CallOutcome.ANSWERED, 600)


def test_without_limits_everything_may_be_asked() -> None:
    budget = Budget()
    budget.spend([ANSWERED] * 1000)
    assert (budget.calls, budget.tokens) == (1000, 600_000)


@pytest.mark.parametrize(
    ("budget", "said"),
    [(Budget(max_calls=2), "3 calls on models, max_calls is 2"), (Budget(max_tokens=1500), "1,800 tokens on models")],
)
def test_a_limit_ends_the_run_once_it_is_passed(budget: Budget, said: str) -> None:
    budget.spend([ANSWERED, ANSWERED])
    with pytest.raises(ServiceError, match=said):
        budget.spend([ANSWERED])


def test_known_answers_and_refusals_are_no_calls() -> None:
    budget = Budget(max_calls=0, max_tokens=0)
    budget.spend([call(CallOutcome.CACHED), call(CallOutcome.REFUSED), call(CallOutcome.UNANSWERED)])
    assert (budget.calls, budget.tokens) == (0, 0)
