"""The cluster stage: what clusters must not depend on, when they are fitted again, and which ids they keep."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from clustering.cluster import STAGE, Clusters, ClusterSlice, continued, fit_corpus
from clustering.place import place
from pipeline.stage import Bundle
from schemas.arrow import from_table, to_row, to_table
from schemas.cluster import ClusterModel, Embedding, FitCause, Space
from schemas.event import Level
from schemas.recipe import ClusterSpec, Recipe
from schemas.recipe_section import section_digest
from tests.clustering.made import embedding

WORDS = "joinery-words-v1:4"
SPEC = ClusterSpec(min_cluster=5, projected_dims=8)
COARSE = ClusterSpec(min_cluster=30, projected_dims=8)
"""Finds whole topics only."""


def topics(n: int, k: int = 4, seed: int = 0) -> list[Embedding]:
    """Events of ``k`` clear topics in the vision-language space."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(k, 12))
    centres[:, :4] = rng.random((k, 4)) < 0.5
    vectors = centres[np.arange(n) % k] + 0.05 * rng.normal(size=(n, 12)) * (np.arange(12) >= 4)
    return [embedding(f"ev-{i:04}", vector, Space.VISION_LANGUAGE, WORDS) for i, vector in enumerate(vectors)]


def labels(model: ClusterModel, items: list[Embedding]) -> NDArray[np.int64]:
    return place(model, np.stack([item.vector for item in items])).cluster


def test_clear_topics_become_clusters() -> None:
    items = topics(200)
    (model,) = fit_corpus([items], ClusterSpec(min_cluster=5, projected_dims=8, k_vision_language=4))
    assert (model.n_clusters, model.smallest_cluster, model.n_fitted) == (4, 50, 200)
    assert model.seed_ari == pytest.approx(1)
    found = labels(model, items)
    assert all(len(set(found[topic::4])) == 1 for topic in range(4))


@given(st.permutations(range(80)), st.integers(1, 80))
@settings(max_examples=5, deadline=None)
def test_the_order_of_batches_changes_nothing(order: list[int], size: int) -> None:
    items = topics(80)
    shuffled = [items[i] for i in order]
    batches = [shuffled[i : i + size] for i in range(0, 80, size)]
    assert [same(m) for m in fit_corpus(batches, COARSE)] == [same(m) for m in fit_corpus([items], COARSE)]


def same(model: ClusterModel) -> dict[str, object]:
    row = to_row(model)
    return {name: value.tobytes() if isinstance(value, np.ndarray) else value for name, value in row.items()}


def test_the_number_of_threads_changes_nothing() -> None:
    items = topics(300, seed=3)
    with threadpool_limits(2):
        two = fit_corpus([items], COARSE)
    assert [same(m) for m in two] == [same(m) for m in fit_corpus([items], COARSE)]


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_tiny_corpus_has_one_cluster_and_no_tail(n: int) -> None:
    items = topics(n)
    (model,) = fit_corpus([items], ClusterSpec())
    assert (model.n_clusters, model.n_fitted) == (1, n)
    assert not place(model, np.stack([item.vector for item in items])).tail.any()


def test_identical_events_have_one_cluster_at_distance_zero() -> None:
    items = [embedding(f"ev-{i}", np.array([1.0, 2, 3])) for i in range(60)]
    (model,) = fit_corpus([items], ClusterSpec())
    assert model.n_clusters == 1
    placed = place(model, np.float32([[1, 2, 3]]))
    assert (placed.cluster.tolist(), placed.distance.tolist(), placed.tail.tolist()) == ([0], [0.0], [False])


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
    assert [(m.space, int(m.cluster_ids[0])) for m in models] == [
        (Space.ACTION, 0), (Space.ACTION, models[0].n_clusters), (Space.VISION_LANGUAGE, 0),
    ]  # fmt: skip
    assert [m.next_cluster for m in models[:2]] == [models[0].n_clusters, models[0].n_clusters + models[1].n_clusters]
    assert set(labels(models[1], robots[1])) == set(models[1].cluster_ids.tolist())


def test_a_bounded_sample_is_enough() -> None:
    items = topics(400)
    (model,) = fit_corpus([items], ClusterSpec(min_cluster=5, projected_dims=8, sample=100, k_vision_language=4))
    assert (model.n_fitted, model.n_clusters) == (100, 4)
    assert all(len(set(labels(model, items)[topic::4])) == 1 for topic in range(4))


def grown(batches: list[list[Embedding]], before: Clusters, **changed: object) -> Clusters:
    """The corpus after more has come, under a recipe in which some keys changed."""
    return continued(batches, slice_of(COARSE.model_copy(update=changed)), before)


def slice_of(spec: ClusterSpec, level: Level = Level.ACTION) -> ClusterSlice:
    """As the stage cuts it out of a recipe."""
    source = {"format": "video_folder", "name": "s", "path": "/r", "card": {"licence": "CC0"}}
    recipe = {
        "joinery": 1,
        "workspace": {"url": "/ws"},
        "sources": [source],
        "cluster": spec,
        "balance": {"level": level},
    }
    found = STAGE.recipe_slice(Recipe.model_validate(recipe))
    assert isinstance(found, ClusterSlice)
    return found


def more_of_the_same(n: int = 40) -> list[Embedding]:
    return [dataclasses.replace(item, event_id=f"more-{item.event_id}") for item in topics(200)[:n]]


def something_else(n: int = 40) -> list[Embedding]:
    """Events of a topic the corpus did not have."""
    rng = np.random.default_rng(9)
    vectors = 5 * np.eye(12)[5] + 0.05 * rng.normal(size=(n, 12))
    return [embedding(f"else-{i:03}", vector, Space.VISION_LANGUAGE, WORDS) for i, vector in enumerate(vectors)]


@pytest.fixture(scope="module")
def before() -> Clusters:
    return continued([topics(200)], slice_of(COARSE))


def test_what_was_fitted_first_says_so(before: Clusters) -> None:
    (model,) = before.models
    assert (model.version, model.parent, model.cause, model.drift) == (1, "", FitCause.FIRST, 0.0)
    assert (model.cluster_ids.tolist(), model.next_cluster) == ([0, 1, 2, 3], 4)
    (seen,) = before.drift
    assert (seen.n_events, seen.n_new, seen.n_beyond, seen.refitted) == (200, 0, 0, False)


def test_more_of_the_same_changes_no_byte_of_the_models(before: Clusters) -> None:
    now = grown([topics(200), more_of_the_same()], before)
    assert [same(model) for model in now.models] == [same(model) for model in before.models]
    (seen,) = now.drift
    assert (seen.n_events, seen.n_new, seen.refitted) == (240, 40, False)
    assert seen.n_beyond <= 2


def test_drift_refits_and_clusters_that_are_still_the_same_keep_their_ids(before: Clusters) -> None:
    now = grown([topics(200), something_else()], before)
    (old,), (new,), (seen,) = before.models, now.models, now.drift
    assert (new.version, new.parent, new.cause) == (2, old.model_id, FitCause.DRIFT)
    assert (seen.n_new, seen.n_beyond, seen.refitted, new.drift) == (40, 40, True, 1.0)
    assert labels(new, topics(200)).tolist() == labels(old, topics(200)).tolist()
    assert set(labels(new, something_else())) == {4}
    assert new.next_cluster == 5


def test_ids_of_clusters_that_are_gone_are_not_given_again(before: Clusters) -> None:
    """The new topic goes again, and another one comes: it is not the one that went."""
    with_it = grown([topics(200), something_else()], before)
    without = grown([topics(200)], with_it, refit="always")
    assert set(without.models[0].cluster_ids.tolist()) == {0, 1, 2, 3}
    third = [dataclasses.replace(item, vector=-item.vector) for item in something_else()]
    last = grown([topics(200), third], without)
    assert set(labels(last.models[0], third)) == {5}


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({"refit": "never"}, None),
        ({"drift_share": 1.0}, None),
        ({"refit": "always"}, FitCause.REQUEST),
        ({"growth": 1.1}, FitCause.DRIFT),
        ({"drift_share": 1.0, "growth": 1.1}, FitCause.GROWTH),
        ({"seed": 5}, FitCause.RECIPE),
        ({"seed": 5, "refit": "never"}, None),
    ],
)
def test_the_recipe_says_when_to_refit(before: Clusters, changed: dict[str, object], cause: FitCause | None) -> None:
    (model,) = grown([topics(200), something_else()], before, **changed).models
    assert (model.cause, model.version) == ((FitCause.FIRST, 1) if cause is None else (cause, 2))


def test_other_events_of_the_same_recordings_are_fitted_anew(before: Clusters) -> None:
    (model,) = continued([topics(200)], slice_of(COARSE, Level.SUBTASK), before).models
    assert model.cause is FitCause.RECIPE


def test_a_handful_of_far_events_is_no_drift(before: Clusters) -> None:
    assert grown([topics(200), something_else(4)], before).models[0].version == 1
    assert grown([topics(200), something_else(5)], before).models[0].version == 2


def test_events_that_look_otherwise_are_new_though_they_have_the_same_id(before: Clusters) -> None:
    moved = [
        dataclasses.replace(item, vector=item.vector + 3 * np.eye(12)[7].astype(np.float32)) for item in topics(200)
    ]
    (seen,) = grown([moved], before).drift
    assert seen.n_new == 200


def test_a_request_to_refit_what_was_just_fitted_changes_nothing(before: Clusters) -> None:
    now = grown([topics(200)], before, refit="always")
    assert [same(model) for model in now.models] == [same(model) for model in before.models]
    assert not now.drift[0].refitted


def test_another_robot_leaves_the_others_frozen_and_gets_ids_of_its_own() -> None:
    rng = np.random.default_rng(0)
    arms, joints = (
        [embedding(f"{m}-{i}", rng.normal(size=4) + 9 * (i % 2), model=m) for i in range(60)]
        for m in ("joinery-poses-v2:32x6", "joinery-joints-v1:a")
    )
    before = continued([arms], slice_of(COARSE))
    now = continued([arms, joints], slice_of(COARSE), before)
    kept_model = next(model for model in now.models if model.embedding_model.startswith("joinery-poses"))
    other = next(model for model in now.models if model is not kept_model)
    assert same(kept_model) == same(before.models[0])
    assert min(other.cluster_ids) == kept_model.next_cluster
    gone = continued([joints], slice_of(COARSE), now)
    assert len(gone.models) == 2, "a model without events is kept, so that its ids are never given again"
    assert len(gone.drift) == 1


def test_how_to_refit_is_no_part_of_what_is_to_do() -> None:
    """``always`` is told to the ledger (`Stage.anew`): a run without it goes on from what one with it has made."""
    always, on_drift = (slice_of(COARSE.model_copy(update={"refit": refit})) for refit in ("always", "on_drift"))
    assert section_digest(always) == section_digest(on_drift)
    assert STAGE.anew(always)
    assert not STAGE.anew(on_drift)


def bundle_of(batches: list[list[Embedding]], before: list[object] | None = None) -> Bundle:
    kept = {kind: [one for one in before or [] if type(one) is kind] for kind in STAGE.keeps}
    return Bundle("corpus", streams={Embedding: lambda: iter(batches)}, records=kept)


def test_the_stage_streams_and_its_models_survive_the_table() -> None:
    items, spec = topics(60), ClusterSlice(cluster=SPEC, level=Level.ACTION)
    written = list(STAGE.run(bundle_of([items[:7], items[7:]]), spec))
    assert [type(record) for record in STAGE.run(bundle_of([items], written), spec)] == [type(r) for r in written]
    assert {type(record) for record in written} == set(STAGE.writes)
    (model,) = (record for record in written if isinstance(record, ClusterModel))
    (again,) = from_table(ClusterModel, to_table(ClusterModel, [model]))
    assert same(again) == same(model)
    np.testing.assert_array_equal(labels(again, items), labels(model, items))
    assert list(STAGE.run(bundle_of([]), spec)) == []
