"""``joinery search``: events by words, by likeness to an event, and by what is recorded of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from annotators import caption
from annotators.search.ranking import COLUMNS, EventTable, Filters, Hit
from clustering import cluster, embed
from clustering.similar import Similar, most_similar
from pipeline.errors import JoineryError
from pipeline.ledger import Ledger
from pipeline.store import Workspace, stream_rows
from schemas.cluster import ClusterModel, Embedding, Space
from schemas.event import Event
from schemas.source import EpisodeRef

ATTEMPTS_AT_ONCE = 64


@dataclass(frozen=True)
class Found:
    """One line of the answer."""

    hit: Hit
    similar: Similar | None = None


@dataclass(frozen=True)
class SearchResult:
    """What was found, best first."""

    query: str
    like: str
    """The whole id of the event asked about; empty when none was."""
    found: tuple[Found, ...]
    total: int = 0
    """How many fit, shown or not."""


def search(
    workspace: Workspace,
    ledger: Ledger,
    query: str,
    *,
    like: str | None = None,
    spaces: Sequence[Space] = tuple(Space),
    filters: Filters,
    limit: int = 20,
) -> SearchResult:
    """Events that fit the words and the filters; with ``like`` ranked by likeness to it instead of by words.

    Raises JoineryError when nothing is asked, nothing has been captioned yet, or ``like`` names no embedded event.
    """
    if not query.strip() and like is None and not filters.asks:
        raise JoineryError("nothing to search for: give words, --like EVENT or a filter such as --recovery regrasp")
    attempts = [attempt for _, attempt in ledger.done_attempts(caption.STAGE.name)]
    if not attempts:
        raise JoineryError("no episode has captioned events under this recipe; run `joinery run` with it first")
    episodes = workspace.scan(EpisodeRef, columns=["episode_id", "source", "locator"]).read_all()
    table = EventTable(workspace.scan(Event, columns=COLUMNS), attempts, episodes)
    if like is None:
        found = tuple(Found(hit) for hit in table.search(query, filters, limit))
        return SearchResult(query, "", found, table.count(query, filters))
    hits = {hit.event_id: hit for hit in table.search(query, filters, None)}
    own = _embeddings_of(ledger, like)
    try:
        ranked = most_similar(
            own, lambda: _batches(workspace, ledger), list(ledger.present(ClusterModel, cluster.STAGE.name)),
            n=limit, spaces=spaces, wanted=hits.__contains__,
        )  # fmt: skip
    except ValueError as error:
        raise JoineryError(f"--like {like}: {error}") from error
    likes = tuple(Found(hits[similar.event_id], similar) for similar in ranked)
    return SearchResult(query, own[0].event_id, likes, len(hits))


def _embeddings_of(ledger: Ledger, like: str) -> list[Embedding]:
    """The embeddings of the one event whose id begins so."""
    own = [item for item in ledger.present(Embedding, embed.STAGE.name) if item.event_id.startswith(like)]
    ids = sorted({item.event_id for item in own})
    if len(ids) != 1:
        said = "no embedded event has this id" if not ids else f"several events begin so: {', '.join(ids[:3])} …"
        raise JoineryError(f"--like {like}: {said}; only events of balance.level have embeddings")
    return own


def _batches(workspace: Workspace, ledger: Ledger) -> Iterator[list[Embedding]]:
    attempts = [attempt for _, attempt in ledger.done_attempts(embed.STAGE.name)]
    chunks = (attempts[i : i + ATTEMPTS_AT_ONCE] for i in range(0, len(attempts), ATTEMPTS_AT_ONCE))
    return stream_rows(workspace, Embedding, chunks)
