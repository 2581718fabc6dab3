"""Segments between boundaries: both sides cover the same ranges, and what lies between is compared."""

from hypothesis import given
from hypothesis import strategies as st

from annotators.scores.marks import Mark
from annotators.scores.segments import edit_score, levenshtein, matched_segments, merged, names, segments
from schemas.event import BoundaryKind

WHOLE = ((0, 100),)
EDGES = st.lists(st.integers(1, 99), unique=True, max_size=12).map(sorted)
LETTERS = st.lists(st.sampled_from("abc"), max_size=6)


def cut(*times: int) -> list[tuple[int, int]]:
    return segments([Mark(t, BoundaryKind.MOTION) for t in times], WHOLE)


def test_a_range_is_divided_at_its_marks_and_ends_are_given() -> None:
    assert cut(30, 60) == [(0, 30), (30, 60), (60, 100)]
    assert cut() == [(0, 100)]


def test_two_marks_at_one_instant_divide_once() -> None:
    assert cut(30, 30) == [(0, 30), (30, 100)]


def test_no_segment_crosses_a_trimmed_hole() -> None:
    assert segments([Mark(50, BoundaryKind.LIFT)], ((0, 40), (45, 60))) == [(0, 40), (45, 50), (50, 60)]


def test_a_segment_matches_at_exactly_the_overlap() -> None:
    assert matched_segments([(0, 75)], [(0, 100)], 0.75) == 1
    assert matched_segments([(0, 74)], [(0, 100)], 0.75) == 0


def test_a_segment_that_is_halved_exactly_matches_one_half() -> None:
    assert matched_segments([(0, 100)], [(0, 50), (50, 100)], 0.5) == 1


@given(EDGES, st.sampled_from([0.5, 0.75]))
def test_the_same_cuts_match_all_segments(edges: list[int], least: float) -> None:
    assert matched_segments(cut(*edges), cut(*edges), least) == len(edges) + 1


@given(EDGES, EDGES, st.sampled_from([0.5, 0.75]))
def test_as_many_match_as_pairs_can_be_formed(a: list[int], b: list[int], least: float) -> None:
    ours, true = cut(*a), cut(*b)
    pairs = [
        (i, j)
        for i, (s, e) in enumerate(ours)
        for j, (u, v) in enumerate(true)
        if min(e, v) - max(s, u) >= least * (max(e, v) - min(s, u))
    ]
    # above one half a segment has one partner; at exactly one half it may have two, in chains taken from the left
    taken_i: set[int] = set()
    taken_j: set[int] = set()
    for i, j in pairs:
        if i not in taken_i and j not in taken_j:
            taken_i.add(i)
            taken_j.add(j)
    assert matched_segments(ours, true, least) == len(taken_i)


def test_two_true_segments_in_one_proposed_are_merged() -> None:
    assert merged(cut(60), cut(30, 60)) == 2
    assert merged(cut(30, 60), cut(30, 60)) == 0


def test_a_late_cut_merges_nothing() -> None:
    assert merged(cut(35), cut(30)) == 0


def test_a_segment_is_called_by_the_boundary_that_opens_it() -> None:
    marks = [Mark(30, BoundaryKind.GRASP), Mark(60, BoundaryKind.LIFT)]
    assert names(marks, WHOLE) == ["start", "grasp", "lift"]


def test_the_edit_score_does_not_ask_when() -> None:
    assert edit_score(["start", "grasp", "lift"], ["start", "grasp", "lift"]) == 1.0
    assert edit_score(["start", "lift"], ["start", "grasp", "lift"]) == 1 - 1 / 3


@given(LETTERS, LETTERS, LETTERS)
def test_the_edit_distance_is_a_distance(a: list[str], b: list[str], c: list[str]) -> None:
    assert levenshtein(a, b) == levenshtein(b, a)
    assert (levenshtein(a, b) == 0) == (a == b)
    assert levenshtein(a, c) <= levenshtein(a, b) + levenshtein(b, c)
    assert abs(len(a) - len(b)) <= levenshtein(a, b) <= max(len(a), len(b))
