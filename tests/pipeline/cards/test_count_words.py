"""How unevenly words are used."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cards.count_words import gini


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=40))
def test_gini_is_half_the_mean_difference_over_the_mean(counts: list[int]) -> None:
    values = np.array(sorted(counts), float)
    expected = np.abs(values[:, None] - values).mean() / (2 * values.mean())
    assert gini(sorted(counts)) == pytest.approx(expected)


def test_all_alike_and_nothing_at_all() -> None:
    assert gini([5, 5, 5]) == 0
    assert gini([]) == 0
