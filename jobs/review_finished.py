"""What people have finished in a review folder: shared episodes, the audit, and what they hold for true."""

from __future__ import annotations

from collections.abc import Iterator

from annotators.review.accepted import said_in
from annotators.review.agenda import AgendaItem, Stratum
from annotators.review.agenda_table import AgendaTable
from annotators.review.agreement import Audited, Rated
from annotators.review.document import Document
from annotators.review.leases import Leases
from annotators.review.store import ReviewStore
from pipeline.ledger import Ledger
from pipeline.store import Workspace
from schemas.episode import Episode
from schemas.time import FrameClock

CHUNK = 64


class Finished:
    """What a review folder says about who has finished what."""

    def __init__(self, store: ReviewStore) -> None:
        self._store = store
        self._leases = Leases(store.database)
        self._items = AgendaTable(store.database).items()
        self._there = set(store.episodes())

    def rated(self, workspace: Workspace, ledger: Ledger) -> Iterator[Rated]:
        """Every shared episode that two raters or more have finished, in order of id."""
        shared: dict[str, tuple[AgendaItem, dict[str, str]]] = {}
        for item in self._items:
            copies = self._copies(item)
            if len(copies) >= 2:
                shared[item.episode_id] = item, copies
        timed = clocks(workspace, ledger, sorted(shared))
        for episode_id, clock in timed:
            item, copies = shared[episode_id]
            documents = {actor: self._store.document(name)[1] for actor, name in copies.items()}
            yield Rated(episode_id, clock, documents, item.blind, self._store.imported(episode_id))

    def audited(self) -> Iterator[Audited]:
        """Every finished episode of the random stratum, as the machine had it and as people left it.

        Of a shared one the adjudicated document, or else the first rater's who saw the machine's boundaries.
        """
        for item in self._items:
            if item.stratum is not Stratum.AUDIT or item.episode_id not in self._there:
                continue
            name = self._settled(item)
            if name:
                yield Audited(self._store.imported(name), self._store.document(name)[1])

    def truths(self, *, everything: bool) -> Iterator[tuple[str, str, Document]]:
        """(episode, annotator, document) of everything finished in the audit, or of ``everything``, by episode.

        Of a shared episode every rater's copy, for people are scored against each other too; else whoever finished it.
        """
        wanted = (item for item in self._items if everything or item.stratum is Stratum.AUDIT)
        for item in sorted(wanted, key=lambda item: item.episode_id):
            if item.episode_id not in self._there:
                continue
            if item.raters > 1:
                for actor, name in self._copies(item).items():
                    yield item.episode_id, actor, self._store.document(name)[1]
            elif by := self._leases.finished_by(item.episode_id):
                yield item.episode_id, ", ".join(by), self._store.document(item.episode_id)[1]

    def _settled(self, item: AgendaItem) -> str:
        """Which document says what is true of an episode; empty while none does."""
        document = self._store.document(item.episode_id)[1]
        if item.raters == 1:
            return item.episode_id if self._leases.finished_by(item.episode_id) else ""
        if said_in(document, self._store.log(item.episode_id)).events:
            return item.episode_id
        copies = self._copies(item)
        return "" if item.blind else next(iter(copies.values()), "")

    def _copies(self, item: AgendaItem) -> dict[str, str]:
        """Rater → document, of those who have finished their copy."""
        if item.raters == 1:
            return {}
        named = {actor: f"{item.episode_id}@{actor}" for actor in self._leases.finished_by(item.episode_id)}
        return {actor: name for actor, name in named.items() if name in self._there}


def clocks(workspace: Workspace, ledger: Ledger, episodes: list[str]) -> Iterator[tuple[str, FrameClock]]:
    """The clock of each of these episodes that is still listed."""
    wanted = set(episodes)
    done = {item: attempt for item, attempt in ledger.done_attempts("ingest") if item in wanted}
    listed = sorted(done)
    for i in range(0, len(listed), CHUNK):
        chunk = listed[i : i + CHUNK]
        rows = workspace.read(Episode, [done[item] for item in chunk])
        yield from ((item, rows[done[item]][0].master.clock) for item in chunk)
