"""Edits that met somebody else's, until a person has decided which one stands. The edits themselves are in the log."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum

from annotators.review.database import Database
from annotators.review.store import UnknownEpisodeError

_TABLES = """
CREATE TABLE IF NOT EXISTS resolved (
    op_id TEXT PRIMARY KEY, how TEXT NOT NULL, actor TEXT NOT NULL, at_ns INTEGER NOT NULL
) STRICT;
"""


class Resolution(StrEnum):
    """What was decided, seen from whoever's edit was held back."""

    MINE = "mine"
    THEIRS = "theirs"
    OTHER = "other"


@dataclass(frozen=True)
class HeldBack:
    """One edit in the log that did not take effect and that nobody has decided on."""

    op_id: str
    review_id: str
    rev: int


class Conflicts:
    """The open conflicts of one review file."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.sql.executescript(_TABLES)

    def open(self) -> list[HeldBack]:
        """All of them, oldest first."""
        rows = self._database.rows(
            "SELECT op_id, episode_id, rev FROM op WHERE status = 'conflict' "
            "AND op_id NOT IN (SELECT op_id FROM resolved) ORDER BY seq"
        )
        return [HeldBack(row[0], row[1], row[2]) for row in rows]

    def about(self, name: str) -> str:
        """The document of a conflict or flag. Raises KeyError when there is none of that name."""
        row = self._database.row("SELECT episode_id FROM op WHERE op_id = ? AND status = 'conflict'", name)
        row = row or self._database.row("SELECT review_id FROM flag WHERE flag_id = ?", name)
        if row is None:
            raise UnknownEpisodeError(name, "neither a conflict nor a flag")
        return str(row[0])

    def resolve(self, name: str, how: Resolution, actor: str) -> None:
        """Settle a conflict or a flag; settling it twice keeps the first."""
        self._database.write(
            "INSERT OR IGNORE INTO resolved VALUES (?, ?, ?, ?)", name, str(how), actor, time.time_ns()
        )
