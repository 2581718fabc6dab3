"""Counting: every prefix is looked at, and order is told from chance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.loader.audit_measure import independence, shares_of, total_variation, worst_deviation


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(0, 10**6))
def test_the_worst_prefix_is_the_worst_of_all_prefixes(groups: list[int], seed: int) -> None:
    shares = np.random.default_rng(seed).dirichlet(np.ones(5))
    counted = np.cumsum(np.eye(5)[groups], axis=0)
    every = np.abs(counted - np.arange(1, len(groups) + 1)[:, None] * shares)
    before = np.abs(np.vstack([np.zeros(5), counted[:-1]]) - np.arange(len(groups))[:, None] * shares)
    found = worst_deviation(np.array(groups), shares)
    assert found.value == pytest.approx(max(every.max(), before.max()))
    counts = np.bincount(groups[: found.prefix], minlength=5)
    assert abs(counts[found.group] - found.prefix * shares[found.group]) == pytest.approx(found.value)


def test_total_variation_is_the_part_that_is_in_the_wrong_place() -> None:
    realised = shares_of(np.array([0, 0, 1, 2]), None, 4)
    assert realised.tolist() == [0.5, 0.25, 0.25, 0]
    assert total_variation(realised, np.array([0.25, 0.25, 0.25, 0.25])) == 0.25
    weighted = shares_of(np.array([0, 1]), np.array([3.0, 1.0]), 2)
    assert weighted.tolist() == [0.75, 0.25]
    assert shares_of(np.zeros(0, np.int64), None, 2).tolist() == [0, 0]


def test_an_order_by_shard_is_told_from_one_that_is_not() -> None:
    rng = np.random.default_rng(0)
    shards = np.repeat(np.arange(10), 200)
    sorted_ = independence(shards, 10)
    assert sorted_ is not None
    assert sorted_.p < 1e-30
    values = []
    for _ in range(200):
        found = independence(rng.permutation(shards), 10)
        assert found is not None
        assert found.degrees == 9 * 15
        values.append(found.p)
    assert 0.3 < np.mean(values) < 0.7, "p is uniform when there is nothing to find"
    assert min(values) > 1e-5


def test_with_few_draws_nothing_is_said() -> None:
    assert independence(np.arange(30) % 10, 10) is None
    assert independence(np.zeros(100, np.int64), 3) is None
