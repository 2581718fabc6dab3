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
