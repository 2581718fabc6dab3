"""``joinery review agreement``: how well raters agree, and how often the machine is wrong (docs/review.md).

Only what somebody has finished counts: whoever stops half-way has looked at the doubtful places first. What is held in
memory are the shared episodes, about one in a hundred.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotators.review.accepted import said_in
from annotators.review.agenda import AgendaItem, Stratum
from annotators.review.agenda_table import AgendaTable
from annotators.review.agreement import Audited, Rated, agreement, errors, moved_frames
from annotators.review.document import LEVELS
from annotators.review.leases import Leases
from annotators.review.store import ReviewStore
from jobs.review_folder import existing_reviews
from pipeline.ledger import Ledger
from pipeline.store import Workspace
from schemas.episode import Episode
from schemas.time import FrameClock

PATH = "reviews/agreement.json"
FORMAT = 1
CHUNK = 64


@dataclass(frozen=True)
class AgreementReport:
    """What is written and printed."""

    at_rev: int
    shared: int
    """Episodes that two raters or more have finished."""
    audited: int
    by_level: Mapping[str, Any]

    def dumped(self) -> dict[str, Any]:
        return {"joinery_agreement": FORMAT, **vars(self)}


def agreement_report(workspace: Workspace, ledger: Ledger, folder: Path) -> AgreementReport:
    """Compute it, and leave it in the workspace as ``reviews/agreement.json``. Raises StoreError without reviews."""
    with closing(existing_reviews(folder)) as store:
        reading = _Reading(store)
        rated = list(reading.rated(workspace, ledger))
        audited = list(reading.audited())
        at_rev = store.n_entries()
    groups = {
        "all": rated,
        "blind": [one for one in rated if one.blind],
        "shown": [one for one in rated if not one.blind],
    }
    moved = {str(delta): n for delta, n in sorted(moved_frames(audited).items())}
    levels = {
        str(level): {
            "raters": {name: agreement(group, level).dumped() for name, group in groups.items()},
            "machine": errors(audited, level).dumped(),
        }
        for level in LEVELS
    }
    report = AgreementReport(at_rev, len(rated), len(audited), {"levels": levels, "moved_frames": moved})
    written = json.dumps(report.dumped(), indent=1, sort_keys=True) + "\n"
    workspace.blobs.put_bytes(PATH, written.encode())
    return report


class _Reading:
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
        clocks = _clocks(workspace, ledger, sorted(shared))
        for episode_id, clock in clocks:
            item, copies = shared[episode_id]
            documents = {actor: self._store.document(name)[1] for actor, name in copies.items()}
            yield Rated(episode_id, clock, documents, item.blind)

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


def _clocks(workspace: Workspace, ledger: Ledger, episodes: list[str]) -> Iterator[tuple[str, FrameClock]]:
    """The clock of each of these episodes that is still listed."""
    wanted = set(episodes)
    done = {item: attempt for item, attempt in ledger.done_attempts("ingest") if item in wanted}
    listed = sorted(done)
    for i in range(0, len(listed), CHUNK):
        chunk = listed[i : i + CHUNK]
        rows = workspace.read(Episode, [done[item] for item in chunk])
        yield from ((item, rows[done[item]][0].master.clock) for item in chunk)
