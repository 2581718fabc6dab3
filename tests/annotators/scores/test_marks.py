"""Marks: strictly inside the kept ranges, whose edges are given."""

from annotators.scores.marks import Mark, inside, marks_of
from schemas.event import BoundaryKind

LIFT = BoundaryKind.LIFT


def test_the_edges_of_a_range_are_not_boundaries() -> None:
    marks = [Mark(t, LIFT) for t in (0, 5, 10, 15, 20)]
    assert [mark.t_ns for mark in inside(marks, [(0, 10), (12, 20)])] == [5, 15]


def test_seconds_become_whole_nanoseconds_in_order() -> None:
    assert marks_of([(LIFT, 0.3), (LIFT, 0.1)]) == [Mark(100_000_000, LIFT), Mark(300_000_000, LIFT)]
