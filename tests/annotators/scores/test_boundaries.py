"""Boundary F1: perfect is 1, shifted beyond the tolerance is 0, and swapping the sides swaps precision and recall."""

from hypothesis import given
from hypothesis import strategies as st

from annotators.scores.boundaries import Tally, matched_marks, pooled, tolerance_ns, typed, typed_pairs, untyped
from annotators.scores.marks import Mark, marks_of
from schemas.event import BoundaryKind
from schemas.truth import PHYSICAL_KINDS

GRASP, LIFT, MOTION = BoundaryKind.GRASP, BoundaryKind.LIFT, BoundaryKind.MOTION
MARKS = st.lists(st.builds(Mark, st.integers(0, 10**10), st.sampled_from(PHYSICAL_KINDS)), max_size=20)
TOLERANCE = st.integers(0, 10**9)


@given(MARKS, MARKS, TOLERANCE)
def test_swapping_the_sides_swaps_precision_and_recall_and_keeps_f1(a: list[Mark], b: list[Mark], reach: int) -> None:
    there, back = untyped(a, b, reach), untyped(b, a, reach)
    assert (there.precision, there.recall) == (back.recall, back.precision)
    assert there.f1 == back.f1


@given(MARKS, TOLERANCE)
def test_a_perfect_prediction_scores_one(marks: list[Mark], reach: int) -> None:
    assert untyped(marks, marks, reach).f1 == 1.0
    assert pooled(typed(marks, marks, reach, PHYSICAL_KINDS).values()).f1 == 1.0


@given(st.lists(st.integers(0, 9), unique=True, min_size=1), st.sampled_from([0.1, 0.25, 0.5, 1.0]))
def test_a_shift_beyond_the_tolerance_scores_zero(seconds: list[int], tolerance_s: float) -> None:
    reach = tolerance_ns(tolerance_s)
    true = marks_of([(GRASP, 3.0 * second) for second in seconds])
    beyond = [Mark(mark.t_ns + reach + 1, mark.kind) for mark in true]
    assert untyped(beyond, true, reach).f1 == 0.0
    assert untyped([Mark(mark.t_ns - 1, mark.kind) for mark in beyond], true, reach).f1 == 1.0


@given(MARKS, MARKS, TOLERANCE)
def test_knowing_the_kind_never_finds_more(a: list[Mark], b: list[Mark], reach: int) -> None:
    assert pooled(typed(a, b, reach, PHYSICAL_KINDS).values()).matched <= untyped(a, b, reach).matched


@given(MARKS, MARKS, TOLERANCE, TOLERANCE)
def test_more_tolerance_never_finds_less(a: list[Mark], b: list[Mark], one: int, two: int) -> None:
    assert untyped(a, b, min(one, two)).matched <= untyped(a, b, max(one, two)).matched


def test_a_grasp_is_found_by_a_grasp_only() -> None:
    found = typed(marks_of([(LIFT, 1.0)]), marks_of([(GRASP, 1.0)]), tolerance_ns(0.1), (GRASP, LIFT))
    assert found == {GRASP: Tally(0, 0, 1), LIFT: Tally(0, 1, 0)}


def test_kinds_that_nobody_looked_for_are_neither_right_nor_wrong() -> None:
    found = typed(marks_of([(GRASP, 1.0), (MOTION, 2.0)]), marks_of([(GRASP, 1.0)]), 1, [GRASP])
    assert pooled(found.values()) == Tally(1, 1, 1)


def test_one_true_boundary_is_found_once() -> None:
    assert untyped(marks_of([(GRASP, 1.0), (GRASP, 1.05)]), marks_of([(GRASP, 1.0)]), tolerance_ns(0.1)) == Tally(
        1, 2, 1
    )


def test_pooling_adds_counts_and_does_not_average_scores() -> None:
    assert pooled([Tally(1, 1, 1), Tally(0, 9, 9)]).f1 == 0.1


def test_nothing_proposed_has_no_precision_rather_than_a_perfect_one() -> None:
    assert Tally(0, 0, 3).precision is None
    assert Tally(0, 0, 3).f1 == 0.0


def test_pairs_are_of_the_proposals_as_they_came_in() -> None:
    proposed = [Mark(20, GRASP, confidence=0.5), Mark(10, LIFT, confidence=0.4)]
    assert [ours.confidence for ours, _ in matched_marks(proposed, [Mark(10, GRASP), Mark(20, GRASP)], 0)] == [0.4, 0.5]
    assert [ours.confidence for ours, _ in typed_pairs(proposed, [Mark(10, GRASP), Mark(20, GRASP)], 5, [GRASP])] == [
        0.5
    ]
