"""The events of a schedule as arrays."""

import numpy as np
import pytest

from clustering.roster import roster_of
from schemas.cluster import Split
from tests.clustering.made import membership


def test_rows_are_sorted_by_event_whatever_the_batches() -> None:
    items = [
        membership(f"ev-{i:02}", i % 3, i % 2, "validation" if i == 4 else "train", of=f"ep-{i}") for i in range(12)
    ]
    one = roster_of([items], seed=1)
    other = roster_of([items[7:], [], items[:7][::-1]], seed=1)
    for name in ("event_id", "episode_id", "vision_language", "action", "side", "key"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.event_id[4] == b"ev-04"
    assert one.episode_id[4] == b"ep-4"
    assert list(one.of(Split.VALIDATION)) == [4]
    assert len(one.of(Split.TRAIN)) == 11


def test_another_seed_gives_other_keys() -> None:
    assert roster_of([[membership("a")]], 1).key != roster_of([[membership("a")]], 2).key


def test_copies_are_left_out() -> None:
    roster = roster_of([[membership("a"), membership("b", duplicate_of="a")]], 0)
    assert roster.event_id.tolist() == [b"a"]


def test_no_events_make_an_empty_roster() -> None:
    assert len(roster_of([], 0)) == 0


def test_an_event_found_twice_is_an_error() -> None:
    with pytest.raises(ValueError, match="a: found twice"):
        roster_of([[membership("a"), membership("b")], [membership("a", 1)]], 0)
