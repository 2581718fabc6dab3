"""What a query looks for: stems of its words, as they are spelt in captions and in the vocabulary.

``re-grasp after slips`` looks for ``regrasp`` and ``slip``: hyphens inside words close up, words without content go,
and an ending is cut so that the rest is the beginning of all its forms. No dictionary: captions come in any language.
"""

import re
import unicodedata
from dataclasses import dataclass

_WORD = re.compile(r"[^\W_]+")
_INSIDE_A_WORD = re.compile(r"(?<=\w)[-'’](?=\w)")
_WITHOUT_CONTENT = frozenset(
    {
        "a", "after", "an", "and", "are", "as", "at", "before", "by", "during", "for", "from", "in", "into", "is", "it",
        "its", "of", "on", "onto", "or", "that", "the", "their", "then", "this", "to", "up", "was", "were", "when",
        "where", "while", "with",
    }
)  # fmt: skip
_ENDINGS = ("ings", "ing", "es", "ed", "s", "e")
_LEAST = 4
"""Letters that a stem keeps at least; shorter words must match whole."""


@dataclass(frozen=True)
class Term:
    """One word of a query."""

    stem: str
    whole: bool
    """Only the very word matches, not words that begin with it."""


def spelt(text: str) -> str:
    """Text as terms are compared: lower case, compatibility forms, words parted by single spaces, one at both ends."""
    folded = _INSIDE_A_WORD.sub("", unicodedata.normalize("NFKC", text).lower())
    return f" {' '.join(_WORD.findall(folded))} "


def terms_of(query: str) -> tuple[Term, ...]:
    """The terms of a query, each once, in their order; words without content only if there is nothing else."""
    words = spelt(query).split()
    telling = [word for word in words if word not in _WITHOUT_CONTENT] or words
    return tuple(dict.fromkeys(_term(word) for word in telling))


def _term(word: str) -> Term:
    for ending in _ENDINGS:
        stem = word.removesuffix(ending)
        if stem != word and len(stem) >= _LEAST:
            return Term(stem, whole=False)
    return Term(word, whole=len(word) < _LEAST)
