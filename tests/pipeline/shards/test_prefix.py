"""The balance of every prefix, measured by looking at a few of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clustering.chairman import two_stage
from pipeline.shards.prefix import largest_deviation, prefix_problems


def brute_force(groups: list[int], shares: list[float]) -> float:
    worst = 0.0
    for t in range(len(groups) + 1):
        for group, share in enumerate(shares):
            worst = max(worst, abs(groups[:t].count(group) - t * share))
    return worst


@given(st.lists(st.integers(0, 3), max_size=40), st.lists(st.integers(1, 9), min_size=4, max_size=4))
def test_looking_at_own_draws_is_looking_everywhere(groups: list[int], weights: list[int]) -> None:
    shares = [weight / sum(weights) for weight in weights]
    deviation, group, prefix = largest_deviation(np.array(groups, np.int64), np.array(shares))
    assert deviation == pytest.approx(brute_force(groups, shares))
    assert abs(groups[:prefix].count(group) - prefix * shares[group]) == pytest.approx(deviation)


@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 300))
def test_the_schedule_keeps_its_promise(seed: int, n_rows: int, n_draws: int) -> None:
    rng = np.random.default_rng(seed)
    cells = [(row, column) for row in range(n_rows) for column in range(int(rng.integers(1, 5)))]
    masses = rng.dirichlet(np.ones(len(cells)))
    order = two_stage(np.array([row for row, _ in cells]), masses, n_draws)
    ids = np.array(cells)[order]
    assert prefix_problems(ids[:, 0], ids[:, 1], dict(zip(cells, masses.tolist(), strict=True))) == []


def test_a_sorted_epoch_is_named_with_the_worst_prefix() -> None:
    groups = np.repeat([0, 1], 8)
    masses = {(0, 0): 0.5, (1, 0): 0.5}
    problems = prefix_problems(groups, np.zeros(16, np.int64), masses)
    assert problems == [
        "train: after 8 draws row 0 is 4.000 draws off its share, expected less than 1",
        "train: after 8 draws cell 0/0 is 4.000 draws off its share, expected less than 2",
    ]


def test_a_cell_the_plan_does_not_know_is_named() -> None:
    problems = prefix_problems(np.array([0, 5]), np.array([0, 1]), {(0, 0): 1.0})
    assert problems == ["train draw 1: cell 5/1 is not in the plan"]
