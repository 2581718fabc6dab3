"""How even a distribution is, as printed before and after balancing (clustering.md, Report)."""

import math

import numpy as np
from numpy.typing import NDArray

from clustering.programme import Problem, entropy, marginals
from schemas.plan import Spread


def gini(shares: NDArray[np.float64]) -> float:
    """0 for a uniform distribution over K bins, (K − 1)/K when one bin holds everything."""
    ordered = np.sort(shares)
    n = len(ordered)
    ranks = np.arange(1, n + 1)
    return float(np.sum((2 * ranks - n - 1) * ordered) / (n * np.sum(ordered)))


def spread_of(axis: str, shares: NDArray[np.float64]) -> Spread:
    """The spread of non-negative ``shares`` [K] of any total; K = 0 (an axis nobody is on) gives zeros."""
    total = float(shares.sum())
    if len(shares) == 0 or total == 0:
        return Spread(axis, len(shares), 0.0, 0.0, 0.0)
    normalised = shares / total
    ratio = float(normalised.max() / normalised.min()) if normalised.min() > 0 else math.inf
    return Spread(axis, len(shares), math.exp(entropy(normalised)), max(gini(normalised), 0.0), ratio)


def spreads(problem: Problem, mass: NDArray[np.float64]) -> tuple[Spread, ...]:
    """Spread of a mass along vision-language clusters, action clusters (of events that have actions) and cells."""
    v, a = marginals(problem, mass)
    return spread_of("vision_language", v), spread_of("action", a), spread_of("cell", mass)
