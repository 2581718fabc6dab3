"""The points of a corpus on disk, cell by cell, while duplicates are looked for.

Embeddings come episode by episode and are wanted cell by cell, and there are too many to hold. Each is projected as it
passes and written to its place in one temporary file; events that are alone in their cell are not written at all.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clustering.place import projection_of
from clustering.projection import Projection
from schemas.cluster import ClusterModel, Embedding, Space

Points = NDArray[np.float32]
Rows = NDArray[np.int64]


class CellPoints:
    """Projected points by row: vision-language first, action beside it."""

    def __init__(self, file: Path, n_rows: int, models: Sequence[ClusterModel]) -> None:
        self._models: dict[tuple[Space, str], Projection] = {
            (model.space, model.embedding_model): projection_of(model) for model in models
        }
        self._first_action = _widest(models, Space.VISION_LANGUAGE)
        width = max(1, self._first_action + _widest(models, Space.ACTION))
        self._rows = np.memmap(file, np.float32, "w+", shape=(max(1, n_rows), width))

    def write(self, embeddings: Sequence[Embedding], rows: Rows) -> None:
        """Project a batch into its rows; a row below zero is not wanted.

        Raises KeyError for an embedding whose model was never fitted.
        """
        by_model: dict[tuple[Space, str], list[int]] = {}
        for i in np.flatnonzero(rows >= 0).tolist():
            by_model.setdefault((embeddings[i].space, embeddings[i].model), []).append(i)
        for key, places in by_model.items():
            points = self._models[key].points(np.stack([embeddings[i].vector for i in places]).astype(np.float32))
            start = 0 if key[0] is Space.VISION_LANGUAGE else self._first_action
            self._rows[rows[places], start : start + points.shape[1]] = points

    def of(self, rows: Rows, space: Space) -> Points:
        """The points of these rows, [n, P]; columns the model has no use for are zero and change no cosine."""
        part = slice(None, self._first_action) if space is Space.VISION_LANGUAGE else slice(self._first_action, None)
        found: Points = np.ascontiguousarray(self._rows[rows, part])
        return found


def _widest(models: Iterable[ClusterModel], space: Space) -> int:
    return max((model.n_projected for model in models if model.space is space), default=0)
