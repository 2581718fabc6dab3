"""How long people were at what: stretches of work, from opening a page, its heartbeats and finishing.

Whoever is gone for longer than three heartbeats was not at work; the next sign of them begins a new stretch.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median

from annotators.review.accepted import is_person
from annotators.review.database import Database

GAP_NS = 180 * 1_000_000_000
_TABLES = """
CREATE TABLE IF NOT EXISTS activity (
    review_id TEXT NOT NULL, actor TEXT NOT NULL, start_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL,
    finished INTEGER NOT NULL, PRIMARY KEY (review_id, actor, start_ns)
) STRICT;
"""


@dataclass(frozen=True)
class Throughput:
    """What one person did on one day (UTC)."""

    actor: str
    day: str
    items: int
    """Finished that day."""
    hours: float
    """At work, whether anything was finished or not."""
    items_per_hour: float | None
    median_item_s: float | None
    """Time at work on an item that was finished, from first to last."""
    edits: int
    """Operations that took effect."""
    edits_per_item: float | None


class Activity:
    """The stretches of one review file. Times are Unix nanoseconds, given by the caller."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.sql.executescript(_TABLES)

    def seen(self, review_id: str, actor: str, now_ns: int, *, finished: bool = False) -> None:
        """A sign that somebody is at work on a document."""
        with self._database.transaction():
            changed = self._database.write(
                "UPDATE activity SET last_ns = ?, finished = max(finished, ?) "
                "WHERE review_id = ? AND actor = ? AND last_ns >= ?",
                now_ns, int(finished), review_id, actor, now_ns - GAP_NS,
            )  # fmt: skip
            if not changed:
                values = review_id, actor, now_ns, now_ns, int(finished)
                self._database.write("INSERT INTO activity VALUES (?, ?, ?, ?, ?)", *values)

    def throughput(self) -> list[Throughput]:
        """By person and day."""
        worked: dict[tuple[str, str], float] = defaultdict(float)
        spent: dict[tuple[str, str], float] = defaultdict(float)
        done: dict[tuple[str, str], set[str]] = defaultdict(set)
        for row in self._database.rows("SELECT * FROM activity ORDER BY start_ns"):
            seconds, key = (row["last_ns"] - row["start_ns"]) / 1e9, (row["actor"], _day(row["last_ns"]))
            worked[key] += seconds
            spent[row["actor"], row["review_id"]] += seconds
            if row["finished"]:
                done[key].add(row["review_id"])
        edits: dict[tuple[str, str], int] = defaultdict(int)
        for row in self._database.rows("SELECT actor, at_ns FROM op WHERE status != 'conflict'"):
            if is_person(row["actor"]):
                edits[row["actor"], _day(row["at_ns"])] += 1
        keys = sorted({*worked, *edits}, key=lambda key: (key[1], key[0]))
        return [
            _line(key, worked[key], [spent[key[0], item] for item in sorted(done[key])], edits[key]) for key in keys
        ]


def _line(key: tuple[str, str], seconds: float, items_s: list[float], edits: int) -> Throughput:
    n, hours = len(items_s), seconds / 3600
    return Throughput(
        actor=key[0],
        day=key[1],
        items=n,
        hours=round(hours, 4),
        items_per_hour=round(n / hours, 2) if hours else None,
        median_item_s=round(median(items_s), 1) if items_s else None,
        edits=edits,
        edits_per_item=round(edits / n, 2) if n else None,
    )


def _day(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns / 1e9, UTC).strftime("%Y-%m-%d")
