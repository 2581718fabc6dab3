"""Every guarantee clustering.md states about balance, each asserted, with and without limits on groups."""

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, minimize

from clustering.bregman import InfeasibleError, Projection
from clustering.errors import BalanceError
from clustering.instance import instance_of
from clustering.programme import (
    Balance,
    Problem,
    Vector,
    ascend,
    gradient,
    kkt_residual,
    marginals,
    nearest,
    objective,
    project,
    solve,
)
from schemas.recipe_balance import BalanceSpec, RecoveryLimits, SourceLimits
from tests.clustering.made import strata

Cells = tuple[Any, ...]
"""Counts, vision-language and action clusters; sources and recoveries where they matter."""


@st.composite
def instances(draw: st.DrawFn) -> Cells:
    """Counts and clusters of distinct kinds of events; sometimes without actions, always heavy-tailed."""
    kind = st.tuples(st.integers(0, 4), st.integers(-1, 3), st.sampled_from("xyz"), st.booleans())
    kinds = sorted(draw(st.lists(kind, min_size=1, max_size=14, unique=True)))
    counts = draw(st.lists(st.integers(0, 12).map(lambda e: 2**e), min_size=len(kinds), max_size=len(kinds)))
    v, a, source, recovery = map(list, zip(*kinds, strict=True))
    return counts, v, a, source, recovery


SPECS = st.builds(
    BalanceSpec,
    alpha=st.sampled_from([0.5, 1.0, 2.0]),
    beta=st.sampled_from([0.0, 1.0]),
    gamma=st.sampled_from([0.1, 0.5]),
    floor=st.sampled_from([0.0, 0.1, 0.8, 1.0]),
    repeat_cap=st.sampled_from([1.0, 1.5, 3.0, 10.0]),
    method=st.sampled_from([{"by": "entropy"}, {"by": "entropy", "temperature": 0.5}, {"by": "power"}]),
)


def problem_of(cells: Cells, spec: BalanceSpec) -> Problem:
    return instance_of(strata(*cells), spec).problem


@st.composite
def limited(draw: st.DrawFn) -> tuple[Cells, BalanceSpec]:
    """Instances with limits on sources, recoveries and clusters that a random mass within the box meets, often just."""
    cells, spec = draw(instances()), draw(SPECS)
    split = spec.model_copy(update={"sources": {"x": SourceLimits()}, "recovery": RecoveryLimits()})
    instance = instance_of(strata(*cells), split)
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    mass = project(rng.dirichlet(np.ones(len(cells[0]))) + 1e-3, instance.problem.lower, instance.problem.upper)

    def around(share: float) -> dict[str, float]:
        low, high = draw(st.sampled_from([(1.0, 1.0), (0.0, 1.0), (0.9, 1.1), (1.0, 9.0), (0.0, 9.0)]))
        return {"floor": min(low * share, 1.0), "cap": min(high * share, 1.0)}

    asked: dict[str, object] = {}
    if draw(st.booleans()):
        names = sorted(set(cells[3]))
        asked["sources"] = {name: around(float(mass[instance.cells.source == name].sum())) for name in names}
    if draw(st.booleans()):
        asked["recovery"] = around(float(mass[instance.cells.recovery].sum()))
    if spec.method.by == "entropy":
        asked["targets"] = {}
        for axis, bins, names in (
            ("vision_language", instance.problem.v_bins, instance.v_names),
            ("action", instance.problem.a_bins, instance.a_names),
        ):
            shares = np.bincount(bins[bins >= 0], mass[bins >= 0], len(names))
            if draw(st.booleans()) and len(names):
                exact = {int(k): float(x) for k, x in zip(names, shares / shares.sum(), strict=True)}
                asked["targets"][axis] = {"by": "shares", "shares": exact}  # type: ignore[index]
    return cells, BalanceSpec.model_validate({**spec.model_dump(), **asked})


ANY = limited() | st.tuples(instances(), SPECS)


def solved(cells: Cells, spec: BalanceSpec | None = None) -> Balance:
    return solve(problem_of(cells, spec or BalanceSpec()))


def any_start(problem: Problem, seed: int) -> Projection:
    weights = np.random.default_rng(seed).dirichlet(np.ones(len(problem.natural))) + 1e-6
    return nearest(problem, weights, np.zeros(len(problem.limits.low)))


def divergence(p: Vector, q: Vector) -> float:
    return float(np.sum(p * np.log(p / q) - p + q))


@given(ANY)
@settings(max_examples=80, deadline=None)
def test_the_certificate_holds_within_all_limits(asked: tuple[Cells, BalanceSpec]) -> None:
    cells, spec = asked
    problem = problem_of(cells, spec)
    found = solve(problem)
    uses = found.mass / problem.natural
    assert kkt_residual(problem, found.mass, found.multipliers) == found.kkt_residual <= 1e-9
    assert abs(found.mass.sum() - 1) < 1e-9
    assert uses.min() >= spec.floor - 1e-9
    assert uses.max() <= spec.repeat_cap * (1 + 1e-12)
    assert 1 / np.sum(found.mass**2 / problem.natural) >= 1 / spec.repeat_cap * (1 - 1e-9)
    sums = problem.limits.sums(found.mass)
    assert np.all(sums >= problem.limits.low - 1e-9)
    assert np.all(sums <= problem.limits.high + 1e-9)


@pytest.mark.slow
@given(ANY, st.integers(0, 100))
@settings(max_examples=40, deadline=None)
def test_different_starts_reach_the_same_optimum(asked: tuple[Cells, BalanceSpec], seed: int) -> None:
    problem = problem_of(*asked)
    start = any_start(problem, seed).mass
    np.testing.assert_allclose(solve(problem, start).mass, solve(problem).mass, atol=1e-7)


@given(ANY, st.integers(0, 100))
@settings(max_examples=40, deadline=None)
def test_the_divergence_to_the_optimum_shrinks_by_the_promised_rate(
    asked: tuple[Cells, BalanceSpec], seed: int
) -> None:
    problem = problem_of(*asked)
    best = solve(problem)
    rate = 1 - problem.gamma / problem.smoothness
    steps = itertools.islice(ascend(problem, any_start(problem, seed)), 40)
    distances = [divergence(best.mass, at.mass) for at in steps]
    # the optimum itself is known to 1e-9 only
    assert all(after <= rate * before + 1e-9 for before, after in itertools.pairwise(distances))


@given(ANY)
@settings(max_examples=40, deadline=None)
def test_an_independent_solver_finds_nothing_better(asked: tuple[Cells, BalanceSpec]) -> None:
    problem = problem_of(*asked)
    found = solve(problem)
    limits = problem.limits
    rows = (limits.mix @ limits.members).toarray()[:, limits.stratum]
    reference = minimize(
        lambda x: -objective(problem, np.maximum(x, 1e-15)),
        found.mass,
        jac=lambda x: -gradient(problem, np.maximum(x, 1e-15)),
        bounds=list(zip(np.maximum(problem.lower, 1e-12), problem.upper, strict=True)),
        constraints=[
            {"type": "eq", "fun": lambda x: x.sum() - 1, "jac": np.ones_like},
            {"type": "ineq", "fun": lambda x: rows[1:] @ x - limits.low[1:], "jac": lambda _: rows[1:]},
            {"type": "ineq", "fun": lambda x: limits.high[1:] - rows[1:] @ x, "jac": lambda _: -rows[1:]},
        ][: 3 if problem.grouped else 1],
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-14},
    )
    missed = max(
        abs(reference.x.sum() - 1), (limits.low - rows @ reference.x).max(), (rows @ reference.x - limits.high).max()
    )
    if missed < 1e-9:
        assert found.objective >= -reference.fun - 1e-8


def test_trust_constr_agrees_on_a_fixed_instance() -> None:
    counts, v, a = np.array([500, 40, 7, 90, 3, 12]), np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 0, -1, 1, -1])
    found = solved((counts, v, a))
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
def test_the_gradient_is_the_derivative_along_feasible_directions(cells: Cells, spec: BalanceSpec, seed: int) -> None:
    problem = problem_of(cells, spec)
    rng = np.random.default_rng(seed)
    mass = rng.dirichlet(np.full(len(problem.natural), 5.0)) + 1e-3
    mass /= mass.sum()
    direction = rng.normal(size=len(mass))
    direction -= direction.mean()
    h = 1e-7
    slope = (objective(problem, mass + h * direction) - objective(problem, mass - h * direction)) / (2 * h)
    assert gradient(problem, mass) @ direction == pytest.approx(slope, abs=1e-4)


def test_the_residual_sees_a_mass_that_is_not_optimal() -> None:
    found = solved(([90, 9, 1], [0, 1, 2], [0, 0, 1]))
    moved = found.mass + np.array([1e-4, -1e-4, 0])
    assert kkt_residual(found.problem, moved, found.multipliers) > 1e-5
    assert kkt_residual(found.problem, found.problem.natural, found.multipliers) > 0.1


def test_without_binding_limits_both_marginals_become_uniform() -> None:
    v, a = np.divmod(np.arange(12), 4)
    found = solved((np.arange(1, 13) ** 2, v, a), BalanceSpec(floor=0, repeat_cap=1000))
    np.testing.assert_allclose(found.mass, 1 / 12, atol=1e-9)


def test_a_corpus_without_actions_is_balanced_by_vision_and_language_alone() -> None:
    counts, v = np.array([800, 150, 40, 10]), np.arange(4)
    null = solved((counts, v, np.full(4, -1)), BalanceSpec(repeat_cap=3.0))
    alone = solved((counts, v, np.zeros(4, np.int64)), BalanceSpec(repeat_cap=3.0, beta=0.0))
    np.testing.assert_allclose(null.mass, alone.mass, atol=1e-8)


def test_mass_without_actions_neither_pays_nor_earns_when_actions_are_even() -> None:
    """One vision-language cluster, two even action clusters, and null events: the action term moves nothing."""
    counts, v, a = [400, 100, 100], [0, 0, 0], [-1, 0, 1]
    with_action_term = solved((counts, v, a), BalanceSpec(beta=5.0))
    without = solved((counts, v, a), BalanceSpec(beta=0.0))
    np.testing.assert_allclose(with_action_term.mass, without.mass, atol=1e-8)


def test_the_null_cluster_is_no_action_bin() -> None:
    problem = problem_of(([90, 5, 5], [0, 0, 1], [-1, 0, 1]), BalanceSpec())
    _, a = marginals(problem, problem.natural)
    np.testing.assert_allclose(a, [0.05, 0.05])


@pytest.mark.slow
def test_a_gamma_too_small_to_converge_is_refused_by_name() -> None:
    cells = [1000, 10, 1, 70], [0, 0, 1, 1], [0, 1, 0, 1]
    with pytest.raises(BalanceError, match=r"balance\.gamma is 1e-06"):
        solved(cells, BalanceSpec(gamma=1e-6))


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


# -- targets, sources, recoveries ------------------------------------------------------------------------------------

SPLIT = (
    [400, 40, 8, 100, 300, 20],
    [0, 0, 0, 1, 1, 1],
    [0, 0, 1, 0, 1, 1],
    ["aloha", "droid", "droid", "aloha", "aloha", "droid"],
    [False, False, True, True, False, False],
)


def asked(**limits: object) -> BalanceSpec:
    return BalanceSpec.model_validate(limits)


def test_targets_on_both_axes_are_met_to_a_millionth() -> None:
    cells = [50, 9, 1, 12, 30, 4], [0, 0, 0, 1, 1, 1], [0, 1, 2, 0, 1, 2]
    targets = {
        "vision_language": {"by": "shares", "shares": {0: 0.3, 1: 0.7}},
        "action": {"by": "power", "exponent": 0.5},
    }
    for method in ("entropy", "marginals"):
        found = solved(cells, asked(targets=targets, method={"by": method}))
        v, a = marginals(found.problem, found.mass)
        wanted = np.sqrt([62, 39, 5])
        np.testing.assert_allclose(v, [0.3, 0.7], atol=1e-9)
        np.testing.assert_allclose(a, wanted / wanted.sum(), atol=1e-9)


@pytest.mark.parametrize("ulps", range(-20, 4, 3))
def test_a_target_at_the_edge_of_what_bounds_allow_is_met_from_any_start(ulps: int) -> None:
    """All of cluster 1 stands at its floor there, and by the last bits of its target a little above or below it."""
    counts = [1, 1, 1, 1, 8, 8, 8, 2, 8, 1024, 4, 1, 16, 2048]
    cells = (
        counts,
        [0] * 10 + [1] * 4,
        [-1, 0, 0, 0, 0, 0, 1, 1, 2, 2, -1, 0, 0, 1],
        list("xxxyyzxyxyxxyx"),
        ([True, False] * 2 + [True] + [False] * 9),
    )
    edge = 0.45659533695305016 + ulps * 2.0**-54
    targets = {"vision_language": {"by": "shares", "shares": {0: edge, 1: 1 - edge}}}
    problem = problem_of(cells, asked(targets=targets, gamma=0.1, alpha=0.5, floor=0.8, repeat_cap=3.0))
    for seed in (0, 4):
        found = solve(problem, any_start(problem, seed).mass)
        assert problem.limits.sums(found.mass)[1] == pytest.approx(edge, abs=1e-9)


def test_action_targets_are_shares_of_the_draws_that_have_actions() -> None:
    cells = [60, 20, 40, 80], [0, 0, 1, 1], [-1, 0, 1, 2]
    found = solved(cells, asked(targets={"action": {"by": "uniform"}}))
    _, a = marginals(found.problem, found.mass)
    np.testing.assert_allclose(a / a.sum(), 1 / 3, atol=1e-9)
    assert a.sum() < 1


def test_proportional_fitting_keeps_the_odds_of_what_no_bound_touches() -> None:
    """The fit is the table nearest to the natural one: every odds ratio of it stays."""
    counts = np.array([50, 9, 12, 30])
    targets = {"vision_language": {"by": "uniform"}, "action": {"by": "uniform"}}
    spec = asked(targets=targets, method={"by": "marginals"}, floor=0.0, repeat_cap=100.0)
    mass = solved((counts, [0, 0, 1, 1], [0, 1, 0, 1]), spec).mass
    assert mass[0] * mass[3] / mass[1] / mass[2] == pytest.approx(50 * 30 / 9 / 12, rel=1e-9)


def test_a_power_is_a_power_up_to_the_bounds() -> None:
    counts = np.array([10_000, 900, 100, 1])
    found = solved((counts, range(4), [0] * 4), asked(method={"by": "power", "exponent": 0.5}, repeat_cap=10))
    uses = found.mass * counts.sum() / counts
    assert uses[3] == pytest.approx(10)
    np.testing.assert_allclose(found.mass[:3] / found.mass[0], np.sqrt(counts[:3] / counts[0]), rtol=1e-9)


def test_floors_and_caps_hold_and_multipliers_say_which_bind() -> None:
    spec = asked(sources={"droid": {"floor": 0.3}, "aloha": {"cap": 0.9}}, recovery={"floor": 0.2, "cap": 0.2})
    found = solved(SPLIT, spec)
    total, aloha, droid, recovery = found.problem.limits.sums(found.mass)
    assert total == pytest.approx(1, abs=1e-9)
    assert droid >= 0.3 - 1e-9
    assert aloha <= 0.9 + 1e-9
    assert recovery == pytest.approx(0.2, abs=1e-9)
    names = found.problem.limits.names
    multipliers = dict(zip(names, found.multipliers, strict=True))
    assert multipliers["balance.sources.aloha"] == 0  # at 0.7 at most, because of droid's floor
    free = solved(SPLIT, asked(sources={"droid": {}, "aloha": {}}, recovery={}))
    assert free.objective >= found.objective
    assert np.all(free.multipliers[1:] == 0)


def test_multipliers_are_the_prices_of_their_limits() -> None:
    """A share of recoveries raised by h costs h times its multiplier in objective, to first order."""
    at, above = (solved(SPLIT, asked(recovery={"floor": share, "cap": share})) for share in (0.4, 0.4 + 1e-5))
    assert (above.objective - at.objective) / 1e-5 == pytest.approx(-at.multipliers[1], rel=1e-3)


def test_the_residual_sees_false_multipliers_and_broken_limits() -> None:
    found = solved(SPLIT, asked(sources={"droid": {"floor": 0.6}}))
    false = found.multipliers * [1.0, 1.01]
    assert abs(found.multipliers[1]) > 0.01
    assert kkt_residual(found.problem, found.mass, false) > 1e-5
    free = solved(SPLIT, asked(sources={"droid": {}}))
    assert kkt_residual(found.problem, free.mass, free.multipliers) > 1e-3
    lower = problem_of(SPLIT, asked(sources={"droid": {"floor": 0.5}}))  # the same prices for a limit that is not there
    assert kkt_residual(lower, found.mass, found.multipliers) > 1e-3


def test_a_source_with_doubtful_labels_is_repeated_less() -> None:
    instance = instance_of(strata(*SPLIT), asked(sources={"droid": {"repeat_cap": 3}}))
    uses = solve(instance.problem).mass / instance.problem.natural
    droid = instance.cells.source == "droid"
    assert uses[droid].max() == pytest.approx(3)
    assert uses[~droid].max() <= 10


def test_temperature_moves_the_masses_towards_what_occurs() -> None:
    cells = [4000, 300, 20, 5], [0, 0, 1, 1], [0, 1, 0, 1]
    cold, warm = (solved(cells, asked(method={"by": "entropy", "temperature": tau}, gamma=1)) for tau in (0, 1))
    assert divergence(warm.problem.natural, warm.mass) < divergence(cold.problem.natural, cold.mass)


def test_limits_without_a_solution_are_no_endless_search() -> None:
    problem = problem_of(SPLIT, asked(sources={"droid": {"floor": 0.3}}))
    limits = dataclasses.replace(problem.limits, low=np.array([1.0, 0.99]))
    with pytest.raises(InfeasibleError):
        solve(dataclasses.replace(problem, limits=limits))
