"""The arithmetic of an audit: how far counts stray from shares, over every prefix and in the end."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincc

Ints = NDArray[np.integer[Any]]
Floats = NDArray[np.floating[Any]]

MOST_BINS = 16
LEAST_EXPECTED = 5.0
"""Below that a chi² says nothing (Cochran's rule)."""


@dataclass(frozen=True)
class Deviation:
    """The worst |count − t·share|."""

    value: float
    group: int
    prefix: int
    """t: how many draws the prefix has."""


def worst_deviation(groups: Ints, shares: Floats, before: Ints | None = None) -> Deviation:
    """Over all prefixes of ``groups`` [N] and all groups [K]; ``before`` [K] counts draws that came earlier.

    A group strays furthest just before or just after one of its own draws, or at the end: looking there is looking
    everywhere, in O(N log N).
    """
    n = len(groups)
    drawn = np.zeros(len(shares), np.int64) if before is None else before
    first = int(drawn.sum())
    order = np.argsort(groups, kind="stable")
    counts = np.bincount(groups, minlength=len(shares))
    earlier = np.empty(n, np.int64)
    earlier[order] = np.arange(n) - np.repeat(np.cumsum(counts) - counts, counts)
    earlier += drawn[groups]
    t, share = first + np.arange(n), shares[groups]
    candidates = (
        (np.abs(earlier - t * share), groups, t),
        (np.abs(earlier + 1 - (t + 1) * share), groups, t + 1),
        (np.abs(drawn + counts - (first + n) * shares), np.arange(len(shares)), np.full(len(shares), first + n)),
    )
    worst = Deviation(0.0, 0, 0)
    for values, group, prefix in candidates:
        i = int(np.argmax(values)) if len(values) else -1
        if i >= 0 and values[i] > worst.value:
            worst = Deviation(float(values[i]), int(group[i]), int(prefix[i]))
    return worst


def shares_of(groups: Ints, weights: Floats | None, n_groups: int) -> Floats:
    """What part of all weight each group has; zeros when there is none."""
    found = np.bincount(groups, weights, minlength=n_groups).astype(np.float64)
    total = found.sum()
    return found / total if total else found


def total_variation(realised: Floats, target: Floats) -> float:
    """Half of the summed differences: the part of all draws that is in the wrong place."""
    return float(np.abs(realised - target).sum() / 2)


@dataclass(frozen=True)
class Independence:
    """A chi² test of one thing against the place in an order."""

    chi2: float
    degrees: int
    p: float
    """Chance of this much or more if the two had nothing to do with each other."""


def independence(labels: Ints, n_labels: int) -> Independence | None:
    """Whether ``labels`` [N] depend on the position; None when there are too few of them to say."""
    n = len(labels)
    totals = np.bincount(labels, minlength=n_labels)
    used = np.flatnonzero(totals)
    least = int(totals[used].min()) if len(used) else 0
    bins = min(MOST_BINS, int(least / LEAST_EXPECTED))
    if len(used) < 2 or bins < 2:
        return None
    place = np.arange(n) * bins // n
    table = np.bincount(labels * bins + place, minlength=n_labels * bins).reshape(n_labels, bins)[used]
    expected = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / n
    chi2 = float(((table - expected) ** 2 / expected).sum())
    degrees = (len(used) - 1) * (bins - 1)
    return Independence(chi2, degrees, float(gammaincc(degrees / 2, chi2 / 2)))
