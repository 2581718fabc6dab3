"""The bounded sample a fit looks at."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clustering.corpus_sample import sample_models
from schemas.cluster import Embedding, Space
from tests.clustering.made import embedding

ITEMS = [embedding(f"ev-{i:03}", np.array([i, -i])) for i in range(60)]


def batches(items: list[Embedding], size: int) -> list[list[Embedding]]:
    return [items[i : i + size] for i in range(0, len(items), size)]


@given(st.permutations(range(60)), st.integers(1, 60), st.integers(1, 70))
@settings(max_examples=40, deadline=None)
def test_the_sample_depends_on_ids_only(order: list[int], size: int, limit: int) -> None:
    (one,) = sample_models([ITEMS], limit)
    (other,) = sample_models(batches([ITEMS[i] for i in order], size), limit)
    np.testing.assert_array_equal(one.vectors, other.vectors)
    assert len(one.vectors) == min(limit, 60)
    assert one.n_events == other.n_events == 60


def test_a_larger_sample_contains_a_smaller_one() -> None:
    small, large = ({tuple(row) for row in sample_models([ITEMS], limit)[0].vectors} for limit in (10, 20))
    assert small < large


def test_models_are_kept_apart_and_sorted() -> None:
    mixed = [
        embedding("a", np.zeros(3), Space.VISION_LANGUAGE, "joinery-words-v1:2"),
        embedding("a", np.zeros(2)),
        embedding("b", np.zeros(5), model="joinery-joints-v1:x"),
    ]
    found = sample_models([mixed], 10)
    assert [(s.space, s.model, s.vectors.shape) for s in found] == [
        (Space.ACTION, "joinery-joints-v1:x", (1, 5)), (Space.ACTION, "joinery-poses-v2:32x6", (1, 2)),
        (Space.VISION_LANGUAGE, "joinery-words-v1:2", (1, 3)),
    ]  # fmt: skip


def test_vectors_of_one_model_have_one_length() -> None:
    with pytest.raises(ValueError, match=r"lengths \[2, 3\]"):
        sample_models([[embedding("a", np.zeros(2)), embedding("b", np.zeros(3))]], 10)


def test_no_embeddings_make_no_samples() -> None:
    assert sample_models([], 10) == []
