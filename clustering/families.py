"""The embedding models there are, and what a fit may assume of each one's numbers.

Vectors of one model name have one length and one meaning, and no fit ever mixes two names. Joint spaces are named
after their joints, because the third joint of one robot says nothing about the third of another; end-effector
poses are metres on every robot and share one name.
"""

from dataclasses import dataclass

WORDS = "joinery-words-v1"
"""Hashed caption words ⊕ colour/gradient pictures; the number after the colon is how many dimensions are words."""
OPEN_CLIP = "open_clip"
POSES = "joinery-poses-v2"
JOINTS = "joinery-joints-v1"
PSEUDO = ":pseudo"
"""Ends the name of a model whose motions nobody measured: the same numbers, fitted apart from measured ones."""


@dataclass(frozen=True)
class Family:
    """How a fit treats a model's vectors."""

    text_dims: int = 0
    """Leading dimensions that count words: weighted by inverse document frequency, and given half of the variance."""
    standardise: bool = False
    """Every dimension to unit variance, where source units are unknown."""
    whiten: bool = False
    """Every projected dimension to unit variance, for learned features whose scales mean nothing."""


def family_of(model: str) -> Family:
    """The family of an embedding model's name. Raises ValueError for a name no encoder here makes."""
    kind, _, parameters = model.partition(":")
    if kind == WORDS:
        return Family(text_dims=int(parameters))
    known = {OPEN_CLIP: Family(whiten=True), POSES: Family(), JOINTS: Family(standardise=True)}
    if kind not in known:
        raise ValueError(f"{model}: found an unknown embedding model, expected one of {[WORDS, *known]}")
    return known[kind]
