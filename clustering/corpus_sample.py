"""A bounded sample of a corpus that does not fit in memory: the events whose ids hash lowest.

Which events are chosen depends on their ids alone, not on the order or the batches they arrive in, and appending
data replaces only as much of the sample as the new data deserves.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from clustering.counter_hash import keys_of
from schemas.cluster import Embedding, Space


@dataclass(frozen=True, eq=False)
class Sample:
    """Events of one embedding model in the order of their hashes: ``vectors`` float32 [n, D]."""

    space: Space
    model: str
    vectors: NDArray[np.float32]
    n_events: int
    """How many the corpus has; n of them are here."""


@dataclass
class _Reservoir:
    """What one model's events have left behind so far; grows to half above its limit, then is cut back."""

    limit: int
    n_events: int = 0
    rows: list[tuple[int, str, NDArray[np.float32]]] = field(default_factory=list)

    def add(self, key: int, embedding: Embedding) -> None:
        self.n_events += 1
        self.rows.append((key, embedding.event_id, np.asarray(embedding.vector, np.float32)))
        if len(self.rows) > self.limit + self.limit // 2:
            self.cut()

    def cut(self) -> None:
        self.rows = sorted(self.rows, key=lambda row: row[:2])[: self.limit]


def sample_models(batches: Iterable[list[Embedding]], limit: int) -> list[Sample]:
    """At most ``limit`` events of every embedding model, sorted by space and model.

    Memory: 1.5 · limit vectors per model. Raises ValueError when vectors of one model differ in length.
    """
    reservoirs: dict[tuple[Space, str], _Reservoir] = {}
    for batch in batches:
        keys = keys_of("cluster-sample", (item.event_id for item in batch)).tolist()
        for key, item in zip(keys, batch, strict=True):
            reservoirs.setdefault((item.space, item.model), _Reservoir(limit)).add(key, item)
    return [_sample(space, model, reservoirs[space, model]) for space, model in sorted(reservoirs)]


def _sample(space: Space, model: str, reservoir: _Reservoir) -> Sample:
    reservoir.cut()
    lengths = {len(vector) for _, _, vector in reservoir.rows}
    if len(lengths) > 1:
        raise ValueError(f"{model}: found vectors of lengths {sorted(lengths)}, expected one; run embed again")
    return Sample(space, model, np.stack([vector for _, _, vector in reservoir.rows]), reservoir.n_events)
