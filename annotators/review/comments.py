"""What people say to each other about an episode, and what they want an adjudicator to look at."""

from __future__ import annotations

import time
from dataclasses import dataclass

from annotators.review.database import Database

_TABLES = """
CREATE TABLE IF NOT EXISTS comment (
    comment_id INTEGER PRIMARY KEY AUTOINCREMENT, review_id TEXT NOT NULL, actor TEXT NOT NULL, at_ns INTEGER NOT NULL,
    frame INTEGER NOT NULL, boundary_id TEXT NOT NULL, text TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS comment_by_review ON comment (review_id);
CREATE TABLE IF NOT EXISTS flag (
    flag_id TEXT PRIMARY KEY, review_id TEXT NOT NULL, actor TEXT NOT NULL, at_ns INTEGER NOT NULL,
    entity TEXT NOT NULL, text TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS flag_by_review ON flag (review_id);
"""


@dataclass(frozen=True)
class Comment:
    """One remark, at a picture and perhaps at a boundary."""

    comment_id: int
    actor: str
    at_ns: int
    frame: int
    boundary_id: str
    text: str


@dataclass(frozen=True)
class Flag:
    """One question to an adjudicator."""

    flag_id: str
    review_id: str
    actor: str
    at_ns: int
    entity: str
    """A boundary's or label's key; empty for the whole episode."""
    text: str


class Comments:
    """The comments and flags of one review file."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.sql.executescript(_TABLES)

    def say(self, review_id: str, actor: str, frame: int, boundary_id: str, text: str) -> None:
        """Add a comment."""
        self._database.write(
            "INSERT INTO comment VALUES (NULL, ?, ?, ?, ?, ?, ?)",
            review_id, actor, time.time_ns(), frame, boundary_id, text,
        )  # fmt: skip

    def of(self, review_id: str) -> list[Comment]:
        """All of one document, oldest first."""
        rows = self._database.rows("SELECT * FROM comment WHERE review_id = ? ORDER BY comment_id", review_id)
        names = ("comment_id", "actor", "at_ns", "frame", "boundary_id", "text")
        return [Comment(**{name: row[name] for name in names}) for row in rows]

    def count(self, review_id: str) -> int:
        """How many."""
        row = self._database.row("SELECT count(*) FROM comment WHERE review_id = ?", review_id)
        return 0 if row is None else int(row[0])

    def flag(self, flag: Flag) -> None:
        """Ask an adjudicator; the same flag twice is one."""
        values = flag.flag_id, flag.review_id, flag.actor, flag.at_ns, flag.entity, flag.text
        self._database.write("INSERT OR IGNORE INTO flag VALUES (?, ?, ?, ?, ?, ?)", *values)

    def flags(self) -> list[Flag]:
        """Those nobody has settled, oldest first."""
        rows = self._database.rows(
            "SELECT * FROM flag WHERE flag_id NOT IN (SELECT op_id FROM resolved) ORDER BY at_ns, flag_id"
        )
        return [Flag(*row) for row in rows]
