"""Marks and numbers: what is written is short, exact and safe."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.report.svg import (
    THIN,
    duration,
    most_frequent,
    number,
    percent,
    power,
    rect,
    shortened,
    signed,
    svg,
    text,
    ticks,
    whole,
)


@pytest.mark.parametrize(
    ("value", "said"),
    [(1.0, "1"), (1.5, "1.5"), (1.005, "1"), (-0.001, "0"), (120.0, "120"), (0.0, "0"), (-2.25, "-2.25")],
)
def test_a_coordinate_has_no_idle_digit(value: float, said: str) -> None:
    assert number(value) == said


@pytest.mark.parametrize(
    ("share", "said"),
    [(0, "0 %"), (1, "100 %"), (0.5, "50.0 %"), (0.0001, "< 0.1 %"), (0.99999, "> 99.9 %"), (0.9994, "99.9 %")],
)
def test_what_is_something_is_never_written_as_nothing_nor_all_but_all_as_all(share: float, said: str) -> None:
    assert percent(share).replace(THIN, " ") == said


@pytest.mark.parametrize(
    ("ns", "said"),
    [
        (0, "0.00 s"),
        (452_000_000, "0.45 s"),
        (12_340_000_000, "12.3 s"),
        (390_000_000_000, "6.5 min"),
        (44_280 * 10**9, "12.3 h"),
    ],
)
def test_durations_read_in_the_unit_that_fits(ns: int, said: str) -> None:
    assert duration(ns).replace(THIN, " ") == said


def test_small_wordings() -> None:
    assert whole(9999) == "9999"
    assert whole(1_234_567).replace(THIN, " ") == "1 234 567"
    assert power(9.7e-10).replace(THIN, " ") == "1 × 10⁻⁹"
    assert signed(-10.2) == "−10"
    assert shortened("abcdef", 4) == "abc…"
    assert most_frequent({"b": 2, "a": 2, "c": 9}, 2) == "c 9, a 2 and 1 more"


@given(st.floats(0, 1e6), st.floats(1e-3, 1e6), st.integers(1, 12))
def test_ticks_are_round_and_within(low: float, size: float, most: int) -> None:
    found = ticks(low, low + size, most)
    assert len(found) <= most + 1
    assert all(low - 1e-6 * size <= tick <= low + size * (1 + 1e-6) for tick in found)


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Co", "Cn"))))
def test_whatever_data_says_a_figure_stays_one(said: str) -> None:
    drawn = svg(10, 10, [text(1, 1, said), rect(0, 0, 1, 1, "fill", said)], said)
    root = ET.fromstring(drawn)
    assert [element.tag for element in root.iter()] == ["svg", "text", "rect", *(["title"] if said else [])]
    assert (root[0].text or "") == said
    assert root.attrib["aria-label"].split() == said.split()
