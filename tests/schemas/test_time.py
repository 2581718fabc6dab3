"""One clock: int64 nanoseconds, half-open spans, real frame times only."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.array import Ints
from schemas.time import FrameClock, Span

steps = st.lists(st.integers(1, 10**9), min_size=1, max_size=30)


def clock_of(gaps: list[int]) -> FrameClock:
    """A clock whose frames last as long as the gaps say."""
    edges = np.concatenate([[0], np.cumsum(gaps)]).astype(np.int64)
    return FrameClock(edges[:-1], int(edges[-1]))


@given(steps)
def test_every_frame_is_on_screen_from_its_start_to_the_next_ones(gaps: list[int]) -> None:
    clock = clock_of(gaps)
    for frame in range(len(clock)):
        assert clock.frame_at(clock.edge_ns(frame)) == frame
        assert clock.frame_at(clock.edge_ns(frame + 1) - 1) == frame


@given(steps)
def test_a_real_edge_is_its_own_nearest_edge(gaps: list[int]) -> None:
    clock = clock_of(gaps)
    assert [clock.nearest_edge(clock.edge_ns(frame)) for frame in range(len(clock) + 1)] == list(range(len(clock) + 1))


@given(steps, st.data())
def test_spans_that_tile_the_frames_tile_the_times_and_the_actions(gaps: list[int], data: st.DataObject) -> None:
    clock = clock_of(gaps)
    cut = data.draw(st.integers(0, len(clock)))
    stamps = data.draw(st.lists(st.integers(0, clock.end_ns - 1), max_size=20))
    actions: Ints = np.sort(np.array(stamps, np.int64))
    first, second = clock.span(0, cut, actions), clock.span(cut, len(clock), actions)
    assert (first.end_ns, first.action_end) == (second.start_ns, second.action_start)
    assert (first.action_start, second.action_end) == (0, len(actions))
    assert all(first.start_ns <= actions[row] < first.end_ns for row in range(first.action_start, first.action_end))


@given(steps, st.data())
def test_frames_within_a_spans_times_are_the_spans_frames(gaps: list[int], data: st.DataObject) -> None:
    clock = clock_of(gaps)
    start = data.draw(st.integers(0, len(clock)))
    end = data.draw(st.integers(start, len(clock)))
    span = clock.span(start, end, None)
    assert clock.frames_within(span.start_ns, span.end_ns) == (start, end)
    assert (span.n_frames, span.n_actions) == (end - start, 0)


def test_times_before_and_after_the_recording_belong_to_its_first_and_last_frame() -> None:
    clock = clock_of([10, 10, 10])
    assert (clock.frame_at(-5), clock.frame_at(99)) == (0, 2)


def test_a_tie_goes_to_the_earlier_edge() -> None:
    assert clock_of([10, 10]).nearest_edge(5) == 0


@pytest.mark.parametrize(("times", "end"), [([0, 10, 10], 20), ([0, 10, 5], 20), ([0, 10], 10)])
def test_a_clock_that_stands_still_or_runs_backwards_is_refused(times: list[int], end: int) -> None:
    with pytest.raises(ValueError, match="frame times must increase strictly"):
        FrameClock(np.array(times, np.int64), end)


@pytest.mark.parametrize("frame", [-1, 4])
def test_a_frame_outside_the_recording_has_no_edge(frame: int) -> None:
    with pytest.raises(IndexError, match=f"^frame {frame}: expected 0 to 3$"):
        clock_of([10, 10, 10]).edge_ns(frame)


def test_a_span_contains_itself_and_its_parts_only() -> None:
    whole, part, beyond = Span(0, 9, 0, 90, 0, 9), Span(3, 9, 30, 90, 3, 9), Span(3, 10, 30, 100, 3, 10)
    assert whole.contains(whole)
    assert whole.contains(part)
    assert not whole.contains(beyond)
    assert part.duration_s == 60e-9
