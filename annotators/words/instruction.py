"""What an instruction names: objects to take or move, where to put them, and with which arm.

A small deterministic reading of imperative English, not language understanding: a wrong name in a caption is worse
than no name, so whatever does not fit the pattern "verb (the) up-to-three-words" is left out.
"""

import re
from dataclasses import dataclass
from itertools import pairwise

from schemas.episode import Arm

MAX_NOUN_WORDS = 3
_TAKING = frozenset({"pick", "grasp", "grab", "take", "lift", "fetch", "get", "collect", "hold"})
_PUTTING = frozenset(
    {"put", "place", "move", "push", "drop", "set", "bring", "transfer", "insert", "stack", "pull", "slide"}
)
_PARTICLES = frozenset({"up", "down", "away", "back", "out", "off"})
_DETERMINERS = frozenset(
    ("the", "a", "an", "one", "this", "that", "these", "those", "your", "my", "his", "her", "its", "their", "some")
)
_PRONOUNS = frozenset(
    ("it", "them", "something", "everything", "anything", "all", "both", "each",
     "object", "objects", "item", "items", "thing", "things")
)  # fmt: skip
_BODY = frozenset(("arm", "arms", "hand", "hands", "gripper", "grippers", "robot"))
_PREPOSITIONS = frozenset(
    ("from", "on", "onto", "in", "into", "inside", "to", "towards", "toward", "with", "by", "near", "next", "under",
     "over", "above", "below", "of", "beside", "behind", "using", "at", "for")
)  # fmt: skip
_STOP = _PARTICLES | _PREPOSITIONS | frozenset(("and", "then", "while", "until", ",", ".", ";", ":", "(", ")"))
_PLACES = (
    ("on", "top", "of"), ("in", "front", "of"), ("next", "to"), ("close", "to"), ("in",), ("into",), ("inside",),
    ("on",), ("onto",), ("to",), ("towards",), ("toward",), ("at",), ("beside",), ("under",), ("over",), ("behind",),
    ("near",),
)  # fmt: skip
_WORD = re.compile(r"[^\W_]+(?:[-'][^\W_]+)*|[,.;:()]")


@dataclass(frozen=True)
class NamedGoal:
    """One object of an instruction; empty strings and None for what it does not say."""

    noun: str
    """Without article, e.g. ``yellow bottle``."""
    destination: str = ""
    """With its preposition, e.g. ``in the plate``."""
    arm: Arm | None = None


def named_goals(instruction: str) -> list[NamedGoal]:
    """The objects an instruction names, in its order; several verbs about one object are one goal."""
    words = _WORD.findall(instruction.lower())
    starts = [i for i, word in enumerate(words) if word in _TAKING | _PUTTING and _opens_clause(words, i)]
    goals: list[NamedGoal] = []
    for start, end in pairwise([*starts, len(words)]):
        clause = words[start:end]
        noun, rest = _noun(clause[1:])
        destination = _destination(rest) if clause[0] in _PUTTING else ""
        arm = _arm(clause)
        same = goals and (noun is None or noun == goals[-1].noun)
        if same:
            before = goals.pop()
            goals.append(NamedGoal(before.noun, destination or before.destination, arm or before.arm))
        elif noun:
            goals.append(NamedGoal(noun, destination, arm))
    return goals


def _opens_clause(words: list[str], i: int) -> bool:
    """A verb, not a noun that looks like one ("the set", "a hold")."""
    return i == 0 or words[i - 1] not in _DETERMINERS


def _noun(words: list[str]) -> tuple[str | None, list[str]]:
    """The noun phrase at the start of ``words`` and what follows; None for a pronoun, '' when nothing fits."""
    i = 0
    while i < len(words) and words[i] in _PARTICLES:
        i += 1
    while i < len(words) and words[i] in _DETERMINERS:
        i += 1
    end = i
    while end < len(words) and words[end] not in _STOP:
        end += 1
    phrase = words[i:end]
    if phrase and phrase[-1] in _PRONOUNS:
        return (None if len(phrase) == 1 else ""), words[end:]
    fits = len(phrase) <= MAX_NOUN_WORDS and not (phrase and phrase[-1] in _BODY)
    return (" ".join(phrase) if fits else ""), words[end:]


def _destination(words: list[str]) -> str:
    """The first place named: a preposition and a noun phrase."""
    for i in range(len(words)):
        for place in _PLACES:
            if tuple(words[i : i + len(place)]) != place:
                continue
            noun, _ = _noun(words[i + len(place) :])
            if noun and not {"left", "right"} & set(noun.split()):
                return f"{' '.join(place)} the {noun}"
            break
    return ""


def _arm(clause: list[str]) -> Arm | None:
    for side, thing in pairwise(clause):
        if side in tuple(Arm) and thing in ("arm", "hand", "gripper"):
            return Arm(side)
    return None
