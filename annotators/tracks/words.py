"""The verb of an annotation's words: its first word in the closed vocabulary, however it is inflected.

A label that cannot be read gives None, never a guess: the words themselves stay the caption.
"""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from schemas.event import Verb

_WORD = re.compile(r"[a-z]+")
_ALSO: Mapping[str, Verb] = MappingProxyType(
    {
        "pick": Verb.PICK_UP,
        "take": Verb.PICK_UP,
        "fetch": Verb.PICK_UP,
        "retrieve": Verb.PICK_UP,
        "grab": Verb.GRASP,
        "put": Verb.PLACE,
        "drop": Verb.RELEASE,
        "raise": Verb.LIFT,
        "turn": Verb.ROTATE,
        "approach": Verb.REACH,
        "throw": Verb.TOSS,
    }
)
"""What annotators say for verbs of ours. ``get``, ``set`` and ``make`` mean too many things."""
_IRREGULAR: Mapping[str, str] = MappingProxyType({"taking": "take", "putting": "put", "took": "take", "held": "hold"})


def _forms(word: str) -> Iterator[str]:
    """A verb as annotators inflect it: grasp, grasps, grasping, grasped; moving, stirred."""
    stem = word.removesuffix("e")
    yield from (word, f"{word}s", f"{word}es", f"{stem}ing", f"{stem}ed", f"{word}{word[-1]}ing", f"{word}{word[-1]}ed")


def _vocabulary() -> Mapping[tuple[str, ...], Verb]:
    phrases: dict[tuple[str, ...], Verb] = {tuple(verb.value.split()): verb for verb in Verb if verb is not Verb.OTHER}
    phrases |= {(word,): verb for word, verb in _ALSO.items()}
    return MappingProxyType({(form, *rest): verb for (first, *rest), verb in phrases.items() for form in _forms(first)})


_PHRASES = _vocabulary()
_LONGEST = max(len(phrase) for phrase in _PHRASES)
_BEFORE = frozenset({"the", "a", "c", "person", "robot", "human", "then", "and", "left", "right", "arm", "hand", "to"})
"""What may stand before the verb: "C picks up …", "the robot grasps …"."""


def verb_of(text: str) -> Verb | None:
    """The verb of a label such as "Pick up the cup" or "C opens the drawer"; None when it does not begin with one."""
    words = [_IRREGULAR.get(word, word) for word in _WORD.findall(text.lower())]
    while words and words[0] in _BEFORE:
        words.pop(0)
    for length in range(min(_LONGEST, len(words)), 0, -1):
        verb = _PHRASES.get(tuple(words[:length]))
        if verb is not None:
            return verb
    return None
