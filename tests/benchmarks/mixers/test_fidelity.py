"""The measures of an order of draws, against counting prefix by prefix."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.mixers.fidelity import fidelity
from benchmarks.mixers.orders import made_up_shares, random_phase


def test_an_order_by_hand() -> None:
    """After a, a: two of a where one was due, none of b; at the end 3 : 1 instead of 2 : 2."""
    found = fidelity(np.array([0, 0, 1, 0]), np.array([1.0, 1.0]))
    assert found.discrepancy == pytest.approx(1.0)
    assert found.total_variation == pytest.approx(0.25)
    assert found.worst_relative == pytest.approx(0.5)


def test_what_is_never_drawn_counts() -> None:
    found = fidelity(np.zeros(10, np.int64), np.array([0.7, 0.2, 0.1]))
    assert found.discrepancy == pytest.approx(3.0)
    assert found.total_variation == pytest.approx(0.3)
    assert found.worst_relative == pytest.approx(1.0)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.lists(st.floats(0.05, 1), min_size=4, max_size=4))
def test_the_worst_prefix_is_the_worst_of_all_prefixes(order: list[int], weights: list[float]) -> None:
    shares = np.array(weights) / sum(weights)
    counts = np.stack([np.bincount(order[:t], minlength=4) for t in range(1, len(order) + 1)])
    due = np.arange(1, len(order) + 1)[:, None] * shares
    found = fidelity(np.array(order), np.array(weights))
    assert found.discrepancy == pytest.approx(np.abs(counts - due).max())
    assert found.total_variation == pytest.approx(np.abs(counts[-1] - due[-1]).sum() / 2 / len(order))


def test_strides_take_every_turn_once() -> None:
    """A cell of share λ has its turns 1/λ apart, so every count ends within one of its share."""
    shares = made_up_shares(20)
    order = random_phase(shares, 5000)
    assert len(order) == 5000
    assert np.abs(np.bincount(order, minlength=20) - 5000 * shares).max() < 2
