"""Runs of a condition."""

import numpy as np

from pipeline.mask_runs import first_true, last_true, runs_of


def test_runs_are_half_open_and_include_the_ends() -> None:
    assert runs_of(np.array([1, 1, 0, 1, 0, 1], bool)) == [(0, 2), (3, 4), (5, 6)]
    assert runs_of(np.zeros(3, bool)) == []
    assert runs_of(np.zeros(0, bool)) == []


def test_first_and_last_look_only_inside_their_range() -> None:
    mask = np.array([1, 0, 1, 1, 0, 1], bool)
    assert first_true(mask, 1, 5) == 2
    assert last_true(mask, 1, 5) == 3
    assert first_true(mask, 4, 5) is None
    assert last_true(mask, 1, 2) is None
