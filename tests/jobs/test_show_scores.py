"""How scores are written: two digits, no leading zero, a star where an interval excludes 0."""

from annotators.scores.bootstrap import Interval
from jobs.show_scores import difference, number, signed, with_interval


def test_numbers_are_written_as_the_field_writes_them() -> None:
    assert [number(value) for value in (0.914, 1.0, 0.0, None)] == [".91", "1.00", ".00", "–"]
    assert number(0.0156, 3) == ".016"


def test_a_sign_is_shown_unless_the_number_rounds_to_zero() -> None:
    assert [signed(value) for value in (0.2, -0.2, 0.001, None)] == ["+.20", "−.20", ".00", "–"]


def test_a_star_says_that_the_interval_excludes_zero() -> None:
    assert difference(Interval(0.2, 0.1, 0.3)) == "+.20 [+.10 +.30]*"
    assert difference(Interval(0.2, -0.1, 0.3)) == "+.20 [−.10 +.30] "
    assert difference(Interval(None)) == "–"


def test_an_estimate_stands_before_its_interval() -> None:
    assert with_interval(Interval(0.9, 0.8, 1.0)) == ".90 [.80 1.00]"
    assert with_interval(Interval(None)) == "–"
