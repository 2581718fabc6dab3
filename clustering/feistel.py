"""Permutations without tables: the j-th of n events in a seeded order, for any j at any time.

A Feistel network over Z_a × Z_b with a·b ≥ n is a bijection whatever its round functions are; numbers beyond n are sent
through it again until they fall inside ("cycle walking"; Black & Rogaway, "Ciphers with arbitrary finite domains",
2002), which keeps it a bijection of 0 … n − 1. With a = ⌈√n⌉ hardly any number has to walk. Round functions are hashes
of (key, round, half): no state, and a cell of a million events costs no memory.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from clustering.counter_hash import Keys, mix

ROUNDS = 12
"""With 8, the 120 orders of five events are visibly uneven; with 12 they pass a χ² test on 20,000 keys."""
_HALF = np.uint64(32)
MOST = 1 << 31
"""Halves stay far below 2^32, so that a hash times a side fits 64 bits."""


def permuted(keys: Keys, index: NDArray[Any], size: NDArray[Any]) -> NDArray[np.int64]:
    """Place ``index`` [N] of the permutation of ``size`` [N] things that ``keys`` [N] names; every row on its own.

    Raises ValueError for an index outside 0 … size − 1 or a size over 2^31.
    """
    x, n = np.asarray(index).astype(np.uint64), np.asarray(size).astype(np.uint64)
    if np.any(np.asarray(index) < 0) or np.any(x >= n) or np.any(n > MOST):
        raise ValueError(f"index: expected 0 ≤ index < size ≤ {MOST} in every row")
    a = _ceil_sqrt(n)
    b = (n + a - np.uint64(1)) // np.maximum(a, np.uint64(1))
    rounds = [mix(keys, number) for number in range(ROUNDS)]
    out = _network(rounds, x, a, b)
    walking = np.flatnonzero(out >= n)
    while len(walking):
        out[walking] = _network([key[walking] for key in rounds], out[walking], a[walking], b[walking])
        walking = walking[out[walking] >= n[walking]]
    return out.astype(np.int64)


def _network(rounds: list[Keys], x: Keys, a: Keys, b: Keys) -> Keys:
    left, right = x // b, x % b
    for number, key in enumerate(rounds):
        if number % 2 == 0:
            left = _added(left, _below(mix(key ^ right, number), a), a)
        else:
            right = _added(right, _below(mix(key ^ left, number), b), b)
    joined: Keys = left * b + right
    return joined


def _added(half: Keys, offset: Keys, side: Keys) -> Keys:
    total = half + offset
    return np.where(total >= side, total - side, total)


def _below(hashes: Keys, side: Keys) -> Keys:
    """Hashes as numbers 0 … side − 1: the upper half times the side, without a division."""
    scaled: Keys = ((hashes >> _HALF) * side) >> _HALF
    return scaled


def _ceil_sqrt(n: Keys) -> Keys:
    root = np.floor(np.sqrt(n.astype(np.float64))).astype(np.uint64)
    ceiling: Keys = root + (root * root < n)
    return ceiling
