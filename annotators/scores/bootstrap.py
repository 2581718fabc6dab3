"""Intervals by resampling whole episodes, because boundaries of one episode succeed and fail together.

A metric is a ratio of sums over episodes; a resample draws as many episodes as there are, with replacement. Two systems
are compared on the *same* resamples (paired): how hard an episode is cancels out, and what is left is the difference.
"""

from dataclasses import dataclass

import numpy as np

from schemas.array import Floats

RESAMPLES = 4000
_CHUNK = 1 << 22
"""Counts at a time: bounds the memory whatever the number of episodes."""


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % percentile interval; None for 0 ÷ 0."""

    estimate: float | None
    low: float | None = None
    high: float | None = None


def resampled_sums(terms: Floats, *, seed: int, resamples: int = RESAMPLES) -> Floats:
    """Sums of ``terms`` float64 [E, K] over resampled episodes, float64 [R, K]; every column sees the same episodes."""
    n_episodes = len(terms)
    if n_episodes == 0:
        return np.zeros((resamples, terms.shape[1]))
    rng = np.random.default_rng(seed)
    at_once = max(1, _CHUNK // n_episodes)
    parts = []
    for first in range(0, resamples, at_once):
        many = min(at_once, resamples - first)
        times_drawn = rng.multinomial(n_episodes, np.full(n_episodes, 1.0 / n_episodes), size=many)
        parts.append(times_drawn.astype(np.float64) @ terms)
    return np.concatenate(parts)


def ratios_of(sums: Floats) -> Floats:
    """Numerator ÷ denominator of pairs of columns, [..., 2M] → [..., M]; NaN for 0 ÷ 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = np.true_divide(sums[..., 0::2], sums[..., 1::2])
    found[~np.isfinite(found)] = np.nan
    return found


def interval(estimate: float, resampled: Floats) -> Interval:
    """The 95 % percentile interval of resampled estimates [R]."""
    known = resampled[np.isfinite(resampled)]
    if not np.isfinite(estimate) or not known.size:
        return Interval(None)
    low, high = np.percentile(known, [2.5, 97.5])
    # of few, very unequal episodes the percentiles can miss what they are about; the interval is then widened
    return Interval(float(estimate), min(float(low), float(estimate)), max(float(high), float(estimate)))


def ratio_interval(terms: Floats, *, seed: int, resamples: int = RESAMPLES) -> Interval:
    """Of Σ numerator ÷ Σ denominator, from ``terms`` float64 [E, 2], one row per episode."""
    estimate = ratios_of(terms.sum(axis=0))[0]
    return interval(float(estimate), ratios_of(resampled_sums(terms, seed=seed, resamples=resamples))[:, 0])


def difference_interval(ours: Floats, theirs: Floats, *, seed: int, resamples: int = RESAMPLES) -> Interval:
    """Of our ratio minus theirs, both [E, 2] over the same episodes in the same order. Raises ValueError otherwise."""
    if ours.shape != theirs.shape:
        raise ValueError(f"found {len(ours)} and {len(theirs)} episodes, expected the same ones twice")
    both = np.concatenate([ours, theirs], axis=1)
    estimates = ratios_of(both.sum(axis=0))
    ratios = ratios_of(resampled_sums(both, seed=seed, resamples=resamples))
    return interval(float(estimates[0] - estimates[1]), ratios[:, 0] - ratios[:, 1])
