"""Where an event lies among frozen clusters: the nearest centroid, and how far its nearest neighbours are.

The centroid says which cluster. It is no measure of how unusual an event is: a wide cluster is far from its own
centroid everywhere. The distance to the k-th nearest of the reference points the model carries is one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clustering.projection import Projection
from schemas.cluster import ClusterModel

DISTANCE_DECIMALS = 5
"""Distances are rounded: the same event must get the same one whichever batch it is projected in."""
MARGIN = 10.0**-DISTANCE_DECIMALS
NEIGHBOURS = 10
ITSELF = 1e-6
"""A reference point closer than this is the event itself, or as good as it, and counts as no neighbour."""
ROWS = 512
"""Events compared with centroids and reference points at a time; a table of distances takes 16 MB at most."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Placed:
    """n events among the clusters of one model."""

    cluster: NDArray[np.int64]
    distance: Numbers
    """1 − cosine to the cluster's centroid."""
    beyond: NDArray[np.bool_]
    """Farther from it than 99 % of what the model was fitted on."""
    tail: NDArray[np.bool_]
    """Farther from its k-th nearest neighbour than 99 % of what the model was fitted on."""


def place(model: ClusterModel, vectors: NDArray[np.float32]) -> Placed:
    """Raw vectors [n, D] among the model's clusters."""
    points = projection_of(model).points(vectors)
    label, distance = _nearest(points, _rows(model.centroids, model))
    tail = neighbour_distances(points, _rows(model.reference, model)) > model.neighbour_p99 + MARGIN
    return Placed(model.cluster_ids[label].astype(np.int64), distance, distance > model.distance_p99 + MARGIN, tail)


def projection_of(model: ClusterModel) -> Projection:
    """The projection a model carries."""
    return Projection(model.mean, model.scale, model.projection.reshape(model.n_projected, len(model.mean)))


def _nearest(points: NDArray[np.float32], centroids: NDArray[np.float32]) -> tuple[NDArray[np.int64], Numbers]:
    """Number [n] of the nearest centroid, and the distance to it."""
    across = centroids.astype(np.float64).T
    labels, distances = [np.zeros(0, np.int64)], [np.zeros(0)]
    for start in range(0, len(points), ROWS):
        nearness = points[start : start + ROWS].astype(np.float64) @ across
        labels.append(np.argmax(nearness, axis=1))
        distances.append(_rounded(1.0 - nearness.max(axis=1)))
    return np.concatenate(labels), np.concatenate(distances)


def neighbour_distances(points: NDArray[np.float32], reference: NDArray[np.float32]) -> Numbers:
    """Of unit points [n, P], the distance to the k-th nearest reference point [R ≥ 1, P] that is not the point itself.

    Where there are not that many, the farthest there is; 0 where there is none.
    """
    if len(reference) == 0:
        return np.zeros(len(points))
    return np.concatenate([_kth(points[i : i + ROWS], reference) for i in range(0, len(points), ROWS)] or [np.zeros(0)])


def _kth(points: NDArray[np.float32], reference: NDArray[np.float32]) -> Numbers:
    n_near = min(NEIGHBOURS + 1, len(reference))
    distance = 1.0 - points.astype(np.float64) @ reference.astype(np.float64).T
    near = np.sort(np.partition(distance, n_near - 1, axis=1)[:, :n_near], axis=1)
    others = NEIGHBOURS - 1 + (near[:, 0] < ITSELF)
    return _rounded(near[np.arange(len(near)), np.minimum(others, n_near - 1)])


def _rounded(distance: Numbers) -> Numbers:
    return np.round(np.clip(distance, 0.0, 2.0), DISTANCE_DECIMALS).astype(np.float64)


def _rows(flat: NDArray[np.floating], model: ClusterModel) -> NDArray[np.float32]:
    return flat.reshape(-1, model.n_projected).astype(np.float32)
