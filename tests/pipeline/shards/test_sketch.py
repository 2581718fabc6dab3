"""Statistics that add up: merging sketches is sketching everything, and quantiles keep their promise."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.shards.sketch import RESOLUTION, Sketch, deviation, merge, quantile, sketch
from schemas.array import Floats


def rows(values: list[float]) -> Floats:
    out = np.zeros((len(values), 20), np.float32)
    out[:, 3] = values
    return out


def of(values: list[float]) -> Sketch:
    counted = np.zeros((len(values), 20), np.bool_)
    counted[:, 3] = True
    return sketch(rows(values), counted)


numbers = st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=60)


@given(numbers, numbers)
def test_merging_is_sketching_both(first: list[float], second: list[float]) -> None:
    merged, together = merge(of(first), of(second)), of(first + second)
    assert merged.n_rows.tolist() == together.n_rows.tolist()
    np.testing.assert_allclose(merged.mean, together.mean, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(deviation(merged), deviation(together), rtol=1e-6, atol=1e-5)
    assert merged.bins.tolist() == together.bins.tolist()
    assert merged.counts.tolist() == together.counts.tolist()
    assert (merged.low[3], merged.high[3]) == (together.low[3], together.high[3])


@given(numbers)
def test_merging_with_nothing_changes_nothing(values: list[float]) -> None:
    for merged in (merge(of(values), of([])), merge(of([]), of(values))):
        for name, value in vars(of(values)).items():
            np.testing.assert_array_equal(getattr(merged, name), value)


@given(numbers, st.sampled_from([0.01, 0.5, 0.99]))
def test_a_quantile_is_within_its_bound_of_a_value_that_was_there(values: list[float], q: float) -> None:
    exact = float(np.quantile(np.array(values, np.float32), q, method="inverted_cdf"))
    found = float(quantile(of(values), q)[3])
    assert abs(found - exact) <= RESOLUTION / 2


def test_moments_are_those_of_numpy() -> None:
    values = np.random.default_rng(0).normal(3, 2, 1000).astype(np.float32)
    found = of(values.tolist())
    np.testing.assert_allclose(found.mean[3], values.mean(dtype=np.float64))
    np.testing.assert_allclose(deviation(found)[3], values.std(dtype=np.float64))
    assert found.n_rows.tolist() == [0, 0, 0, 1000, *[0] * 16]


def test_rows_that_do_not_count_and_numbers_that_are_none_are_left_out() -> None:
    values = rows([1.0, np.nan, 3.0, 1e9])
    counted = np.zeros((4, 20), np.bool_)
    counted[:3, 3] = True
    found = sketch(values, counted)
    assert found.n_rows[3] == 2
    assert found.mean[3] == 2.0
    assert found.high[3] == 3.0


def test_columns_without_rows_say_zero() -> None:
    found = of([5.0])
    assert found.low[0] == found.high[0] == quantile(found, 0.5)[0] == deviation(found)[0] == 0.0
