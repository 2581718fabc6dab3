"""``stats.json``: what a trainer normalises by, per embodiment, from the sketches of the train shards.

Only the train split counts, so nothing of the validation split leaks into normalisation, and rows count as often
as they are drawn, because that is the distribution the model sees.
"""

from collections.abc import Iterable
from typing import Any

from pipeline.shards.sketch import Sketch, deviation, merge, quantile
from schemas.displacement import ACTION_DIMS, ARM_DIMS
from schemas.shard import ShardStatistics

_ARM_COLUMNS = ("x_m", "y_m", "z_m", "r11", "r12", "r13", "r21", "r22", "r23", "opening")
COLUMNS = tuple(f"{('left', 'right')[i // ARM_DIMS]}_{_ARM_COLUMNS[i % ARM_DIMS]}" for i in range(ACTION_DIMS))


def statistics(batches: Iterable[list[ShardStatistics]]) -> dict[str, Any]:
    """The content of ``stats.json``. ``batches`` come in order of shards."""
    merged: dict[str, dict[str, Sketch]] = {}
    for batch in batches:
        for record in batch:
            if record.split == "train":
                parts = merged.setdefault(record.embodiment, {})
                own = sketch_of(record)
                parts[record.quantity] = merge(parts[record.quantity], own) if record.quantity in parts else own
    return {
        "format": 1,
        "about": "action_relative: displacement from the span's first state, opening absolute; state: absolute. "
        "Valid rows of the train split as drawn. Quantiles are off by at most 0.00007.",
        "columns": list(COLUMNS),
        "embodiments": {
            embodiment: {quantity: _described(parts[quantity]) for quantity in sorted(parts)}
            for embodiment, parts in sorted(merged.items())
        },
    }


def sketch_of(record: ShardStatistics) -> Sketch:
    """The sketch a record carries."""
    return Sketch(
        n_rows=record.n_rows,
        mean=record.mean,
        squares=record.squares,
        low=record.low,
        high=record.high,
        bins=record.bins,
        counts=record.counts,
    )


def _described(of: Sketch) -> dict[str, list[float]]:
    return {
        "n_rows": of.n_rows.tolist(),
        "mean": of.mean.tolist(),
        "std": deviation(of).tolist(),
        "min": of.low.tolist(),
        "max": of.high.tolist(),
        "q01": quantile(of, 0.01).tolist(),
        "q99": quantile(of, 0.99).tolist(),
    }
