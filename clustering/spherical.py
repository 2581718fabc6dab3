"""Hierarchical spherical k-means with resampling, on faiss.

k-means puts its centroids where the data is dense; a corpus of demonstrations is dense where collecting was easy.
Two ideas of Vo et al. 2024 ("Automatic Data Curation for Self-Supervised Learning", reimplemented from the paper)
pull the centroids apart: cluster finely first and then cluster the fine *centroids*, each of which counts once however
many events it stands for; and refit on the few events nearest to every centroid, again the same number for each.
Where a fine clustering is small, several are made and their centroids pooled (after Bradley & Fayyad 1998, "Refining
Initial Points for K-Means Clustering"): one start more or less then changes little, and different seeds agree.
One thread and a fixed seed: the result depends on the points and the seed only.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from clustering.faiss_here import faiss

Points = NDArray[np.float32]
Labels = NDArray[np.int64]

FINE_PER_CLUSTER = 16
"""Fine clusters per final one; fewer when there are not POINTS_PER_FINE points for each, or MAX_FINE in all."""
POINTS_PER_FINE = 4
MAX_FINE = 2048
POOLED = 4096
"""Fine centroids to come from several fine clusterings, at most MAX_POOLED of them."""
MAX_POOLED = 8
ITERATIONS = 10
RESTARTS = (10, 40)
"""At least and at most; STARTS centroids in all where that lies between."""
STARTS = 1024
REFILLS = 3
RESAMPLINGS = 2
RESAMPLED_PER_CLUSTER = 32
MAX_POINTS_PER_CENTROID = 64
"""faiss subsamples beyond this, by its seed."""


@contextmanager
def one_thread() -> Iterator[None]:
    """faiss and BLAS on a single thread: sums split among threads round differently."""
    before = faiss.omp_get_max_threads()
    with threadpool_limits(1):
        faiss.omp_set_num_threads(1)
        try:
            yield
        finally:
            faiss.omp_set_num_threads(before)


def nearest(points: Points, centroids: Points) -> tuple[Labels, Points]:
    """Of unit points [n, P]: nearest of the unit centroids [K, P], int64 [n], and distance 1 − cos, float32 [n]."""
    index = faiss.IndexFlatIP(centroids.shape[1])
    index.add(centroids)
    cosine, label = index.search(points, 1)
    return label[:, 0].astype(np.int64), np.clip(1.0 - cosine[:, 0], 0.0, 2.0)


def cluster_points(points: Points, k: int, smallest: int, seed: int) -> Points:
    """At most ``k`` unit centroids float32 [K, P] of unit points [n ≥ 1, P]; call inside `one_thread`.

    Every centroid is the nearest one of at least ``smallest`` points, unless there is only one centroid.
    """
    if k == 1:
        return _unit(points.mean(axis=0, keepdims=True, dtype=np.float64))
    n_fine = min(FINE_PER_CLUSTER * k, len(points) // POINTS_PER_FINE, max(MAX_FINE, 2 * k))
    if n_fine < 2 * k:
        centroids = _evened(points, _best_kmeans(points, k, seed), seed)
    else:
        n_pooled = int(np.clip(POOLED // n_fine, 1, MAX_POOLED))
        fine = [_fine(points, n_fine, seed, run) for run in range(n_pooled)]
        return _filled(points, np.concatenate(fine), k, smallest, seed)
    return _pruned(points, np.unique(centroids, axis=0), smallest)


def _filled(points: Points, fine: Points, k: int, smallest: int, seed: int) -> Points:
    """As many of ``k`` clusters of fine centroids as can be filled: small ones are made up for by asking for more."""
    best, asked = np.zeros((0, points.shape[1]), np.float32), k
    for _ in range(REFILLS):
        found = _pruned(points, np.unique(_best_kmeans(fine, asked, seed), axis=0), smallest)
        if len(best) < len(found) <= k:
            best = found
        if len(found) >= k:
            break
        asked += k - len(found)
    return best


def _fine(points: Points, n_fine: int, seed: int, run: int) -> Points:
    """One fine clustering, from points drawn at random, evened out."""
    start = points[np.random.default_rng([seed, run]).choice(len(points), n_fine, replace=False)]
    return _evened(points, _kmeans(points, start, seed), seed)


def _best_kmeans(points: Points, k: int, seed: int) -> Points:
    """The closest-fitting of several runs: single runs end in different local optima and would not agree."""
    n_runs = int(np.clip(STARTS // k, *RESTARTS))
    runs = [_kmeans(points, _spread_start(points, k, [seed, run]), seed) for run in range(n_runs)]
    return min(runs, key=lambda centroids: float(nearest(points, centroids)[1].sum(dtype=np.float64)))


def _evened(points: Points, centroids: Points, seed: int) -> Points:
    """Centroids refitted on equally many points each, the ones nearest to it."""
    for _ in range(RESAMPLINGS):
        label, distance = nearest(points, centroids)
        order = np.lexsort((distance, label))
        rank = np.arange(len(order)) - np.searchsorted(label[order], label[order])
        centroids = _kmeans(points[np.sort(order[rank < RESAMPLED_PER_CLUSTER])], centroids, seed)
    return centroids


def _pruned(points: Points, centroids: Points, smallest: int) -> Points:
    """Without the centroids of too few points, smallest first; their points go to the nearest one that is left."""
    while len(centroids) > 1:
        size = np.bincount(nearest(points, centroids)[0], minlength=len(centroids))
        small = np.argsort(size, kind="stable")[: int(np.sum(size < smallest))]
        if len(small) == 0:
            break
        # Half of them at a time: what they leave behind may be all the others lack.
        centroids = np.delete(centroids, small[: min((len(small) + 1) // 2, len(centroids) - 1)], axis=0)
    return centroids


def _kmeans(points: Points, start: Points, seed: int) -> Points:
    engine = faiss.Kmeans(
        points.shape[1], len(start), niter=ITERATIONS, spherical=True, seed=seed,
        min_points_per_centroid=1, max_points_per_centroid=MAX_POINTS_PER_CENTROID,
    )  # fmt: skip
    engine.train(points, init_centroids=start)
    return _unit(np.asarray(engine.centroids, np.float64))


def _spread_start(points: Points, k: int, seed: list[int]) -> Points:
    """k-means++ (Arthur & Vassilvitskii 2007): each start is drawn with probability ∝ distance to the ones before."""
    rng = np.random.default_rng(seed)
    chosen = [int(rng.integers(len(points)))]
    distance = np.full(len(points), np.inf)
    for _ in range(k - 1):
        distance = np.minimum(distance, np.clip(1.0 - points @ points[chosen[-1]], 0.0, 2.0).astype(np.float64))
        mass = np.cumsum(distance)
        draw = rng.random() * mass[-1]
        chosen.append(min(int(np.searchsorted(mass, draw, side="right")), len(points) - 1))
    return points[chosen]


def _unit(rows: NDArray[np.float64]) -> Points:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = np.where(length < 1e-9, np.eye(1, rows.shape[1]), rows)
    units: Points = (rows / np.where(length < 1e-9, 1.0, length)).astype(np.float32)
    return units
