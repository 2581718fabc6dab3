"""Which pictures may be served: those registered here, by the SHA-256 of their file, and no path from any request."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from annotators.review.database import Database
from annotators.review.proxy import Proxy

_TABLES = """
CREATE TABLE IF NOT EXISTS media (
    episode_id TEXT NOT NULL, view TEXT NOT NULL, sha256 TEXT NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL,
    n_frames INTEGER NOT NULL, start_ns INTEGER NOT NULL, PRIMARY KEY (episode_id, view)
) STRICT;
CREATE INDEX IF NOT EXISTS media_by_sha256 ON media (sha256);
CREATE TABLE IF NOT EXISTS media_state (
    episode_id TEXT PRIMARY KEY, state TEXT NOT NULL, said TEXT NOT NULL
) STRICT;
"""


class MediaState(StrEnum):
    """How far the pictures of an episode are."""

    WAITING = "waiting"
    PREPARING = "preparing"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True)
class RegisteredMedia:
    """One view's file."""

    episode_id: str
    view: str
    proxy: Proxy


class MediaRegistry:
    """The media table of one review file."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.sql.executescript(_TABLES)

    def register(self, episode_id: str, view: str, proxy: Proxy) -> None:
        """From now on it is served."""
        values = episode_id, view, proxy.sha256, proxy.width, proxy.height, proxy.n_frames, proxy.start_ns
        self._database.write("INSERT OR REPLACE INTO media VALUES (?, ?, ?, ?, ?, ?, ?)", *values)

    def of_episode(self, episode_id: str) -> dict[str, RegisteredMedia]:
        """By view; without those that are not there yet."""
        return {found.view: found for found in self._found("episode_id = ?", episode_id)}

    def with_sha256(self, sha256: str) -> list[RegisteredMedia]:
        """Every view this file belongs to; several episodes may have the same pictures."""
        return self._found("sha256 = ?", sha256)

    def every(self) -> list[tuple[str, str, str]]:
        """(sha256, episode, view) of all."""
        rows = self._database.rows("SELECT sha256, episode_id, view FROM media ORDER BY sha256, episode_id, view")
        return [(row[0], row[1], row[2]) for row in rows]

    def set_state(self, episode_id: str, state: MediaState, said: str = "") -> None:
        """How far its pictures are, and for a failure why."""
        self._database.write("INSERT OR REPLACE INTO media_state VALUES (?, ?, ?)", episode_id, state, said)

    def state(self, episode_id: str) -> tuple[MediaState, str]:
        """State and what was said with it."""
        row = self._database.row("SELECT state, said FROM media_state WHERE episode_id = ?", episode_id)
        return (MediaState.WAITING, "") if row is None else (MediaState(row["state"]), str(row["said"]))

    def _found(self, where: str, value: str) -> list[RegisteredMedia]:
        rows = self._database.rows(f"SELECT * FROM media WHERE {where} ORDER BY episode_id, view", value)  # noqa: S608
        names = ("sha256", "n_frames", "width", "height", "start_ns")
        proxies = [Proxy(**{name: row[name] for name in names}) for row in rows]
        return [RegisteredMedia(row[0], row[1], proxy) for row, proxy in zip(rows, proxies, strict=True)]
