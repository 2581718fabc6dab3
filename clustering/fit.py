"""Fitting the clusters of one embedding model: how many there are, and when they are accepted.

K starts at its default; clusters with too few events are dissolved; what is left is accepted only if three fits from
different seeds agree (mean pairwise adjusted Rand index), otherwise a smaller K is tried. One cluster always passes:
a corpus too small or too uniform to divide is not divided.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from clustering.cluster_ids import inherited_ids, with_fresh_ids
from clustering.corpus_sample import Sample
from clustering.families import family_of
from clustering.place import neighbour_distances, place
from clustering.projection import Projection, fit_projection
from clustering.rand_index import adjusted_rand
from clustering.spherical import Labels, Points, cluster_points, nearest, one_thread
from schemas.cluster import ClusterModel, FitCause, Space
from schemas.identity import make_id
from schemas.recipe import ClusterSpec

ALGORITHM = 3
"""Goes up whenever the same sample would give other clusters."""
N_SEEDS = 3
SHRINK = 0.7
"""K after a refusal, relative to before."""
REFERENCE = 2048
"""Points a model carries to tell how far an event's neighbours are; the first ones of the sample."""
_DEFAULT_K = {Space.VISION_LANGUAGE: (500, 32, 4096), Space.ACTION: (1000, 16, 512)}
"""Events per cluster, smallest and largest K (clustering.md, Clustering)."""


@dataclass(frozen=True, eq=False)
class Fit:
    """Accepted centroids, and what they were accepted for."""

    centroids: Points
    labels: Labels
    distances: NDArray[np.float32]
    seed_ari: float
    """−1 when there is only one cluster and so nothing to agree on."""
    smallest: int


@dataclass(frozen=True, eq=False)
class Reason:
    """Why a model is fitted, and what it takes the place of."""

    cause: FitCause
    under: str
    """Digest of what of the recipe and of the algorithm the fit depends on."""
    first_free: int
    """The lowest id that the space has never used."""
    parent: ClusterModel | None = None
    drift: float = 0.0


def target_k(space: Space, n_events: int, n_sample: int, spec: ClusterSpec) -> int:
    """The K to start from: the recipe's or the default, as far as ``min_cluster`` sampled events each allow."""
    asked = spec.k_vision_language if space is Space.VISION_LANGUAGE else spec.k_action
    per_cluster, smallest, largest = _DEFAULT_K[space]
    wanted = asked if asked is not None else int(np.clip(n_events // per_cluster, smallest, largest))
    return max(1, min(wanted, n_sample // spec.min_cluster))


def fit_clusters(points: Points, k: int, spec: ClusterSpec) -> Fit:
    """The largest acceptable clustering of unit points [n, P] with at most ``k`` clusters."""
    k = min(k, len(np.unique(points, axis=0)))
    while k > 1:
        fits = [cluster_points(points, k, spec.min_cluster, spec.seed + offset) for offset in range(N_SEEDS)]
        labelled = [nearest(points, centroids) for centroids in fits]
        agreement = [adjusted_rand(a, b) for (a, _), (b, _) in combinations(labelled, 2)]
        seed_ari = float(np.mean(agreement))
        labels, distances = labelled[0]
        smallest = int(np.bincount(labels, minlength=len(fits[0])).min())
        if len(fits[0]) > 1 and seed_ari >= spec.min_seed_ari:
            return Fit(fits[0], labels, distances, seed_ari, smallest)
        k = max(1, int(k * SHRINK))
    centroid = cluster_points(points, 1, spec.min_cluster, spec.seed)
    return Fit(centroid, *nearest(points, centroid), -1.0, len(points))


def fit_model(sample: Sample, spec: ClusterSpec, reason: Reason) -> ClusterModel:
    """The frozen model of one embedding model's events; deterministic whatever the thread count.

    A refit that comes out as its parent is the parent.
    """
    with one_thread():
        projection = fit_projection(sample.vectors, family_of(sample.model), spec.projected_dims)
        points = projection.points(sample.vectors)
        k = target_k(sample.space, sample.n_events, len(points), spec)
        fit = fit_clusters(points, k, spec)
        return _model(sample, projection, points, fit, reason)


def _model(sample: Sample, projection: Projection, points: Points, fit: Fit, reason: Reason) -> ClusterModel:
    parent = reason.parent
    arrays = (projection.mean, projection.scale, projection.matrix, fit.centroids)
    if parent is None:
        ids = with_fresh_ids(np.full(len(fit.centroids), -1, np.int64), reason.first_free)
    else:
        before = (parent.mean, parent.scale, parent.projection, parent.centroids)
        same = all(a.tobytes() == b.tobytes() for a, b in zip(arrays, before, strict=True))
        if same and parent.fitted_under == reason.under:
            return parent
        ids = inherited_ids(place(parent, sample.vectors).cluster, fit.labels, len(fit.centroids), reason.first_free)
    reference = points[:REFERENCE]
    return ClusterModel(
        model_id=make_id("cm", sample.space, sample.model, *(array.tobytes() for array in (*arrays, ids))),
        version=1 if parent is None else parent.version + 1,
        parent="" if parent is None else parent.model_id,
        cause=reason.cause,
        drift=reason.drift,
        fitted_under=reason.under,
        space=sample.space,
        embedding_model=sample.model,
        mean=projection.mean,
        scale=projection.scale,
        projection=projection.matrix.reshape(-1),
        n_projected=len(projection.matrix),
        centroids=fit.centroids.reshape(-1),
        n_clusters=len(fit.centroids),
        cluster_ids=ids,
        next_cluster=max(reason.first_free, int(ids.max()) + 1),
        # an order statistic, not an interpolation: among fewer than 100 events none is in the tail by distance alone
        distance_p99=float(np.percentile(fit.distances, 99, method="higher")),
        reference=reference.reshape(-1),
        neighbour_p99=float(np.percentile(neighbour_distances(points, reference), 99, method="higher")),
        seed_ari=fit.seed_ari,
        smallest_cluster=fit.smallest,
        n_fitted=len(sample.vectors),
        n_events=sample.n_events,
    )
