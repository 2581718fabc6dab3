"""Every guarantee clustering.md states about balance, each asserted."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, minimize

from clustering.errors import BalanceError
from clustering.programme import (
    Problem,
    Vector,
    ascend,
    gradient,
    kkt_residual,
    marginals,
    objective,
    problem_of,
    project,
    solve,
)
from schemas.recipe import BalanceSpec


@st.composite
def instances(draw: st.DrawFn, null: bool = True) -> tuple[list[int], list[int], list[int]]:
    """Counts and clusters of distinct cells; sometimes without actions, always heavy-tailed."""
    cells = draw(
        st.lists(st.tuples(st.integers(0, 4), st.integers(-1 if null else 0, 3)), min_size=1, max_size=12, unique=True)
    )
    counts = draw(st.lists(st.integers(0, 12).map(lambda e: 2**e), min_size=len(cells), max_size=len(cells)))
    return counts, [v for v, _ in cells], [a for _, a in cells]


SPECS = st.builds(
    BalanceSpec,
    alpha=st.sampled_from([0.5, 1.0, 2.0]),
    beta=st.sampled_from([0.0, 1.0]),
    gamma=st.sampled_from([0.1, 0.5]),
    floor=st.sampled_from([0.0, 0.1, 0.8, 1.0]),
    repeat_cap=st.sampled_from([1.0, 1.5, 3.0, 10.0]),
)


def other_start(problem: Problem, seed: int) -> Vector:
    weights = np.random.default_rng(seed).dirichlet(np.ones(len(problem.counts))) + 1e-6
    return project(weights, np.maximum(problem.lower, 1e-12), problem.upper)


def divergence(p: Vector, q: Vector) -> float:
    return float(np.sum(p * np.log(p / q) - p + q))


@given(instances(), SPECS)
@settings(max_examples=60, deadline=None)
def test_the_certificate_holds_within_the_bounds(
    cells: tuple[list[int], list[int], list[int]], spec: BalanceSpec
) -> None:
    found = solve(*map(np.array, cells), spec)
    n = np.array(cells[0])
    uses = found.mass * n.sum() / n
    assert found.kkt_residual <= 1e-9
    assert abs(found.mass.sum() - 1) < 1e-12
    assert uses.min() >= spec.floor - 1e-9
    assert uses.max() <= spec.repeat_cap * (1 + 1e-12)
    assert found.effective_sample_size >= n.sum() / spec.repeat_cap * (1 - 1e-12)


@given(instances(), SPECS, st.integers(0, 100))
@settings(max_examples=40, deadline=None)
def test_different_starts_reach_the_same_optimum(
    cells: tuple[list[int], list[int], list[int]], spec: BalanceSpec, seed: int
) -> None:
    counts, v, a = map(np.array, cells)
    start = other_start(problem_of(counts, v, a, spec), seed)
    np.testing.assert_allclose(solve(counts, v, a, spec, start).mass, solve(counts, v, a, spec).mass, atol=1e-7)


@given(instances(), SPECS, st.integers(0, 100))
@settings(max_examples=40, deadline=None)
def test_the_divergence_to_the_optimum_shrinks_by_the_promised_rate(
    cells: tuple[list[int], list[int], list[int]], spec: BalanceSpec, seed: int
) -> None:
    counts, v, a = map(np.array, cells)
    best = solve(counts, v, a, spec)
    rate = 1 - spec.gamma / (spec.alpha + spec.beta + spec.gamma)
    steps = itertools.islice(ascend(best.problem, other_start(best.problem, seed)), 40)
    distances = [divergence(best.mass, mass) for mass in steps]
    # the optimum itself is known to 1e-9 only
    assert all(after <= rate * before + 1e-10 for before, after in itertools.pairwise(distances))


@given(instances(), SPECS)
@settings(max_examples=25, deadline=None)
def test_an_independent_solver_finds_nothing_better(
    cells: tuple[list[int], list[int], list[int]], spec: BalanceSpec
) -> None:
    found = solve(*map(np.array, cells), spec)
    problem = found.problem
    reference = minimize(
        lambda x: -objective(problem, np.maximum(x, 1e-15)),
        problem.natural,
        jac=lambda x: -gradient(problem, np.maximum(x, 1e-15)),
        bounds=list(zip(np.maximum(problem.lower, 1e-12), problem.upper, strict=True)),
        constraints=[{"type": "eq", "fun": lambda x: x.sum() - 1, "jac": np.ones_like}],
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-14},
    )
    assert abs(reference.x.sum() - 1) < 1e-9
    assert found.objective >= -reference.fun - 1e-9


def test_trust_constr_agrees_on_a_fixed_instance() -> None:
    counts, v, a = np.array([500, 40, 7, 90, 3, 12]), np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 0, -1, 1, -1])
    found = solve(counts, v, a, BalanceSpec())
    problem = found.problem
    reference = minimize(
        lambda x: -objective(problem, x), problem.natural, jac=lambda x: -gradient(problem, x),
        bounds=Bounds(problem.lower, problem.upper, keep_feasible=True),
        constraints=[LinearConstraint(np.ones((1, 6)), 1, 1)],
        method="trust-constr", options={"gtol": 1e-9, "xtol": 1e-12, "maxiter": 3000},
    )  # fmt: skip
    np.testing.assert_allclose(found.mass, reference.x, atol=2e-4)


@given(instances(), SPECS, st.integers(0, 50))
@settings(max_examples=40, deadline=None)
def test_the_gradient_is_the_derivative_along_feasible_directions(
    cells: tuple[list[int], list[int], list[int]], spec: BalanceSpec, seed: int
) -> None:
    problem = problem_of(*map(np.array, cells), spec)
    rng = np.random.default_rng(seed)
    mass = rng.dirichlet(np.full(len(problem.counts), 5.0)) + 1e-3
    mass /= mass.sum()
    direction = rng.normal(size=len(mass))
    direction -= direction.mean()
    h = 1e-7
    slope = (objective(problem, mass + h * direction) - objective(problem, mass - h * direction)) / (2 * h)
    assert gradient(problem, mass) @ direction == pytest.approx(slope, abs=1e-4)


def test_the_residual_sees_a_mass_that_is_not_optimal() -> None:
    found = solve(np.array([90, 9, 1]), np.array([0, 1, 2]), np.array([0, 0, 1]), BalanceSpec())
    moved = found.mass + np.array([1e-4, -1e-4, 0])
    assert kkt_residual(found.problem, moved) > 1e-5
    assert kkt_residual(found.problem, found.problem.natural) > 0.1


def test_without_binding_limits_both_marginals_become_uniform() -> None:
    v, a = np.divmod(np.arange(12), 4)
    found = solve(np.arange(1, 13) ** 2, v, a, BalanceSpec(floor=0, repeat_cap=1000))
    np.testing.assert_allclose(found.mass, 1 / 12, atol=1e-9)


def test_a_corpus_without_actions_is_balanced_by_vision_and_language_alone() -> None:
    counts, v = np.array([800, 150, 40, 10]), np.arange(4)
    null = solve(counts, v, np.full(4, -1), BalanceSpec(repeat_cap=3.0))
    alone = solve(counts, v, np.zeros(4, np.int64), BalanceSpec(repeat_cap=3.0, beta=0.0))
    np.testing.assert_allclose(null.mass, alone.mass, atol=1e-8)


def test_mass_without_actions_neither_pays_nor_earns_when_actions_are_even() -> None:
    """One vision-language cluster, two even action clusters, and null events: the action term moves nothing."""
    counts, v, a = np.array([100, 100, 400]), np.zeros(3, np.int64), np.array([0, 1, -1])
    with_action_term = solve(counts, v, a, BalanceSpec(beta=5.0))
    without = solve(counts, v, a, BalanceSpec(beta=0.0))
    np.testing.assert_allclose(with_action_term.mass, without.mass, atol=1e-8)


def test_the_null_cluster_is_no_action_bin() -> None:
    problem = problem_of(np.array([5, 5, 90]), np.array([0, 1, 0]), np.array([0, 1, -1]), BalanceSpec())
    _, a = marginals(problem, problem.natural)
    np.testing.assert_allclose(a, [0.05, 0.05])


def test_limits_that_exclude_everything_are_refused_by_name() -> None:
    cells = np.array([3, 1]), np.array([0, 1]), np.array([0, 0])
    with pytest.raises(BalanceError, match=r"balance\.floor is 1\.2"):
        solve(*cells, BalanceSpec.model_construct(**{**BalanceSpec().model_dump(), "floor": 1.2}))
    with pytest.raises(BalanceError, match=r"balance\.repeat_cap is 0\.5"):
        solve(*cells, BalanceSpec.model_construct(**{**BalanceSpec().model_dump(), "repeat_cap": 0.5}))


def test_an_empty_cell_is_an_error() -> None:
    with pytest.raises(ValueError, match="1 empty"):
        solve(np.array([3, 0]), np.array([0, 1]), np.array([0, 0]), BalanceSpec())


def test_a_gamma_too_small_to_converge_is_refused_by_name() -> None:
    cells = np.array([1000, 10, 1, 70]), np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    with pytest.raises(BalanceError, match=r"balance\.gamma is 1e-06"):
        solve(*cells, BalanceSpec(gamma=1e-6))


@given(
    st.lists(st.floats(1e-9, 1e6), min_size=1, max_size=30),
    st.integers(0, 1000),
)
@settings(max_examples=100, deadline=None)
def test_the_projection_meets_box_and_sum_and_rescales_what_is_free(weights: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    natural = rng.dirichlet(np.ones(len(weights)))
    w, lower, upper = np.array(weights), natural * rng.uniform(0, 1), natural * rng.uniform(1, 20)
    mass = project(w, lower, upper)
    assert mass.sum() == pytest.approx(1, abs=1e-12)
    assert np.all(mass >= lower)
    assert np.all(mass <= upper)
    free = (mass > lower) & (mass < upper)
    ratio = (mass / w)[free]
    assert np.all(np.abs(ratio - ratio[:1]) <= 1e-9 * ratio[:1]) if free.any() else True
