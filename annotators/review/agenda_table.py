"""The agenda as it was made, one row per episode: choosing is a hash, so new episodes join without moving old ones."""

from __future__ import annotations

from collections.abc import Iterable

from annotators.review.agenda import AgendaItem, AgendaSpec, Stratum, agenda
from annotators.review.database import Database
from annotators.review.store import UnknownEpisodeError
from pipeline.errors import StoreError

_TABLES = """
CREATE TABLE IF NOT EXISTS agenda_spec (spec TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS agenda (
    episode_id TEXT PRIMARY KEY, stratum TEXT NOT NULL, raters INTEGER NOT NULL, blind INTEGER NOT NULL,
    risk REAL NOT NULL
) STRICT;
"""


class AgendaTable:
    """The episodes to look at, in order."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.sql.executescript(_TABLES)
        self._items: list[AgendaItem] | None = None

    def settle(self, spec: AgendaSpec | None) -> AgendaSpec:
        """The spec of this folder: the first one it is given, for good, since an audit that is chosen twice is none.

        Raises StoreError for another one.
        """
        row = self._database.row("SELECT spec FROM agenda_spec")
        if row is None:
            chosen = spec or AgendaSpec()
            self._database.write("INSERT INTO agenda_spec VALUES (?)", chosen.model_dump_json())
            return chosen
        there = AgendaSpec.model_validate_json(row["spec"])
        if spec is not None and spec != there:
            raise StoreError(
                f"the agenda of {self._database.path.parent} was made with {there}, found {spec}; a sample that is "
                "drawn twice is none: leave the options out, or review in another folder"
            )
        return there

    def add(self, risks: Iterable[tuple[str, float]]) -> None:
        """Take episodes in; those that are there stay as they are."""
        spec = self.settle(None)
        with self._database.transaction():
            for item in agenda(risks, spec):
                self._database.write(
                    "INSERT OR IGNORE INTO agenda VALUES (?, ?, ?, ?, ?)",
                    item.episode_id, str(item.stratum), item.raters, int(item.blind), item.risk,
                )  # fmt: skip
        self._items = None

    def items(self) -> list[AgendaItem]:
        """All of them, in the order to look at them."""
        if self._items is None:
            found = [
                AgendaItem(row[0], Stratum(row[1]), row[2], bool(row[3]), row[4])
                for row in self._database.rows("SELECT * FROM agenda")
            ]
            order = {item.episode_id: at for at, item in enumerate(self._ordered(found))}
            self._items = sorted(found, key=lambda item: order[item.episode_id])
        return self._items

    def item(self, episode_id: str) -> AgendaItem:
        """Raises KeyError for an episode that is not on the agenda."""
        row = self._database.row("SELECT * FROM agenda WHERE episode_id = ?", episode_id)
        if row is None:
            raise UnknownEpisodeError(episode_id)
        return AgendaItem(row[0], Stratum(row[1]), row[2], bool(row[3]), row[4])

    def _ordered(self, items: list[AgendaItem]) -> list[AgendaItem]:
        return agenda(((item.episode_id, item.risk) for item in items), self.settle(None))
