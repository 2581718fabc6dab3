"""The figures that say how even a distribution is."""

import math

import numpy as np
import pytest

from clustering.spread import gini, spread_of, spreads
from tests.clustering.made import strata


def test_a_uniform_distribution_is_as_even_as_it_gets() -> None:
    spread = spread_of("cell", np.full(8, 3.0))
    assert (spread.n_bins, spread.n_effective, spread.gini, spread.max_over_min) == (8, pytest.approx(8), 0.0, 1.0)


def test_gini_is_half_the_relative_mean_difference() -> None:
    shares = np.array([1.0, 2.0, 5.0])
    mean_difference = np.abs(shares[:, None] - shares).mean()
    assert gini(shares) == pytest.approx(mean_difference / 2 / shares.mean())
    assert gini(np.array([0, 0, 0, 9.0])) == pytest.approx(3 / 4)


def test_an_empty_bin_makes_the_ratio_infinite() -> None:
    assert math.isinf(spread_of("cell", np.array([1.0, 0.0])).max_over_min)


def test_the_action_axis_leaves_out_events_without_actions() -> None:
    kinds = strata([5, 90, 5], [0, 1, 1], [0, -1, 1])
    v, a, cell = spreads(kinds, kinds.natural)
    assert (v.n_bins, a.n_bins, cell.n_bins) == (2, 2, 3)
    assert a.n_effective == pytest.approx(2)


def test_each_of_several_sources_is_measured_over_its_own_clusters() -> None:
    kinds = strata([5, 5, 30], [0, 1, 1], [0, 0, 0], ["a", "a", "b"])
    found = {(spread.source, spread.axis): spread for spread in spreads(kinds, kinds.natural)}
    assert found["a", "vision_language"].n_effective == pytest.approx(2)
    assert found["b", "vision_language"].n_bins == 1
    assert found["", "vision_language"].max_over_min == pytest.approx(7)
    assert found["", "cell"].n_bins == 2


def test_an_axis_nobody_is_on_has_no_spread() -> None:
    kinds = strata([5], [0], [-1])
    assert spreads(kinds, kinds.natural)[1].n_effective == 0
