"""Randomness without state: every choice is a hash of names and counters.

A generator's state would make draw t depend on how many draws came before it in this process; a hash does not,
so resuming, resharding and appending need nothing but the numbers themselves. Python's own ``hash`` is no use:
it is salted per process.
"""

import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def key_of(*parts: str) -> int:
    """A 64-bit hash of the parts (BLAKE2b); the separator cannot occur in an id."""
    return int.from_bytes(hashlib.blake2b("\x1f".join(parts).encode(), digest_size=8).digest(), "little")


def keys_of(purpose: str, names: Iterable[str]) -> Keys:
    """`key_of` (purpose, name) for every name, uint64 [N]."""
    return np.fromiter((key_of(purpose, name) for name in names), np.uint64)


def unit_of(*parts: str) -> float:
    """A number in [0, 1), uniform over the parts; 53 bits, so the same on every machine."""
    return (key_of(*parts) >> 11) / float(1 << 53)


def mix(keys: Keys, counter: int) -> Keys:
    """Fresh hashes of ``keys`` for each value of a counter: the SplitMix64 finaliser (Steele, Lea & Flood 2014)."""
    with np.errstate(over="ignore"):  # arithmetic modulo 2^64 is what is meant
        z = keys + np.uint64(counter + 1) * _GOLDEN
        z = (z ^ (z >> np.uint64(30))) * _FIRST
        z = (z ^ (z >> np.uint64(27))) * _SECOND
        return z ^ (z >> np.uint64(31))
