"""Packing events of different length into packs of a fixed token budget, nearly full and nearly in order.

Padding every event to the longest wastes six tokens of seven (loader.md). A pack is anchored on the oldest
waiting draw, then filled best-fit from a window of the next few, so that no draw waits for more than ``window``
packs and the plan's prefix bounds suffer by at most the window. Packs depend on the lengths alone: not on ranks,
not on time. The state after a pack is a handful of integers, so a run resumes at any pack exactly.

The window is kept sorted by (length, age), so the best fit is one bisection: about a microsecond per draw, thirty
times faster than looking at all that wait, and the same packs to the draw (tests/pipeline/loader/test_pack.py).
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_AGE_BITS = 48
_YOUNGEST = (1 << _AGE_BITS) - 1
"""A waiting draw is the number length·2^48 + (2^48 − 1 − t): of those that fit, the largest is the best fit."""


@dataclass(frozen=True)
class PackState:
    """Where packing stands: draws seen but not packed yet, oldest first, and the next draw to look at."""

    waiting: tuple[int, ...] = ()
    next_t: int = 0


@dataclass(frozen=True)
class Pack:
    """Draws that share one sequence."""

    draws: tuple[int, ...]
    """In the order taken; the first is the oldest."""
    n_tokens: int
    after: PackState
    """Pass it to `packs` to continue with the pack after this one."""


@dataclass(frozen=True, eq=False)
class FilledPacks:
    """Many packs as arrays: pack p is ``draws[starts[p]:starts[p + 1]]``."""

    draws: NDArray[np.int64]
    starts: NDArray[np.int64]
    after: PackState
    enough: bool
    """Whether all that was asked for is packed; if not, more lengths are needed to decide."""


def packs(lengths: Sequence[int], budget: int, window: int = 64, state: PackState = PackState()) -> Iterator[Pack]:
    """Packs of draws 0 … n − 1, where draw t takes ``lengths[t]`` tokens; every draw is in exactly one pack.

    Raises ValueError for a window under 1 and, on reaching it, for a draw of no tokens or of more than the budget.
    """
    packing = _Packing(lengths, budget, window, state)
    while draws := packing.take():
        yield Pack(tuple(draws), budget - packing.room, packing.state())


def fill(
    lengths: Sequence[int], budget: int, window: int, state: PackState, *, group: int, at_least: int, at_most: int
) -> FilledPacks:
    """Whole groups of packs: until ``at_least`` draws are packed or there are ``at_most`` groups.

    More draws are taken to follow, so a pack that the next draw might still join is left to them: the packs are those
    of any longer sequence that begins with ``lengths``. Raises ValueError as `packs` does.
    """
    packing = _Packing(lengths, budget, window, state)
    order: list[int] = []
    starts, kept, after = [0], 0, state
    while (len(order) < at_least and len(starts) <= at_most * group) or (len(starts) - 1) % group:
        taken = packing.take()
        if packing.next_t == len(lengths):
            return FilledPacks(np.array(order[: starts[kept]], np.int64), np.array(starts[: kept + 1]), after, False)
        order += taken
        starts.append(len(order))
        if (len(starts) - 1) % group == 0:
            kept, after = len(starts) - 1, packing.state()
    return FilledPacks(np.array(order, np.int64), np.array(starts), after, True)


class _Packing:
    """The window of waiting draws, sorted by (length, age) and, in ``arrived``, by age."""

    def __init__(self, lengths: Sequence[int], budget: int, window: int, state: PackState) -> None:
        if window < 1:
            raise ValueError(f"window: found {window}, expected at least 1")
        self.lengths, self.budget, self.window = lengths, budget, window
        self.room, self.next_t = budget, state.next_t
        self.arrived = deque(self._key(t) for t in state.waiting)
        self.sorted = sorted(self.arrived)
        self.gone: set[int] = set()

    def take(self) -> list[int]:
        """The draws of the next pack; none when there are none left."""
        keys, arrived, gone = self.sorted, self.arrived, self.gone
        chosen: list[int] = []
        room = self.budget
        while True:
            while len(keys) < self.window and self.next_t < len(self.lengths):
                key = self._key(self.next_t)
                insort(keys, key)
                arrived.append(key)
                self.next_t += 1
            if chosen:
                at = bisect_left(keys, (room + 1) << _AGE_BITS) - 1
                if at < 0:
                    break
                key = keys[at]
                gone.add(key)
            elif keys:
                while (key := arrived.popleft()) in gone:
                    gone.remove(key)
                at = bisect_left(keys, key)
            else:
                break
            del keys[at]
            chosen.append(_YOUNGEST - (key & _YOUNGEST))
            room -= key >> _AGE_BITS
        self.room = room
        return chosen

    def state(self) -> PackState:
        return PackState(tuple(sorted(_YOUNGEST - (key & _YOUNGEST) for key in self.sorted)), self.next_t)

    def _key(self, t: int) -> int:
        length = self.lengths[t]
        if not 0 < length <= self.budget:
            expected = f"expected 1 … {self.budget}; raise the budget or cut fewer frames"
            raise ValueError(f"draw {t}: {length} tokens, {expected}")
        return (length << _AGE_BITS) | (_YOUNGEST - t)
