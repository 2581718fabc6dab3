"""``joinery forget``: take an episode out of the workspace and every shard set, and prove it (docs/forget.md).

The takedown list comes first, so that from that moment no run lets the recording in again; then removal, then the
search of every file. What the search looks for waits in a file beside the list until nothing is found, so a
command that was killed goes on where it was when it is repeated.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from annotators.review.forget import count_in_folder, forget_in_folder
from jobs.forget_names import copies_of, episode_named
from jobs.forget_recovery import forget_in_plans
from jobs.listing import DISCOVER
from pipeline.at_work import Deed, at_work
from pipeline.blobs import Blobs, is_local
from pipeline.forget.gather import Asked, gather, merged
from pipeline.forget.proof import Remaining, Searched, search_folder
from pipeline.forget.remove import steps
from pipeline.forget.takedowns import end_pending, read_pending, read_takedowns, write_pending, write_takedown
from pipeline.loader.names import REPLACED
from pipeline.shards.handed_out import HandedOut, handed_out
from pipeline.shards.latest import SHARDS
from pipeline.store import Workspace
from schemas.duplicate import DuplicateEpisodes
from schemas.takedown import Pending, Takedown, Terms

REVIEW = "review"


@dataclass(frozen=True)
class Wish:
    """What is asked for."""

    episodes: tuple[str, ...]
    """Ids, locators, or parts of paths."""
    at: str = ""
    """UTC, ISO 8601; empty: now."""
    reason: str = ""
    with_copies: bool = False
    refit: bool = False
    review: Path | None = None
    """The review folder, where it is not in the workspace."""


@dataclass(frozen=True)
class Forgotten:
    """What became of it."""

    takedowns: tuple[Takedown, ...]
    copies: tuple[DuplicateEpisodes, ...]
    """Recordings like it that stay."""
    not_searched: tuple[str, ...]
    searched: Searched
    out_of_reach: tuple[HandedOut, ...]
    sources: tuple[str, ...]
    """Where the recording itself still lies."""
    dry_run: bool

    @property
    def remaining(self) -> tuple[Remaining, ...]:
        return self.searched.remaining

    @property
    def proven(self) -> bool:
        return not self.dry_run and not self.remaining


def forget(workspace: Workspace, wish: Wish, *, dry_run: bool = False) -> Forgotten:
    """Take episodes out. Raises JoineryError for a name that fits none or several, or while a run is at work."""
    with at_work(workspace.blobs, Deed.FORGET):
        ids = sorted({episode_named(workspace, name) for name in wish.episodes})
        copies = copies_of(workspace, ids)
        if wish.with_copies:
            ids = sorted({*ids, *(name for pair in copies for name in (pair.episode_id, pair.kept_id))})
            copies = []
        pending = [_pending(workspace, name, wish) for name in ids]
        sources = _sources(pending)
        terms = merged(entry.terms for entry in pending)
        if not dry_run:
            _remove(workspace, pending, terms, wish)
            pending = [_with_sets(workspace.blobs, entry) for entry in pending]
        searched = Searched(0, 0, 0, ()) if dry_run else _searched(workspace, terms, wish)
        takedowns = [entry.takedown for entry in pending]
        if not dry_run and not searched.remaining:
            proof = searched.proof(terms)
            takedowns = [entry.model_copy(update={"proof": proof}) for entry in takedowns]
            for entry in takedowns:
                write_takedown(workspace.blobs, entry)
                end_pending(workspace.blobs, entry.episode_id)
        return Forgotten(
            takedowns=tuple(takedowns),
            copies=tuple(copies),
            not_searched=tuple(sorted(set(terms.not_searched))),
            searched=searched,
            out_of_reach=tuple(handed_out(workspace.blobs)),
            sources=sources,
            dry_run=dry_run,
        )


def _pending(workspace: Workspace, episode_id: str, wish: Wish) -> Pending:
    """What was begun, what is to be done, or of an episode that is gone already what can still be searched for."""
    begun = {entry.takedown.episode_id: entry for entry in read_pending(workspace.blobs)}
    if episode_id in begun:
        return begun[episode_id]
    at = wish.at or datetime.now(UTC).isoformat(timespec="seconds")
    before = read_takedowns(workspace.blobs).by_id.get(episode_id)
    asked = Asked(at, wish.reason, wish.refit, DISCOVER)
    found = gather(workspace, episode_id, asked, known=before is not None)
    if before is not None:
        files = dict.fromkeys([*before.videos, *before.files], "source file SHA-256")
        terms = found.terms.model_copy(update={"ids": {**files, **found.terms.ids}})
        entry = before.model_copy(update={"proof": None})
        return found.model_copy(update={"takedown": entry, "terms": terms})
    review = _review_folder(workspace, wish)
    rows = count_in_folder(review, episode_id) if review else 0
    removed = {**found.takedown.removed, **({REVIEW: rows} if rows else {})}
    return found.model_copy(update={"takedown": found.takedown.model_copy(update={"removed": removed})})


def _remove(workspace: Workspace, pending: Sequence[Pending], terms: Terms, wish: Wish) -> None:
    for entry in pending:
        write_pending(workspace.blobs, entry)
        write_takedown(workspace.blobs, entry.takedown)
    for _, step in steps(workspace, pending, terms):
        step()
    ids = [entry.takedown.episode_id for entry in pending]
    if review := _review_folder(workspace, wish):
        forget_in_folder(review, ids, pending[0].takedown.at)
    if is_local(workspace.url):
        forget_in_plans(_root(workspace), ids)


def _searched(workspace: Workspace, terms: Terms, wish: Wish) -> Searched:
    """The workspace, and the review folder where it lies elsewhere."""
    found = search_folder(workspace.blobs, terms, workspace.rows_of_file)
    review = _review_folder(workspace, wish)
    inside = is_local(workspace.url) and review and review.resolve().is_relative_to(_root(workspace).resolve())
    if review and review.is_dir() and not inside:
        beside = search_folder(Blobs(str(review)), terms, skip=())
        named = tuple(Remaining(f"{review}/{one.path}", one.why) for one in beside.remaining)
        found += Searched(beside.n_files, beside.n_bytes, beside.n_values, named)
    return found


def _with_sets(blobs: Blobs, entry: Pending) -> Pending:
    """The sets that held it, with what is there in their place."""
    now = {
        was: str(json.loads(blobs.read(f"{SHARDS}/{was}/{REPLACED}"))["shard_set_id"])
        for was in entry.takedown.shard_sets
    }
    return entry.model_copy(update={"takedown": entry.takedown.model_copy(update={"shard_sets": now})})


def _sources(pending: Sequence[Pending]) -> tuple[str, ...]:
    urls = (text for entry in pending for text, what in entry.terms.texts.items() if what == "source file URL")
    return tuple(sorted(urls))


def _review_folder(workspace: Workspace, wish: Wish) -> Path | None:
    """Reviews are local, so an object store has none in it."""
    if wish.review is None and is_local(workspace.url):
        return _root(workspace) / REVIEW
    return wish.review


def _root(workspace: Workspace) -> Path:
    return Path(workspace.url.removeprefix("file://"))
