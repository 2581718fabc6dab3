"""Time at work is counted from sign to sign, and nobody works through the night because a page was open."""

from pathlib import Path

import pytest

from annotators.review.activity import Activity
from annotators.review.database import Database
from annotators.review.operation import Move
from annotators.review.store import ReviewStore, Submission
from tests.annotators.review.made import made

S = 1_000_000_000


def test_stretches_items_and_edits_by_person_and_day(tmp_path: Path) -> None:
    store = ReviewStore(tmp_path / "review.sqlite")
    store.add(made(), "sha")
    activity = Activity(store.database)
    for second in (0, 60, 120):
        activity.seen("ep-1", "ann", second * S, finished=second == 120)
    for second in (36_000, 36_060):  # hours later; the pause was no work
        activity.seen("ep-2", "ann", second * S, finished=second == 36_060)
    activity.seen("ep-2", "bob", 0)
    store.submit(Submission("op-1", "ep-1", 0, "ann", Move(boundary_id="b200", frame=210), "sha"))
    lines = {(line.actor, line.day): line for line in activity.throughput()}
    ann = lines["ann", "1970-01-01"]
    assert (ann.items, ann.hours, ann.median_item_s) == (2, 0.05, 90)
    assert ann.items_per_hour == pytest.approx(40)
    bob = lines["bob", "1970-01-01"]
    assert (bob.items, bob.items_per_hour, bob.median_item_s) == (0, None, None)
    (edited,) = [line for key, line in lines.items() if key[1] != "1970-01-01"]
    assert (edited.actor, edited.edits, edited.edits_per_item) == ("ann", 1, None)
    store.close()


def test_a_stretch_survives_a_restart(tmp_path: Path) -> None:
    for second in (0, 100, 200):
        database = Database(tmp_path / "review.sqlite")
        ReviewStore(database)
        Activity(database).seen("ep-1", "ann", second * S)
        database.close()
    database = Database(tmp_path / "review.sqlite")
    assert [tuple(row)[2:4] for row in database.rows("SELECT * FROM activity")] == [(0, 200 * S)]
    database.close()
