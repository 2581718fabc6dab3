"""Levels nest by construction; what is left to check is order, the shortest span, and where cleaning kept nothing."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotators.review.document import Document, neighbours, problems
from schemas.event import Level
from tests.annotators.review.made import edge, made


def frames(document: Document, level: Level) -> list[tuple[int, int]]:
    return [(span.frame_start, span.frame_end) for span in document.lane(level)]


def test_a_lane_is_cut_at_its_own_boundaries_and_at_all_coarser_ones() -> None:
    document = made()
    assert frames(document, Level.TASK) == [(0, 300)]
    assert frames(document, Level.SUBTASK) == [(0, 200), (200, 300)]
    assert frames(document, Level.ACTION) == [(0, 100), (100, 200), (200, 260), (260, 300)]
    assert frames(document, Level.SEGMENT) == [(0, 100), (100, 160), (160, 200), (200, 260), (260, 300)]
    assert [span.label.caption for span in document.lane(Level.SUBTASK) if span.label] == [
        "subtask from 0",
        "subtask from 200",
    ]


@given(st.dictionaries(st.integers(1, 59).map(lambda n: 5 * n), st.integers(0, 3), max_size=20))
def test_whatever_the_ranks_every_span_lies_inside_one_span_of_the_level_above(cuts: dict[int, int]) -> None:
    document = made({0: 0, 300: 0} | cuts)
    assert problems(document) == []
    for outer, inner in zip(list(Level), list(Level)[1:], strict=False):
        covers = frames(document, outer)
        assert all(any(a <= c and d <= b for a, b in covers) for c, d in frames(document, inner))
        assert {a for a, _ in covers} <= {c for c, _ in frames(document, inner)}


def test_what_cleaning_left_out_is_in_no_lane_and_takes_no_boundary() -> None:
    document = made()
    holed = replace(
        document,
        boundaries=document.boundaries
        | {"out": edge(220, 0, pinned=True, opens=False), "in": edge(240, 0, pinned=True)},
    )
    assert problems(holed) == []
    assert frames(holed, Level.TASK) == [(0, 220), (240, 300)]
    inside = replace(holed, boundaries=holed.boundaries | {"stray": edge(230, 3)})
    assert "stray at frame 230 lies where cleaning kept nothing" in problems(inside)


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (103, "b100 to new: 3 frames, expected at least 5"),
        (100, "does not come after"),
        (305, "the first and the last boundary must be edges of a kept range"),
    ],
)
def test_a_boundary_out_of_place_is_named(frame: int, said: str) -> None:
    document = made()
    assert any(
        said in line for line in problems(replace(document, boundaries=document.boundaries | {"new": edge(frame, 3)}))
    )


def test_a_label_without_an_event_is_named() -> None:
    document = made()
    label = next(iter(document.labels.values()))
    stray = replace(document, labels={**document.labels, "label:task:b160": label})
    assert problems(stray) == ["label:task:b160: no event starts there"]


def test_neighbours_are_those_in_time() -> None:
    assert neighbours(made(), "b200") == ("b160", "b260")
    assert neighbours(made(), "b0") == (None, "b100")
    assert neighbours(made(), "b300") == ("b260", None)


def test_equal_documents_have_one_digest_whatever_order_they_were_built_in() -> None:
    document = made()
    turned = replace(document, boundaries=dict(reversed(document.boundaries.items())))
    assert turned.sha256 == document.sha256
    moved = replace(document, boundaries=document.boundaries | {"b100": edge(101, 2)})
    assert moved.sha256 != document.sha256
