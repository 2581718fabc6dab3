"""Whole copies of the review file: every hour while it is served, the last 24 and one a day for a week.

SQLite writes them itself (VACUUM INTO) from a reader's view, so that nobody waits and none is torn.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from annotators.review.database import Database
from pipeline.errors import StoreError

HOURLY, DAILY = 24, 7
_EVERY_S = 3600.0
_STAMP = "%Y-%m-%dT%H%M%SZ"


def copy_to(database: Path, out: Path) -> Path:
    """A copy that is there completely or not at all. Raises StoreError when there is nothing to copy or no room."""
    if not database.is_file():
        raise StoreError(f"{database}: found no reviews there; `joinery review serve RECIPE` makes them")
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.{os.getpid()}.part")
    partial.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(database, timeout=30)) as sql:
            sql.execute("VACUUM INTO ?", (str(partial),))
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(out)
    except sqlite3.DatabaseError as error:
        partial.unlink(missing_ok=True)
        raise StoreError(f"{out}: could not be written ({error}); look at the disk") from error
    return out


def snapshot(database: Path, folder: Path, now: datetime | None = None) -> Path:
    """A copy in the folder of snapshots, named after the time; older ones than are kept go."""
    taken = copy_to(database, folder / f"{now or datetime.now(UTC):{_STAMP}}.sqlite")
    for old in set(stamped(folder)) - kept(stamped(folder)):
        old.unlink()
    return taken


def stamped(folder: Path) -> list[Path]:
    """All snapshots, oldest first."""
    return sorted(path for path in folder.glob("*.sqlite") if _is_stamp(path.stem))


def kept(snapshots: list[Path]) -> set[Path]:
    """Of these, the last 24, and the last one of each of the last seven days that have any."""
    last_of_day = {path.stem[:10]: path for path in snapshots}
    return {*snapshots[-HOURLY:], *(last_of_day[day] for day in sorted(last_of_day)[-DAILY:])}


def restore(snapshot_file: Path, database: Path, folder: Path) -> Path | None:
    """Put a snapshot in the review file's place; where in the folder of snapshots the present file went.

    Raises StoreError for a snapshot that is damaged or from a newer version; then nothing has changed.
    """
    if not snapshot_file.is_file():
        raise StoreError(f"{snapshot_file}: no such snapshot")
    fresh = database.with_name(f".{database.name}.{os.getpid()}.part")
    fresh.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(snapshot_file, fresh)
    try:
        with closing(Database(fresh)) as checked:
            checked.sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with fresh.open("rb") as file:
            os.fsync(file.fileno())
    except StoreError:
        fresh.unlink()
        raise
    aside = None
    if database.exists():
        aside = folder / f"{datetime.now(UTC):{_STAMP}}.before-restore.sqlite"
        folder.mkdir(exist_ok=True)
        database.replace(aside)
        for part in ("-wal", "-shm"):
            beside = database.with_name(database.name + part)
            if beside.exists():
                beside.replace(aside.with_name(aside.name + part))
    fresh.replace(database)
    return aside


class Snapshooter:
    """Takes them in the background, when something has changed since the last one."""

    def __init__(self, database: Path, folder: Path, every_s: float = _EVERY_S) -> None:
        self._database, self._folder, self._every_s = database, folder, every_s
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._seen = -1
        self.problem = ""
        """Why the last one failed; empty when it did not."""

    def start(self) -> None:
        """The first one at once: whatever comes, it can be taken back to now."""
        self._thread = threading.Thread(target=self._run, name="snapshots", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; one that is being taken is finished."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while True:
            self._take()
            if self._stop.wait(self._every_s):
                return

    def _take(self) -> None:
        try:
            changed = _mtime_ns(self._database) + _mtime_ns(self._database.with_name(f"{self._database.name}-wal"))
            if changed != self._seen:
                snapshot(self._database, self._folder)
                self._seen, self.problem = changed, ""
        except (StoreError, OSError) as error:
            self.problem = str(error)


def _mtime_ns(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


def _is_stamp(name: str) -> bool:
    try:
        datetime.strptime(name, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return False
    return True
