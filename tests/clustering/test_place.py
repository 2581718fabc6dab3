"""Where an event lies among frozen clusters: whichever batch it comes in, and beside its neighbours."""

import dataclasses

import numpy as np
import pytest

from clustering.cluster import fit_corpus
from clustering.place import NEIGHBOURS, neighbour_distances, place
from schemas.cluster import ClusterModel
from schemas.recipe import ClusterSpec
from tests.clustering.made import embedding

RNG = np.random.default_rng(0)
LEFT, RIGHT = np.array([5.0, 0, 1]), np.array([-5.0, 0, 1])
VECTORS = np.stack([(LEFT if i % 2 else RIGHT) + 0.1 * RNG.normal(size=3) for i in range(200)]).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> ClusterModel:
    items = [embedding(f"ev-{i}", vector) for i, vector in enumerate(VECTORS)]
    return fit_corpus([items], ClusterSpec(k_action=2))[0]


def test_ids_are_those_the_model_says(model: ClusterModel) -> None:
    renamed = dataclasses.replace(model, cluster_ids=np.array([70, 7]))
    ids = dict(zip(model.cluster_ids.tolist(), (70, 7), strict=True))
    assert place(renamed, VECTORS).cluster.tolist() == [ids[k] for k in place(model, VECTORS).cluster.tolist()]


def test_the_batch_an_event_is_placed_in_does_not_matter(model: ClusterModel) -> None:
    whole, alone = place(model, VECTORS), [place(model, row[None]) for row in VECTORS]
    for name in ("cluster", "distance", "beyond", "tail"):
        assert getattr(whole, name).tolist() == [getattr(one, name)[0] for one in alone]


def test_at_most_one_percent_of_what_was_fitted_is_the_tail(model: ClusterModel) -> None:
    placed = place(model, VECTORS)
    assert 1 <= placed.tail.sum() <= 2
    assert 1 <= placed.beyond.sum() <= 2


def test_the_edge_of_a_wide_cluster_is_not_the_tail_and_a_loner_beside_a_narrow_one_is() -> None:
    """Distance to the centroid cannot say this: it is larger at the wide cluster's edge than where the loner is."""
    wide = np.stack([np.cos(np.linspace(-1.2, 1.2, 150)), np.sin(np.linspace(-1.2, 1.2, 150)), np.zeros(150)], axis=1)
    narrow = [0, 0, -1] + 0.01 * RNG.normal(size=(150, 3))
    points = np.concatenate([wide, narrow]).astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    loner = np.float32([[0.4, 0, -0.9165]])
    edge, lone = neighbour_distances(points[:1], points), neighbour_distances(loner, points)
    assert 1 - points[0] @ np.float32([1, 0, 0]) > 1 - loner[0] @ np.float32([0, 0, -1])
    assert lone[0] > 2 * edge[0]


def test_an_event_is_no_neighbour_of_itself() -> None:
    points = np.float32([[np.cos(a), np.sin(a)] for a in np.linspace(0, 1, 40)])
    expected = [np.sort(1 - points.astype(np.float64) @ row)[NEIGHBOURS] for row in points.astype(np.float64)]
    np.testing.assert_allclose(neighbour_distances(points, points), expected, atol=1e-5)
    elsewhere = np.float32([[np.cos(2.0), np.sin(2.0)]])
    expected = np.sort(1 - points.astype(np.float64) @ elsewhere[0].astype(np.float64))[NEIGHBOURS - 1]
    assert neighbour_distances(elsewhere, points)[0] == pytest.approx(expected, abs=1e-5)


def test_few_reference_points_are_made_do_with() -> None:
    points = np.float32([[1, 0], [0, 1]])
    np.testing.assert_allclose(neighbour_distances(points, points), [1, 1])
    assert neighbour_distances(points, points[:1]).tolist() == [0.0, 1.0]
    assert neighbour_distances(points, points[:0]).tolist() == [0.0, 0.0]
