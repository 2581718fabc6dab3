"""The people who may log in: names, roles, passwords as argon2id hashes, and their sessions.

Sessions are kept as SHA-256 of what the cookie holds, so a stolen review file opens none. A wrong name costs as much
time as a wrong password. The log keeps names of people who were removed.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections import defaultdict, deque
from dataclasses import dataclass
from hashlib import sha256
from threading import Lock

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from annotators.review.database import Database
from annotators.review.role import Role
from pipeline.errors import JoineryError

_TABLES = """
CREATE TABLE IF NOT EXISTS account (
    name TEXT PRIMARY KEY, role TEXT NOT NULL, password TEXT NOT NULL, made_ns INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS session (
    id_sha256 TEXT PRIMARY KEY, name TEXT NOT NULL REFERENCES account ON DELETE CASCADE, csrf TEXT NOT NULL,
    until_ns INTEGER NOT NULL
) STRICT;
"""
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""Names of people; ``@`` and ``/`` would mean something in a review id and an address."""
SHORTEST_PASSWORD = 10
SESSION_NS = 12 * 3600 * 1_000_000_000
_TRIES, _WINDOW_NS = 5, 5 * 60 * 1_000_000_000


@dataclass(frozen=True)
class Account:
    """One person."""

    name: str
    role: Role
    made_ns: int


@dataclass(frozen=True)
class Session:
    """An open one; ``csrf`` is what writes must carry."""

    name: str
    role: Role
    csrf: str


class Accounts:
    """The accounts of one review file. Times are Unix nanoseconds, given by the caller."""

    def __init__(self, database: Database, hasher: PasswordHasher | None = None) -> None:
        self._database = database
        database.sql.executescript(_TABLES)
        self._hasher = hasher or PasswordHasher()
        self._nobody = self._hasher.hash(secrets.token_urlsafe(16))

    def add(self, name: str, role: Role, password: str, now_ns: int) -> None:
        """Make an account. Raises JoineryError for a bad name, a short password, or a name that is taken."""
        if not NAME.fullmatch(name):
            raise JoineryError(f"{name!r}: expected letters, digits, dots, dashes and underscores, at most 64")
        if len(password) < SHORTEST_PASSWORD:
            raise JoineryError(f"password: found {len(password)} characters, expected at least {SHORTEST_PASSWORD}")
        if self._database.row("SELECT 1 FROM account WHERE name = ?", name):
            raise JoineryError(f"{name}: there is such an account already; remove it first")
        self._database.write(
            "INSERT INTO account VALUES (?, ?, ?, ?)", name, str(role), self._hasher.hash(password), now_ns
        )

    def remove(self, name: str) -> None:
        """Close an account and its sessions. Raises JoineryError when there is none."""
        if not self._database.write("DELETE FROM account WHERE name = ?", name):
            raise JoineryError(f"{name}: there is no such account; `joinery review users list` names them")

    def every(self) -> list[Account]:
        """All of them, by name."""
        rows = self._database.rows("SELECT name, role, made_ns FROM account ORDER BY name")
        return [Account(row[0], Role(row[1]), row[2]) for row in rows]

    def log_in(self, name: str, password: str, now_ns: int) -> str | None:
        """What the cookie is to hold; None for a wrong name or password."""
        row = self._database.row("SELECT password FROM account WHERE name = ?", name)
        try:
            self._hasher.verify(self._nobody if row is None else row["password"], password)
        except VerificationError:
            return None
        if row is None:
            return None
        value = secrets.token_urlsafe(32)
        with self._database.transaction():
            self._database.write("DELETE FROM session WHERE until_ns <= ?", now_ns)
            values = _id(value), name, secrets.token_urlsafe(32), now_ns + SESSION_NS
            self._database.write("INSERT INTO session VALUES (?, ?, ?, ?)", *values)
        return value

    def session(self, value: str, now_ns: int) -> Session | None:
        """The session of a cookie, prolonged while it is used."""
        row = self._database.row(
            "SELECT name, role, csrf, until_ns FROM session JOIN account USING (name) WHERE id_sha256 = ?", _id(value)
        )
        if row is None or row["until_ns"] <= now_ns:
            return None
        if row["until_ns"] - now_ns < SESSION_NS // 2:
            self._database.write("UPDATE session SET until_ns = ? WHERE id_sha256 = ?", now_ns + SESSION_NS, _id(value))
        return Session(row["name"], Role(row["role"]), row["csrf"])

    def log_out(self, value: str) -> None:
        """Close a session."""
        self._database.write("DELETE FROM session WHERE id_sha256 = ?", _id(value))


class LoginLimit:
    """At most five wrong tries in five minutes for a name, and for an address."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._wrong: dict[str, deque[int]] = defaultdict(deque)

    def wait_ns(self, now_ns: int, *keys: str) -> int:
        """How long these have to wait; 0 when they may try."""
        with self._lock:
            return max((self._wait_ns(key, now_ns) for key in keys), default=0)

    def failed(self, now_ns: int, *keys: str) -> None:
        """Count a wrong try."""
        with self._lock:
            for key in [key for key, tries in self._wrong.items() if tries[-1] + _WINDOW_NS <= now_ns]:
                del self._wrong[key]
            for key in keys:
                self._wrong[key].append(now_ns)

    def _wait_ns(self, key: str, now_ns: int) -> int:
        recent = [at_ns for at_ns in self._wrong.get(key, ()) if at_ns + _WINDOW_NS > now_ns]
        return recent[-_TRIES] + _WINDOW_NS - now_ns if len(recent) >= _TRIES else 0


def _id(value: str) -> str:
    return sha256(value.encode()).hexdigest()


def same(one: str, other: str) -> bool:
    """Whether two secrets are equal, in the same time for any two."""
    return hmac.compare_digest(one.encode(), other.encode())
