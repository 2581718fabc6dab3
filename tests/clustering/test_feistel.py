"""Permutations without tables: bijective for any size, different for every key, and even."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from clustering.counter_hash import mix
from clustering.feistel import MOST, permuted

KEYS = st.integers(0, 2**64 - 1)


def whole(key: int, size: int) -> list[int]:
    return permuted(np.full(size, key, np.uint64), np.arange(size), np.full(size, size)).tolist()


@given(KEYS, st.integers(1, 3000))
@settings(deadline=None)
def test_every_place_is_taken_exactly_once(key: int, size: int) -> None:
    assert sorted(whole(key, size)) == list(range(size))


@pytest.mark.parametrize("size", [2**20, 10**6 + 3, 999 * 1000])
def test_large_sizes_are_permuted_too(size: int) -> None:
    assert np.array_equal(np.sort(whole(7, size)), np.arange(size))


def test_any_place_is_found_without_those_before_it() -> None:
    order = whole(99, 1000)
    places = np.array([3, 999, 0, 500])
    assert permuted(np.full(4, 99, np.uint64), places, np.full(4, 1000)).tolist() == [order[i] for i in places]


def test_rows_of_different_keys_and_sizes_do_not_touch_each_other() -> None:
    keys, sizes = np.array([1, 2, 3, 4], np.uint64), np.array([1, 5, 77, MOST])
    index = np.array([0, 4, 13, MOST - 1])
    together = permuted(keys, index, sizes)
    alone = [permuted(keys[i : i + 1], index[i : i + 1], sizes[i : i + 1])[0] for i in range(4)]
    assert together.tolist() == alone
    assert np.all((together >= 0) & (together < sizes))


@pytest.mark.parametrize("size", [2, 3, 4, 5])
def test_all_orders_of_few_things_are_equally_likely(size: int) -> None:
    keys = mix(np.arange(20_000, dtype=np.uint64), 0)
    places = np.stack([permuted(keys, np.full(len(keys), i), np.full(len(keys), size)) for i in range(size)])
    codes = (places * size ** np.arange(size)[:, None]).sum(axis=0)
    _, counts = np.unique(codes, return_counts=True)
    assert len(counts) == np.prod(np.arange(1, size + 1))
    assert chisquare(counts).pvalue > 1e-3


def test_neighbours_of_a_large_permutation_are_unrelated() -> None:
    order = np.array(whole(5, 100_000))
    assert abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < 0.02
    assert abs(np.corrcoef(order, np.array(whole(6, 100_000)))[0, 1]) < 0.02
    assert chisquare(np.histogram(order[:50_000], bins=50)[0]).pvalue > 1e-3


@pytest.mark.parametrize(("index", "size"), [(5, 5), (-1, 5), (0, 0), (0, MOST + 1)])
def test_places_that_do_not_exist_are_refused(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="expected 0 ≤ index < size"):
        permuted(np.zeros(1, np.uint64), np.array([index]), np.array([size]))
