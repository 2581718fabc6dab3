"""k-means on the sphere: separated bunches, small ones, identical points."""

import numpy as np
from numpy.typing import NDArray

from clustering.faiss_here import faiss
from clustering.spherical import Points, cluster_points, nearest, one_thread


def bunches(sizes: list[int], spread: float = 0.05, d: int = 8, seed: int = 0) -> tuple[Points, NDArray[np.int64]]:
    """Well-separated bunches of unit vectors of these sizes, and which bunch each belongs to."""
    rng = np.random.default_rng(seed)
    centres = np.linalg.qr(rng.normal(size=(d, d)))[0][: len(sizes)]
    label = np.repeat(np.arange(len(sizes)), sizes)
    points = centres[label] + spread * rng.normal(size=(len(label), d))
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32), label


def test_separated_bunches_are_found_however_uneven() -> None:
    points, truth = bunches([2000, 300, 60, 25])
    with one_thread():
        label, distance = nearest(points, cluster_points(points, 4, 20, seed=0))
    assert len({*zip(truth.tolist(), label.tolist(), strict=True)}) == 4
    assert distance.max() < 0.2


def test_a_bunch_too_small_is_dissolved() -> None:
    points, _ = bunches([200, 200, 5])
    with one_thread():
        two, three = (cluster_points(points, k, 20, seed=0) for k in (2, 3))
    assert len(two) == 2
    assert np.bincount(nearest(points, two)[0]).min() >= 20
    assert np.bincount(nearest(points, three)[0]).min() >= 20


def test_a_dissolved_cluster_is_made_up_for_where_events_can_fill_another() -> None:
    """Two bunches and a loner: three clusters exist only if a bunch is divided."""
    points, _ = bunches([200, 200, 5], spread=0.2)
    with one_thread():
        assert len(cluster_points(points, 3, 20, seed=0)) == 3
        assert len(cluster_points(points, 3, 150, seed=0)) == 2


def test_centroids_are_unit_vectors_and_the_same_every_time() -> None:
    points, _ = bunches([300, 300, 300], spread=0.4)
    with one_thread():
        one, other = cluster_points(points, 6, 5, seed=3), cluster_points(points, 6, 5, seed=3)
    np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(np.linalg.norm(one, axis=1), 1, atol=1e-6)


def test_a_fit_leaves_the_number_of_threads_as_it_was() -> None:
    before = faiss.omp_get_max_threads()
    with one_thread():
        assert faiss.omp_get_max_threads() == 1
    assert faiss.omp_get_max_threads() == before


def test_identical_points_have_one_centroid() -> None:
    points = np.tile(np.float32([1, 0, 0]), (50, 1))
    with one_thread():
        np.testing.assert_allclose(cluster_points(points, 3, 5, seed=0), [[1, 0, 0]])
        np.testing.assert_allclose(cluster_points(points, 1, 5, seed=0), [[1, 0, 0]])


def test_opposite_points_have_some_centroid() -> None:
    points = np.float32([[1, 0], [-1, 0]])
    with one_thread():
        assert np.isfinite(cluster_points(points, 1, 1, seed=0)).all()
