"""Stage ``cluster``: the corpus's clusters in both spaces, fitted on a bounded sample and then frozen.

Every embedding model is fitted by itself and its clusters get their own range of ids, so a pose is never compared
with a joint angle. K starts at its default; clusters with too few events are dissolved; what is left is accepted
only if three fits from different seeds agree (mean pairwise adjusted Rand index), otherwise a smaller K is tried. One
cluster always passes: a corpus too small or too uniform to divide is not divided.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from clustering.corpus_sample import Sample, sample_models
from clustering.families import family_of
from clustering.projection import Projection, fit_projection
from clustering.spherical import Points, cluster_points, nearest, one_thread
from pipeline.stage import Bundle, Read, Scope, Stage
from schemas.cluster import ClusterModel, Embedding, Space
from schemas.identity import make_id
from schemas.recipe import ClusterSpec
from schemas.recipe_section import Section

N_SEEDS = 3
SHRINK = 0.7
"""K after a refusal, relative to before."""
_DEFAULT_K = {Space.VISION_LANGUAGE: (500, 32, 4096), Space.ACTION: (1000, 16, 512)}
"""Events per cluster, smallest and largest K (clustering.md, Clustering)."""


class ClusterSlice(Section):
    """What of the recipe a fit depends on."""

    cluster: ClusterSpec


@dataclass(frozen=True, eq=False)
class Fit:
    """Accepted centroids, and what they were accepted for."""

    centroids: Points
    distances: NDArray[np.float32]
    seed_ari: float
    """−1 when there is only one cluster and so nothing to agree on."""
    smallest: int


def target_k(space: Space, n_events: int, n_sample: int, spec: ClusterSpec) -> int:
    """The K to start from: the recipe's or the default, as far as ``min_cluster`` sampled events each allow."""
    asked = spec.k_vision_language if space is Space.VISION_LANGUAGE else spec.k_action
    per_cluster, smallest, largest = _DEFAULT_K[space]
    wanted = asked if asked is not None else int(np.clip(n_events // per_cluster, smallest, largest))
    return max(1, min(wanted, n_sample // spec.min_cluster))


def fit_clusters(points: Points, k: int, spec: ClusterSpec) -> Fit:
    """The largest acceptable clustering of unit points [n, P] with at most ``k`` clusters."""
    from sklearn.metrics import adjusted_rand_score  # noqa: PLC0415 - takes 2 s that no other stage's worker needs

    k = min(k, len(np.unique(points, axis=0)))
    while k > 1:
        fits = [cluster_points(points, k, spec.min_cluster, spec.seed + offset) for offset in range(N_SEEDS)]
        labelled = [nearest(points, centroids) for centroids in fits]
        agreement = [adjusted_rand_score(a, b) for (a, _), (b, _) in combinations(labelled, 2)]
        seed_ari = float(np.mean(agreement))
        labels, distances = labelled[0]
        smallest = int(np.bincount(labels, minlength=len(fits[0])).min())
        if len(fits[0]) > 1 and seed_ari >= spec.min_seed_ari:
            return Fit(fits[0], distances, seed_ari, smallest)
        k = max(1, int(k * SHRINK))
    centroid = cluster_points(points, 1, spec.min_cluster, spec.seed)
    return Fit(centroid, nearest(points, centroid)[1], -1.0, len(points))


def fit_model(sample: Sample, first_cluster: int, spec: ClusterSpec) -> ClusterModel:
    """The frozen model of one embedding model's events; deterministic whatever the thread count."""
    with one_thread():
        projection = fit_projection(sample.vectors, family_of(sample.model), spec.projected_dims)
        points = projection.points(sample.vectors)
        k = target_k(sample.space, sample.n_events, len(points), spec)
        fit = fit_clusters(points, k, spec)
    return _model(sample, projection, fit, first_cluster)


def _model(sample: Sample, projection: Projection, fit: Fit, first_cluster: int) -> ClusterModel:
    arrays = (projection.mean, projection.scale, projection.matrix, fit.centroids)
    return ClusterModel(
        model_id=make_id("cm", sample.space, sample.model, *(array.tobytes() for array in arrays)),
        space=sample.space,
        embedding_model=sample.model,
        mean=projection.mean,
        scale=projection.scale,
        projection=projection.matrix.reshape(-1),
        n_projected=len(projection.matrix),
        centroids=fit.centroids.reshape(-1),
        n_clusters=len(fit.centroids),
        first_cluster=first_cluster,
        # an order statistic, not an interpolation: among fewer than 100 events none is in the tail by distance alone
        distance_p99=float(np.percentile(fit.distances, 99, method="higher")),
        seed_ari=fit.seed_ari,
        smallest_cluster=fit.smallest,
        n_fitted=len(sample.vectors),
    )


def fit_corpus(batches: Iterable[list[Embedding]], spec: ClusterSpec) -> list[ClusterModel]:
    """One model per space and embedding model, in that order; ids of a space's models follow each other."""
    models: list[ClusterModel] = []
    for sample in sample_models(batches, spec.sample):
        used = sum(model.n_clusters for model in models if model.space is sample.space)
        models.append(fit_model(sample, used, spec))
    return models


def run(bundle: Bundle, spec: ClusterSlice) -> Iterable[object]:
    """All models of the corpus; none for a corpus without events."""
    return fit_corpus(bundle.stream(Embedding), spec.cluster)


STAGE = Stage(
    name="cluster",
    version=1,
    scope=Scope.CORPUS,
    reads=(Read(Embedding, "embed"),),
    writes=(ClusterModel,),
    recipe_slice=lambda recipe: ClusterSlice(cluster=recipe.cluster),
    run=run,
    content_keyed=True,
)
