"""The mass nearest to given weights, in relative entropy, that keeps within a box and within limits on groups.

    minimise Σ π_c log(π_c / w_c) − π_c   subject to lower ≤ π ≤ upper and low ≤ A π ≤ high

With one multiplier per limit the solution is ``clip(w·exp(Aᵀy), lower, upper)``, so the search is over y alone: the
dual is concave, its gradient is what the limits are missed by, its curvature A·diag(free mass)·Aᵀ. Newton's method
with a line search climbs it. A limit with room on both sides has y = 0, pushes up at its floor (y > 0) and down at its
cap (y < 0): steps stop where a multiplier would change its sign. Balance projects several hundred times on the same
limits, each time from the last multipliers, and then one or two steps do.

Limits that contradict each other let the dual grow without end, and y proves it (Farkas): when even the best mass in
the box falls short of Σ y·limit, no mass can meet them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr

from clustering.limits import Polytope, Vector

TOLERANCE = 1e-13
"""Of a limit: sums of 100,000 shares carry rounding of about 1e-15."""
ACCEPTED = 1e-10
"""Where rounding ends progress earlier, this still counts; it is far below what a certificate allows."""
MAX_STEPS = 200
_LONGEST_STEP = 8.0
"""In the logarithm of a mass: from the lowest to the highest bound of a cell it is log(R/f), 4.6 by default."""

_VISIBLE_GAIN = 1e-9
"""Smaller changes of the dual, a number of order 1, drown in its rounding."""


class InfeasibleError(ValueError):
    """No mass lies within the limits, or only masses that leave cells with nothing; balance says which limits."""


@dataclass(frozen=True, eq=False)
class Projection:
    """The nearest mass [C] and its multipliers [m]: positive where a floor holds it up, negative where a cap holds."""

    mass: Vector
    dual: Vector


@dataclass(frozen=True, eq=False)
class _Point:
    """The dual and its slope at one y."""

    dual: Vector
    potential: Vector
    mass: Vector
    value: float
    missing: Vector
    """[m] by what each limit is missed, in the direction of its multiplier; 0 for limits that are met."""

    @property
    def worst(self) -> float:
        return float(np.max(np.abs(self.missing)))


def project_within(weights: Vector, lower: Vector, upper: Vector, limits: Polytope, dual: Vector) -> Projection:
    """The projection of ``weights`` [C] > 0, searched from the multipliers ``dual`` [m].

    Raises InfeasibleError when the limits contradict each other or are met by no mass in the box's reach.
    """
    point = _point(dual, weights, lower, upper, limits)
    for _ in range(MAX_STEPS):
        if point.worst <= TOLERANCE:
            break
        if is_infeasible(point.dual, lower, upper, limits):
            raise InfeasibleError("contradictory limits")
        following = _climb(point, weights, lower, upper, limits)
        if following is None:
            break
        point = following
    if point.worst > ACCEPTED:
        raise InfeasibleError(f"limits missed by {point.worst:.1e}")
    return Projection(point.mass, point.dual)


def is_infeasible(dual: Vector, lower: Vector, upper: Vector, limits: Polytope) -> bool:
    """Whether these multipliers prove that no mass meets the limits."""
    potential = limits.potential(dual)
    box_low = limits.per_stratum(lower)
    box_high = limits.per_stratum(upper)
    best = np.where(potential > 0, potential * box_high, potential * box_low)
    asked = _bound(dual, limits) * dual
    return bool(asked.sum() - best.sum() > 1e-9 * (np.abs(asked).sum() + np.abs(best).sum()))


def _bound(dual: Vector, limits: Polytope) -> Vector:
    return np.where(dual > 0, limits.low, limits.high)


def _point(dual: Vector, weights: Vector, lower: Vector, upper: Vector, limits: Polytope) -> _Point:
    potential = limits.potential(dual)
    with np.errstate(over="ignore"):  # an infinite weight is clipped to the upper bound
        mass = np.clip(weights * np.exp(potential)[limits.stratum], lower, upper)
    totals = limits.per_stratum(mass)
    sums = limits.of_strata(totals)
    value = float(np.sum(rel_entr(mass, weights) - mass) - potential @ totals + np.sum(dual * _bound(dual, limits)))
    missing = _bound(dual, limits) - sums
    idle = (dual == 0) & ~limits.equal
    missing[idle] = (np.maximum(limits.low - sums, 0.0) - np.maximum(sums - limits.high, 0.0))[idle]
    return _Point(dual, potential, mass, value, missing)


def _climb(point: _Point, weights: Vector, lower: Vector, upper: Vector, limits: Polytope) -> _Point | None:
    """The next point along Newton's direction, or along the plain slope where that leads nowhere; None at the top."""
    free_mass = np.where((point.mass > lower) & (point.mass < upper), point.mass, 0.0)
    curvature = limits.curvature(limits.per_stratum(free_mass))
    moving = (point.missing != 0) | (point.dual != 0) | limits.equal
    # Groups whose cells all stand at a bound have no curvature; what they miss bounds the step instead.
    damping = np.abs(point.missing) / _LONGEST_STEP + 1e-14
    # What such a group misses by rounding is no slope: divided by no curvature it would outweigh all other groups.
    slope = np.where(moving & (np.abs(point.missing) > TOLERANCE), point.missing, 0.0)
    for direction in (
        _newton(curvature, damping, slope, moving, limits.spare),
        slope / (curvature.diagonal() + damping),
    ):
        longest = float(np.max(np.abs(direction)))
        scale = min(1.0, _LONGEST_STEP / longest) if longest > 0 else 1.0
        for halving in range(40):
            dual = point.dual + scale * 0.5**halving * direction
            sign = np.where(point.dual != 0, np.sign(point.dual), np.sign(point.missing))
            dual = np.where(~limits.equal & (dual * sign < 0), 0.0, dual)
            following = _point(dual, weights, lower, upper, limits)
            if _is_ascent(point, following):
                return following
    return None


def _is_ascent(point: _Point, following: _Point) -> bool:
    """Whether a step went up far enough. Near the top values agree to all digits, so the slopes decide there.

    The dual is concave: where it still rises along the step at the step's end, it has risen all the way.
    """
    step = following.dual - point.dual
    before, after = float(point.missing @ step), float(following.missing @ step)
    if after >= 0.0 or before < _VISIBLE_GAIN:
        return 0.9 * before >= -after and before > 0.0
    return following.value >= point.value + 1e-4 * before


def _newton(curvature: Any, damping: Vector, missing: Vector, moving: NDArray[np.bool_], spare: slice) -> Vector:
    """The solution of (curvature + damping)·x = missing over the ``moving`` rows, 0 in the others.

    The spare block is diagonal (disjoint groups), so a Schur complement leaves a system as large as the other rows.
    """
    is_spare = np.zeros(len(missing), np.bool_)
    is_spare[spare] = True
    held, rest = np.flatnonzero(moving & is_spare), np.flatnonzero(moving & ~is_spare)
    diagonal = curvature.diagonal()[held] + damping[held]
    across = curvature[held][:, rest].toarray()
    dense = curvature[rest][:, rest].toarray() + np.diag(damping[rest])
    scaled = across / diagonal[:, None]
    found = np.zeros(len(missing))
    if len(rest):
        found[rest] = np.linalg.solve(dense - across.T @ scaled, missing[rest] - scaled.T @ missing[held])
    found[held] = missing[held] / diagonal - scaled @ found[rest]
    return found
