"""Packs: full, nearly in order, complete, and resumable between any two."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.loader.pack import Pack, PackState, fill, packs
from pipeline.loader.ranks import imbalance

lengths_and_budget = st.lists(st.integers(1, 100), max_size=80), st.integers(100, 400), st.integers(1, 12)


def reference_lengths(n: int) -> list[int]:
    """Events of lognormal length: median 1,440 tokens, 99th percentile 5,940, longest 11,700 (loader.md)."""
    spread = np.log(5940 / 1440) / 2.326
    drawn = np.random.default_rng(0).lognormal(np.log(1440), spread, n)
    return np.clip(drawn, 60, 11_700).astype(int).tolist()


def simple_packs(lengths: list[int], budget: int, window: int) -> Iterator[Pack]:
    """The rule as one would say it: the oldest first, then the longest that fits, the older of two as long."""
    waiting: list[int] = []
    next_t = 0
    while waiting or next_t < len(lengths):
        chosen: list[int] = []
        while True:
            while len(waiting) < window and next_t < len(lengths):
                waiting.append(next_t)
                next_t += 1
            room = budget - sum(lengths[t] for t in chosen)
            fitting = [t for t in waiting if lengths[t] <= room] if chosen else waiting[:1]
            if not fitting:
                break
            taken = max(fitting, key=lambda t: (lengths[t], -t))
            waiting.remove(taken)
            chosen.append(taken)
        yield Pack(tuple(chosen), budget - room, PackState(tuple(waiting), next_t))


@given(*lengths_and_budget)
@settings(max_examples=300)
def test_packs_are_those_of_the_simple_rule(lengths: list[int], budget: int, window: int) -> None:
    assert list(packs(lengths, budget, window)) == list(simple_packs(lengths, budget, window))


def test_packs_of_the_reference_lengths_are_those_of_the_simple_rule() -> None:
    lengths = reference_lengths(3000)
    assert list(packs(lengths, 24_576)) == list(simple_packs(lengths, 24_576, 64))


@given(*lengths_and_budget, st.integers(1, 4), st.integers(1, 60), st.integers(1, 9))
def test_filling_stops_at_a_whole_group_and_never_guesses(
    lengths: list[int], budget: int, window: int, group: int, at_least: int, at_most: int
) -> None:
    """What is packed does not depend on how many lengths were known, and what is not can still go on."""
    start = PackState()
    some = fill(lengths, budget, window, start, group=group, at_least=at_least, at_most=at_most)
    more = fill([*lengths, *[7] * 400], budget, window, start, group=group, at_least=at_least, at_most=at_most)
    n_packs = len(some.starts) - 1
    assert n_packs % group == 0
    assert more.draws[: len(some.draws)].tolist() == some.draws.tolist()
    assert more.starts[: n_packs + 1].tolist() == some.starts.tolist()
    assert more.enough
    if some.enough:
        assert more.draws.tolist() == some.draws.tolist()
        assert len(some.draws) >= at_least or n_packs == at_most * group
        before = n_packs - group
        assert some.starts[before] < at_least, "no group too many"
    simple = list(simple_packs([*lengths, *[7] * 400], budget, window))[:n_packs]
    assert [simple[p].draws for p in range(n_packs)] == [
        tuple(some.draws[some.starts[p] : some.starts[p + 1]].tolist()) for p in range(n_packs)
    ]
    assert some.after == (simple[-1].after if simple else start)


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
    lengths = reference_lengths(20_000)
    found = fill(lengths, budget, 64, PackState(), group=1, at_least=18_000, at_most=1 << 40)
    tokens = np.array(lengths)[found.draws].sum()
    assert tokens / (budget * (len(found.starts) - 1)) >= 0.98


@pytest.mark.parametrize("budget", [12_288, 24_576, 49_152])
def test_ranks_with_sixteen_packs_each_have_equally_much_to_do(budget: int) -> None:
    """Eight ranks; a token costs 1, attention what it costs Wan 1.3B."""
    lengths = reference_lengths(12_000)
    found = fill(lengths, budget, 64, PackState(), group=128, at_least=1 << 40, at_most=2)
    taken = np.array(lengths)[found.draws].astype(float)
    costs = np.add.reduceat(taken + taken**2 / (6 * 1536), found.starts[:-1]).reshape(-1, 128)
    assert len(costs) == 2
    assert max(imbalance(step.tolist(), 8) for step in costs) <= 1.05


def test_the_best_fit_is_taken_not_the_first() -> None:
    assert next(packs([50, 10, 49, 50], 100)).draws == (0, 3)


@pytest.mark.parametrize("length", [0, 101])
def test_a_draw_that_cannot_be_packed_is_named(length: int) -> None:
    with pytest.raises(ValueError, match=f"draw 1: {length} tokens, expected 1 … 100"):
        list(packs([5, length], 100))


def test_a_window_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="window: found 0"):
        next(packs([5], 100, window=0))
