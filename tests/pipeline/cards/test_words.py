"""Numbers as people read them."""

import pytest

from pipeline.cards.words import counted, hours, listed, number, plural, rate, share, size, stated


@pytest.mark.parametrize(
    ("ns", "text"),
    [(0, "0.00"), (3_600_000_000_000, "1.00"), (5_400_000_000_000_000, "1500"), (18 * 10**9, "0.00500")],
)
def test_hours_have_three_digits(ns: int, text: str) -> None:
    assert hours(ns) == text


def test_counts_and_sizes() -> None:
    assert [number(n) for n in (0, 9999, 10_000, 1_234_567)] == ["0", "9999", "10\u202f000", "1\u202f234\u202f567"]
    assert [size(n) for n in (999, 1_500, 13_100_000, 2 * 10**12)] == ["999 bytes", "1.5 kB", "13.1 MB", "2 TB"]
    assert share(1, 3) == "1 of 3 (33.3 %)"
    assert share(0, 0) == "–"
    assert [plural(n, "event") for n in (0, 1, 2)] == ["0 events", "1 event", "2 events"]
    assert plural(2, "person", "people") == "2 people"


def test_names_are_ordered_and_cut() -> None:
    assert counted({"b": 2, "a": 2, "c": 9, "d": 0}) == "c 9, a 2, b 2"
    assert counted({}) == "none"
    assert listed(map(str, range(14)), 12).endswith("10, 11 and 2 more")
    assert listed([]) == "none"


def test_what_is_not_stated_or_measured_is_said_so() -> None:
    assert [stated(value) for value in ("", None, [], "  a\n b ", True, ["x", "y"], 0)] == [
        "not stated", "not stated", "not stated", "a b", "yes", "x; y", "0",
    ]  # fmt: skip
    assert rate(None) == "not measured"
    assert rate({"n": 3, "of": 200, "rate": 0.015, "low": 0.005, "high": 0.043}) == (
        "1.5 % (3 of 200; 95 %: 0.5 to 4.3 %)"
    )
