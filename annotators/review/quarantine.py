"""Episodes taken out of sight at once because they show what they must not; an admin may bring them back.

Nothing is deleted: who saw what, and what people had said, stays. Every way out of the review file asks here.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from annotators.review.audit import Audit, AuditKind
from annotators.review.database import Database
from annotators.review.store import UnknownEpisodeError

_TABLES = """
CREATE TABLE IF NOT EXISTS quarantine (
    episode_id TEXT PRIMARY KEY, reason TEXT NOT NULL, actor TEXT NOT NULL, at_ns INTEGER NOT NULL
) STRICT;
"""


@dataclass(frozen=True)
class Quarantined:
    """One episode that is out of sight."""

    episode_id: str
    reason: str
    actor: str
    at_ns: int


class Quarantine:
    """The quarantine of one review file."""

    def __init__(self, database: Database, audit: Audit) -> None:
        self._database, self._audit = database, audit
        database.sql.executescript(_TABLES)

    def put(self, episode_id: str, actor: str, reason: str) -> None:
        """Out of sight from now on, for all; on disk and in the audit when this returns."""
        with self._database.transaction():
            values = episode_id, reason, actor, time.time_ns()
            self._database.write("INSERT OR IGNORE INTO quarantine VALUES (?, ?, ?, ?)", *values)
            self._audit.enter(AuditKind.QUARANTINED, actor, episode_id, reason)

    def lift(self, episode_id: str, actor: str) -> None:
        """Back in sight. Raises KeyError when it is not in quarantine."""
        with self._database.transaction():
            if not self._database.write("DELETE FROM quarantine WHERE episode_id = ?", episode_id):
                raise UnknownEpisodeError(episode_id, "not in quarantine")
            self._audit.enter(AuditKind.LIFTED, actor, episode_id)

    def holds(self, episode_id: str) -> bool:
        """Whether it is out of sight."""
        return self._database.row("SELECT 1 FROM quarantine WHERE episode_id = ?", episode_id) is not None

    def every(self) -> list[Quarantined]:
        """All of them, latest first."""
        rows = self._database.rows("SELECT * FROM quarantine ORDER BY at_ns DESC, episode_id")
        return [Quarantined(*row) for row in rows]

    def episodes(self) -> frozenset[str]:
        """Their ids."""
        return frozenset(found.episode_id for found in self.every())
