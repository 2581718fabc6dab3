"""Packs: full, nearly in order, complete, and resumable between any two."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.loader.pack import PackState, packs

lengths_and_budget = st.lists(st.integers(1, 100), max_size=80), st.integers(100, 400), st.integers(1, 12)


def reference_lengths(n: int) -> list[int]:
    """Events of lognormal length: median 1,440 tokens, 99th percentile 5,940, longest 11,700 (loader.md)."""
    spread = np.log(5940 / 1440) / 2.326
    drawn = np.random.default_rng(0).lognormal(np.log(1440), spread, n)
    return np.clip(drawn, 60, 11_700).astype(int).tolist()


@given(*lengths_and_budget)
def test_every_draw_is_in_exactly_one_pack_and_no_pack_overflows(lengths: list[int], budget: int, window: int) -> None:
    found = list(packs(lengths, budget, window))
    assert sorted(t for pack in found for t in pack.draws) == list(range(len(lengths)))
    for pack in found:
        assert pack.n_tokens == sum(lengths[t] for t in pack.draws) <= budget


@given(*lengths_and_budget)
def test_no_draw_waits_longer_than_the_window(lengths: list[int], budget: int, window: int) -> None:
    seen: set[int] = set()
    for pack in packs(lengths, budget, window):
        oldest = min(set(range(len(lengths))) - seen)
        assert pack.draws[0] == oldest, "anchored on the oldest"
        seen |= set(pack.draws)
        assert len(pack.after.waiting) <= window
        assert pack.after.next_t - len(pack.after.waiting) == len(seen)


@given(*lengths_and_budget, st.integers(0, 20))
def test_resuming_after_any_pack_gives_the_same_packs(lengths: list[int], budget: int, window: int, stop: int) -> None:
    whole = list(packs(lengths, budget, window))
    state = whole[stop - 1].after if 0 < stop <= len(whole) else PackState()
    rest = whole[stop if 0 < stop <= len(whole) else 0 :]
    assert list(packs(lengths, budget, window, state)) == rest


def test_a_window_of_one_keeps_the_order() -> None:
    found = [t for pack in packs([60, 60, 30, 20, 90], 100, window=1) for t in pack.draws]
    assert all(b == a + 1 for a, b in pairwise(found))


@pytest.mark.parametrize("budget", [12_288, 24_576, 49_152])
def test_packs_of_the_reference_lengths_are_nearly_full(budget: int) -> None:
    found = list(packs(reference_lengths(6000), budget))
    assert sum(pack.n_tokens for pack in found) / (budget * len(found)) >= 0.97


def test_the_best_fit_is_taken_not_the_first() -> None:
    assert next(packs([50, 10, 49, 50], 100)).draws == (0, 3)


@pytest.mark.parametrize("length", [0, 101])
def test_a_draw_that_cannot_be_packed_is_named(length: int) -> None:
    with pytest.raises(ValueError, match=f"draw 1: {length} tokens, expected 1 … 100"):
        list(packs([5, length], 100))


def test_a_window_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="window: found 0"):
        next(packs([5], 100, window=0))
