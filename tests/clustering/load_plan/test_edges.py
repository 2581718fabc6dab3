"""Edges of events: moved boundaries that leave no gap, how far a recording goes on, and the rows a window covers."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from clustering.load_plan.edges import Edges, edges_of, rows_of_reaching
from clustering.load_plan.windows import EventSizes, windows
from pipeline.loader.timeline import Timeline, pieces_of, timeline_of
from schemas.load_plan import WindowKind
from schemas.recipe_load import LoadSpec

RECORDINGS = st.lists(st.lists(st.integers(5, 60), min_size=1, max_size=6), min_size=1, max_size=5)
CHUNKS = LoadSpec(event_share=0, suffix_share=0, chunk_share=1, chunk_frames=33, chunk_over="episode")


def laid(recordings: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray, Timeline]:
    """Ids, frames and timeline of events that lie end to end in each recording."""
    frames = np.array([n for recording in recordings for n in recording], np.uint32)
    episode = np.array([f"ep-{i}" for i, recording in enumerate(recordings) for _ in recording], np.bytes_)
    ends = np.concatenate([np.cumsum(recording) for recording in recordings])
    ids = np.array([f"ev-{i:04d}" for i in range(len(frames))], np.bytes_)
    return ids, frames, timeline_of(episode, ends - frames, ends, np.full(len(frames), 2))


def edges(recordings: Sequence[Sequence[int]], **changes: object) -> tuple[np.ndarray, Edges]:
    ids, frames, timeline = laid(recordings)
    return frames.astype(np.int64), edges_of(ids, frames, timeline, LoadSpec.model_validate(changes))


@given(RECORDINGS, st.sampled_from([2, 5, 10]))
def test_moved_boundaries_leave_neither_gap_nor_overlap_nor_short_events(
    recordings: list[list[int]], jitter: int
) -> None:
    frames, found = edges(recordings, jitter_frames=jitter)
    has_next = found.next >= 0
    np.testing.assert_array_equal(found.end_shift[has_next], found.start_shift[found.next[has_next]])
    assert not np.any(found.end_shift[~has_next])
    assert not np.any(found.start_shift[found.previous < 0]), "a recording begins where it begins"
    assert np.abs(found.start_shift).max() <= jitter
    assert np.all(frames + found.end_shift - found.start_shift >= 5)


def test_a_boundary_is_moved_the_same_way_every_time_and_whoever_lies_elsewhere() -> None:
    recordings = [[40, 50, 60, 45], [50] * 30]
    ids, frames, timeline = laid(recordings)
    spec = LoadSpec(jitter_frames=10)
    whole = edges_of(ids, frames, timeline, spec)
    again = edges_of(ids, frames, timeline, spec)
    np.testing.assert_array_equal(whole.start_shift, again.start_shift)
    alone_ids, alone_frames, alone_timeline = laid(recordings[:1])
    alone = edges_of(alone_ids, alone_frames, alone_timeline, spec)
    np.testing.assert_array_equal(alone.start_shift, whole.start_shift[:4])
    other = edges_of(ids, frames, timeline, spec.model_copy(update={"seed": 1}))
    assert np.any(other.start_shift != whole.start_shift)
    assert len(set(whole.start_shift[5:].tolist())) > 10, "either way, and by all amounts"
    assert abs(whole.start_shift[5:].mean()) < 3


def test_without_jitter_nothing_is_moved() -> None:
    _, found = edges([[40, 50, 60]])
    assert not found.start_shift.any()
    assert not found.end_shift.any()


@given(RECORDINGS)
def test_a_recording_goes_on_as_far_as_its_events_adjoin(recordings: list[list[int]]) -> None:
    _, found = edges(recordings)
    before = [sum(recording[:i]) for recording in recordings for i in range(len(recording))]
    after = [sum(recording[i + 1 :]) for recording in recordings for i in range(len(recording))]
    assert found.before.tolist() == before
    assert found.after.tolist() == after


@given(RECORDINGS, st.integers(0, 999))
@settings(deadline=None)
def test_chunks_have_one_length_wherever_the_recording_has_room(recordings: list[list[int]], first: int) -> None:
    ids, frames, timeline = laid(recordings)
    found = edges_of(ids, frames, timeline, CHUNKS)
    sizes = EventSizes(frames, np.full(len(frames), 2, np.uint8), frames, found)
    event = np.arange(60) % len(frames)
    shown = windows(np.arange(first, first + 60), event, sizes, CHUNKS)
    room = (found.before + frames + found.after)[event]
    np.testing.assert_array_equal(shown.n_frames, np.minimum(33, room))
    for row, begin, length, kind in zip(event, shown.first_frame, shown.n_frames, shown.kind, strict=True):
        pieces = pieces_of(int(row), int(begin), int(length), frames.astype(int).tolist(), timeline)
        assert sum(n for _, _, n in pieces) == length
        if begin >= 0 and length == 33:
            assert begin < frames[row], "a chunk begins in the event that was drawn"
        assert kind == WindowKind.CHUNK or frames[row] == 1


@given(RECORDINGS, st.integers(0, 99))
@settings(deadline=None)
def test_rows_of_a_window_are_those_of_its_pieces(recordings: list[list[int]], draw: int) -> None:
    ids, frames, timeline = laid(recordings)
    found = edges_of(ids, frames, timeline, CHUNKS)
    rows = (frames * 5 // 2).astype(np.int64)
    sizes = EventSizes(frames, np.full(len(frames), 2, np.uint8), rows.astype(np.uint32), found)
    event = np.array([draw % len(frames)])
    shown = windows(np.array([draw]), event, sizes, CHUNKS)
    (counted,) = rows_of_reaching(event, shown.first_frame, shown.n_frames, (frames, rows), found).tolist()
    expected = 0
    pieces = pieces_of(int(event[0]), int(shown.first_frame[0]), int(shown.n_frames[0]), frames.tolist(), timeline)
    for row, begin, length in pieces:
        n, k = int(frames[row]), int(rows[row])
        expected += -(-k * (begin + length) // n) - k * begin // n
    assert counted == expected
