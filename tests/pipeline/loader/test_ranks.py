"""Who takes which packs: all of them, each once, nobody much more than others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.loader.ranks import assign, cost, imbalance
from schemas.load_plan import PlannedDraw, PlannedPack, WindowKind
from schemas.recipe_load import LoadSpec

COSTS = st.lists(st.integers(1, 1000).map(float), min_size=1, max_size=64)


@given(COSTS, st.integers(1, 9))
def test_ranks_share_the_packs_of_a_step(costs: list[float], world: int) -> None:
    ranks = assign(costs, world)
    assert len(ranks) == world
    assert sorted(slot for slots in ranks for slot in slots) == list(range(len(costs)))


@given(COSTS, st.integers(1, 9))
def test_the_slowest_rank_is_within_grahams_bound(costs: list[float], world: int) -> None:
    """LPT ≤ 4/3 of the optimum, and no optimum is below the mean or the largest pack."""
    slowest = max(sum(costs[slot] for slot in slots) for slots in assign(costs, world))
    ordered = sorted(costs, reverse=True)
    two_of_the_first = sum(ordered[world - 1 : world + 1]) if len(costs) > world else 0.0
    assert slowest <= 4 / 3 * max(sum(costs) / world, ordered[0], two_of_the_first) + 1e-9


def test_the_longest_goes_first_to_whoever_has_least() -> None:
    assert assign([3.0, 3.0, 2.0, 2.0, 2.0], 2) == [[0, 2, 4], [1, 3]]
    assert assign([5.0, 1.0, 1.0, 1.0, 1.0, 1.0], 2) == [[0], [1, 2, 3, 4, 5]]


def test_more_ranks_than_packs_leave_some_without() -> None:
    assert assign([1.0], 3) == [[0], [], []]


def test_attention_makes_one_long_window_dearer_than_many_short_ones() -> None:
    spec = LoadSpec(cost_linear=1.0, cost_quadratic=0.5)

    def pack(*lengths: int) -> PlannedPack:
        return PlannedPack(0, tuple(PlannedDraw(0, 0, 0, WindowKind.EVENT, 0, 5, n) for n in lengths))

    assert cost(pack(4), spec) == 4 + 0.5 * 16
    assert cost(pack(2, 2), spec) == 4 + 0.5 * 8


def test_imbalance_is_largest_over_mean() -> None:
    assert imbalance([2.0, 1.0], 2) == pytest.approx(2 / 1.5)
    assert imbalance([1.0] * 8, 4) == 1.0


def test_no_ranks_are_refused() -> None:
    with pytest.raises(ValueError, match="world: found 0"):
        assign([1.0], 0)
