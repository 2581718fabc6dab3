"""The events of a schedule as arrays."""

import numpy as np
import pytest

from clustering.roster import roster_of
from tests.clustering.made import assignment


def test_rows_are_sorted_by_event_whatever_the_batches() -> None:
    items = [
        assignment(f"ev-{i:02}", i % 3, i % 2, "validation" if i == 4 else "train", of=f"ep-{i}") for i in range(12)
    ]
    one = roster_of([items], seed=1)
    other = roster_of([items[7:], [], items[:7][::-1]], seed=1)
    for name in ("event_id", "episode_id", "vision_language", "action", "train", "key"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.event_id[4] == b"ev-04"
    assert one.episode_id[4] == b"ep-4"
    assert not one.train[4]


def test_another_seed_gives_other_keys() -> None:
    assert roster_of([[assignment("a")]], 1).key != roster_of([[assignment("a")]], 2).key


def test_no_assignments_make_an_empty_roster() -> None:
    assert len(roster_of([], 0)) == 0


def test_an_event_assigned_twice_is_an_error() -> None:
    with pytest.raises(ValueError, match="a: assigned twice"):
        roster_of([[assignment("a"), assignment("b")], [assignment("a", 1)]], 0)
