"""Licences by name: which names are one, what a name forbids, and which samples a list of them lets through.

A name is an SPDX identifier or the publisher's own words. Only what a name says outright counts: two names are one if
they differ in case and spaces alone, because a rule that guesses lets through what nobody allowed.
"""

import re
from collections.abc import Sequence

from schemas.source_card import Redistribution

_WORDS = re.compile(r"[a-z0-9]+")
_TERMS = {
    "nc": ("nc", "noncommercial"),
    "nd": ("nd", "noderivatives", "noderivs"),
    "sa": ("sa", "sharealike"),
    "by": ("by", "attribution"),
}


def plain(name: str) -> str:
    """A licence's name without the differences that say nothing."""
    return " ".join(name.casefold().split())


def terms(name: str) -> frozenset[str]:
    """Which of ``by``, ``nc``, ``nd`` and ``sa`` a name states."""
    words = set(_WORDS.findall(plain(name)))
    return frozenset(term for term, spelled in _TERMS.items() if words & set(spelled))


def admitted(licence: str, redistribution: Redistribution, allow: Sequence[str] | None) -> bool:
    """Whether a list of licences and redistribution modes lets this through; no list lets everything through.

    What a card says must not be redistributed is let through by ``forbidden`` alone, whatever its licence is called.
    """
    if allow is None:
        return True
    named = {plain(entry) for entry in allow}
    if redistribution in named:
        return True
    return redistribution is not Redistribution.FORBIDDEN and plain(licence) in named
