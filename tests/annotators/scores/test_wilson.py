"""Against values worked out elsewhere (Newcombe 1998, table I)."""

import pytest

from annotators.scores.wilson import wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_published_intervals(successes: int, n: int, low: float, high: float) -> None:
    found = wilson(successes, n)
    assert found == pytest.approx((low, high), abs=5e-5)


def test_mirrored_shares_have_mirrored_intervals() -> None:
    few, many = wilson(3, 50), wilson(47, 50)
    assert few is not None
    assert many is not None
    assert few[0] == pytest.approx(1 - many[1])
    assert wilson(20, 20) == pytest.approx((0.8389, 1.0), abs=5e-5)


def test_of_nothing_nothing_is_known() -> None:
    assert wilson(0, 0) is None
