"""Who was refused what, who looked at pictures of people, and who took an episode out of sight or brought it back.

The same thing by the same person within a minute is one line: a page that is refused asks again and again, and a video
is read in hundreds of ranges.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock

from annotators.review.database import Database

_TABLES = """
CREATE TABLE IF NOT EXISTS audit (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, at_ns INTEGER NOT NULL, kind TEXT NOT NULL, actor TEXT NOT NULL,
    subject TEXT NOT NULL, said TEXT NOT NULL
) STRICT;
CREATE TRIGGER IF NOT EXISTS audit_stays BEFORE DELETE ON audit WHEN OLD.kind NOT IN ('refused', 'looked_at')
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE TRIGGER IF NOT EXISTS audit_is_so BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
"""
_MINUTE_NS = 60_000_000_000
_MOST = 200_000
"""Lines about refusals and looking that are kept; a page that is refused must not fill the disk."""
_TRIM = "DELETE FROM audit WHERE kind IN ('refused', 'looked_at') AND seq <= (SELECT max(seq) FROM audit) - ?"
_LONGEST = 300


class AuditKind(StrEnum):
    """What is written down."""

    REFUSED = "refused"
    LOOKED_AT = "looked_at"
    """Pictures of an episode that may show people."""
    QUARANTINED = "quarantined"
    LIFTED = "lifted"
    LOGGED_IN = "logged_in"
    LOGIN_FAILED = "login_failed"


@dataclass(frozen=True)
class AuditLine:
    """One of them."""

    at_ns: int
    kind: AuditKind
    actor: str
    """Empty for somebody without a session."""
    subject: str
    said: str


class Audit:
    """The audit of one review file."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.sql.executescript(_TABLES)
        self._lock = Lock()
        self._minute, self._told = 0, set[tuple[str, str, str, str]]()

    def enter(self, kind: AuditKind, actor: str, subject: str, said: str = "") -> None:
        """On disk when this returns, unless the same was entered this minute."""
        at_ns = time.time_ns()
        line = (str(kind), actor, subject[:_LONGEST], said[:_LONGEST])
        if kind in (AuditKind.REFUSED, AuditKind.LOOKED_AT) and not self._is_news(line, at_ns // _MINUTE_NS):
            return
        with self._database.transaction():
            self._database.write("INSERT INTO audit VALUES (NULL, ?, ?, ?, ?, ?)", at_ns, *line)
            self._database.write(_TRIM, _MOST)

    def lines(self, kind: AuditKind | None = None, limit: int = 1000) -> list[AuditLine]:
        """The latest, newest first."""
        rows = self._database.rows(
            "SELECT at_ns, kind, actor, subject, said FROM audit WHERE ? IN ('', kind) ORDER BY seq DESC LIMIT ?",
            "" if kind is None else str(kind),
            limit,
        )
        return [AuditLine(row[0], AuditKind(row[1]), row[2], row[3], row[4]) for row in rows]

    def _is_news(self, line: tuple[str, str, str, str], minute: int) -> bool:
        with self._lock:
            if minute != self._minute:
                self._minute, self._told = minute, set()
            known = line in self._told
            self._told.add(line)
            return not known
