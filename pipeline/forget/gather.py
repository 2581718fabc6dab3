"""Everything a workspace has of one episode, found before anything of it is removed.

Two things come of it: what to remove, and what to search for afterwards. Results are removed whole. One that was made
with the episode has a work key that can never be asked for again, because the episode stays out, so nothing is lost
that a run would not make anew anyway; and a result of which some rows are gone would not be what its key says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pipeline.cards.taken_out import Gone
from pipeline.errors import StoreError
from pipeline.forget.mentions import mentions
from pipeline.forget.search import Search
from pipeline.forget.takedowns import VIDEO
from pipeline.shards.publish import MANIFESTS
from pipeline.shards.without import events_in, is_replaced, names_any, samples_of, sets_there
from pipeline.store import Workspace, one_of
from pipeline.tables import LEDGERS, TABLES
from schemas.calibration import calibration_group
from schemas.episode import Episode
from schemas.filmstrip import Thumbnail
from schemas.model_call import ModelCall
from schemas.plan import Draw, SamplingPlan
from schemas.run import WorkDone
from schemas.shard import Clip, ShardFile, ShardSet
from schemas.source import EpisodeRef
from schemas.takedown import Pending, Takedown, Terms

CHUNK = 256
CLUSTER = "cluster"
EVENT_ID = "event id"


@dataclass(frozen=True)
class Asked:
    """What was asked for."""

    at: str
    reason: str
    refit: bool
    discover: str
    """The pseudo-stage whose results list findings about whole sources: these lose rows, not all of them."""


@dataclass(frozen=True)
class _Place:
    """Where an episode is listed, or was."""

    episode_id: str
    locator: str
    dataset: str
    embodiment: str
    urls: tuple[tuple[str, str, str], ...]
    """Part, URL and SHA-256 of its files."""


def gather(workspace: Workspace, episode_id: str, asked: Asked, *, known: bool = False) -> Pending:
    """What there is of an episode. Raises StoreError when there is nothing, unless it is ``known`` to be gone."""
    own, others = _places(workspace, episode_id)
    done = workspace.rows(WorkDone, one_of("item", [episode_id]))
    if not (own or done or known):
        raise StoreError(f"{episode_id}: the workspace has nothing of it")
    files = {sha256: part for place in own for part, _, sha256 in place.urls} if own else {}
    files = {sha256: part for sha256, part in files.items() if sha256 not in others.files}
    blobs = workspace.blobs
    present = [name for name in sets_there(blobs) if not is_replaced(blobs, name)]
    in_sets = {event for name in present for event in events_in(blobs, name, [episode_id])}
    terms = _terms(workspace, episode_id, own, others, files, in_sets=in_sets)
    attempts = _attempts(workspace, episode_id, terms, own, asked)
    gone = gone_of([episode_id], terms)
    sets = {name: samples_of(blobs, name, [episode_id]).total() for name in present if names_any(blobs, name, gone)}
    attempts |= _attempts_where(workspace, "shard_sets", one_of("shard_set_id", sorted(sets)) if sets else "false")
    tars, answers = _tars(workspace, attempts), _answers(workspace, episode_id)
    removed = {
        **{f"tables/{name}": n for name in workspace.tables() if (n := _count(workspace, name, episode_id, attempts))},
        **{f"shards/{name}": n for name, n in sets.items()},
        "tars": len(tars),
        "answers": len(answers),
    }
    entry = Takedown(
        episode_id=episode_id,
        at=asked.at,
        reason=asked.reason,
        videos=sorted(sha256 for sha256, part in files.items() if part.startswith(VIDEO)),
        files=sorted(sha256 for sha256, part in files.items() if not part.startswith(VIDEO)),
        removed={place: n for place, n in removed.items() if n},
        shard_sets=dict.fromkeys(sorted(sets), ""),
        remains=list(_remains(workspace, asked, bool(sets))),
    )
    return Pending(takedown=entry, terms=terms, attempts=sorted(attempts), answers=answers, tars=tars)


def merged(terms: Iterable[Terms]) -> Terms:
    """The terms of several episodes as one."""
    ids, texts, contents, not_searched = {}, {}, {}, []
    for own in terms:
        ids.update(own.ids)
        texts.update(own.texts)
        contents.update(own.contents)
        not_searched += own.not_searched
    return Terms(ids=ids, texts=texts, contents=contents, not_searched=not_searched)


def gone_of(episodes: Iterable[str], terms: Terms) -> Gone:
    """What shard sets must not name any more."""
    return Gone(frozenset(episodes), frozenset(digits for digits, what in terms.ids.items() if what == EVENT_ID))


@dataclass(frozen=True)
class _Others:
    """What recordings that stay have too."""

    locators: frozenset[str]
    files: frozenset[str]


def _places(workspace: Workspace, episode_id: str) -> tuple[list[_Place], _Others]:
    own: list[_Place] = []
    locators: set[str] = set()
    files: set[str] = set()
    for batch in workspace.scan(EpisodeRef, ["episode_id", "locator", "dataset", "embodiment", "root", "files"]):
        for row in batch.to_pylist():
            root = row["root"].rstrip("/")
            urls = tuple((file["part"], f"{root}/{file['path']}", file["sha256"]) for file in row["files"])
            if row["episode_id"] == episode_id:
                own.append(_Place(episode_id, row["locator"], row["dataset"], row["embodiment"], urls))
            else:
                locators.add(row["locator"])
                files.update(sha256 for _, _, sha256 in urls)
    for batch in workspace.scan(Episode, ["episode_id", "locator", "dataset", "embodiment"]):
        for row in batch.to_pylist():
            if row["episode_id"] == episode_id:
                own.append(_Place(**row, urls=()))
            else:
                locators.add(row["locator"])
    return own, _Others(frozenset(locators), frozenset(files))


def _terms(
    workspace: Workspace,
    episode_id: str,
    own: list[_Place],
    others: _Others,
    files: dict[str, str],
    *,
    in_sets: set[str],
) -> Terms:
    ids = {_digits(episode_id): "episode id"}
    ids |= {_digits(event): EVENT_ID for event in _event_ids(workspace, episode_id) | in_sets}
    ids |= dict.fromkeys(files, "source file SHA-256")
    contents = dict.fromkeys(files, "source file")
    not_searched = []
    clips, shared_clips = _clips(workspace, episode_id)
    pictures, shared_pictures = _thumbnails(workspace, episode_id)
    ids |= dict.fromkeys(clips, "clip SHA-256")
    contents |= dict.fromkeys(clips, "clip") | dict.fromkeys(pictures, "thumbnail")
    texts: dict[str, str] = {}
    for locator in sorted({place.locator for place in own}):
        if locator in others.locators:
            not_searched.append("a locator that recordings of other sources have too")
        else:
            texts[locator] = "locator"
    texts |= {url: "source file URL" for place in own for _, url, sha256 in place.urls if sha256 in files}
    for n, what in ((shared_clips, "clips"), (shared_pictures, "thumbnails")):
        if n:
            not_searched.append(f"{n} {what} that another recording has byte for byte")
    return Terms(ids=ids, texts=texts, contents=contents, not_searched=not_searched)


def _digits(name: str) -> str:
    return name.rpartition("-")[2]


def _event_ids(workspace: Workspace, episode_id: str) -> set[str]:
    found: set[str] = set()
    for name in workspace.tables():
        if {"episode_id", "event_id"} <= set(workspace.columns(name).names):
            for batch in workspace.scan_table(name, ["event_id"], one_of("episode_id", [episode_id])):
                found.update(batch.column(0).to_pylist())
    return found


def _clips(workspace: Workspace, episode_id: str) -> tuple[set[str], int]:
    """SHA-256 of clips that are its alone, and how many others have too."""
    own: set[str] = set()
    others: set[str] = set()
    for batch in workspace.scan(Clip, ["episode_id", "sha256"]):
        for row in batch.to_pylist():
            (own if row["episode_id"] == episode_id else others).add(row["sha256"])
    return own - others, len(own & others)


def _thumbnails(workspace: Workspace, episode_id: str) -> tuple[set[str], int]:
    """The same of thumbnails: a black picture is a black picture."""
    own: set[str] = set()
    others: set[str] = set()
    for batch in workspace.scan(Thumbnail, ["episode_id", "jpeg"]):
        for row in batch.to_pylist():
            (own if row["episode_id"] == episode_id else others).add(hashlib.sha256(row["jpeg"]).hexdigest())
    return own - others, len(own & others)


def _attempts(workspace: Workspace, episode_id: str, terms: Terms, own: list[_Place], asked: Asked) -> set[str]:
    """Results made of it, alone or with others."""
    groups = {calibration_group(place.dataset, place.embodiment) for place in own}
    search = Search(terms)
    spared = {row.attempt for row in workspace.rows(WorkDone, one_of("stage", [asked.discover]))}
    found = {row.attempt for row in workspace.rows(WorkDone, one_of("item", sorted({episode_id, *groups})))}
    for name in workspace.tables():
        if name not in LEDGERS.values() and "attempt" in workspace.columns(name).names:
            found |= {row["attempt"] for row in mentions(workspace, name, search, ["attempt"])} - spared
    plans: set[str] = set()
    for where in _chunks("attempt", found):
        for batch in workspace.scan(Draw, ["plan_id"], where):
            plans.update(batch.column(0).to_pylist())
    for where in _chunks("plan_id", plans):
        found |= _attempts_where(workspace, TABLES[SamplingPlan], where)
    if asked.refit:
        found |= {row.attempt for row in workspace.rows(WorkDone, one_of("stage", [CLUSTER]))}
    return found


def _attempts_where(workspace: Workspace, name: str, where: str) -> set[str]:
    batches = workspace.scan_table(name, ["attempt"], where)
    return {attempt for batch in batches for attempt in batch.column(0).to_pylist()}


def _tars(workspace: Workspace, attempts: set[str]) -> list[str]:
    """Blobs of doomed results, and those of no result at all: what a killed run was writing."""
    doomed: set[str] = set()
    kept: set[str] = set()
    tables: set[str] = set()
    for batch in workspace.scan(ShardFile, ["path", "attempt"]):
        for row in batch.to_pylist():
            (doomed if row["attempt"] in attempts else kept).add(row["path"])
    published = {row.attempt: row.work_key for row in workspace.rows(WorkDone, "stage = 'publish'")}
    for batch in workspace.scan(ShardSet, ["attempt"]):
        for attempt in batch.column(0).to_pylist():
            if attempt in published and attempt not in attempts:
                tables.add(published[attempt])
    doomed.update(workspace.blobs.list("tars", unfinished=True))
    beside = workspace.blobs.list(MANIFESTS, unfinished=True)
    doomed.update(path for path in beside if path.split("/")[1] not in tables)
    return sorted(doomed - kept)


def _answers(workspace: Workspace, episode_id: str) -> list[str]:
    """Keys of answers about it, and of those that no committed question accounts for: whose they are nobody knows."""
    own: set[str] = set()
    others: set[str] = set()
    for batch in workspace.scan(ModelCall, ["item", "key"]):
        for row in batch.to_pylist():
            (own if row["item"] == episode_id else others).add(row["key"])
    there = {path.rpartition("/")[2].partition(".")[0] for path in workspace.blobs.list("answers", unfinished=True)}
    return sorted(there & own | (there - others))


def _chunks(column: str, values: Iterable[str]) -> Iterator[str]:
    ordered = sorted(values)
    for i in range(0, len(ordered), CHUNK):
        yield one_of(column, ordered[i : i + CHUNK])


def _count(workspace: Workspace, name: str, episode_id: str, attempts: set[str]) -> int:
    """Rows of a table that are to go."""
    names = workspace.columns(name).names
    if "attempt" in names:
        wheres = list(_chunks("attempt", attempts))
        return sum(batch.num_rows for where in wheres for batch in workspace.scan_table(name, ["attempt"], where))
    column = next((column for column in ("episode_id", "item") if column in names), None)
    if column is None:
        return 0
    return sum(b.num_rows for b in workspace.scan_table(name, [column], one_of(column, [episode_id])))


def _remains(workspace: Workspace, asked: Asked, sets: bool) -> Iterator[str]:
    if not asked.refit and any(batch.num_rows for batch in workspace.scan_table("cluster_models", ["model_id"])):
        yield (
            "clusters that were fitted while it was there: centroids and scales are means over many events, reference "
            "points are single events' points without any id, fitted_events holds 64-bit hashes; --refit removes them"
        )
    if sets:
        yield (
            "the plan in plan.json of rewritten shard sets, and what their cards say of it: counts of the corpus as it "
            "was, none of one episode"
        )
