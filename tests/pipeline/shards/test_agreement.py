"""Figures of agreement from counts alone are those of scikit-learn from the labels themselves."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from pipeline.shards.agreement import agreement


@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from("abc")), min_size=1, max_size=60))
@settings(max_examples=80, deadline=None)
def test_the_figures_are_those_of_the_labels_themselves(pairs: list[tuple[int, str]]) -> None:
    found = agreement(Counter(pairs))
    clusters, labels = zip(*pairs, strict=True)
    assert found.nmi == pytest.approx(normalized_mutual_info_score(labels, clusters), abs=1e-9)
    assert found.ari == pytest.approx(adjusted_rand_score(labels, clusters), abs=1e-9)
    best = sum(max(Counter(b for a, b in pairs if a == cluster).values()) for cluster in set(clusters))
    assert found.purity == pytest.approx(best / len(pairs))


def test_nothing_counted_disagrees_with_nothing() -> None:
    assert agreement({}).n_events == 0
