"""Everything that one review is made of, opened together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from annotators.review.accepted import PIPELINE
from annotators.review.accounts import Accounts, LoginLimit
from annotators.review.activity import Activity
from annotators.review.agenda import AgendaItem, AgendaSpec
from annotators.review.agenda_table import AgendaTable
from annotators.review.audit import Audit
from annotators.review.comments import Comments
from annotators.review.conflicts import Conflicts
from annotators.review.database import Database
from annotators.review.folder import ReviewFolder
from annotators.review.leases import Leases
from annotators.review.media import Media
from annotators.review.media_registry import MediaRegistry
from annotators.review.mirror import Mirror
from annotators.review.preparing import Preparer, SourceOf
from annotators.review.quarantine import Quarantine
from annotators.review.sheet import Imported, Sheets
from annotators.review.snapshots import Snapshooter
from annotators.review.store import ReviewStore
from annotators.review.suggest import CannotFollowError


@dataclass(frozen=True)
class Question:
    """A search as the page asks it; empty fields do not ask."""

    words: str = ""
    like: str = ""
    level: str = ""
    verb: str = ""
    source: str = ""
    limit: int = 20


@dataclass(frozen=True)
class Answer:
    """One event that was found."""

    event_id: str
    episode_id: str
    level: str
    frame_start: int
    frame_end: int
    caption: str
    verb: str
    objects: tuple[str, ...]
    score: float


Search = Callable[[Question], list[Answer]]
"""`jobs.review_search` has one over a workspace; raises JoineryError for what cannot be asked."""


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
    any_address: bool = False
    """Whether it also answers to IP addresses, which no stranger's page can have as its name."""


Agreement = Callable[[], dict[str, Any]]
"""How well people agree, as `jobs.review_agreement` computes it."""


@dataclass(frozen=True)
class TakenIn:
    """What became of the episodes of a run."""

    new: int
    followed: int
    """Were there, and follow another tree of the machine now."""
    refused: tuple[str, ...]
    """Why some do not."""


class Review:
    """An open review. Close it when done."""

    def __init__(
        self,
        folder: ReviewFolder,
        access: Access,
        *,
        source_of: SourceOf | None = None,
        search: Search | None = None,
        agreement: Agreement | None = None,
    ) -> None:
        """The caller holds the folder (`ReviewFolder.held`). Raises StoreError for a damaged or newer review file."""
        folder.root.mkdir(parents=True, exist_ok=True)
        self.folder, self.access, self.search, self.agreement = folder, access, search, agreement
        self.database = Database(folder.database)
        self.store = ReviewStore(self.database)
        self.sheets = Sheets(self.database)
        self.media, self.pictures = MediaRegistry(self.database), Media(folder.media)
        self.agenda = AgendaTable(self.database)
        self.leases = Leases(self.database)
        self.audit = Audit(self.database)
        self.quarantine = Quarantine(self.database, self.audit)
        self.conflicts = Conflicts(self.database)
        self.comments = Comments(self.database)
        self.activity = Activity(self.database)
        self.accounts, self.login_limit = Accounts(self.database), LoginLimit()
        self.mirror = Mirror(self.database, folder.log)
        self.mirror.catch_up()
        self.snapshots = Snapshooter(folder.database, folder.snapshots)
        self.preparer = Preparer(self.store, self.media, folder, source_of)

    def start(self) -> None:
        """Begin with what runs beside: pictures in the order of the agenda, and snapshots."""
        self.preparer.start(item.episode_id for item in self.items())
        self.snapshots.start()

    def items(self) -> list[AgendaItem]:
        """The agenda without what is in quarantine."""
        hidden = self.quarantine.episodes()
        return [item for item in self.agenda.items() if item.episode_id not in hidden]

    def take_in(self, episodes: Iterable[Imported], spec: AgendaSpec | None = None) -> TakenIn:
        """Put episodes under review. Those that are there follow a newer tree where nobody touched them (`suggest`)."""
        self.agenda.settle(spec)
        there = set(self.store.episodes())
        new = followed = 0
        refused: list[str] = []
        for episode in episodes:
            episode_id = episode.document.episode_id
            if episode_id not in there:
                with self.database.transaction():
                    self.store.add(episode.document, "")
                    self.sheets.put(episode)
                    self.agenda.add([(episode_id, episode.risk)])
                new += 1
            elif self.sheets.run_of(episode_id) != episode.run:
                try:
                    self.store.follow(episode.document, f"{PIPELINE}{episode.run}")
                except CannotFollowError as error:
                    refused.append(str(error))
                    continue
                self.sheets.put(episode)
                followed += 1
        self.mirror.catch_up()
        return TakenIn(new, followed, tuple(refused))

    def close(self) -> None:
        """Stop what runs beside, then let go of the file."""
        self.preparer.stop()
        self.snapshots.stop()
        self.database.close()
