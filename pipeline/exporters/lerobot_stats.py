"""Statistics as LeRobot 0.4 and later keep them: minimum, maximum, mean, standard deviation, count and five quantiles.

Moments of a data set are exact; its quantiles are means of the episodes' quantiles weighted by length, as LeRobot's own
are. Rows the source does not vouch for are left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.loader.decode import decode_clip

QUANTILES = (0.01, 0.10, 0.50, 0.90, 0.99)
EVERY_FRAME, EVERY_PIXEL = 10, 4
"""Pictures are sampled: each tenth frame, each fourth pixel both ways."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Moments:
    """Statistics of one feature; arrays [D], or [3, 1, 1] for pictures."""

    low: Numbers
    high: Numbers
    mean: Numbers
    std: Numbers
    quantiles: Numbers
    """[5, …]"""
    count: int
    """Rows or pictures behind them; 0 when no row counts, with zeros in all others."""

    def described(self) -> dict[str, list[Any]]:
        named = {f"q{round(100 * q):02d}": part for q, part in zip(QUANTILES, self.quantiles, strict=True)}
        parts = {"min": self.low, "max": self.high, "mean": self.mean, "std": self.std, **named}
        return {**{name: part.tolist() for name, part in parts.items()}, "count": [self.count]}


def moments(values: NDArray[Any], valid: NDArray[Any] | None = None) -> Moments:
    """Of rows [N] or [N, D]: those with ``valid`` only, and with a number in every column."""
    everything = np.asarray(values, np.float64).reshape(len(values), -1)
    counted = np.isfinite(everything).all(axis=1)
    rows = everything[counted if valid is None else counted & valid]
    if not len(rows):
        zeros = np.zeros(everything.shape[1])
        return Moments(zeros, zeros, zeros, zeros, np.stack([zeros] * len(QUANTILES)), 0)
    return _of(rows, len(rows))


def picture_moments(mp4: bytes, n_frames: int) -> Moments:
    """Of a clip's sampled pixels in 0 … 1, by channel."""
    frames = range(0, n_frames, EVERY_FRAME)
    pixels = decode_clip(mp4, frames=frames)[:, ::EVERY_PIXEL, ::EVERY_PIXEL]
    found = _of(pixels.reshape(-1, 3).astype(np.float64) / 255, len(frames))
    shape = (3, 1, 1)
    quantiles = found.quantiles.reshape(len(QUANTILES), *shape)
    low, high, mean, std = (part.reshape(shape) for part in (found.low, found.high, found.mean, found.std))
    return Moments(low, high, mean, std, quantiles, found.count)


def _of(rows: Numbers, count: int) -> Moments:
    return Moments(rows.min(0), rows.max(0), rows.mean(0), rows.std(0), np.quantile(rows, QUANTILES, axis=0), count)


class Merged:
    """Moments of one feature over all episodes so far. Memory does not grow."""

    def __init__(self) -> None:
        self._so_far: Moments | None = None

    def add(self, part: Moments) -> None:
        before = self._so_far
        if before is None or before.count == 0:
            self._so_far = part
            return
        if part.count == 0:
            return
        count = before.count + part.count
        new = part.count / count
        mean = before.mean + new * (part.mean - before.mean)
        variance = (1 - new) * (before.std**2 + (before.mean - mean) ** 2)
        variance += new * (part.std**2 + (part.mean - mean) ** 2)
        quantiles = before.quantiles + new * (part.quantiles - before.quantiles)
        low, high = np.minimum(before.low, part.low), np.maximum(before.high, part.high)
        self._so_far = Moments(low, high, mean, np.sqrt(variance), quantiles, count)

    def get(self) -> Moments:
        """Raises ValueError before the first episode."""
        if self._so_far is None:
            raise ValueError("no episode was added")
        return self._so_far


def merged(features: Sequence[str]) -> Mapping[str, Merged]:
    """An empty one for each feature."""
    return {name: Merged() for name in features}
