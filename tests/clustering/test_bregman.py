"""The projection on limits of crossing groups: nearest, within all of them, and honest when there is nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import rel_entr

from clustering.bregman import InfeasibleError, is_infeasible, project_within
from clustering.limits import Partition, Polytope, Vector, polytope_of
from clustering.programme import project

Case = tuple[Vector, Vector, Vector, Polytope, Vector]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Weights, box, limits, and a mass that meets all of them; many limits leave no room around it."""
    rng = np.random.default_rng(draw(st.integers(0, 100_000)))
    n = int(rng.integers(2, 30))
    natural = np.exp(rng.normal(0, 2, n))
    natural /= natural.sum()
    lower, upper = rng.choice([0.0, 0.1, 0.5]) * natural, np.minimum(rng.choice([1.5, 3, 10]) * natural, 1)
    inside = project(rng.dirichlet(np.ones(n) * 0.5) + 1e-6, lower, upper)
    partitions = []
    for _ in range(int(rng.integers(1, 4))):
        n_groups = int(rng.integers(1, 5))
        labels = rng.integers(-1, n_groups, n)
        names = tuple(map(str, range(n_groups)))
        sums = np.bincount(labels[labels >= 0], inside[labels >= 0], n_groups)
        if np.all(sums > 0) and rng.random() < 0.3:
            partitions.append(Partition(names, labels, sums / sums.sum(), sums / sums.sum(), relative=True))
        else:
            exact = rng.random(n_groups) < 0.4
            low = np.where(exact, sums, sums * rng.choice([1, 0.9, 0], n_groups))
            high = np.where(exact, sums, np.minimum(sums * rng.choice([1.05, 1.5, 99], n_groups), 1))
            partitions.append(Partition(names, labels, low, high))
    return rng.dirichlet(np.ones(n)) + 1e-9, lower, upper, polytope_of(tuple(partitions), n), inside


def distance(mass: Vector, weights: Vector) -> float:
    return float(np.sum(rel_entr(mass, weights) - mass))


@given(cases())
@settings(max_examples=150, deadline=None)
def test_the_projection_keeps_all_limits_and_nothing_that_does_is_nearer(case: Case) -> None:
    weights, lower, upper, limits, inside = case
    found = project_within(weights, lower, upper, limits, np.zeros(len(limits.low)))
    sums = limits.sums(found.mass)
    assert np.all(found.mass >= lower)
    assert np.all(found.mass <= upper)
    assert np.all(sums >= limits.low - 1e-9)
    assert np.all(sums <= limits.high + 1e-9)
    towards = [(1 - t) * found.mass + t * inside for t in (1.0, 0.1, 0.001)]
    assert all(distance(other, weights) >= distance(found.mass, weights) - 1e-9 for other in towards)
    assert not is_infeasible(found.dual, lower, upper, limits)


@given(cases())
@settings(max_examples=60, deadline=None)
def test_where_the_search_starts_does_not_matter(case: Case) -> None:
    weights, lower, upper, limits, _ = case
    rng = np.random.default_rng(0)
    starts = [np.zeros(len(limits.low)), rng.normal(size=len(limits.low))]
    masses = [project_within(weights, lower, upper, limits, start).mass for start in starts]
    np.testing.assert_allclose(*masses, atol=1e-7)


def test_without_groups_it_is_the_projection_on_the_box() -> None:
    weights, natural = np.array([5.0, 1.0, 0.2, 3.0]), np.full(4, 0.25)
    limits = polytope_of((), 4)
    found = project_within(weights, 0.1 * natural, 1.5 * natural, limits, np.zeros(1))
    np.testing.assert_allclose(found.mass, project(weights, 0.1 * natural, 1.5 * natural), atol=1e-12)


def test_contradictory_limits_are_refused() -> None:
    natural = np.full(4, 0.25)
    halves = Partition(("a",), np.array([0, 0, -1, -1]), np.array([0.9]), np.array([1.0]))
    with pytest.raises(InfeasibleError):
        project_within(natural, 0.1 * natural, 1.5 * natural, polytope_of((halves,), 4), np.zeros(2))


def test_a_proof_of_contradiction_holds_only_for_contradictions() -> None:
    natural, labels = np.full(4, 0.25), np.array([0, 0, -1, -1])
    for floor, proven in ((0.9, True), (0.7, False)):
        limits = polytope_of((Partition(("a",), labels, np.array([floor]), np.array([1.0])),), 4)
        assert is_infeasible(np.array([0.0, 10.0]), 0.1 * natural, 1.5 * natural, limits) is proven
