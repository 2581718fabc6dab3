"""The balance programme of clustering.md: which share of training every cell gets, solved with a certificate.

    maximise   F(π) = α·H(π_V) + β·H_A(π) + γ·H(π)
    subject to Σ π_c = 1,   f·n_c/N ≤ π_c ≤ R·n_c/N

``H_A`` is the entropy of the action marginal. Events without actions (`NULL_CLUSTER`) have none, so with ``m`` the
mass of the others and K_A the number of action clusters:

    H_A(π) = m·H(π_A given an action) + (1 − m)·log K_A

Mass without actions counts as if it were spread evenly already: it neither pays for lacking actions nor earns by it.
Without null cells this is H(π_A); with nothing else the programme balances vision-language alone. ``m·H(·/m)`` is
concave, so F stays strictly concave (γ > 0) and the optimum unique.

Solved by entropic mirror ascent: F is (α+β+γ)-smooth and γ-strongly concave relative to the entropy, because the
marginals' divergences never exceed the joint one. With step 1/(α+β+γ) the divergence to the optimum shrinks by
1 − γ/(α+β+γ) per iteration (Lu, Freund & Nesterov 2018, Theorem 3.1). The step in log space is a rescaling, the
projection one multiplier found by a safeguarded Newton search on a piecewise linear function.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clustering.errors import BalanceError
from schemas.cluster import NULL_CLUSTER
from schemas.recipe import BalanceSpec

Vector = NDArray[np.float64]
Labels = NDArray[np.int64]

KKT_TOLERANCE = 1e-9
"""Gradients are sums of logarithms of order 10, so 1e-9 lies four digits above their rounding."""
MAX_ITERATIONS = 20_000


@dataclass(frozen=True, eq=False)
class Problem:
    """One instance over C filled cells; every vector is [C]."""

    counts: Vector
    v_bins: Labels
    a_bins: Labels
    """Marginal bins 0 … K−1; −1 in ``a_bins``: no actions."""
    n_v: int
    n_a: int
    lower: Vector
    upper: Vector
    alpha: float
    beta: float
    gamma: float

    @property
    def smoothness(self) -> float:
        return self.alpha + self.beta + self.gamma

    @property
    def natural(self) -> Vector:
        """n_c / N, always feasible."""
        share: Vector = self.counts / self.counts.sum()
        return share


@dataclass(frozen=True, eq=False)
class Balance:
    """The solution: ``mass`` float64 [C], and the certificate that it is one."""

    problem: Problem
    mass: Vector
    objective: float
    kkt_residual: float
    iterations: int
    effective_sample_size: float
    max_uses: float
    """Largest expected uses of one event per N draws."""


def problem_of(counts: NDArray[Any], v: NDArray[Any], a: NDArray[Any], spec: BalanceSpec) -> Problem:
    """The instance for cells with ``counts`` [C] > 0 events in clusters ``v`` [C] × ``a`` [C].

    Raises BalanceError naming the limit that excludes every distribution, ValueError on empty or negative cells.
    """
    counts = np.asarray(counts, np.float64)
    if len(counts) == 0 or np.any(counts <= 0):
        raise ValueError(f"cells: found {len(counts)} with {int(np.sum(counts <= 0))} empty, expected only filled ones")
    if spec.floor > 1.0:
        raise BalanceError(
            f"balance.floor is {spec.floor:g}, so the cells' lower bounds add up to {spec.floor:g} > 1: "
            "lower it to at most 1"
        )
    if spec.repeat_cap < 1.0:
        raise BalanceError(
            f"balance.repeat_cap is {spec.repeat_cap:g}, so the cells' upper bounds add up to "
            f"{spec.repeat_cap:g} < 1: raise it to at least 1"
        )
    natural = counts / counts.sum()
    v_names, v_bins = np.unique(np.asarray(v, np.int64), return_inverse=True)
    a = np.asarray(a, np.int64)
    a_names = np.unique(a[a != NULL_CLUSTER])
    a_bins = np.where(a == NULL_CLUSTER, -1, np.searchsorted(a_names, a))
    return Problem(
        counts, v_bins.astype(np.int64), a_bins.astype(np.int64), len(v_names), len(a_names),
        np.minimum(spec.floor * natural, natural), np.minimum(np.maximum(spec.repeat_cap * natural, natural), 1.0),
        spec.alpha, spec.beta, spec.gamma,
    )  # fmt: skip


def marginals(problem: Problem, mass: Vector) -> tuple[Vector, Vector]:
    """Vision-language marginal [K_V] and action marginal [K_A] of a mass [C]; the latter leaves out null cells."""
    known = problem.a_bins >= 0
    v = np.bincount(problem.v_bins, mass, problem.n_v).astype(np.float64)
    a = np.bincount(problem.a_bins[known], mass[known], problem.n_a).astype(np.float64)
    return v, a


def entropy(shares: Vector) -> float:
    """−Σ p log p in nats, with 0·log 0 = 0; ``shares`` need not add up to 1."""
    positive = shares[shares > 0]
    return float(-np.sum(positive * np.log(positive)))


def objective(problem: Problem, mass: Vector) -> float:
    """F(π)."""
    v, a = marginals(problem, mass)
    known = float(a.sum())
    h_action = 0.0
    if known > 0:
        h_action = entropy(a) + known * math.log(known)
    h_action += (1.0 - known) * math.log(max(problem.n_a, 1))
    return problem.alpha * entropy(v) + problem.beta * h_action + problem.gamma * entropy(mass)


def gradient(problem: Problem, mass: Vector) -> Vector:
    """∇F(π) up to a constant common to all cells, which the constraint Σ π = 1 makes irrelevant."""
    v, a = marginals(problem, mass)
    slope = -problem.alpha * np.log(v)[problem.v_bins] - problem.gamma * np.log(mass)
    known = problem.a_bins >= 0
    if problem.n_a:
        slope[known] -= problem.beta * np.log(a / a.sum())[problem.a_bins[known]]
        slope[~known] += problem.beta * math.log(problem.n_a)
    return slope


def project(weights: Vector, lower: Vector, upper: Vector) -> Vector:
    """``clip(s·weights, lower, upper)`` with the s that makes it sum to 1: the entropic projection on the box simplex.

    ``weights`` [C] > 0. The sum grows piecewise linearly in s; Newton steps are exact on the final piece, and a
    bracket catches them when they overshoot.
    """
    below, above = 0.0, float(np.max(upper / weights))
    scale = min(1.0 / float(weights.sum()), above)
    for _ in range(200):
        mass = np.clip(scale * weights, lower, upper)
        excess = float(mass.sum()) - 1.0
        if excess > 0:
            above = scale
        else:
            below = scale
        free = (scale * weights > lower) & (scale * weights < upper)
        slope = float(weights[free].sum())
        step = scale - excess / slope if slope > 0 else math.inf
        following = step if below < step < above else 0.5 * (below + above)
        if abs(excess) <= 1e-15 or following in (scale, below, above):
            break
        scale = following
    return np.clip(scale * weights, lower, upper)


def ascend(problem: Problem, start: Vector) -> Iterator[Vector]:
    """The iterates of mirror ascent from a feasible positive ``start`` [C], the start first; endless."""
    mass = start
    while True:
        yield mass
        # In log space, relative to the largest entry: exponents stay ≤ 0 and nothing overflows.
        log_weights = np.log(mass) + gradient(problem, mass) / problem.smoothness
        mass = project(np.exp(log_weights - log_weights.max()), problem.lower, problem.upper)


def kkt_residual(problem: Problem, mass: Vector) -> float:
    """How far a mass is from satisfying the optimality conditions; 0 exactly at the optimum.

    The larger of the worst bound or sum violation and of the smallest ε for which some multiplier ν has
    ∂F ≤ ν + ε wherever mass could grow and ∂F ≥ ν − ε wherever it could shrink. Knows nothing of the solver.
    """
    outside = max(
        float(np.max(problem.lower - mass)), float(np.max(mass - problem.upper)), abs(float(mass.sum()) - 1.0)
    )
    slope = gradient(problem, mass)
    can_grow, can_shrink = mass < problem.upper, mass > problem.lower
    gap = 0.0
    if np.any(can_grow) and np.any(can_shrink):
        gap = 0.5 * (float(slope[can_grow].max()) - float(slope[can_shrink].min()))
    return max(outside, gap, 0.0)


def solve(
    counts: NDArray[Any], v: NDArray[Any], a: NDArray[Any], spec: BalanceSpec, start: Vector | None = None
) -> Balance:
    """The optimal mass of cells with ``counts`` [C] events in clusters ``v`` [C] × ``a`` [C].

    ``start`` is any feasible positive mass (default: the natural shares). Raises BalanceError when no mass
    meets the limits or when γ is so small that the iteration cannot reach the tolerance.
    """
    problem = problem_of(counts, v, a, spec)
    mass, residual, iteration = problem.natural, math.inf, 0
    for iteration, mass in enumerate(ascend(problem, problem.natural if start is None else start)):
        residual = kkt_residual(problem, mass)
        if residual <= KKT_TOLERANCE or iteration == MAX_ITERATIONS:
            break
    if residual > KKT_TOLERANCE:
        raise BalanceError(
            f"balance: KKT residual {residual:.1e} after {iteration} iterations, expected ≤ {KKT_TOLERANCE:.0e}; "
            f"balance.gamma is {spec.gamma:g}, too small beside alpha + beta = {spec.alpha + spec.beta:g}: raise it"
        )
    uses = mass / problem.natural
    return Balance(
        problem=problem,
        mass=mass,
        objective=objective(problem, mass),
        kkt_residual=residual,
        iterations=iteration,
        effective_sample_size=float(1.0 / np.sum(mass**2 / problem.counts)),
        max_uses=float(uses.max()),
    )
