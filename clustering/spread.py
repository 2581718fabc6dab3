"""How even a distribution is, as printed before and after balancing (clustering.md, Report)."""

import math

import numpy as np
from numpy.typing import NDArray

from clustering.programme import entropy
from clustering.strata import Strata
from schemas.cluster import NULL_CLUSTER
from schemas.plan import Spread


def gini(shares: NDArray[np.float64]) -> float:
    """0 for a uniform distribution over K bins, (K − 1)/K when one bin holds everything."""
    ordered = np.sort(shares)
    n = len(ordered)
    ranks = np.arange(1, n + 1)
    return float(np.sum((2 * ranks - n - 1) * ordered) / (n * np.sum(ordered)))


def spread_of(axis: str, shares: NDArray[np.float64], source: str = "") -> Spread:
    """The spread of non-negative ``shares`` [K] of any total; K = 0 (an axis nobody is on) gives zeros."""
    total = float(shares.sum())
    if len(shares) == 0 or total == 0:
        return Spread(axis, len(shares), 0.0, 0.0, 0.0, source)
    normalised = shares / total
    ratio = float(normalised.max() / normalised.min()) if normalised.min() > 0 else math.inf
    return Spread(axis, len(shares), math.exp(entropy(normalised)), max(gini(normalised), 0.0), ratio, source)


def spreads(strata: Strata, mass: NDArray[np.float64]) -> tuple[Spread, ...]:
    """Spread of a mass [S] over strata along three axes, of all events and then of each source where there are several.

    The axes are vision-language clusters, action clusters (of events that have actions) and pairs of both. A source is
    measured over the clusters it occurs in.
    """
    everything = np.ones(len(strata), np.bool_)
    names = np.unique(strata.source).tolist()
    parts = [("", everything), *((name, strata.source == name) for name in names if len(names) > 1)]
    return tuple(spread for name, part in parts for spread in _along_axes(name, strata, part, mass))


def _along_axes(source: str, strata: Strata, part: NDArray[np.bool_], mass: NDArray[np.float64]) -> tuple[Spread, ...]:
    v, a, mass = strata.vision_language[part], strata.action[part], mass[part]
    known = a != NULL_CLUSTER
    pairs = np.unique(np.stack([v, a], axis=1), axis=0, return_inverse=True)[1].reshape(-1)
    return (
        spread_of("vision_language", _sums(v, mass), source),
        spread_of("action", _sums(a[known], mass[known]), source),
        spread_of("cell", _sums(pairs, mass), source),
    )


def _sums(labels: NDArray[np.int64], mass: NDArray[np.float64]) -> NDArray[np.float64]:
    names, place = np.unique(labels, return_inverse=True)
    return np.bincount(place.reshape(-1), mass, len(names)).astype(np.float64)
