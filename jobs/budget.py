"""The most that one run may ask of models. The coordinator counts, because only it sees every worker.

A limit is passed by what is in flight when it is reached, at most a batch per worker; what has been answered is kept,
so a run that goes on after the limit was raised pays for nothing twice.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.errors import ServiceError
from schemas.model_call import CallOutcome, ModelCall

ASKED = (CallOutcome.ANSWERED, CallOutcome.TRUNCATED)


@dataclass
class Budget:
    """What is left of the limits of one run. None: no limit."""

    max_calls: int | None = None
    max_tokens: int | None = None
    calls: int = 0
    tokens: int = 0

    def spend(self, calls: Iterable[ModelCall]) -> None:
        """Count calls. Raises ServiceError when a limit is passed."""
        for call in calls:
            self.calls += call.outcome in ASKED
            self.tokens += call.tokens
        for name, spent, most in (("calls", self.calls, self.max_calls), ("tokens", self.tokens, self.max_tokens)):
            if most is not None and spent > most:
                raise ServiceError(
                    f"this run has spent {spent:,} {name} on models, max_{name} is {most:,}; raise it and run again: "
                    "answers so far are kept and cost nothing then"
                )
