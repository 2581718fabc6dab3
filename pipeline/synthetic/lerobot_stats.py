"""The statistics LeRobot keeps beside its data: minimum, maximum, mean, standard deviation and count per feature.

Rows with NaN (a defect a corpus may contain on purpose) are left out, so that the metadata stays valid JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from schemas.array import Floats


@dataclass(frozen=True, eq=False)
class FeatureStats:
    """Statistics of one feature over ``count`` rows; arrays have the feature's shape, [D] or [3, 1, 1] for pictures."""

    low: Floats
    high: Floats
    mean: Floats
    std: Floats
    count: int


def _of(values: Floats, count: int, shape: tuple[int, ...]) -> FeatureStats:
    reduced = (values.min(0), values.max(0), values.mean(0), values.std(0))
    low, high, mean, std = (part.reshape(shape) for part in reduced)
    return FeatureStats(low, high, mean, std, count)


def table_stats(table: pa.Table) -> dict[str, FeatureStats]:
    """Statistics of every column of an episode's table."""
    stats = {}
    for name in table.column_names:
        column = table[name].combine_chunks()
        nested = pa.types.is_list(column.type) or pa.types.is_fixed_size_list(column.type)
        flat = column.flatten() if nested else column
        values = flat.to_numpy(zero_copy_only=False).astype(np.float64).reshape(len(column), -1)
        values = values[np.all(np.isfinite(values), axis=1)]
        stats[name] = _of(values, len(column), (values.shape[1],))
    return stats


def picture_stats(sample: Floats) -> FeatureStats:
    """Statistics of sampled pixel values [S, 3] in 0 … 1."""
    return _of(sample, len(sample), (3, 1, 1))


def merged(parts: Sequence[dict[str, FeatureStats]]) -> dict[str, FeatureStats]:
    """Statistics of all episodes together."""
    out = {}
    for name in parts[0]:
        stats = [part[name] for part in parts]
        weights = np.array([part.count for part in stats], np.float64)
        weights /= weights.sum()
        mean = sum(weight * part.mean for weight, part in zip(weights, stats, strict=True))
        second = sum(weight * (part.std**2 + part.mean**2) for weight, part in zip(weights, stats, strict=True))
        out[name] = FeatureStats(
            low=np.min([part.low for part in stats], axis=0),
            high=np.max([part.high for part in stats], axis=0),
            mean=np.asarray(mean),
            std=np.sqrt(np.maximum(np.asarray(second) - np.asarray(mean) ** 2, 0.0)),
            count=sum(part.count for part in stats),
        )
    return out


def json_stats(stats: dict[str, FeatureStats], *, with_count: bool = True) -> dict[str, dict[str, Any]]:
    """As nested lists; v2.0 keeps no counts."""
    out: dict[str, dict[str, Any]] = {}
    for name, part in stats.items():
        out[name] = {
            "min": part.low.tolist(),
            "max": part.high.tolist(),
            "mean": part.mean.tolist(),
            "std": part.std.tolist(),
        }
        if with_count:
            out[name]["count"] = [part.count]
    return out
