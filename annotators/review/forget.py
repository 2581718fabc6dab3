"""Taking an episode out of the review folder: rows, pictures, the mirror's lines, and every snapshot of all that.

The log is append-only for people; a takedown is the one deed that is no person's edit. A row goes when any of its
columns names the episode, so tables that this file knows nothing of are served too. Deleted bytes stay in free pages
and in the write-ahead log, so those are overwritten, the file is rebuilt and the log emptied. A tombstone is kept under
another name than the id, by which `ReviewStore.add` refuses the episode ever after.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import StoreError
from schemas.takedown import takedown_name

FILE, LOCK, MEDIA, LOG, SNAPSHOTS = "review.sqlite", "lock", "media", "log", "snapshots"
TOMBSTONES = "CREATE TABLE IF NOT EXISTS takedown (name TEXT PRIMARY KEY, at TEXT NOT NULL) STRICT"
_PICTURES = ("sha256", "media_sha256")
"""Columns that name files of `MEDIA`."""


@dataclass(frozen=True)
class Removed:
    """What a review folder had of an episode."""

    rows: int = 0
    pictures: int = 0
    lines: int = 0
    """Of the mirror."""

    def __add__(self, other: Removed) -> Removed:
        return Removed(self.rows + other.rows, self.pictures + other.pictures, self.lines + other.lines)


def forget_in_folder(folder: Path, episode_ids: Sequence[str], at: str) -> Removed:
    """Take episodes out of a review folder; nothing happens where there is none.

    Raises StoreError while a server has it open.
    """
    removed = Removed()
    if not (folder / FILE).is_file() and not (folder / SNAPSHOTS).is_dir():
        return removed
    with _alone(folder):
        snapshots = sorted((folder / SNAPSHOTS).glob("*.sqlite*")) if (folder / SNAPSHOTS).is_dir() else []
        files = [path for path in (folder / FILE, *snapshots) if path.is_file() and _is_database(path)]
        pictures: set[str] = set()
        kept: set[str] = set()
        for path in files:
            sql = sqlite3.connect(path, isolation_level=None)
            try:
                for episode_id in episode_ids:
                    own, n_rows = forget_rows(sql, episode_id, at)
                    pictures |= own
                    removed += Removed(rows=n_rows if path.name == FILE else 0)
                rebuilt(sql, path)
                kept |= set(_pictures(sql, "1"))
            finally:
                sql.close()
        for sha256 in sorted(pictures - kept):
            for picture in (folder / MEDIA).glob(f"{sha256}*"):
                picture.unlink()
                removed += Removed(pictures=1)
        for log in sorted((folder / LOG).glob("*.jsonl")):
            removed += Removed(lines=_without_lines(log, episode_ids))
    return removed


def count_in_folder(folder: Path, episode_id: str) -> int:
    """How many rows of the review file name an episode."""
    path, digits = folder / FILE, episode_id.rpartition("-")[2]
    if not path.is_file():
        return 0
    sql = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        counts = (f"SELECT count(*) FROM {_quoted(table)} WHERE {_names(sql, table)}" for table in _tables(sql))  # noqa: S608
        tables = zip(counts, _tables(sql), strict=True)
        return sum(int(sql.execute(query, _times(sql, table, digits)).fetchone()[0]) for query, table in tables)
    finally:
        sql.close()


def forget_rows(sql: sqlite3.Connection, episode_id: str, at: str) -> tuple[set[str], int]:
    """Delete every row that names an episode and set its tombstone; the pictures they named, and how many rows."""
    digits = episode_id.rpartition("-")[2]
    sql.execute("PRAGMA secure_delete=ON")
    sql.execute("PRAGMA foreign_keys=OFF")  # rows go table by table; together they leave none behind
    sql.execute("BEGIN IMMEDIATE")
    try:
        sql.execute(TOMBSTONES)
        triggers = sql.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            sql.execute(f"DROP TRIGGER {_quoted(name)}")
        found, n_rows = set(_pictures(sql, "{names}", digits)), 0
        for table in _tables(sql):
            query = f"DELETE FROM {_quoted(table)} WHERE {_names(sql, table)}"  # noqa: S608 - the file's own names
            n_rows += sql.execute(query, _times(sql, table, digits)).rowcount
        for _, text in triggers:
            sql.execute(text)
        sql.execute("INSERT OR IGNORE INTO takedown VALUES (?, ?)", (takedown_name(episode_id), at))
        sql.execute("COMMIT")
    except BaseException:  # an interrupt too must leave no open transaction; raised again
        sql.execute("ROLLBACK")
        raise
    sql.execute("PRAGMA foreign_keys=ON")
    return found, n_rows


def rebuilt(sql: sqlite3.Connection, path: Path) -> None:
    """Leave no byte of what was deleted in the file or its write-ahead log. Raises StoreError while others read it."""
    sql.execute("VACUUM")
    (busy, _, _) = sql.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise StoreError(f"{path}: somebody has it open, so its write-ahead log keeps what was deleted; close it first")


def is_taken_down(sql: sqlite3.Connection, episode_id: str) -> bool:
    """Whether an episode, or the one that a rater's copy ``<episode>@<actor>`` is of, stays out."""
    sql.execute(TOMBSTONES)
    name = takedown_name(episode_id.partition("@")[0])
    return sql.execute("SELECT 1 FROM takedown WHERE name = ?", (name,)).fetchone() is not None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder as its server would, so that no server is at it."""
    with (folder / LOCK).open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise StoreError(
                f"{folder}: process {file.read().strip() or 'unknown'} has these reviews open; stop `joinery review "
                "serve` and repeat"
            ) from None
        yield


def _tables(sql: sqlite3.Connection) -> list[str]:
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name != 'takedown'"
    return [row[0] for row in sql.execute(query)]


def _columns(sql: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in sql.execute(f"PRAGMA table_info({_quoted(table)})")]


def _names(sql: sqlite3.Connection, table: str) -> str:
    """Whether any column of a row has the digits in it."""
    return " OR ".join(f"instr(CAST({_quoted(column)} AS TEXT), ?) > 0" for column in _columns(sql, table))


def _times(sql: sqlite3.Connection, table: str, digits: str) -> list[str]:
    return [digits] * len(_columns(sql, table))


def _pictures(sql: sqlite3.Connection, where: str, digits: str = "") -> Iterator[str]:
    """What rows say that files of pictures are called: all rows, or those that have the digits."""
    for table in _tables(sql):
        for column in _PICTURES:
            if column in _columns(sql, table):
                chosen = where.format(names=_names(sql, table))
                values = _times(sql, table, digits) if digits else []
                query = f"SELECT {column} FROM {_quoted(table)} WHERE {chosen}"  # noqa: S608 - the file's own names
                yield from (row[0] for row in sql.execute(query, values) if row[0])


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _is_database(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\x00"


def _without_lines(path: Path, episode_ids: Sequence[str]) -> int:
    digits = [episode_id.rpartition("-")[2].encode() for episode_id in episode_ids]
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if not any(own in line for own in digits)]
    if len(kept) < len(lines):
        partial = path.with_name(f"{path.name}.{os.getpid()}.part")
        partial.write_bytes(b"".join(kept))
        partial.replace(path)
    return len(lines) - len(kept)
