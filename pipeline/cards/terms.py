"""What may be done with a mixture: per term the strictest of its parts, and who brings it.

A summary for people who choose sources, not legal advice: it says what the names and cards say, nothing more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.licence import terms
from schemas.source_card import PersonalData, Redistribution

REDISTRIBUTION = (
    Redistribution.ALLOWED, Redistribution.NON_COMMERCIAL, Redistribution.NOT_STATED, Redistribution.FORBIDDEN
)  # fmt: skip
"""From the freest; what is not stated counts as less than a permission and more than a ban."""
PERSONAL = (PersonalData.NONE, PersonalData.POSSIBLE, PersonalData.NOT_STATED, PersonalData.PRESENT)
TERMS = {
    "by": "name the authors",
    "nc": "no commercial use",
    "nd": "no altered copies",
    "sa": "pass on under the same licence",
}


@dataclass(frozen=True)
class Holding:
    """A source's rights as its card has them."""

    source: str
    licence: str
    redistribution: str
    personal_data: str


@dataclass(frozen=True)
class Term:
    """One question about the whole, its strictest answer, and the sources that give it."""

    question: str
    answer: str
    because_of: tuple[str, ...]


def strictest(holdings: Sequence[Holding]) -> list[Term]:
    """The rows of the strictest-wins table."""
    if not holdings:
        return []
    found = []
    for term, meaning in TERMS.items():
        holders = tuple(sorted({of.source for of in holdings if term in terms(of.licence)}))
        found.append(Term(meaning, "yes" if holders else "no", holders))
    found.append(_worst("redistribution", REDISTRIBUTION, {of.source: of.redistribution for of in holdings}))
    found.append(_worst("personal data", PERSONAL, {of.source: of.personal_data for of in holdings}))
    return found


def _worst(question: str, order: Sequence[str], said: Mapping[str, str]) -> Term:
    worst = max(said.values(), key=list(map(str, order)).index)
    return Term(question, worst, tuple(sorted(source for source, answer in said.items() if answer == worst)))
