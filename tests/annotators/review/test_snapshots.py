"""Snapshots are whole, the right ones are kept, and one can be put back without losing what came after it."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from annotators.review.mirror import Mirror, lines_of
from annotators.review.replay import replay_into
from annotators.review.snapshots import DAILY, HOURLY, Snapshooter, copy_to, kept, restore, snapshot, stamped
from annotators.review.store import ReviewStore
from pipeline.errors import StoreError
from tests.annotators.review.made import made
from tests.annotators.review.test_mirror import save

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)


def opened(folder: Path) -> ReviewStore:
    store = ReviewStore(folder / "review.sqlite")
    store.add(made(), "sha")
    return store


def test_the_last_day_of_hours_and_the_last_week_of_days_are_kept(tmp_path: Path) -> None:
    every = [tmp_path / f"{NOW + timedelta(hours=hour):%Y-%m-%dT%H%M%SZ}.sqlite" for hour in range(24 * 20)]
    left = kept(every)
    assert set(every[-HOURLY:]) <= left
    assert len(left) == HOURLY + DAILY - 2, "the last two days' ends are among the hours"
    assert {path.stem[:10] for path in left} == {path.stem[:10] for path in every[-24 * (DAILY - 1) :]}


def test_a_snapshot_is_taken_while_people_save(tmp_path: Path) -> None:
    store = opened(tmp_path)
    save(store, 1)
    taken = snapshot(tmp_path / "review.sqlite", tmp_path / "snapshots", NOW)
    save(store, 2)
    store.close()
    copy = ReviewStore(taken)
    assert copy.document("ep-1")[0] == 1
    assert copy.verify("ep-1") == []
    copy.close()
    for hour in range(1, 40):
        snapshot(tmp_path / "review.sqlite", tmp_path / "snapshots", NOW + timedelta(hours=hour))
    (tmp_path / "snapshots" / "mine.sqlite").write_text("not ours to delete")
    snapshot(tmp_path / "review.sqlite", tmp_path / "snapshots", NOW + timedelta(hours=40))
    assert len(stamped(tmp_path / "snapshots")) == HOURLY + 1, "the first day's last one, and the hours"
    assert (tmp_path / "snapshots" / "mine.sqlite").exists()


def test_a_restored_snapshot_and_the_mirror_are_all_that_was_saved(tmp_path: Path) -> None:
    store = opened(tmp_path)
    mirror = Mirror(store.database, tmp_path / "log")
    save(store, 1)
    taken = copy_to(tmp_path / "review.sqlite", tmp_path / "copy.sqlite")
    save(store, 2)
    mirror.catch_up()
    before = store.document("ep-1"), store.log("ep-1")
    store.close()
    aside = restore(taken, tmp_path / "review.sqlite", tmp_path / "snapshots")
    assert aside is not None
    assert aside.is_file()
    store = ReviewStore(tmp_path / "review.sqlite")
    assert store.document("ep-1")[0] == 1
    assert replay_into(store, lines_of(tmp_path / "log")) == 1
    assert (store.document("ep-1"), store.log("ep-1")) == before
    Mirror(store.database, tmp_path / "log").catch_up()
    assert len(list(lines_of(tmp_path / "log"))) == 3
    store.close()


def test_what_is_no_snapshot_is_not_put_back(tmp_path: Path) -> None:
    opened(tmp_path).close()
    before = (tmp_path / "review.sqlite").read_bytes()
    (tmp_path / "text.sqlite").write_text("not a database, but long enough to look at " * 30)
    with sqlite3.connect(tmp_path / "newer.sqlite") as newer:
        newer.execute("PRAGMA user_version=99")
    for name, said in (("text", "found no review file"), ("newer", "schema 99"), ("none", "no such snapshot")):
        with pytest.raises(StoreError, match=said):
            restore(tmp_path / f"{name}.sqlite", tmp_path / "review.sqlite", tmp_path / "snapshots")
    assert (tmp_path / "review.sqlite").read_bytes() == before
    assert list(tmp_path.glob(".*.part*")) == []
    with pytest.raises(StoreError, match="found no reviews there"):
        copy_to(tmp_path / "none.sqlite", tmp_path / "out.sqlite")


def test_in_the_background_one_is_taken_when_something_has_changed(tmp_path: Path) -> None:
    store = opened(tmp_path)
    taking = Snapshooter(tmp_path / "review.sqlite", tmp_path / "snapshots", every_s=3600)
    taking.start()
    taking.stop()
    assert len(stamped(tmp_path / "snapshots")) == 1
    assert taking.problem == ""
    store.close()
