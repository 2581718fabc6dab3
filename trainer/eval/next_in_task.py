"""Event mode's planner where physics knows the task: the next event not done, for as long as its verb usually takes.

The duration is the median of the verb in the training set, never the true one, which nobody could know beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trainer.eval.environment import Environment
from trainer.next_event import NextEvent, PastEvent
from trainer.policy import Observation


@dataclass(frozen=True)
class NextInTask:
    """A `trainer.next_event.Planner` of one environment. By verb, not by words: a retreat says "move … away" too."""

    environment: Environment
    durations_s: Mapping[str, float]
    """By verb; "" stands for any other."""

    def next(self, observation: Observation, history: Sequence[PastEvent]) -> NextEvent | None:
        """None when all is done."""
        del observation, history
        number, events = self.environment.events_done, self.environment.events
        if number == len(events):
            return None
        return NextEvent(events[number], self.usual_s(self.environment.verbs[number]))

    def usual_s(self, verb: str) -> float:
        return self.durations_s.get(verb, self.durations_s[""])

    def patience_s(self) -> float:
        """Twice what the task's events usually take together: time for second tries, and an end."""
        return 2.0 * sum(map(self.usual_s, self.environment.verbs))
