"""Hashes instead of a generator: the same everywhere, fresh for every counter."""

import numpy as np

from clustering.counter_hash import key_of, keys_of, mix, unit_of


def test_keys_are_the_same_in_every_process_and_on_every_machine() -> None:
    assert key_of("joinery") == 9827523330262226857
    assert int(keys_of("split", ["ep-1"])[0]) == key_of("split", "ep-1")
    assert key_of("ab", "c") != key_of("a", "bc")


def test_mixing_gives_a_fresh_permutation_for_every_counter() -> None:
    keys = keys_of("x", map(str, range(1000)))
    first, second = np.argsort(mix(keys, 0)), np.argsort(mix(keys, 1))
    assert np.mean(first == second) < 0.02
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.1
    np.testing.assert_array_equal(mix(keys, 1), mix(keys, 1))


def test_units_are_uniform() -> None:
    units = np.sort([unit_of("u", str(i)) for i in range(4000)])
    assert units[0] >= 0
    assert units[-1] < 1
    assert np.abs(units - np.arange(4000) / 4000).max() < 0.03
