"""Which events adjoin, what a window over their edges is made of, and what a stretch is called."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.blobs import Blobs
from pipeline.errors import StoreError
from pipeline.loader.catalogue import read_catalogue
from pipeline.loader.timeline import EVENTS, Captions, Named, majority, pieces_of, read_timeline, timeline_of
from schemas.arrow import to_table
from schemas.shard_tables import EventEntry
from tests.pipeline.loader.made_shards import MadeEvent, write_set

FOUR = [19, 16, 17, 18, 36]
"""An episode in another order, and an event without a neighbour."""


def test_neighbours_are_found_whatever_order_the_events_were_drawn_in(tmp_path: Path) -> None:
    blobs = Blobs(str(write_set(tmp_path / "set", FOUR, laid=True)))
    catalogue, timeline = read_catalogue(blobs), read_timeline(blobs)
    row = {number: int(catalogue.rows(np.array([MadeEvent(number).event_id], np.bytes_))[0]) for number in FOUR}
    for first, second in ((16, 17), (17, 18), (18, 19)):
        assert (timeline.next[row[first]], timeline.previous[row[second]]) == (row[second], row[first])
    assert timeline.next[row[19]] == timeline.previous[row[16]] == timeline.next[row[36]] == -1


def test_events_with_a_gap_another_recording_or_other_cameras_are_no_neighbours() -> None:
    start = np.array([0, 10, 21, 30, 40])
    end = np.array([10, 20, 30, 40, 50])
    episode = np.array(["a", "a", "a", "b", "b"], np.bytes_)
    found = timeline_of(episode, start, end, np.array([2, 2, 2, 2, 1]))
    assert found.next.tolist() == [1, -1, -1, -1, -1]
    assert found.previous.tolist() == [-1, 0, -1, -1, -1]


def test_a_window_over_the_edges_is_its_events_in_order() -> None:
    frames = [5, 8, 6]
    timeline = timeline_of(np.array(["a"] * 3, np.bytes_), np.array([0, 5, 13]), np.array([5, 13, 19]), np.ones(3))
    assert pieces_of(1, 2, 4, frames, timeline) == [(1, 2, 4)]
    assert pieces_of(1, -2, 16, frames, timeline) == [(0, 3, 2), (1, 0, 8), (2, 0, 6)]
    assert pieces_of(0, 6, 3, frames, timeline) == [(1, 1, 3)], "a start behind the event's own end"
    with pytest.raises(ValueError, match="1 frames before an event that nothing adjoins"):
        pieces_of(0, -1, 3, frames, timeline)
    with pytest.raises(ValueError, match="2 frames after an event that nothing adjoins"):
        pieces_of(2, 4, 4, frames, timeline)


def test_the_majority_names_a_stretch() -> None:
    named = (Named(0, 10, "reach"), Named(10, 14, "grasp"), Named(14, 40, "lift"))
    assert majority(named, 0, 40) == "lift"
    assert majority(named, 2, 15) == "reach"
    assert majority(named, 11, 14) == "grasp"
    assert majority(named, 8, 12) == "reach", "the first among equals"
    assert majority(named, 50, 60) is None
    assert majority((), 0, 9) is None


def event_entry(level: str, start_ns: int, end_ns: int, caption: str) -> EventEntry:
    return EventEntry(
        event_id=f"ev-{level}-{start_ns}", episode_id="ep-4", level=level, parent_id="", frame_start=0, frame_end=1,
        start_ns=start_ns, end_ns=end_ns, verb="", caption=caption, objects=(), outcome="unknown", recovery="none",
        confidence=1.0, boundaries_by="", caption_by="", prompt="", needs_vlm=False, review="",
    )  # fmt: skip


def test_captions_of_a_level_are_those_that_overlap(tmp_path: Path) -> None:
    entries = [event_entry("segment", 10, 20, "close"), event_entry("segment", 0, 10, "lower")]
    pq.write_table(to_table(EventEntry, [*entries, event_entry("task", 0, 20, "all")]), tmp_path / EVENTS)
    captions = Captions(Blobs(str(tmp_path)), "segment")
    assert captions.between(b"ep-4", 0, 10) == (Named(0, 10, "lower"),)
    assert captions.between(b"ep-4", 5, 11) == (Named(0, 10, "lower"), Named(10, 20, "close"))
    assert captions.between(b"ep-5", 0, 20) == ()


def test_a_set_without_a_table_of_events_cannot_say(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no events\.parquet; publish the set again"):
        Captions(Blobs(str(tmp_path)), "task")
