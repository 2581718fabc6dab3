"""The review file: one SQLite file, one connection, one writer at a time.

Everything people say is in it, so it is opened with care: a damaged file and one that a newer version wrote are
refused, write-ahead logging keeps readers from waiting, and a commit returns when the disk has it. The parts of a
review (documents, leases, comments …) each own tables and share this connection, so that none sees half of what
another has written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

from pipeline.errors import StoreError

SCHEMA = 1


class Database:
    """An open review file. One per process; safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        """Open or make. Raises StoreError for a damaged file or one a newer version wrote."""
        self.path = path
        self.lock = RLock()
        self.sql = _opened(path)
        self.sql.row_factory = sqlite3.Row
        self.sql.execute(f"PRAGMA user_version={SCHEMA}")

    def close(self) -> None:
        """Let go of the file."""
        with self.lock:
            self.sql.close()

    def rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        """All rows of a query."""
        with self.lock:
            return self.sql.execute(query, values).fetchall()

    def row(self, query: str, *values: object) -> sqlite3.Row | None:
        """The first row, None when there is none."""
        with self.lock:
            found: sqlite3.Row | None = self.sql.execute(query, values).fetchone()
            return found

    def write(self, statement: str, *values: object) -> int:
        """One statement, on disk when this returns; how many rows it changed."""
        with self.transaction():
            return self.sql.execute(statement, values).rowcount

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it or nothing, on disk when the block ends. Inside another transaction it is part of that one."""
        with self.lock:
            if self.sql.in_transaction:
                yield
                return
            self.sql.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.sql.execute("COMMIT")
            except BaseException:  # an interrupt too must leave no open transaction; raised again
                self.sql.rollback()  # does nothing where a full disk has rolled back by itself
                raise


def _opened(path: Path) -> sqlite3.Connection:
    sql = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        version = int(sql.execute("PRAGMA user_version").fetchone()[0])
        state = str(sql.execute("PRAGMA integrity_check").fetchone()[0])
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path}: found no review file ({error}); restore a backup or name another file") from error
    if state != "ok":
        raise StoreError(f"{path}: damaged ({state}); restore the last snapshot")
    if version > SCHEMA:
        raise StoreError(f"{path}: found schema {version}, expected at most {SCHEMA}; install a newer Joinery")
    # FULL: a power cut must not take what was acknowledged; killing the process loses nothing either way.
    for setting in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
        sql.execute(f"PRAGMA {setting}")
    return sql
