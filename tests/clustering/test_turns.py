"""Turns down a tree of labels: within 1, 2, 3 of their target by depth, and by how shares move inside a group."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from clustering.chairman import two_stage
from clustering.turns import turns


def deviations(order: np.ndarray, labels: np.ndarray, masses: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """[G] worst prefix deviation of every group."""
    n = int(labels.max()) + 1
    shares = np.stack([np.bincount(labels, mass / mass.sum(), n) for mass in masses])
    targets = np.cumsum(np.repeat(shares, lengths, axis=0), axis=0)
    counts = np.cumsum(labels[order][:, None] == np.arange(n), axis=0)
    return np.abs(counts - targets).max(axis=0)


@given(st.integers(1, 25), st.integers(1, 400), st.integers(0, 10_000))
@settings(max_examples=80, deadline=None)
def test_depth_bounds_the_deviation(n_cells: int, n_draws: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    part, row = rng.integers(0, 3, n_cells), rng.integers(0, 5, n_cells)
    masses, lengths = rng.dirichlet(np.full(n_cells, 0.5), 1) + 1e-9, np.array([n_draws])
    order = turns([part, row], masses, lengths)
    pair = np.unique(part * 5 + row, return_inverse=True)[1]
    for labels, bound in ((part, 1), (pair, 2), (np.arange(n_cells), 3)):
        assert deviations(order, labels, masses, lengths).max() < bound


@given(st.integers(1, 20), st.lists(st.integers(0, 80), min_size=1, max_size=5), st.integers(0, 10_000))
@settings(max_examples=80, deadline=None)
def test_moving_shares_add_their_movement_inside_the_group(n_cells: int, lengths: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    row = rng.integers(0, 4, n_cells)
    masses = rng.dirichlet(np.full(n_cells, 0.5), len(lengths)) + 1e-6
    masses /= masses.sum(axis=1, keepdims=True)
    if sum(lengths) == 0:
        return
    order = turns([row], masses, np.array(lengths))
    within = masses / np.stack([np.bincount(row, mass, 4)[row] for mass in masses])
    movement = np.abs(np.diff(within, axis=0)).sum(axis=0)
    assert deviations(order, row, masses, np.array(lengths)).max() < 1
    assert np.all(deviations(order, np.arange(n_cells), masses, np.array(lengths)) < 2 + movement)


def test_rows_then_cells_are_the_two_stages() -> None:
    rng = np.random.default_rng(1)
    rows, masses = rng.integers(0, 6, 40), rng.dirichlet(np.ones(40))
    np.testing.assert_array_equal(turns([rows], masses[None], np.array([900])), two_stage(rows, masses, 900))
