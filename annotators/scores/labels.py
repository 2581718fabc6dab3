"""Whether a stretch is called what it is, given the true cuts: names are scored apart from where they begin and end.

Each true phase of an arm asks the event of that arm, or of no arm, that covers most of it for its verb.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from annotators.kinematic.evidence import VERB_OF
from annotators.scores.marks import Case, Part
from schemas.event import Verb

TRUE_VERBS = {verb.value: verb for verb in Verb if verb is not Verb.OTHER} | {
    phase.value: verb for phase, verb in VERB_OF.items() if verb is not Verb.OTHER
}
"""What the truth calls a stretch → its verb: simulators name phases, people verbs; other names are not asked."""
_AS_GOOD = {Verb.PULL.value: Verb.PUSH.value}
"""Simulators call every contact without a hold a push, whichever way it goes."""


@dataclass(frozen=True)
class LabelScore:
    """How often one phase, or all of them, got the right verb."""

    phase: str
    right: int
    asked: int

    @property
    def accuracy(self) -> float:
        return self.right / self.asked


def label_scores(cases: Sequence[Case]) -> tuple[LabelScore, ...]:
    """Per phase, in order of name; phases that never occur are left out."""
    right: dict[str, int] = {}
    asked: dict[str, int] = {}
    for case in cases:
        for part in case.true_parts:
            if part.name not in TRUE_VERBS or not _covered(part, case):
                continue
            asked[part.name] = asked.get(part.name, 0) + 1
            found = verb_at(part, case.parts) or ""
            right_ones = (found, _AS_GOOD.get(found))
            right[part.name] = right.get(part.name, 0) + (TRUE_VERBS[part.name].value in right_ones)
    return tuple(LabelScore(name, right[name], asked[name]) for name in sorted(asked))


def agreeing(case: Case, parts: Sequence[Part]) -> tuple[int, int]:
    """How many of the truth's verbs somebody's parts give too, and how many are asked; phases count as their verbs."""
    asked = [part for part in case.true_parts if part.name in TRUE_VERBS and _covered(part, case)]
    said = [verb_at(part, parts) for part in asked]
    return sum(TRUE_VERBS[p.name] is TRUE_VERBS.get(v or "") for p, v in zip(asked, said, strict=True)), len(asked)


def verb_at(part: Part, events: Sequence[Part]) -> str | None:
    """The verb of the event that covers most of a true phase; None when none of its arm does."""
    mine = [event for event in events if event.arm in (part.arm, None) or part.arm is None]
    best = max(mine, key=lambda event: _overlap(part, event.start_ns, event.end_ns), default=None)
    return best.name if best is not None and _overlap(part, best.start_ns, best.end_ns) > 0 else None


def _covered(part: Part, case: Case) -> bool:
    """Whether at least half of it lies in what was kept."""
    kept = sum(max(0, _overlap(part, start, end)) for start, end in case.ranges_ns)
    return 2 * kept >= part.end_ns - part.start_ns > 0


def _overlap(part: Part, start_ns: int, end_ns: int) -> int:
    return min(part.end_ns, end_ns) - max(part.start_ns, start_ns)
