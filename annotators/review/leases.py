"""Who is at what: soft leases, never locks (review.md §3.6).

A lease keeps two people from starting the same episode; it does not keep anybody from saving. Whoever stops renewing
loses it after ten minutes, and the episode is offered again; a save that comes late is judged by revisions like any
other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from annotators.review.agenda import AgendaItem
from annotators.review.database import Database

LEASE_NS = 10 * 60 * 1_000_000_000
_TABLES = """
CREATE TABLE IF NOT EXISTS lease (
    episode_id TEXT NOT NULL, actor TEXT NOT NULL, until_ns INTEGER NOT NULL, finished INTEGER NOT NULL,
    PRIMARY KEY (episode_id, actor)
) STRICT;
"""


@dataclass(frozen=True)
class Lease:
    """One person at one episode."""

    item: AgendaItem
    actor: str
    until_ns: int


class Leases:
    """The leases of one review file, in a table of their own. Times are Unix nanoseconds, given by the caller."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.sql.executescript(_TABLES)

    def take(self, agenda: Sequence[AgendaItem], actor: str, now_ns: int) -> Lease | None:
        """The first episode that still wants this person; their own unfinished one before any other. None when done.

        An episode wants as many different people as its item says; those who finished it or are at it count.
        """
        with self._database.transaction():
            item = _next(agenda, actor, [row for row in self._held() if row[3] or row[2] > now_ns or row[1] == actor])
            if item is not None:
                self.renew(item.episode_id, actor, now_ns)
        return None if item is None else Lease(item, actor, now_ns + LEASE_NS)

    def renew(self, episode_id: str, actor: str, now_ns: int) -> None:
        """The heartbeat of an open page; also takes back a lease that ran out, since nothing is locked."""
        self._database.write(
            "INSERT INTO lease VALUES (?, ?, ?, 0) ON CONFLICT DO UPDATE SET until_ns = excluded.until_ns",
            episode_id,
            actor,
            now_ns + LEASE_NS,
        )

    def finish(self, episode_id: str, actor: str) -> None:
        """This person is done with the episode. Raises KeyError without a lease."""
        statement = "UPDATE lease SET finished = 1 WHERE episode_id = ? AND actor = ?"
        changed = self._database.write(statement, episode_id, actor)
        if not changed:
            raise KeyError(f"{episode_id}: {actor} has no lease on it")

    def at_work(self, episode_id: str, now_ns: int) -> list[str]:
        """Who has the episode open now, sorted."""
        query = "SELECT actor FROM lease WHERE episode_id = ? AND until_ns > ? AND NOT finished ORDER BY actor"
        return [row[0] for row in self._database.rows(query, episode_id, now_ns)]

    def finished_by(self, episode_id: str) -> list[str]:
        """Who is done with the episode, sorted."""
        query = "SELECT actor FROM lease WHERE episode_id = ? AND finished ORDER BY actor"
        return [row[0] for row in self._database.rows(query, episode_id)]

    def _held(self) -> list[tuple[str, str, int, int]]:
        rows = self._database.rows("SELECT episode_id, actor, until_ns, finished FROM lease")
        return [(row[0], row[1], row[2], row[3]) for row in rows]


def _next(agenda: Sequence[AgendaItem], actor: str, held: Sequence[tuple[str, str, int, int]]) -> AgendaItem | None:
    mine = {episode_id for episode_id, who, _, finished in held if who == actor and not finished}
    others: dict[str, set[str]] = {}
    done = set()
    for episode_id, who, _, finished in held:
        if who != actor:
            others.setdefault(episode_id, set()).add(who)
        elif finished:
            done.add(episode_id)
    wanted = [
        item for item in agenda if item.episode_id not in done and len(others.get(item.episode_id, ())) < item.raters
    ]
    return min(wanted, key=lambda item: item.episode_id not in mine, default=None)
