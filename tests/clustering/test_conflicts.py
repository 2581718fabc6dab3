"""Minimal sets of limits that exclude each other, and what would reconcile them."""

import numpy as np
import pytest

from clustering.conflicts import conflicts, demands_of, needed_repeat_cap, reach
from clustering.instance import instance_of
from clustering.programme import Problem
from schemas.recipe_balance import BalanceSpec
from tests.clustering.made import strata

KINDS = strata(
    [500, 20, 400, 10, 70], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0], ["a", "a", "b", "b", "c"],
    [False, True, False, True, False],
)  # fmt: skip


def problem(**asked: object) -> Problem:
    return instance_of(KINDS, BalanceSpec.model_validate(asked)).problem


def test_limits_that_agree_have_no_conflict() -> None:
    asked = problem(sources={"a": {"floor": 0.6}, "b": {"cap": 0.4}}, recovery={"floor": 0.2})
    assert list(conflicts(demands_of(asked))) == []


def test_a_conflict_holds_no_limit_that_could_be_left_out() -> None:
    # recoveries reach 0.3 at R = 10, of which a has 0.2 and b 0.1; c has no part in it
    asked = problem(sources={"a": {"cap": 0.1}, "b": {"floor": 0.2}, "c": {"floor": 0.05}}, recovery={"floor": 0.25})
    demands = demands_of(asked)
    (found,) = conflicts(demands)
    names = [asked.limits.names[row] for row in found.rows]
    assert found.minimal
    assert names == ["balance.sources.a", "balance.recovery"]
    for row in found.rows:
        others = found.rows[found.rows != row]
        least, most = reach(demands, int(row), others)
        assert least > demands.high[row] or most < demands.low[row]
    assert reach(demands, int(found.rows[1]), found.rows[:1])[1] == pytest.approx(0.1 + 0.1 - 0.05)


def test_independent_conflicts_are_all_found() -> None:
    v = strata(
        [90, 5, 5, 90, 5, 5], [0, 0, 0, 1, 1, 1], [0, 1, 2, 0, 1, 2], ["a", "b", "c"] * 2, [False, True, False] * 2
    )
    asked = BalanceSpec.model_validate(
        {"sources": {"b": {"cap": 0.05}, "c": {"floor": 0.3}}, "recovery": {"floor": 0.1}, "repeat_cap": 5}
    )
    limits = instance_of(v, asked).problem
    found = [[limits.limits.names[row] for row in conflict.rows] for conflict in conflicts(demands_of(limits))]
    assert sorted(map(sorted, found)) == [["balance.recovery", "balance.sources.b"], ["balance.sources.c"]]


def test_the_needed_repeat_cap_is_enough_and_no_less_is() -> None:
    asked = {"sources": {"c": {"floor": 0.6}, "a": {"floor": 0.3}}, "recovery": {"floor": 0.2}}
    rows = np.arange(1, 4)
    cap = needed_repeat_cap(demands_of(problem(**asked, repeat_cap=1.5)), rows)
    assert cap is not None
    assert list(conflicts(demands_of(problem(**asked, repeat_cap=cap + 1e-6)))) == []
    assert list(conflicts(demands_of(problem(**asked, repeat_cap=cap - 1e-3)))) != []
    assert needed_repeat_cap(demands_of(problem(sources={"a": {"cap": 0.01}})), np.array([1])) is None
