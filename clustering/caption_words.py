"""A caption as a signed hashed bag of words: fixed length, no vocabulary to fit, so it can be made event by event.

Besides the caption's words there is one token per slot (verb, objects, arm), so that "grasp the red cup" and "the cup
is grasped" share more than a word. The sign of a token's hash makes collisions cancel on average (Weinberger et al.
2009). Numbers are left out: "takes 4 s" says nothing about what happened.
"""

import math
import re
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from clustering.counter_hash import key_of
from schemas.event import Event, Verb

_WORD = re.compile(r"[^\W\d_]+")


def tokens_of(event: Event) -> list[str]:
    """Words of the caption in lower case, and ``slot=value`` tokens."""
    words = _WORD.findall(event.caption.lower())
    slots = [f"object={name.lower()}" for name in event.objects]
    if event.verb is not Verb.OTHER:
        slots.append(f"verb={event.verb}")
    if event.arm is not None:
        slots.append(f"arm={event.arm}")
    return words + slots


def hashed_words(event: Event, dims: int) -> NDArray[np.float64]:
    """Float64 [dims]: signed sublinear counts (1 + log n) of the event's tokens."""
    vector = np.zeros(dims)
    for token, count in sorted(Counter(tokens_of(event)).items()):
        key = key_of("word", token)
        vector[(key >> 1) % dims] += (1.0 + math.log(count)) * (1.0 if key & 1 else -1.0)
    return vector
