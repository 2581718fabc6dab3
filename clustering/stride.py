"""An order of draws whose every prefix is balanced within 2, and in which draw t is found without those before it.

Cells are the leaves of a Huffman tree over their shares. Of the first n draws that reach a node, the left child gets
round(n·p), p being its part of the node's share; draw n goes where that count grows. So a child's count is off by no
more than ½ + p·(its parent's). In a Huffman tree a child with children of its own has p ≤ 2/3 (its sibling is at least
as heavy as the heavier of its two halves), hence inner nodes stay below ½ + 2/3·½ + 4/9·½ + … = 3/2 and every leaf
below ½ + 3/2 = 2, whatever the shares. Strides with random phases have no such bound: with one cell of half the mass
and 4,095 small ones they are off by 14 or more, with 100,000 heavy-tailed ones by 26 (benchmarks/load_plan.py). A draw
costs the depth of its cell, about log2(1/share) steps, and yields its number inside the cell too, which
`clustering.feistel` turns into an event.
"""

import heapq
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clustering.counter_hash import key_of, mix

Ints = NDArray[np.int64]

_SCALE = 53
"""Parts p are whole multiples of 2^-53: counts come from integer arithmetic, the same on every machine."""
_LOW = 27
MOST_DRAWS = 1 << 36
"""n·p stays below 2^63 when multiplied in two halves."""


@dataclass(frozen=True, eq=False)
class StrideTree:
    """Inner nodes 0 … M − 1, the root first; a child ≥ 0 is an inner node, a child < 0 is cell −1 − child."""

    part: Ints
    """p of the left child, times 2^53."""
    left: Ints
    right: Ints


def stride_tree(shares: NDArray[Any], seed: int) -> StrideTree:
    """The tree of ``shares`` [K] ≥ 0. Equal shares are told apart by the seed, which also decides who is left.

    Raises ValueError without any positive share.
    """
    shares = np.asarray(shares, np.float64)
    cells = np.flatnonzero(shares > 0)
    if np.any(shares < 0) or not len(cells):
        raise ValueError(f"shares: found {shares[:8]}, expected non-negative numbers with a positive sum")
    hashes = mix(np.arange(2 * len(shares), dtype=np.uint64) + np.uint64(key_of("stride", str(seed)) >> 8), 0)
    heap = [
        (share, int(hashes[cell]), -1 - cell)
        for cell, share in zip(cells.tolist(), shares[cells].tolist(), strict=True)
    ]
    heapq.heapify(heap)
    nodes: list[tuple[int, int, int]] = []
    while len(heap) > 1:
        light, _, one = heapq.heappop(heap)
        heavy, _, other = heapq.heappop(heap)
        total, number = light + heavy, len(nodes)
        key = int(hashes[len(shares) + number])
        if key & 1:
            light, one, other = heavy, other, one
        nodes.append((round(light / total * (1 << _SCALE)), one, other))
        heapq.heappush(heap, (total, key, number))
    if not nodes:
        nodes.append((1 << _SCALE, heap[0][2], heap[0][2]))
    part, left, right = np.array(nodes[::-1], np.int64).T
    last = len(nodes) - 1  # reversed, so that the root comes first
    return StrideTree(part, *(np.where(child >= 0, last - child, child) for child in (left, right)))


def draws(tree: StrideTree, first: int, count: int) -> tuple[Ints, Ints]:
    """Cell and number inside the cell of draws ``first`` … ``first + count − 1``, int64 each."""
    if first < 0 or first + count > MOST_DRAWS:
        raise ValueError(f"draws {first} … {first + count - 1}: expected 0 … {MOST_DRAWS - 1}")
    number = np.arange(first, first + count, dtype=np.int64)
    cell, inside = np.empty(count, np.int64), np.empty(count, np.int64)
    rows, node = np.arange(count), np.zeros(count, np.int64)
    while len(rows):
        part = tree.part[node]
        before = _rounded(number, part)
        goes_left = _rounded(number + 1, part) > before
        number = np.where(goes_left, before, number - before)
        node = np.where(goes_left, tree.left[node], tree.right[node])
        done = node < 0
        cell[rows[done]], inside[rows[done]] = -1 - node[done], number[done]
        rows, node, number = rows[~done], node[~done], number[~done]
    return cell, inside


def _rounded(number: Ints, part: Ints) -> Ints:
    """⌊number·part/2^53 + ½⌋, exactly: the product is taken in two halves that fit 64 bits."""
    high = number * (part >> _LOW) + ((number * (part & ((1 << _LOW) - 1))) >> _LOW)
    rounded: Ints = (high + (1 << (_SCALE - _LOW - 1))) >> (_SCALE - _LOW)
    return rounded
