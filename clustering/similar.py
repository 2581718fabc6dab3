"""Events like a given one, by the vectors that the clusters are made of.

Similarity is the cosine after the projection of the frozen model: centred and weighted as the clusters see it, so that
what all events share does not count. Vectors of different embedding models are never compared.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clustering.place import projection_of
from schemas.cluster import ClusterModel, Embedding, Space


@dataclass(frozen=True)
class Similar:
    """How alike an event is to the one asked for; NaN in a space that not both have."""

    event_id: str
    vision_language: float
    action: float

    @property
    def score(self) -> float:
        """Mean over the spaces both events have."""
        known = [value for value in (self.vision_language, self.action) if value == value]  # noqa: PLR0124 - NaN
        return sum(known) / len(known) if known else -1.0


def most_similar(
    like: Sequence[Embedding],
    batches: Callable[[], Iterable[Sequence[Embedding]]],
    models: Sequence[ClusterModel],
    *,
    n: int,
    spaces: Sequence[Space] = tuple(Space),
    wanted: Callable[[str], bool] = lambda _event_id: True,
) -> list[Similar]:
    """The ``n`` events most like the one whose embeddings are ``like``, itself left out; best first, then by id.

    ``batches`` streams all embeddings; those of one event stand in one batch. Raises ValueError when no clusters were
    fitted for the embeddings asked about.
    """
    fitted = {(model.space, model.embedding_model): model for model in models}
    asked = {item.space: item for item in like if item.space in spaces}
    missing = [item.model for item in asked.values() if (item.space, item.model) not in fitted]
    if missing or not asked:
        raise ValueError(f"found no clusters fitted for {missing or 'any of its embeddings'}; run cluster")
    own = {space: _points(fitted[space, item.model], [item])[0] for space, item in asked.items()}
    itself = next(iter(asked.values())).event_id
    found: list[tuple[float, str, Similar]] = []
    for batch in batches():
        compared = _compared(batch, asked, own, fitted)
        others = (other for other in compared if other.event_id != itself and wanted(other.event_id))
        found = heapq.nsmallest(n, [*found, *((-other.score, other.event_id, other) for other in others)])
    return [similar for _, _, similar in found]


def _compared(
    batch: Sequence[Embedding],
    asked: Mapping[Space, Embedding],
    own: Mapping[Space, NDArray[np.float32]],
    fitted: Mapping[tuple[Space, str], ClusterModel],
) -> Iterator[Similar]:
    cosines: dict[str, dict[Space, float]] = {}
    for space, item in asked.items():
        same = [other for other in batch if (other.space, other.model) == (space, item.model)]
        if same:
            values = _points(fitted[space, item.model], same) @ own[space]
            for other, value in zip(same, values, strict=True):
                cosines.setdefault(other.event_id, {})[space] = round(float(value), 5)
    nan = float("nan")
    for event_id, by_space in cosines.items():
        yield Similar(event_id, by_space.get(Space.VISION_LANGUAGE, nan), by_space.get(Space.ACTION, nan))


def _points(model: ClusterModel, items: Sequence[Embedding]) -> NDArray[np.float32]:
    return projection_of(model).points(np.stack([item.vector for item in items]).astype(np.float32))
