"""Wilson's interval against its defining equation and against a library."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from pipeline.cards.interval import rate_of


@given(st.integers(1, 5000).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_it_is_wilsons(counts: tuple[int, int]) -> None:
    n, of = counts
    found = rate_of(n, of)
    assert found is not None
    expected = binomtest(n, of).proportion_ci(0.95, method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert 0 <= found.low <= found.rate <= found.high <= 1


def test_nothing_found_in_few_is_no_proof_of_nothing() -> None:
    few, many = rate_of(0, 10), rate_of(0, 1000)
    assert few is not None
    assert many is not None
    assert few.high == pytest.approx(0.2775, abs=1e-4)
    assert many.high < 0.004
    assert rate_of(0, 0) is None


@pytest.mark.parametrize(
    ("n", "of", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_published_intervals(n: int, of: int, low: float, high: float) -> None:
    """Newcombe 1998, table I."""
    found = rate_of(n, of)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_mirrored_shares_have_mirrored_intervals() -> None:
    few, many, all_of_them = rate_of(3, 50), rate_of(47, 50), rate_of(20, 20)
    assert few is not None
    assert many is not None
    assert all_of_them is not None
    assert few.low == pytest.approx(1 - many.high)
    assert (all_of_them.low, all_of_them.high) == pytest.approx((0.8389, 1.0), abs=5e-5)
