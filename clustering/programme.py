"""The balance programme of clustering.md: which share of training every cell gets, solved with a certificate.

    maximise   F(π) = α·H(π_V) + β·H_A(π) − γ·KL(π‖ρ) + ⟨b, π⟩
    subject to Σ π_c = 1,   f·s_c/S ≤ π_c ≤ R·s_c/S,   low_j ≤ Σ_{c in group j} π_c ≤ high_j

s_c is what cell c holds in the unit that shares are counted in, S all of it. The reference ρ is 1 by default; then
the third term is γ·H(π). ``H_A`` is the entropy of the action marginal. Events without actions (`NULL_CLUSTER`) have
none, so with ``m`` the mass of the others and K_A the number of action clusters:

    H_A(π) = m·H(π_A given an action) + (1 − m)·log K_A

Mass without actions counts as if it were spread evenly already: it neither pays for lacking actions nor earns by it.
Without null cells this is H(π_A); with nothing else the programme balances vision-language alone. ``m·H(·/m)`` is
concave, so F stays strictly concave (γ > 0) and the optimum unique. An axis with a target has its term fixed by it:
α (or β) is 0 then, and what is left of H_A, linear in m, stands in b.

Solved by entropic mirror ascent: F is (α+β+γ)-smooth and γ-strongly concave relative to the entropy, because the
marginals' divergences never exceed the joint one. With step 1/(α+β+γ) the divergence to the optimum shrinks by
1 − γ/(α+β+γ) per iteration (Lu, Freund & Nesterov 2018, Theorem 3.1), whatever convex set is projected on. The step
in log space is a rescaling; the projection is one multiplier for the box alone (`project`), one more per group with
limits (`clustering.bregman`). With α = β = 0 a single step arrives: that is how powers and targets are solved.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clustering.bregman import Projection, project_within
from clustering.errors import BalanceError
from clustering.limits import Polytope

Vector = NDArray[np.float64]
Labels = NDArray[np.int64]

KKT_TOLERANCE = 1e-9
"""Gradients are sums of logarithms of order 10, so 1e-9 lies four digits above their rounding."""
MAX_ITERATIONS = 20_000


@dataclass(frozen=True, eq=False)
class Problem:
    """One instance over C filled cells; every vector is [C]."""

    natural: Vector
    """s_c / S; adds up to less than 1 where limits leave cells without any mass, for those are no part of this."""
    n_events: Vector
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
    log_reference: Vector
    bias: Vector
    limits: Polytope

    @property
    def smoothness(self) -> float:
        return self.alpha + self.beta + self.gamma

    @property
    def grouped(self) -> bool:
        """Whether there are limits beside the box and Σ π = 1."""
        return len(self.limits.low) > 1


@dataclass(frozen=True, eq=False)
class Balance:
    """The solution: ``mass`` float64 [C], and the certificate that it is one."""

    problem: Problem
    mass: Vector
    multipliers: Vector
    """[m] of `Problem.limits`: by how much F would rise per unit by which that limit gave way; the first is that of
    Σ π = 1 up to a constant. Positive: a floor binds; negative: a cap."""
    objective: float
    kkt_residual: float
    iterations: int


def marginals(problem: Problem, mass: Vector) -> tuple[Vector, Vector]:
    """Vision-language marginal [K_V] and action marginal [K_A] of a mass [C]; the latter leaves out null cells."""
    v = np.bincount(problem.v_bins, mass, problem.n_v).astype(np.float64)
    a = np.bincount(problem.a_bins + 1, mass, problem.n_a + 1)[1:].astype(np.float64)
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
    near = entropy(mass) + float(mass @ problem.log_reference)
    return problem.alpha * entropy(v) + problem.beta * h_action + problem.gamma * near + float(mass @ problem.bias)


def gradient(problem: Problem, mass: Vector) -> Vector:
    """∇F(π) up to a constant common to all cells, which the constraint Σ π = 1 makes irrelevant."""
    v, a = marginals(problem, mass)
    slope: Vector = problem.bias + problem.gamma * (problem.log_reference - np.log(mass))
    if problem.alpha:
        slope -= (problem.alpha * np.log(v))[problem.v_bins]
    if problem.beta and problem.n_a:
        of_bin = np.append(-np.log(a / a.sum()), math.log(problem.n_a))  # −1, no actions, is the last
        slope += (problem.beta * of_bin)[problem.a_bins]
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


def nearest(problem: Problem, weights: Vector, dual: Vector) -> Projection:
    """The feasible mass nearest to ``weights`` [C] > 0 in relative entropy, searched from ``dual`` [m].

    Raises `clustering.bregman.InfeasibleError` when there is none.
    """
    if problem.grouped:
        return project_within(weights, problem.lower, problem.upper, problem.limits, dual)
    return Projection(project(weights, problem.lower, problem.upper), dual)


def ascend(problem: Problem, start: Projection) -> Iterator[Projection]:
    """The iterates of mirror ascent from a feasible positive ``start``, the start first; endless.

    The step's own multipliers, times the smoothness, are the optimum's in the limit.
    """
    at = start
    while True:
        yield at
        log_weights = np.log(at.mass) + gradient(problem, at.mass) / problem.smoothness
        if not problem.grouped:  # exponents stay ≤ 0 and nothing overflows; with groups the multipliers see to that
            log_weights -= log_weights.max()
        at = nearest(problem, np.exp(log_weights), at.dual)


def kkt_residual(problem: Problem, mass: Vector, multipliers: Vector) -> float:
    """How far a mass is from satisfying the optimality conditions; 0 exactly at the optimum.

    Knows nothing of the solver: whatever the ``multipliers`` [m], a residual of ε proves that the limits are met up to
    ε and that no feasible mass has F higher by more than (2 + m)·ε. It is the largest of

    - the worst violation of a bound, a group's limit or the sum,
    - the smallest ε for which some multiplier ν of the sum has ∂F + Σ_j y_j ≤ ν + ε wherever mass could grow and
      ∂F + Σ_j y_j ≥ ν − ε wherever it could shrink, j running over a cell's groups,
    - y_j times what group j is away from the limit that the sign of y_j says it stands at.
    """
    limits = problem.limits
    sums = limits.sums(mass)
    outside = max(
        float(np.max(problem.lower - mass)),
        float(np.max(mass - problem.upper)),
        float(np.max(limits.low - sums)),
        float(np.max(sums - limits.high)),
    )
    idle = float(np.max(np.abs(multipliers) * np.abs(sums - np.where(multipliers > 0, limits.low, limits.high))))
    slope = gradient(problem, mass) + limits.potential(multipliers)[limits.stratum]
    can_grow, can_shrink = mass < problem.upper, mass > problem.lower
    gap = 0.0
    if np.any(can_grow) and np.any(can_shrink):
        gap = 0.5 * (float(slope[can_grow].max()) - float(slope[can_shrink].min()))
    return max(outside, idle, gap, 0.0)


def solve(problem: Problem, start: Vector | None = None) -> Balance:
    """The optimal mass. ``start`` is any positive mass (default: the natural shares); it is projected first.

    Raises `clustering.bregman.InfeasibleError` when no mass meets the limits, BalanceError when γ is so small that
    the iteration cannot reach the tolerance.
    """
    start = problem.natural if start is None else start
    first = nearest(problem, start, np.zeros(len(problem.limits.low)))
    at, residual, iteration = first, math.inf, 0
    for iteration, at in enumerate(ascend(problem, first)):
        residual = kkt_residual(problem, at.mass, problem.smoothness * at.dual)
        if residual <= KKT_TOLERANCE or iteration == MAX_ITERATIONS:
            break
    if residual > KKT_TOLERANCE:
        raise BalanceError(
            f"balance: KKT residual {residual:.1e} after {iteration} iterations, expected ≤ {KKT_TOLERANCE:.0e}; "
            f"balance.gamma is {problem.gamma:g}, too small beside alpha + beta = {problem.alpha + problem.beta:g}: "
            "raise it"
        )
    return Balance(
        problem=problem,
        mass=at.mass,
        multipliers=problem.smoothness * at.dual,
        objective=objective(problem, at.mass),
        kkt_residual=residual,
        iterations=iteration,
    )
