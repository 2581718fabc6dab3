"""Everything that one review is made of, opened together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from annotators.review.agenda import AgendaSpec
from annotators.review.agenda_table import AgendaTable
from annotators.review.database import Database
from annotators.review.folder import ReviewFolder
from annotators.review.leases import Leases
from annotators.review.media_registry import MediaRegistry
from annotators.review.preparing import Preparer, SourceOf
from annotators.review.sheet import Imported, Sheets
from annotators.review.store import ReviewStore

Search = Callable[[Mapping[str, str]], list[dict[str, Any]]]
"""Query parameters → hits; `jobs.review_search` has one over a workspace."""


class Mode(StrEnum):
    """Who may come in."""

    SINGLE = "single"
    """One person on this machine, by a token in the printed address."""
    ACCOUNTS = "accounts"


@dataclass(frozen=True)
class Access:
    """How one gets in."""

    mode: Mode
    actor: str = ""
    """Single mode: who it is."""
    token: str = ""
    """Single mode: what the address holds."""
    hosts: frozenset[str] = frozenset({"127.0.0.1", "localhost", "[::1]"})
    """Names the server answers to; a page of another name that was made to lead here is refused."""


class Review:
    """An open review. Close it when done."""

    def __init__(
        self,
        folder: ReviewFolder,
        access: Access,
        *,
        source_of: SourceOf | None = None,
        search: Search | None = None,
    ) -> None:
        """The caller holds the folder (`ReviewFolder.held`). Raises StoreError for a damaged or newer review file."""
        folder.root.mkdir(parents=True, exist_ok=True)
        self.folder, self.access, self.search = folder, access, search
        self.database = Database(folder.database)
        self.store = ReviewStore(self.database)
        self.sheets = Sheets(self.database)
        self.media = MediaRegistry(self.database)
        self.agenda = AgendaTable(self.database)
        self.leases = Leases(self.database)
        self.preparer = Preparer(self.store, self.media, folder, source_of)

    def take_in(self, episodes: Iterable[Imported], spec: AgendaSpec | None = None) -> int:
        """Put episodes under review; those that are there keep what people said. How many are new."""
        self.agenda.settle(spec)
        there = set(self.store.episodes())
        new = 0
        for episode in episodes:
            with self.database.transaction():
                self.store.add(episode.document, "")
                self.sheets.put(episode)
                self.agenda.add([(episode.document.episode_id, episode.risk)])
            new += episode.document.episode_id not in there
        return new

    def close(self) -> None:
        """Stop what runs beside, then let go of the file."""
        self.preparer.stop()
        self.database.close()
