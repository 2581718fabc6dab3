"""Intervals: they hold their estimate, are paired, and are the same on every machine."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotators.scores.bootstrap import (
    Interval,
    difference_interval,
    interval,
    ratio_interval,
    ratios_of,
    resampled_sums,
)

COUNTS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12)


@settings(max_examples=60)
@given(COUNTS, st.integers(0, 3))
def test_an_interval_holds_its_estimate(pairs: list[tuple[int, int]], seed: int) -> None:
    terms = np.array([(min(a, b), b) for a, b in pairs], np.float64)
    found = ratio_interval(terms, seed=seed, resamples=200)
    if terms[:, 1].sum() == 0:
        assert found.estimate is None
    else:
        assert found.estimate == terms[:, 0].sum() / terms[:, 1].sum()
        assert found.low is not None
        assert found.high is not None
        assert 0 <= found.low <= found.estimate <= found.high <= 1


def test_percentiles_that_miss_the_estimate_are_widened_to_it() -> None:
    assert interval(0.5, np.full(10, 0.7)) == Interval(0.5, 0.5, 0.7)
    assert interval(0.9, np.full(10, 0.7)) == Interval(0.9, 0.7, 0.9)


def test_the_same_seed_gives_the_same_interval() -> None:
    terms = np.random.default_rng(0).uniform(1, 2, (30, 2))
    assert ratio_interval(terms, seed=1) == ratio_interval(terms, seed=1)
    assert ratio_interval(terms, seed=1) != ratio_interval(terms, seed=2)


def test_the_interval_of_a_mean_is_that_of_the_textbook() -> None:
    values = np.random.default_rng(0).normal(5, 1, 400)
    found = ratio_interval(np.stack([values, np.ones(400)], axis=1), seed=0)
    half = 1.96 * values.std() / 20
    assert found.low == pytest.approx(values.mean() - half, abs=0.02)
    assert found.high == pytest.approx(values.mean() + half, abs=0.02)


def test_a_system_does_not_differ_from_itself_however_hard_the_episodes_are() -> None:
    terms = np.array([(0.0, 9.0), (9.0, 9.0), (3.0, 9.0)])
    found = difference_interval(terms, terms, seed=0)
    assert (found.estimate, found.low, found.high) == (0.0, 0.0, 0.0)


def test_pairing_sees_a_small_difference_that_is_there_in_every_episode() -> None:
    hard = np.random.default_rng(0).uniform(0, 0.8, 40)
    ours, theirs = (np.stack([hard + gain, np.ones(40)], axis=1) for gain in (0.05, 0.0))
    found = difference_interval(ours, theirs, seed=0)
    assert found.low is not None
    assert found.low > 0.04
    assert (ratio_interval(ours, seed=0).low or 0) < float(np.mean(hard))


def test_only_the_same_episodes_can_be_compared() -> None:
    with pytest.raises(ValueError, match="expected the same ones"):
        difference_interval(np.ones((3, 2)), np.ones((2, 2)), seed=0)


def test_whole_episodes_are_drawn_and_every_column_sees_the_same_ones() -> None:
    sums = resampled_sums(np.eye(4), seed=0, resamples=50)
    assert np.all(sums.sum(axis=1) == 4)
    assert np.array_equal(resampled_sums(np.eye(4)[:, :2], seed=0, resamples=50), sums[:, :2])


def test_nothing_over_nothing_is_unknown() -> None:
    assert np.isnan(ratios_of(np.array([0.0, 0.0, 1.0, 0.0]))).all()
