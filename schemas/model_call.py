"""What a question to a model cost: one row of the ledger per request, answered or not."""

from dataclasses import dataclass
from enum import StrEnum


class CallOutcome(StrEnum):
    """How a request ended."""

    ANSWERED = "answered"
    TRUNCATED = "truncated"
    CACHED = "cached"
    """Known from before: no call was made and no token spent."""
    REFUSED = "refused"
    """Servers do not take this request. What it cost them is not told: its tokens count as 0."""
    UNANSWERED = "unanswered"
    """The servers were lost first, or whoever asked stopped listening; tokens as above."""


@dataclass(frozen=True)
class ModelCall:
    """One request to a model in one run."""

    run_id: str
    item: str
    """The item of the stage that asked: an episode."""
    call: str
    """Which step of the protocol."""
    subject: str
    """The window or event asked about."""
    model: str
    """Name and revision."""
    key: str
    """The request's digest, under which its answer is kept."""
    outcome: CallOutcome
    prompt_tokens: int
    """Spent in this run: 0 for an answer known from before."""
    completion_tokens: int
    attempts: int
    """Times the question was sent; 0 for an answer known from before and where it is not known."""
    seconds: float

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens
