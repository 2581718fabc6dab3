"""Mean, deviation and quantiles of a corpus that never fits in memory: sketches of parts that add up to the whole.

All columns of the layout have a known scale (metres, direction cosines, openings), so histogram bins are 2⁻¹³ wide
everywhere: a quantile is off by at most 0.06 mm, the bin of a number is exact arithmetic, and counts add up the
same on any machine. Moments merge by Chan's formula; shards are merged in order of their names.
"""

from dataclasses import dataclass

import numpy as np

from schemas.array import Bools, Floats, Ints
from schemas.displacement import ACTION_DIMS

RESOLUTION = 2.0**-13
"""Width of a bin; a power of two, so that dividing by it is exact."""
_COLUMN = 2**48
"""Bins per column in `Sketch.bins`, half of them for negative numbers."""
_FARTHEST = _COLUMN // 2 - 1


@dataclass(frozen=True, eq=False)
class Sketch:
    """Columns of a stream of rows, [20] each, and the filled bins of all columns' histograms."""

    n_rows: Ints
    mean: Floats
    squares: Floats
    low: Floats
    high: Floats
    bins: Ints
    """Column · 2⁴⁸ + 2⁴⁷ + number / `RESOLUTION`, ascending."""
    counts: Ints


def sketch(values: Floats, counted: Bools) -> Sketch:
    """Of float32 ``values`` [T, 20], those ``counted`` (bool [T, 20]) and finite."""
    values = np.asarray(values, np.float32).reshape(-1, ACTION_DIMS)
    counted = counted & np.isfinite(values)
    wide = np.where(counted, values, 0.0).astype(np.float64)
    n_rows = counted.sum(axis=0).astype(np.int64)
    mean = wide.sum(axis=0) / np.maximum(n_rows, 1)
    squares = np.where(counted, (wide - mean) ** 2, 0.0).sum(axis=0)
    low = np.where(counted, wide, np.inf).min(axis=0, initial=np.inf)
    high = np.where(counted, wide, -np.inf).max(axis=0, initial=-np.inf)
    columns = np.broadcast_to(np.arange(ACTION_DIMS), values.shape)
    numbers = np.clip(np.rint(wide / RESOLUTION), -_FARTHEST, _FARTHEST).astype(np.int64)
    bins, counts = np.unique((columns * _COLUMN + _COLUMN // 2 + numbers)[counted], return_counts=True)
    empty = n_rows == 0
    return Sketch(n_rows, mean, squares, np.where(empty, 0.0, low), np.where(empty, 0.0, high), bins, counts)


def merge(first: Sketch, second: Sketch) -> Sketch:
    """The sketch of both streams."""
    n = first.n_rows + second.n_rows
    share = second.n_rows / np.maximum(n, 1)
    step = second.mean - first.mean
    bins, place = np.unique(np.concatenate([first.bins, second.bins]), return_inverse=True)
    counts = np.zeros(len(bins), np.int64)
    np.add.at(counts, place.reshape(-1), np.concatenate([first.counts, second.counts]))
    return Sketch(
        n_rows=n,
        mean=first.mean + step * share,
        squares=first.squares + second.squares + step**2 * first.n_rows * share,
        low=_extreme(np.minimum, first.low, second.low, first.n_rows, second.n_rows),
        high=_extreme(np.maximum, first.high, second.high, first.n_rows, second.n_rows),
        bins=bins,
        counts=counts,
    )


def deviation(of: Sketch) -> Floats:
    """Standard deviation per column, float64 [20]; 0 where there are no rows."""
    std: Floats = np.sqrt(of.squares / np.maximum(of.n_rows, 1))
    return std


def quantile(of: Sketch, q: float) -> Floats:
    """The value below which a share ``q`` of each column's rows lies, float64 [20]; 0 where there are no rows."""
    found = np.zeros(ACTION_DIMS)
    columns = of.bins // _COLUMN
    for column in np.unique(columns):
        own = columns == column
        reached = np.cumsum(of.counts[own])
        at = np.searchsorted(reached, max(1.0, np.ceil(q * reached[-1])))
        middle = (of.bins[own][at] % _COLUMN - _COLUMN // 2) * RESOLUTION
        found[column] = np.clip(middle, of.low[column], of.high[column])
    return found


def _extreme(choose: np.ufunc, first: Floats, second: Floats, n_first: Ints, n_second: Ints) -> Floats:
    both: Floats = choose(first, second)
    return np.where(n_first == 0, second, np.where(n_second == 0, first, both))
