"""The Rand index is scikit-learn's number, without scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from clustering.rand_index import Labels, adjusted_rand


@pytest.mark.parametrize("seed", range(0, 40, 2))
def test_it_is_what_scikit_learn_says_to_the_last_bit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(2, 3000)), int(rng.integers(1, 60))
    first: Labels = rng.integers(0, k, n)
    second: Labels = np.where(rng.random(n) < 0.5, first, rng.integers(0, k, n))
    assert adjusted_rand(first, second) == adjusted_rand_score(first, second)


def test_names_of_clusters_do_not_matter() -> None:
    assert adjusted_rand(np.array([0, 0, 1, 2]), np.array([7, 7, 3, 0])) == 1.0
