"""Cuts on frames, valid pieces, and pieces that are not too long."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotators.tree.claim import make_cut
from annotators.tree.divide import divide_long, on_frames, pieces_between, range_edge, windows_between
from annotators.tree.ranges import fits_event
from schemas.event import BoundaryKind
from schemas.time import NS_PER_S, FrameClock
from tests.annotators.recordings import even_times

CLOCK = FrameClock(even_times(100, 10), 10 * NS_PER_S)
FITS = fits_event(CLOCK, None)
START, END = range_edge(0, CLOCK), range_edge(100, CLOCK)


def test_a_cut_moves_to_the_nearest_frame_edge_as_the_clock_says() -> None:
    times = [0, 49_999_999, 50_000_000, 50_000_001, 9_960_000_000, 20 * NS_PER_S, -5]
    placed = on_frames([make_cut(t, BoundaryKind.GRASP, "d") for t in times], CLOCK)
    assert [b.frame for b in placed] == [CLOCK.nearest_edge(t) for t in sorted(times)]
    assert [b.t_ns for b in placed] == [CLOCK.edge_ns(b.frame) for b in placed]


def test_cuts_closer_than_five_frames_merge_into_the_more_confident() -> None:
    cuts = [make_cut(3 * NS_PER_S, BoundaryKind.GRASP, "a"), make_cut(3_400_000_000, BoundaryKind.LIFT, "b")]
    edges = pieces_between(START, END, on_frames(cuts, CLOCK), FITS)
    assert [(b.kind, b.frame) for b in edges[1:-1]] == [(BoundaryKind.GRASP, 30)]
    assert edges[1].detectors == ("a", "b")


def test_cuts_too_near_the_ends_are_left_out() -> None:
    cuts = on_frames([make_cut(t * NS_PER_S // 10, BoundaryKind.GRASP, "a") for t in (0, 4, 96, 100)], CLOCK)
    assert pieces_between(START, END, cuts, FITS) == [START, END]


def test_a_range_that_cannot_be_one_event_is_an_error() -> None:
    with pytest.raises(ValueError, match="leave the range out"):
        pieces_between(START, range_edge(4, CLOCK), [], FITS)


def test_a_long_piece_is_divided_at_its_calmest_frame() -> None:
    unrest = np.ones(100)
    unrest[40] = 0.1
    edges = divide_long([START, END], 7.0, (unrest, "speed_minimum"), CLOCK, FITS)
    assert [(b.frame, b.kind, b.detectors) for b in edges[1:-1]] == [
        (40, BoundaryKind.DURATION_CAP, ("speed_minimum",))
    ]


def test_where_all_frames_are_alike_it_is_divided_evenly() -> None:
    edges = divide_long([START, END], 3.0, (np.zeros(100), "speed_minimum"), CLOCK, FITS)
    assert [b.frame for b in edges] == [0, 25, 50, 75, 100]
    assert edges[1].detectors == ("even",)


def test_the_minimum_length_outweighs_the_cap() -> None:
    clock = FrameClock(even_times(30, 1), 30 * NS_PER_S)
    fits = fits_event(clock, None)
    edges = divide_long([range_edge(0, clock), range_edge(30, clock)], 2.0, (np.zeros(30), "x"), clock, fits)
    assert min(b.frame - a.frame for a, b in pairwise(edges)) >= 5


@given(
    st.lists(st.tuples(st.integers(0, 100), st.sampled_from(list(BoundaryKind))), max_size=40),
    st.sets(st.integers(0, 99), min_size=1),
    st.floats(0.1, 12),
)
def test_every_piece_is_valid_whatever_the_cuts_and_rows(
    raw: list[tuple[int, BoundaryKind]], rows: set[int], longest: float
) -> None:
    fits = fits_event(CLOCK, np.array(sorted(rows), np.int64) * (NS_PER_S // 10))
    cuts = on_frames([make_cut(frame * NS_PER_S // 10, kind, "d") for frame, kind in raw], CLOCK)
    edges = pieces_between(START, END, cuts, fits, NS_PER_S // 4)
    edges = divide_long(edges, longest, (np.arange(100.0), "d"), CLOCK, fits)
    assert (edges[0], edges[-1]) == (START, END)
    assert all(fits(a.frame, b.frame) for a, b in pairwise(edges))


@given(st.integers(0, 60), st.integers(5, 40), st.integers(5, 30))
def test_windows_have_the_length_asked_for_and_the_last_takes_what_is_left(first: int, n: int, length: int) -> None:
    start, end = range_edge(first, CLOCK), range_edge(first + n, CLOCK)
    edges = windows_between(start, end, length, CLOCK, FITS)
    assert (edges[0], edges[-1]) == (start, end)
    lengths = [b.frame - a.frame for a, b in pairwise(edges)]
    assert lengths[:-1] == [length] * (len(lengths) - 1)
    assert lengths[-1] < 2 * length
    assert lengths[-1] >= min(n, length)
    assert all(edge.kind is BoundaryKind.DURATION_CAP for edge in edges[1:-1])
    assert [edge.t_ns for edge in edges] == [CLOCK.edge_ns(edge.frame) for edge in edges]


def test_windows_without_action_rows_are_joined_with_the_next() -> None:
    """Rows in the first and the last second only: nothing between can be an event."""
    rows = np.r_[np.arange(0, 10), np.arange(90, 100)] * (NS_PER_S // 10)
    edges = windows_between(START, END, 10, CLOCK, fits_event(CLOCK, rows.astype(np.int64)))
    assert [edge.frame for edge in edges] == [0, 10, 100]
