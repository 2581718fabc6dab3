"""What the recipe asks becomes bounds, groups and an objective."""

import numpy as np
import pytest

from clustering.errors import BalanceError
from clustering.instance import instance_of
from schemas.recipe_balance import BalanceSpec
from tests.clustering.made import strata

KINDS = strata([60, 30, 10, 100], [0, 0, 1, 1], [-1, 0, 0, 1], ["a", "a", "b", "b"], [False, False, True, False])


def asked(**limits: object) -> BalanceSpec:
    return BalanceSpec.model_validate(limits)


def test_bounds_are_uses_times_the_natural_share() -> None:
    problem = instance_of(KINDS, asked(floor=0.2, repeat_cap=3, sources={"b": {"repeat_cap": 1.5}})).problem
    np.testing.assert_allclose(problem.lower, 0.2 * np.array([0.3, 0.15, 0.05, 0.5]))
    np.testing.assert_allclose(problem.upper, [0.9, 0.45, 0.075, 0.75])


def test_an_axis_with_a_target_has_no_entropy_of_its_own() -> None:
    targets = {"vision_language": {"by": "uniform"}, "action": {"by": "shares", "shares": {"0": 0.25, "1": 0.75}}}
    problem = instance_of(KINDS, asked(targets=targets, alpha=3, beta=2)).problem
    assert (problem.alpha, problem.beta) == (0, 0)
    even, uneven = 2 * np.log(2), 2 * -(0.25 * np.log(0.25) + 0.75 * np.log(0.75))
    np.testing.assert_allclose(
        problem.bias, [even, uneven, uneven, uneven]
    )  # mass without actions neither pays nor earns


def test_targets_are_powers_of_what_clusters_hold() -> None:
    for target, shares in (
        ({"by": "uniform"}, [0.5, 0.5]),
        ({"by": "natural"}, [0.45, 0.55]),
        ({"by": "power", "exponent": 0.5}, np.sqrt([90, 110]) / np.sqrt([90, 110]).sum()),
        ({"by": "shares", "shares": {"1": 0.2}}, [0.8, 0.2]),
    ):
        (partition,) = instance_of(KINDS, asked(targets={"vision_language": target})).partitions
        np.testing.assert_allclose(partition.low, shares)
        np.testing.assert_array_equal(partition.low, partition.high)


def test_unknown_clusters_and_incomplete_shares_are_refused_by_name() -> None:
    with pytest.raises(BalanceError, match=r"targets\.action\.shares names clusters \[7\]"):
        instance_of(KINDS, asked(targets={"action": {"by": "shares", "shares": {"7": 0.5}}}))
    with pytest.raises(BalanceError, match=r"adds up to 0\.5"):
        instance_of(KINDS, asked(targets={"action": {"by": "shares", "shares": {"0": 0.25, "1": 0.25}}}))


def test_events_that_may_have_nothing_are_no_part_of_the_problem() -> None:
    instance = instance_of(KINDS, asked(floor=0, sources={"b": {"cap": 0}}))
    assert instance.allowed.tolist() == [0, 1]
    assert instance.spread_out(np.array([0.4, 0.6])).tolist() == [0.4, 0.6, 0, 0]
    np.testing.assert_allclose(instance.problem.natural, [0.3, 0.15])
    with pytest.raises(BalanceError, match="every cell"):
        instance_of(KINDS, asked(floor=0, sources={"a": {"cap": 0}, "b": {"cap": 0}}))
