"""A review folder after a takedown: no row, line, picture or byte of it, in no snapshot; and it stays out."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from annotators.review import forget as module
from annotators.review.forget import count_in_folder, forget_in_folder
from annotators.review.operation import Move
from annotators.review.store import ReviewStore, Submission
from pipeline.errors import StoreError
from tests.annotators.review.made import made

AT = "2026-11-22T00:00:00+00:00"
GONE, STAYS = (f"ep-{digit * 32}" for digit in "ab")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two episodes with edits, their pictures, a mirror, a snapshot, and a table that nobody told us of."""
    store = ReviewStore(tmp_path / "review.sqlite")
    for name in (GONE, STAYS):
        store.add(made(episode_id=name), f"sha-{name[-1]}")
        move = Move(boundary_id="b100", frame=110)
        store.submit(Submission(f"op-{name[-1]}", name, 0, "ann", move, f"sha-{name[-1]}"))
    store.add(made(episode_id=f"{GONE}@ann"), "sha-shared")
    store.add(made(episode_id=f"{STAYS}@ann"), "sha-shared")
    store.close()
    sql = sqlite3.connect(tmp_path / "review.sqlite")
    sql.execute("CREATE TABLE comment (about TEXT, said TEXT)")
    said = [(f"/episodes/{name}", "look " * 2000) for name in (GONE, STAYS)]
    sql.executemany("INSERT INTO comment VALUES (?, ?)", said)
    sql.commit()
    sql.close()
    (tmp_path / "snapshots").mkdir()
    shutil.copy(tmp_path / "review.sqlite", tmp_path / "snapshots" / "hourly.sqlite")
    (tmp_path / "media").mkdir()
    for sha256 in ("sha-a", "sha-b", "sha-shared"):
        (tmp_path / "media" / f"{sha256}.mp4").write_bytes(b"pictures")
    (tmp_path / "log").mkdir()
    lines = [json.dumps({"episode_id": name}) for name in (GONE, STAYS, f"{GONE}@ann")]
    (tmp_path / "log" / "2026-11-22.jsonl").write_text("\n".join(lines) + "\n")
    return tmp_path


def files_with(folder: Path, digits: str) -> list[str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [str(path.relative_to(folder)) for path in files if digits.encode() in path.read_bytes()]


def test_no_byte_of_it_is_left_anywhere(folder: Path) -> None:
    assert len(files_with(folder, "a" * 32)) == 3
    n_rows = count_in_folder(folder, GONE)
    removed = forget_in_folder(folder, [GONE], AT)
    assert files_with(folder, "a" * 32) == []
    assert (removed.rows, removed.pictures, removed.lines) == (n_rows, 1, 2)
    assert sorted(path.name for path in (folder / "media").iterdir()) == ["sha-b.mp4", "sha-shared.mp4"]
    assert len(files_with(folder, "b" * 32)) == 3
    assert forget_in_folder(folder, [GONE], AT).rows == 0


def test_deleting_rows_alone_would_leave_bytes(folder: Path) -> None:
    sql = sqlite3.connect(folder / "review.sqlite")
    sql.execute("PRAGMA secure_delete=OFF")
    sql.execute("DELETE FROM comment WHERE about LIKE '%aaa%'")
    sql.execute("DROP TRIGGER op_stays")
    for table in ("entity", "op", "episode"):
        sql.execute(f"DELETE FROM {table} WHERE episode_id LIKE '%aaa%'")
    sql.commit()
    sql.close()
    assert count_in_folder(folder, GONE) == 0
    assert "review.sqlite" in files_with(folder, "a" * 32)


def test_what_others_said_is_as_it_was_and_still_append_only(folder: Path) -> None:
    forget_in_folder(folder, [GONE], AT)
    store = ReviewStore(folder / "review.sqlite")
    assert store.episodes() == [STAYS, f"{STAYS}@ann"]
    assert store.document(STAYS)[0] == 1
    assert store.verify(STAYS) == []
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        store._sql.execute("DELETE FROM op")
    store.close()


def test_it_stays_out_with_every_raters_copy(folder: Path) -> None:
    store = ReviewStore(folder / "review.sqlite")
    store.forget(GONE, AT)
    assert store.episodes() == [STAYS, f"{STAYS}@ann"]
    for name in (GONE, f"{GONE}@bob"):
        with pytest.raises(StoreError, match="taken down"):
            store.add(made(episode_id=name), "sha")
    store.close()
    assert "a" * 32 not in (folder / "review.sqlite").read_bytes().decode("latin1")


def test_a_server_that_holds_the_folder_is_told_to_stop_first(folder: Path) -> None:
    with module._alone(folder), pytest.raises(StoreError, match="joinery review serve"):
        forget_in_folder(folder, [GONE], AT)


def test_a_folder_without_reviews_is_left_alone(tmp_path: Path) -> None:
    assert forget_in_folder(tmp_path / "none", [GONE], AT).rows == 0
    assert not (tmp_path / "none").exists()
