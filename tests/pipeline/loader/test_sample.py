"""One event as a trainer sees it, from our reader or from stock WebDataset."""

from pathlib import Path

import numpy as np
import pytest
import webdataset as wds

from pipeline.loader.decode import decode_clip
from pipeline.loader.reader import ShardSet
from pipeline.loader.sample import EventSample, anchor_of, sample_from_members
from schemas.displacement import relative_to
from tests.pipeline.shards.corpus import Corpus


def with_actions(opened: ShardSet) -> EventSample:
    return next(sample for _, sample in opened.iterate("train") if sample.action_T20 is not None)


def test_it_says_what_the_records_say(opened: ShardSet, filmed: Corpus) -> None:
    events = {event.event_id: event for event in filmed.events}
    for split in opened.splits:
        for t, sample in opened.iterate(split):
            event = events[sample.event_id]
            assert (sample.split, sample.t) == (split, t)
            assert sample.span == event.span
            assert sample.caption == event.caption
            assert list(sample.captions) == ["task", "subtask", "action"]
            assert sample.level == "action"


def test_every_view_has_a_time_for_every_picture(opened: ShardSet) -> None:
    sample = with_actions(opened)
    assert sample.master_view == "observation_images_top"
    for view, mp4 in sample.views.items():
        assert len(decode_clip(mp4)) == len(sample.view_times_ns[view])
    assert len(sample.view_times_ns[sample.master_view]) == sample.n_frames == sample.span.n_frames


def test_action_rows_are_those_of_the_span(opened: ShardSet) -> None:
    sample = with_actions(opened)
    assert sample.action_T20 is not None
    assert sample.action_times_ns is not None
    assert sample.action_T20.shape == (sample.span.n_actions, 20)
    assert sample.action_T20.dtype == np.float32
    assert sample.span.start_ns <= sample.action_times_ns[0] <= sample.action_times_ns[-1] < sample.span.end_ns
    assert sample.known_20.tolist() == [False] * 10 + [True] * 10


def test_an_event_without_actions_says_none_not_zeros(opened: ShardSet) -> None:
    sample = next(sample for _, sample in opened.iterate("train") if sample.action_kind == "none")
    assert sample.action_T20 is sample.state_T20 is sample.action_times_ns is sample.anchor_20() is None
    assert sample.relative_action() is None
    assert not sample.known_20.any()


def test_relative_actions_start_from_the_first_valid_state(opened: ShardSet) -> None:
    sample = with_actions(opened)
    assert sample.action_T20 is not None
    assert sample.state_T20 is not None
    relative, anchor = sample.relative_action(), sample.anchor_20()
    assert relative is not None
    assert anchor is not None
    np.testing.assert_array_equal(anchor, sample.state_T20[0])
    np.testing.assert_array_equal(relative, relative_to(sample.action_T20, anchor))


def test_the_anchor_is_a_valid_row() -> None:
    states = np.arange(60, dtype=np.float32).reshape(3, 20)
    found = anchor_of(states, np.array([False, True, True]))
    assert found is not None
    assert found[0] == 20.0
    assert anchor_of(states, np.zeros(3, np.bool_)) is None


def test_stock_webdataset_samples_become_the_same(opened: ShardSet, folder: Path) -> None:
    (stock, *_) = wds.WebDataset([str(folder / "train-000000.tar")], shardshuffle=False)
    ours, theirs = opened.read("train", 0), sample_from_members(stock["__key__"], stock)
    assert ours.key == theirs.key
    assert ours.record == theirs.record
    assert ours.views == theirs.views
    assert ours.calibration() == theirs.calibration()


def test_a_missing_member_is_named() -> None:
    with pytest.raises(ValueError, match=r"sample 00-a: member 'action.npz' is missing, found \['event.json'\]"):
        sample_from_members("00-a", {"event.json": b"{}"})
