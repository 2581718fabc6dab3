"""What a plan says about uses and limited groups."""

import numpy as np
import pytest

from clustering.instance import instance_of
from clustering.programme import solve
from clustering.report import limited_shares, uses
from schemas.recipe_balance import BalanceSpec
from tests.clustering.made import strata

KINDS = strata([10, 40, 50], [0, 1, 1], [0, 0, 1], ["a", "a", "b"], units=[30, 40, 50])


def test_uses_count_events_and_shares_count_units() -> None:
    everything, a, b = uses(KINDS, np.array([3.0, 0.5, 1.0]), 1.0)
    assert (everything.n_events, a.n_events, b.n_events) == (100, 50, 50)
    assert a.share == pytest.approx((90 + 20) / 160)
    assert a.natural_share == pytest.approx(70 / 120)
    assert (a.fewest, a.most) == (0.5, 3.0)
    assert a.coverage == pytest.approx((10 + 20) / 50)
    assert b.effective_sample_size == pytest.approx(50)
    assert a.effective_sample_size == pytest.approx(50**2 / (10 * 9 + 40 * 0.25))


def test_a_longer_epoch_uses_events_more() -> None:
    assert uses(KINDS, np.array([3.0, 0.5, 1.0]), 2.0)[1].coverage == pytest.approx(1.0)


def test_one_source_has_no_row_of_its_own() -> None:
    assert len(uses(strata([1, 2], [0, 1], [0, 0]), np.ones(2), 1.0)) == 1


def test_limited_groups_say_what_they_had_and_have() -> None:
    spec = BalanceSpec.model_validate({"sources": {"b": {"floor": 0.6}}, "targets": {"action": {"by": "natural"}}})
    instance = instance_of(strata([20, 40, 30, 10], [0, 1, 1, 2], [0, 0, 1, -1], ["a", "a", "b", "b"]), spec)
    solution = solve(instance.problem)
    first, second, b = limited_shares(instance, [solution])
    assert (first.name, b.name) == ("balance.targets.action, cluster 0", "balance.sources.b")
    assert first.natural_share == first.floor == pytest.approx(60 / 90)
    assert first.share == pytest.approx(60 / 90)
    assert second.share == pytest.approx(30 / 90)
    assert (b.natural_share, b.share) == (pytest.approx(0.4), pytest.approx(0.6))
    assert b.multiplier > 0
