"""The cluster stage: how many clusters, when they are accepted, and what they must not depend on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from clustering.assign import place
from clustering.cluster import STAGE, ClusterSlice, fit_corpus, target_k
from pipeline.stage import Bundle
from schemas.arrow import from_table, to_row, to_table
from schemas.cluster import ClusterModel, Embedding, Space
from schemas.recipe import ClusterSpec
from tests.clustering.made import embedding

WORDS = "joinery-words-v1:4"
SPEC = ClusterSpec(min_cluster=5, projected_dims=8)


def topics(n: int, k: int = 4, seed: int = 0) -> list[Embedding]:
    """Events of ``k`` clear topics in the vision-language space."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(k, 12))
    centres[:, :4] = rng.random((k, 4)) < 0.5
    vectors = centres[np.arange(n) % k] + 0.05 * rng.normal(size=(n, 12)) * (np.arange(12) >= 4)
    return [embedding(f"ev-{i:04}", vector, Space.VISION_LANGUAGE, WORDS) for i, vector in enumerate(vectors)]


def labels(model: ClusterModel, items: list[Embedding]) -> NDArray[np.int64]:
    return np.array([cluster for cluster, _, _ in place(model, np.stack([item.vector for item in items]))])


def test_clear_topics_become_clusters() -> None:
    items = topics(200)
    (model,) = fit_corpus([items], ClusterSpec(min_cluster=5, projected_dims=8, k_vision_language=4))
    assert (model.n_clusters, model.smallest_cluster, model.n_fitted) == (4, 50, 200)
    assert model.seed_ari == pytest.approx(1)
    found = labels(model, items)
    assert all(len(set(found[topic::4])) == 1 for topic in range(4))


@pytest.mark.parametrize(
    ("space", "n", "k"),
    [
        (Space.VISION_LANGUAGE, 1_000_000, 2000),
        (Space.VISION_LANGUAGE, 10_000_000, 4096),
        (Space.VISION_LANGUAGE, 5_000, 32),
        (Space.ACTION, 200_000, 200),
        (Space.ACTION, 10_000_000, 512),
        (Space.ACTION, 1_000, 16),
        (Space.ACTION, 100, 5),
        (Space.ACTION, 5, 1),
    ],
)
def test_k_follows_the_corpus_and_never_exceeds_what_it_can_fill(space: Space, n: int, k: int) -> None:
    assert target_k(space, n, min(n, 200_000), ClusterSpec()) == k


def test_the_recipe_may_say_k() -> None:
    assert target_k(Space.ACTION, 5000, 5000, ClusterSpec(k_action=7)) == 7


def test_fits_that_do_not_agree_are_not_accepted() -> None:
    noise = np.random.default_rng(0).normal(size=(300, 12))
    items = [embedding(f"ev-{i:04}", vector) for i, vector in enumerate(noise)]
    (strict,) = fit_corpus([items], ClusterSpec(projected_dims=12, min_seed_ari=0.95))
    assert (strict.n_clusters, strict.seed_ari, strict.smallest_cluster) == (1, -1.0, 300)
    (lenient,) = fit_corpus([items], ClusterSpec(projected_dims=12, min_seed_ari=0.0))
    assert lenient.n_clusters > 5
    assert 0 <= lenient.seed_ari < 0.95
    assert lenient.smallest_cluster >= 20


@given(st.permutations(range(80)), st.integers(1, 80))
@settings(max_examples=5, deadline=None)
def test_the_order_of_batches_changes_nothing(order: list[int], size: int) -> None:
    items = topics(80)
    shuffled = [items[i] for i in order]
    batches = [shuffled[i : i + size] for i in range(0, 80, size)]
    assert [same(m) for m in fit_corpus(batches, SPEC)] == [same(m) for m in fit_corpus([items], SPEC)]


def same(model: ClusterModel) -> dict[str, object]:
    row = to_row(model)
    return {name: value.tobytes() if isinstance(value, np.ndarray) else value for name, value in row.items()}


def test_the_number_of_threads_changes_nothing() -> None:
    items = topics(300, seed=3)
    with threadpool_limits(2):
        two = fit_corpus([items], SPEC)
    assert [same(m) for m in two] == [same(m) for m in fit_corpus([items], SPEC)]


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_tiny_corpus_has_one_cluster_and_no_tail(n: int) -> None:
    items = topics(n)
    (model,) = fit_corpus([items], ClusterSpec())
    assert (model.n_clusters, model.n_fitted) == (1, n)
    assert not any(far for _, _, far in place(model, np.stack([item.vector for item in items])))


def test_identical_events_have_one_cluster_at_distance_zero() -> None:
    items = [embedding(f"ev-{i}", np.array([1.0, 2, 3])) for i in range(60)]
    (model,) = fit_corpus([items], ClusterSpec())
    assert model.n_clusters == 1
    assert place(model, np.float32([[1, 2, 3]])) == [(0, 0.0, False)]


def test_models_of_one_space_have_disjoint_ids_and_spaces_count_for_themselves() -> None:
    rng = np.random.default_rng(0)
    robots = [
        [
            embedding(f"ev-{r}-{i}", rng.normal(size=3 + r) + 9 * (i % 2), model=f"joinery-joints-v1:{r}")
            for i in range(50)
        ]
        for r in range(2)
    ]
    models = fit_corpus([topics(100), *robots], SPEC)
    assert [(m.space, m.first_cluster) for m in models] == [
        (Space.ACTION, 0), (Space.ACTION, models[0].n_clusters), (Space.VISION_LANGUAGE, 0),
    ]  # fmt: skip
    assert set(labels(models[1], robots[1])) == {models[1].first_cluster + k for k in range(models[1].n_clusters)}


def test_a_bounded_sample_is_enough() -> None:
    items = topics(400)
    (model,) = fit_corpus([items], ClusterSpec(min_cluster=5, projected_dims=8, sample=100, k_vision_language=4))
    assert (model.n_fitted, model.n_clusters) == (100, 4)
    assert all(len(set(labels(model, items)[topic::4])) == 1 for topic in range(4))


def test_the_stage_streams_and_its_models_survive_the_table() -> None:
    items = topics(60)
    models = list(
        STAGE.run(
            Bundle("corpus", streams={Embedding: lambda: iter([items[:7], items[7:]])}), ClusterSlice(cluster=SPEC)
        )
    )
    (model,) = models
    assert isinstance(model, ClusterModel)
    (again,) = from_table(ClusterModel, to_table(ClusterModel, [model]))
    assert same(again) == same(model)
    np.testing.assert_array_equal(labels(again, items), labels(model, items))
    assert list(STAGE.run(Bundle("corpus", streams={Embedding: lambda: iter([])}), ClusterSlice(cluster=SPEC))) == []
