"""Turns whose shares change on the way: every prefix stays within 1 of the moving target."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clustering.chairman import chairman
from clustering.moving_chairman import moving_chairman


def worst(order: np.ndarray, shares: np.ndarray, lengths: np.ndarray) -> float:
    """max over prefixes and chairs of |count − Σ shares of the prefix's draws|."""
    targets = np.cumsum(np.repeat(shares / shares.sum(axis=1, keepdims=True), lengths, axis=0), axis=0)
    counts = np.cumsum(order[:, None] == np.arange(shares.shape[1]), axis=0)
    return float(np.max(np.abs(counts - targets), initial=0))


@given(st.integers(1, 8), st.lists(st.integers(0, 60), min_size=1, max_size=6), st.integers(0, 10_000))
@settings(max_examples=150, deadline=None)
def test_every_prefix_is_within_one_of_the_moving_target(k: int, lengths: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(k, 0.4), len(lengths)) * (rng.random((len(lengths), k)) < 0.9) + 1e-9 * np.eye(k)[0]
    order = moving_chairman(shares, np.array(lengths))
    assert len(order) == sum(lengths)
    assert worst(order, shares, np.array(lengths)) < 1


def test_steps_that_are_alike_are_one() -> None:
    shares = np.random.default_rng(3).dirichlet(np.ones(12))
    one, many = (
        moving_chairman(shares[None], np.array([500])),
        moving_chairman(np.tile(shares, (4, 1)), np.full(4, 125)),
    )
    plain = chairman(shares, 500)
    for order in (one, many, plain):
        assert worst(order, shares[None], np.array([500])) < 1
    assert np.mean(one == plain) > 0.9  # the same rule, but turns due at the same time may be rounded apart
    assert np.mean(one == many) > 0.9


def test_steps_without_draws_change_nothing() -> None:
    shares = np.array([[0.0, 0.0], [0.5, 0.5], [0.1, 0.9]])
    with_empty = moving_chairman(shares, np.array([0, 7, 9]))
    np.testing.assert_array_equal(with_empty, moving_chairman(shares[1:], np.array([7, 9])))


def test_draws_without_any_share_are_an_error() -> None:
    with pytest.raises(ValueError, match="positive sum"):
        moving_chairman(np.zeros((1, 3)), np.array([2]))
