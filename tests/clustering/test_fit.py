"""How many clusters there are, and when they are accepted."""

import numpy as np
import pytest

from clustering.cluster import fit_corpus
from clustering.fit import target_k
from schemas.cluster import Space
from schemas.recipe import ClusterSpec
from tests.clustering.made import embedding


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
