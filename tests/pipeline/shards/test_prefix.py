"""The balance of every prefix, measured by looking at a few of them."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clustering.turns import turns
from pipeline.shards.prefix import largest_deviations, prefix_problems
from schemas.plan import CellName, DrawStep


def brute_force(groups: list[int], shares: np.ndarray, lengths: list[int]) -> list[float]:
    targets = np.cumsum(np.repeat(shares, lengths, axis=0), axis=0)
    counts = np.cumsum(np.array(groups)[:, None] == np.arange(shares.shape[1]), axis=0)
    return list(np.abs(counts - targets).max(axis=0))


@given(st.lists(st.integers(0, 3), min_size=2, max_size=40), st.integers(0, 10**6), st.data())
def test_looking_at_own_draws_is_looking_everywhere(groups: list[int], seed: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(groups)))
    lengths = [first, len(groups) - first]
    shares = np.random.default_rng(seed).dirichlet(np.ones(4), 2)
    deviation, prefix = largest_deviations(np.array(groups, np.int64), shares, np.array(lengths))
    np.testing.assert_allclose(deviation, brute_force(groups, shares, lengths))
    targets = np.concatenate([np.zeros((1, 4)), np.cumsum(np.repeat(shares, lengths, axis=0), axis=0)])
    for group in range(4):
        assert abs(groups[: prefix[group]].count(group) - targets[prefix[group], group]) == pytest.approx(
            deviation[group]
        )


@given(st.integers(0, 10**6), st.lists(st.integers(0, 120), min_size=1, max_size=4), st.booleans(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_schedule_keeps_its_promise(seed: int, lengths: list[int], by_source: bool, by_recovery: bool) -> None:
    rng = np.random.default_rng(seed)
    parts = list(product("xy" if by_source else ("",), (False, True) if by_recovery else (None,)))
    names = [CellName(v, a, *part) for part in parts for v in range(3) for a in range(int(rng.integers(1, 4)))]
    masses = rng.dirichlet(np.full(len(names), 0.5), len(lengths)) + 1e-9
    masses /= masses.sum(axis=1, keepdims=True)
    levels = [np.array([parts.index((name.source, name.recovery)) for name in names])] if len(parts) > 1 else []
    rows = np.array([name.vision_language for name in names])
    order = turns([*levels, rows], masses, np.array(lengths))
    steps = [DrawStep(n, tuple(mass)) for n, mass in zip(lengths, masses.tolist(), strict=True)]
    assert prefix_problems([names[i] for i in order], names, steps) == []


def looks(*rows: int) -> list[CellName]:
    return [CellName(row, 0, "", None) for row in rows]


def test_a_sorted_epoch_is_named_with_the_worst_prefix() -> None:
    problems = prefix_problems(looks(*[0] * 8, *[1] * 8), looks(0, 1), [DrawStep(16, (0.5, 0.5))])
    assert problems == [
        "train: after 8 draws row 0 is 4.000 draws off its share, expected less than 1",
        "train: after 8 draws cell 0/0 is 4.000 draws off its share, expected less than 2",
    ]


def test_a_source_that_comes_late_is_named() -> None:
    cells = [CellName(0, 0, source, False) for source in "xy"]
    problems = prefix_problems([cells[0]] * 4 + [cells[1]] * 4, cells, [DrawStep(8, (0.5, 0.5))])
    assert problems == ["train: after 4 draws part x/no recovery is 2.000 draws off its share, expected less than 1"]


def test_a_moving_share_is_followed_where_it_is() -> None:
    """All of the first cell, then all of the second: right for a curriculum, wrong for its mean."""
    cells, order = looks(0, 1), looks(*[0] * 8, *[1] * 8)
    assert prefix_problems(order, cells, [DrawStep(8, (1.0, 0.0)), DrawStep(8, (0.0, 1.0))]) == []
    assert prefix_problems(order, cells, [DrawStep(8, (0.0, 1.0)), DrawStep(8, (1.0, 0.0))]) != []


def test_a_cell_the_plan_does_not_know_is_named() -> None:
    problems = prefix_problems([CellName(0, 0, "x", True), CellName(5, 1, "x", True)], [CellName(0, 0, "x", True)], [])
    assert problems == ["train draw 1: cell 5/1/x/recovery is not in the plan"]


def test_steps_that_do_not_fit_the_draws_are_named() -> None:
    (problem,) = prefix_problems(looks(0, 0), looks(0), [DrawStep(3, (1.0,))])
    assert "its steps have 3 draws, found 2" in problem
