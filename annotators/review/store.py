"""Where reviews are kept: one SQLite file, one writer, and no answer before the disk has it (review.md §3).

A submission names the revision it was made on. If nobody has changed what it concerns since, it is applied; otherwise
it is a conflict, which is kept in the log and shown to the person, never merged field by field and never dropped.
``op_id`` makes a retry harmless. Undo and redo are entries like any other, so they outlive reloads and restarts.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal

from annotators.review.accepted import PIPELINE, is_person
from annotators.review.database import Database
from annotators.review.document import Document, problems
from annotators.review.forget import forget_rows, is_taken_down, rebuilt
from annotators.review.log import (
    LogEntry,
    MarkMode,
    Status,
    chain_problems,
    dump_change,
    dump_document,
    dump_entity,
    load_change,
    load_document,
    load_entity,
    replayed,
)
from annotators.review.operation import (
    Change,
    Operation,
    OperationError,
    applied,
    change_of,
    concerns,
    reversed_change,
    value_of,
)
from annotators.review.suggest import Suggestion, followed, suggestions
from pipeline.errors import StoreError
from schemas.identity import make_id

_TABLES = """
CREATE TABLE IF NOT EXISTS episode (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, episode_id TEXT NOT NULL UNIQUE, rev INTEGER NOT NULL,
    media_sha256 TEXT NOT NULL, imported TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS entity (
    episode_id TEXT NOT NULL REFERENCES episode (episode_id), key TEXT NOT NULL, rev INTEGER NOT NULL, value TEXT,
    PRIMARY KEY (episode_id, key)
) STRICT;
CREATE TABLE IF NOT EXISTS op (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, op_id TEXT NOT NULL UNIQUE,
    episode_id TEXT NOT NULL REFERENCES episode (episode_id),
    rev INTEGER NOT NULL, base_rev INTEGER NOT NULL, actor TEXT NOT NULL, at_ns INTEGER NOT NULL, kind TEXT NOT NULL,
    refers_to TEXT NOT NULL, payload TEXT NOT NULL, change TEXT NOT NULL, status TEXT NOT NULL,
    media_sha256 TEXT NOT NULL, frame_verified INTEGER NOT NULL, mark_mode TEXT NOT NULL,
    previous_sha256 TEXT NOT NULL, sha256 TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS newest (
    episode_id TEXT PRIMARY KEY REFERENCES episode (episode_id), actor TEXT NOT NULL, document TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS op_by_episode ON op (episode_id, seq);
CREATE TRIGGER IF NOT EXISTS op_stays BEFORE DELETE ON op BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER IF NOT EXISTS op_is_so BEFORE UPDATE ON op BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
"""


@dataclass(frozen=True)
class Submission:
    """What a client sends."""

    op_id: str
    episode_id: str
    base_rev: int
    actor: str
    operation: Operation | Literal["undo", "redo"]
    media_sha256: str
    frame_verified: bool = True
    mark_mode: MarkMode = MarkMode.PAUSED


@dataclass(frozen=True)
class Receipt:
    """What the client is told, the same however often it asks."""

    status: Status
    rev: int
    change: Change
    """What it changed; for a conflict, what it would have changed."""
    by: str = ""
    """For a conflict: who changed one of the entities last."""
    at_ns: int = 0
    """And when."""


class UnknownEpisodeError(KeyError):
    """An episode that is not under review."""

    def __init__(self, name: str, said: str = "not under review") -> None:
        super().__init__(f"{name}: {said}")


class ReviewStore:
    """The documents of a review file and their log; safe to call from several threads."""

    def __init__(self, where: Path | Database) -> None:
        """Open or make; a `Database` is shared with whoever opened it. Raises StoreError like it."""
        self.database = where if isinstance(where, Database) else Database(where)
        self._lock, self._sql = self.database.lock, self.database.sql
        self._documents: dict[str, Document] = {}
        """Present documents: composing one of thousands of boundaries for every save would be felt."""
        self._data_version = -1
        self._sql.executescript(_TABLES)

    def close(self) -> None:
        """Let go of the file."""
        self.database.close()

    def add(self, document: Document, media_sha256: str) -> None:
        """Take an episode in; one that is there already stays as it is.

        Raises ValueError for a broken document, StoreError for an episode that was taken down.
        """
        if is_taken_down(self._sql, document.episode_id):
            raise StoreError("this episode was taken down (docs/forget.md); it stays out of reviews")
        broken = problems(document)
        if broken:
            raise ValueError(f"{document.episode_id}: {'; '.join(broken)}")
        values = document.episode_id, media_sha256, json.dumps(dump_document(document))
        with self._transaction():
            self._sql.execute("INSERT OR IGNORE INTO episode VALUES (NULL, ?, 0, ?, ?)", values)

    def set_media(self, episode_id: str, media_sha256: str) -> None:
        """Which pictures people see from now on; edits made on others are refused. Raises KeyError."""
        if not self.database.write(
            "UPDATE episode SET media_sha256 = ? WHERE episode_id = ?", media_sha256, episode_id
        ):
            raise UnknownEpisodeError(episode_id)

    def media(self, episode_id: str) -> str:
        """SHA-256 of the pictures people see; empty while there are none. Raises KeyError."""
        with self._lock:
            return str(self._episode(episode_id)["media_sha256"])

    def episodes(self) -> list[str]:
        """Ids of all episodes, sorted."""
        with self._lock:
            return [row[0] for row in self._sql.execute("SELECT episode_id FROM episode ORDER BY episode_id")]

    def copies(self, episode_id: str) -> list[str]:
        """Ids of the raters' copies of an episode (`annotators.review.copies`), sorted."""
        query = "SELECT episode_id FROM episode WHERE episode_id > ? AND episode_id < ? ORDER BY episode_id"
        return [row[0] for row in self.database.rows(query, f"{episode_id}@", f"{episode_id}A")]  # A comes after @

    def document(self, episode_id: str) -> tuple[int, Document]:
        """Revision and document. Raises KeyError for an episode that is not under review."""
        with self._lock:
            version = int(self._sql.execute("PRAGMA data_version").fetchone()[0])
            if version != self._data_version:  # another process wrote
                self._data_version, self._documents = version, {}
            row = self._episode(episode_id)
            if episode_id not in self._documents:
                self._documents[episode_id] = self._composed(row)
            return int(row["rev"]), self._documents[episode_id]

    def _composed(self, row: sqlite3.Row) -> Document:
        """The imported document with the present value of everything that was changed."""
        rows = self._sql.execute("SELECT key, value FROM entity WHERE episode_id = ?", (row["episode_id"],))
        values = ((key, None if value is None else json.loads(value)) for key, value in rows)
        change: Change = {key: (None, load_entity(key, value)) for key, value in values}
        return applied(load_document(json.loads(row["imported"])), change)

    def forget(self, episode_id: str, at: str) -> None:
        """Remove an episode and what everybody said of it, for good; only a tombstone stays.

        Raises StoreError while another process reads the file.
        """
        with self._lock:
            forget_rows(self._sql, episode_id, at)
            rebuilt(self._sql, Path(self._sql.execute("PRAGMA database_list").fetchone()[2]))
            self._documents = {}

    def log(self, episode_id: str, up_to: int | None = None) -> list[LogEntry]:
        """Every submission to an episode, oldest first; with ``up_to`` those among the first so many of all."""
        with self._lock:
            last = self.n_entries() if up_to is None else up_to
            query = "SELECT * FROM op WHERE episode_id = ? AND seq <= ? ORDER BY seq"
            return [_entry(row) for row in self._sql.execute(query, (episode_id, last))]

    def n_entries(self) -> int:
        """How many submissions there were to all episodes together."""
        with self._lock:
            return int(self._sql.execute("SELECT coalesce(max(seq), 0) FROM op").fetchone()[0])

    def imported(self, episode_id: str) -> Document:
        """The document as it was taken in. Raises KeyError."""
        with self._lock:
            return load_document(json.loads(self._episode(episode_id)["imported"]))

    def at(self, episode_id: str, rev: int) -> Document:
        """The document as it was at a revision, from the log alone."""
        with self._lock:
            return replayed(self.imported(episode_id), [entry for entry in self.log(episode_id) if entry.rev <= rev])

    def verify(self, episode_id: str) -> list[str]:
        """What is wrong with an episode's log; empty when the chain is whole and its replay is the document."""
        with self._lock:
            rev, document = self.document(episode_id)[0], self._composed(self._episode(episode_id))
            found = chain_problems(self.log(episode_id))
            if self.at(episode_id, rev).sha256 != document.sha256:
                found.append(f"{episode_id}: the log's replay is not the document of revision {rev}")
            return found

    def submit(self, submission: Submission) -> Receipt:
        """Apply, rebase or keep as a conflict. Durable when this returns.

        Raises KeyError for an unknown episode, OperationError for what makes no sense on the present document or was
        made on other pictures: such a submission changes nothing and is not in the log.
        """
        with self._transaction():
            known = self._sql.execute("SELECT * FROM op WHERE op_id = ?", (submission.op_id,)).fetchone()
            if known is not None:
                if (known["episode_id"], known["actor"]) != (submission.episode_id, submission.actor):
                    raise OperationError(
                        f"operation {submission.op_id}: it is somebody else's; a new one needs a new id"
                    )
                return self._receipt(_entry(known))
            entry = self._decided(submission)
            self._write(entry)
            return self._receipt(entry)

    def append(self, logged: Mapping[str, Any]) -> None:
        """Take in an operation that was saved before, as its row in the log says (`annotators.review.replay`).

        Raises StoreError when it does not follow the last one of its episode.
        """
        entry = _entry(logged)
        with self._transaction():
            previous, (rev, _) = self._last_sha256(entry.episode_id), self.document(entry.episode_id)
            if entry.previous_sha256 != previous or entry.rev != rev + entry.status.took_effect:
                raise StoreError(f"operation {entry.op_id}: it does not follow revision {rev} of {entry.episode_id}")
            self._write(entry)

    def follow(self, newer: Document, actor: str) -> Change:
        """Take a newer tree of the machine in, as one entry of the log; what people touched stays (`suggest`).

        ``actor`` is ``pipeline:`` and the run. Returns what changed; nothing for a tree that brings nothing new. Raises
        KeyError for an episode that is not under review, `CannotFollowError` where people's frames would mean
        something else.
        """
        if is_person(actor):
            raise ValueError(f"{actor}: found a person, expected {PIPELINE} and a run")
        with self._transaction():
            rev, document = self.document(newer.episode_id)
            change = followed(document, self.log(newer.episode_id), newer)
            if change:
                self._write(self._by_machine(newer, rev, actor, change))
            self._sql.execute(
                "INSERT INTO newest VALUES (?, ?, ?) "
                "ON CONFLICT DO UPDATE SET actor = excluded.actor, document = excluded.document",
                (newer.episode_id, actor, json.dumps(dump_document(newer))),
            )
            return change

    def suggestions(self, episode_id: str) -> list[Suggestion]:
        """What the machine's newest tree has otherwise than people; none before one was followed."""
        with self._lock:
            row = self._sql.execute("SELECT document FROM newest WHERE episode_id = ?", (episode_id,)).fetchone()
            if row is None:
                return []
            document = self.document(episode_id)[1]
            return suggestions(document, self.log(episode_id), load_document(json.loads(row["document"])))

    def _by_machine(self, newer: Document, rev: int, actor: str, change: Change) -> LogEntry:
        episode_id = newer.episode_id
        return LogEntry(
            op_id=make_id("op", episode_id, actor, newer.sha256, str(rev)),
            episode_id=episode_id,
            rev=rev + 1,
            base_rev=rev,
            actor=actor,
            at_ns=time.time_ns(),
            kind="follow",
            refers_to="",
            payload={"tree": newer.sha256},
            change=change,
            status=Status.APPLIED,
            media_sha256=self._episode(episode_id)["media_sha256"],
            frame_verified=True,
            mark_mode=MarkMode.PAUSED,
            previous_sha256=self._last_sha256(episode_id),
        )

    def _decided(self, submission: Submission) -> LogEntry:
        row = self._episode(submission.episode_id)
        rev, document = self.document(submission.episode_id)
        if submission.media_sha256 != row["media_sha256"]:
            raise OperationError("it was made on other pictures than the episode has now; reload the page")
        if not 0 <= submission.base_rev <= rev:
            raise OperationError(f"base revision {submission.base_rev}, expected 0 … {rev}; reload the page")
        refers_to, change, stale = self._change(submission, rev, document)
        status = Status.CONFLICT if stale else Status.APPLIED if submission.base_rev == rev else Status.REBASED
        operation = submission.operation
        return LogEntry(
            op_id=submission.op_id,
            episode_id=submission.episode_id,
            rev=rev + status.took_effect,
            base_rev=submission.base_rev,
            actor=submission.actor,
            at_ns=time.time_ns(),
            kind=operation if isinstance(operation, str) else operation.kind,
            refers_to=refers_to,
            payload={} if isinstance(operation, str) else operation.model_dump(mode="json"),
            change=change,
            status=status,
            media_sha256=submission.media_sha256,
            frame_verified=submission.frame_verified,
            mark_mode=submission.mark_mode,
            previous_sha256=self._last_sha256(submission.episode_id),
        )

    def _change(self, submission: Submission, rev: int, document: Document) -> tuple[str, Change, bool]:
        """What it refers to, what it would change, and whether others have changed what it concerns."""
        operation = submission.operation
        if isinstance(operation, str):
            target = _taken_back(self.log(submission.episode_id), submission.actor, operation)
            change = reversed_change(target.change) if operation == "undo" else target.change
            moved_on = any(value_of(document, key) != before for key, (before, _) in change.items())
            return target.op_id, change, moved_on or bool(problems(applied(document, change)))
        if submission.base_rev == rev:
            return "", change_of(document, operation), False
        base = self.at(submission.episode_id, submission.base_rev)
        change = change_of(base, operation)
        revs = self._revs(submission.episode_id)
        changed = any(revs.get(key, 0) > submission.base_rev for key in concerns(base, change))
        return "", change, changed or bool(problems(applied(document, change)))

    def _write(self, entry: LogEntry) -> None:
        values = (
            entry.op_id, entry.episode_id, entry.rev, entry.base_rev, entry.actor, entry.at_ns, entry.kind,
            entry.refers_to, json.dumps(entry.payload), json.dumps(dump_change(entry.change)), entry.status,
            entry.media_sha256, int(entry.frame_verified), entry.mark_mode, entry.previous_sha256, entry.sha256,
        )  # fmt: skip
        self._sql.execute("INSERT INTO op VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        if not entry.status.took_effect:
            return
        document = applied(self.document(entry.episode_id)[1], entry.change)
        self._sql.execute("UPDATE episode SET rev = ? WHERE episode_id = ?", (entry.rev, entry.episode_id))
        self._sql.executemany(
            "INSERT INTO entity VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET rev = excluded.rev, value = excluded.value",
            [
                (entry.episode_id, key, entry.rev, None if after is None else json.dumps(dump_entity(after)))
                for key, (_, after) in entry.change.items()
            ],
        )
        self._documents[entry.episode_id] = document

    def _receipt(self, entry: LogEntry) -> Receipt:
        met = None if entry.status.took_effect else self.met(entry)
        by, at_ns = ("", 0) if met is None else (met.actor, met.at_ns)
        return Receipt(entry.status, entry.rev, entry.change, by, at_ns)

    def met(self, entry: LogEntry) -> LogEntry | None:
        """What a conflict ran into: the last change of the same entities, else of the episode, since its base."""
        history = self.log(entry.episode_id)
        since = next((past.rev for past in history if past.op_id == entry.refers_to), entry.base_rev)
        before = takewhile(lambda past: past.op_id != entry.op_id, history)
        touched = [past for past in before if past.status.took_effect and past.rev > since]
        same = [past for past in touched if set(past.change) & set(entry.change)]
        return next(reversed(same or touched), None)

    def _revs(self, episode_id: str) -> Mapping[str, int]:
        """In which revision each entity changed last; those that never did are left out."""
        rows = self._sql.execute("SELECT key, rev FROM entity WHERE episode_id = ?", (episode_id,))
        return {row["key"]: int(row["rev"]) for row in rows}

    def _last_sha256(self, episode_id: str) -> str:
        query = "SELECT sha256 FROM op WHERE episode_id = ? ORDER BY seq DESC LIMIT 1"
        row = self._sql.execute(query, (episode_id,)).fetchone()
        return "" if row is None else str(row["sha256"])

    def _episode(self, episode_id: str) -> sqlite3.Row:
        row: sqlite3.Row | None = self._sql.execute(
            "SELECT * FROM episode WHERE episode_id = ?", (episode_id,)
        ).fetchone()
        if row is None:
            raise UnknownEpisodeError(episode_id)
        return row

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            try:
                with self.database.transaction():
                    yield
            except BaseException:  # an interrupt too may have left documents that were not committed; raised again
                self._documents = {}
                raise


def _taken_back(history: list[LogEntry], actor: str, direction: Literal["undo", "redo"]) -> LogEntry:
    """The entry that this person's next undo or redo is about. Raises OperationError when there is none."""
    by_id = {entry.op_id: entry for entry in history}
    done: list[LogEntry] = []
    undone: list[LogEntry] = []
    for entry in history:
        if entry.actor != actor or not entry.status.took_effect:
            continue
        if entry.kind == "undo":
            done = [past for past in done if past.op_id != entry.refers_to]
            undone.append(by_id[entry.refers_to])
        elif entry.kind == "redo":
            undone = [past for past in undone if past.op_id != entry.refers_to]
            done.append(by_id[entry.refers_to])
        else:
            done.append(entry)
            undone = []
    stack = done if direction == "undo" else undone
    if not stack:
        raise OperationError(f"nothing to {direction}")
    return stack[-1]


def _entry(row: sqlite3.Row | Mapping[str, Any]) -> LogEntry:
    values: dict[str, Any] = {name: row[name] for name in row.keys() if name not in ("seq", "sha256")}  # noqa: SIM118
    return replace(
        LogEntry(**values),
        payload=json.loads(row["payload"]),
        change=load_change(json.loads(row["change"])),
        status=Status(row["status"]),
        frame_verified=bool(row["frame_verified"]),
        mark_mode=MarkMode(row["mark_mode"]),
    )
