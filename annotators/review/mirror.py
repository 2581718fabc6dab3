"""A second copy of everything people did: one JSON line per import and operation, a file per day, on disk (fsync).

The review file is the truth; the mirror can be read, compared and replayed without SQLite. It is written after the
commit, so it never holds what was not saved; what it lacks after a kill or on a full disk it catches up with.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any

from annotators.review.database import Database
from pipeline.errors import StoreError

_COLUMNS = {
    "episode": "seq AS at, episode_id, imported",
    "op": (
        "seq AS at, op_id, episode_id, rev, base_rev, actor, at_ns, kind, refers_to, payload, change, status, "
        "media_sha256, frame_verified, mark_mode, previous_sha256, sha256"
    ),
}


@dataclass(frozen=True)
class Mirrored:
    """How far the mirror is: the last row of either table that it holds, and what that row was."""

    at: dict[str, int]
    last_op: str
    """Its SHA-256, which covers all before it of its episode."""


class Mirror:
    """The mirror of one review file."""

    def __init__(self, database: Database, folder: Path) -> None:
        """Raises StoreError when the mirror is of another review file: a snapshot was put back by hand."""
        self._database, self._folder = database, folder
        self._lock = Lock()
        folder.mkdir(parents=True, exist_ok=True)
        self._mirrored = _state_of(folder)
        self.problem = ""
        """Why it is behind; empty while it is not."""
        op = database.row("SELECT sha256 FROM op WHERE seq = ?", self._mirrored.at["op"])
        if self._mirrored.at["op"] and (op is None or op["sha256"] != self._mirrored.last_op):
            raise StoreError(
                f"{folder}: found a mirror of operations that {database.path} does not have; `joinery review restore` "
                "brings them back"
            )

    def catch_up(self) -> None:
        """Write what is not there yet. A full disk is noted in ``problem``, and made good by the next call."""
        with self._lock:
            lines = self._missing()
            if not lines:
                return
            path = self._folder / f"{datetime.now(UTC):%Y-%m-%d}.jsonl"
            try:
                _append(path, lines)
            except OSError as error:
                self.problem = f"{path}: {error.strerror}"
                return
            self.problem = ""
            self._mirrored = _advanced(self._mirrored, lines)

    def _missing(self) -> list[dict[str, Any]]:
        lines: list[dict[str, Any]] = []
        for table, columns in _COLUMNS.items():
            query = f"SELECT {columns} FROM {table} WHERE seq > ? ORDER BY seq"  # noqa: S608
            lines += [{"table": table, **dict(row)} for row in self._database.rows(query, self._mirrored.at[table])]
        return lines


def lines_of(folder: Path) -> Iterator[dict[str, Any]]:
    """Every whole line, oldest first. Raises StoreError for one that is no JSON, unless it is the last of its file."""
    for path in sorted(folder.glob("*.jsonl")):
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith("\n"):
                    break  # a kill in the middle of a write; the next one repeats it
                try:
                    yield json.loads(line)
                except json.JSONDecodeError as error:
                    raise StoreError(f"{path}:{number}: damaged ({error}); put back the file from a backup") from error


def _append(path: Path, lines: list[dict[str, Any]]) -> None:
    """All the lines or none. What a kill left half-written before them is taken away."""
    text = "".join(json.dumps(line, ensure_ascii=False, sort_keys=True) + "\n" for line in lines).encode()
    is_new = not path.exists()
    with path.open("a+b") as file:
        whole = _whole_bytes(path)
        file.truncate(whole)
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            os.truncate(path, whole)
            raise
    if is_new:
        _sync_folder(path.parent)


def _whole_bytes(path: Path) -> int:
    """How many bytes of a file belong to whole lines."""
    size = path.stat().st_size
    with path.open("rb") as file:
        end = size
        while end > 0:
            start = max(0, end - (1 << 16))
            file.seek(start)
            at = file.read(end - start).rfind(b"\n")
            if at >= 0:
                return start + at + 1
            end = start
    return 0


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _state_of(folder: Path) -> Mirrored:
    mirrored = Mirrored({"episode": 0, "op": 0}, "")
    for line in lines_of(folder):
        mirrored = _advanced(mirrored, [line])
    return mirrored


def _advanced(mirrored: Mirrored, lines: list[dict[str, Any]]) -> Mirrored:
    at, last = dict(mirrored.at), mirrored.last_op
    for line in lines:
        if line["at"] > at[line["table"]]:
            at[line["table"]] = line["at"]
            last = line["sha256"] if line["table"] == "op" else last
    return Mirrored(at, last)
