"""Packing events of different length into packs of a fixed token budget, nearly full and nearly in order.

Padding every event to the longest wastes six tokens of seven (loader.md). A pack is anchored on the oldest
waiting draw, then filled best-fit from a window of the next few, so that no draw waits for more than ``window``
packs and the plan's prefix bounds suffer by at most the window. Packs depend on the lengths alone: not on ranks,
not on time. The state after a pack is a handful of integers, so a run resumes at any pack exactly.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


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


def packs(lengths: Sequence[int], budget: int, window: int = 64, state: PackState = PackState()) -> Iterator[Pack]:
    """Packs of draws 0 … n − 1, where draw t takes ``lengths[t]`` tokens; every draw is in exactly one pack.

    Raises ValueError for a window under 1 and, on reaching it, for a draw of no tokens or of more than the budget.
    """
    if window < 1:
        raise ValueError(f"window: found {window}, expected at least 1")
    waiting, next_t = list(state.waiting), state.next_t
    while waiting or next_t < len(lengths):
        chosen: list[int] = []
        room = budget
        while True:
            while len(waiting) < window and next_t < len(lengths):
                _check(next_t, lengths[next_t], budget)
                waiting.append(next_t)
                next_t += 1
            taken = waiting[0] if not chosen and waiting else _best(waiting, lengths, room)
            if taken is None:
                break
            waiting.remove(taken)
            chosen.append(taken)
            room -= lengths[taken]
        yield Pack(tuple(chosen), budget - room, PackState(tuple(waiting), next_t))


def _best(waiting: Sequence[int], lengths: Sequence[int], room: int) -> int | None:
    """The longest waiting draw that fits, the oldest among equals."""
    fitting = (t for t in waiting if lengths[t] <= room)
    return max(fitting, key=lambda t: (lengths[t], -t), default=None)


def _check(t: int, length: int, budget: int) -> None:
    if not 0 < length <= budget:
        raise ValueError(f"draw {t}: {length} tokens, expected 1 … {budget}; raise the budget or cut fewer frames")
