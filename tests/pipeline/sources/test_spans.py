"""Values per row as spans: every row belongs to the run of its value."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sources.spans import flag_runs, nearest_edge, says_something, set_runs, text_runs
from schemas.episode import SourceSpan, SpanMeaning

ACTION = SpanMeaning.ACTION


def edges(n_rows: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.arange(n_rows + 1, dtype=np.int64) * 10


def rows_of(spans: list[SourceSpan], text: str) -> set[int]:
    return {row for span in spans if span.text == text for row in range(span.start_ns // 10, span.end_ns // 10)}


@pytest.mark.parametrize(("text", "says"), [("", False), (" |  | ", False), ("…", False), ("7", True), ("折る", True)])
def test_a_text_says_something_when_it_has_a_letter_or_digit(text: str, says: bool) -> None:
    assert says_something(text) is says


def test_runs_of_one_text_are_one_span_and_rows_without_words_none() -> None:
    found = list(text_runs("x", ["a", "a", None, " | ", "a"], edges(5), ACTION))
    assert found == [SourceSpan("x", 0, 20, "a", ACTION), SourceSpan("x", 40, 50, "a", ACTION)]


def test_a_meaning_may_depend_on_the_text() -> None:
    found = text_runs("x", ["a", "b"], edges(2), lambda text: ACTION if text == "a" else SpanMeaning.OTHER)
    assert [span.meaning for span in found] == [ACTION, SpanMeaning.OTHER]


def test_flags_are_spans_where_they_are_set() -> None:
    flags = np.array([True, False, True])
    assert [(span.start_ns, span.end_ns, span.text) for span in flag_runs("x", flags, edges(3), ACTION)] == [
        (0, 10, "true"), (20, 30, "true"),
    ]  # fmt: skip


@settings(deadline=None, derandomize=True)
@given(st.lists(st.sets(st.sampled_from("abc")), min_size=1, max_size=12))
def test_a_text_lasts_while_it_is_named_whatever_stands_beside_it(sets: list[set[str]]) -> None:
    found = list(set_runs("x", sets, edges(len(sets)), ACTION))
    for text in "abc":
        assert rows_of(found, text) == {row for row, texts in enumerate(sets) if text in texts}
        ends = {span.end_ns for span in found if span.text == text}
        assert not ends & {span.start_ns for span in found if span.text == text}, "neighbours are one span"


@settings(deadline=None, derandomize=True)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=8), st.integers(-60, 500))
def test_the_nearest_edge_is_the_nearest(steps: list[int], t_ns: int) -> None:
    at = np.cumsum([0, *steps])
    assert nearest_edge(at, t_ns) == int(np.argmin(np.abs(at - t_ns)))
