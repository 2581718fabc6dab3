"""Which episode is meant, and which recordings are like it."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from pipeline.errors import JoineryError
from pipeline.forget.takedowns import read_pending, read_takedowns
from pipeline.store import Workspace
from schemas.arrow import from_table
from schemas.duplicate import DuplicateEpisodes
from schemas.episode import Episode
from schemas.source import EpisodeRef

MOST_LISTED = 20


def episode_named(workspace: Workspace, subject: str) -> str:
    """The one episode that has this id (or its beginning), locator (``source: locator`` too) or part of a path.

    Raises JoineryError for none and for several: what is removed does not come back.
    """
    named = _named(workspace)
    exact = {episode for episode, names in named.items() if subject in names}
    found = exact or {
        episode
        for episode, names in named.items()
        if episode.startswith(subject) or (not subject.startswith("ep-") and any(subject in name for name in names))
    }
    if not found:
        raise JoineryError(
            f"{subject}: no episode of this workspace, present or taken down; give an id (ep-…), a locator or part of "
            "a file's path, as `joinery trace` takes them"
        )
    if len(found) > 1:
        lines = [f"  {episode}  {min(named[episode] - {episode})}" for episode in sorted(found)[:MOST_LISTED]]
        more = [f"  … and {len(found) - MOST_LISTED} more"] if len(found) > MOST_LISTED else []
        raise JoineryError("\n".join([f"{subject}: {len(found)} episodes fit; name one by its id:", *lines, *more]))
    return found.pop()


def copies_of(workspace: Workspace, episode_ids: Sequence[str]) -> list[DuplicateEpisodes]:
    """Pairs that dedup found of these episodes and, through them, of others like them."""
    pairs = {
        (pair.episode_id, pair.kept_id): pair
        for batch in workspace.scan(DuplicateEpisodes)
        for pair in from_table(DuplicateEpisodes, pa.Table.from_batches([batch]))
    }
    reached, found = set(episode_ids), dict[tuple[str, str], DuplicateEpisodes]()
    while more := {key: pair for key, pair in pairs.items() if key not in found and reached & set(key)}:
        found |= more
        reached |= {name for key in more for name in key}
    return [found[key] for key in sorted(found)]


def _named(workspace: Workspace) -> dict[str, set[str]]:
    """Every episode the workspace knows of, by id: all it is called."""
    found: dict[str, set[str]] = {}
    for batch in workspace.scan(EpisodeRef, ["episode_id", "source", "root", "locator", "files"]):
        for row in batch.to_pylist():
            names = found.setdefault(row["episode_id"], {row["episode_id"]})
            names |= {row["locator"], f"{row['source']}: {row['locator']}"}
            names |= {f"{row['root']}/{file['path']}" for file in row["files"]}
    for batch in workspace.scan(Episode, ["episode_id", "source", "locator"]):
        for row in batch.to_pylist():
            names = found.setdefault(row["episode_id"], {row["episode_id"]})
            names |= {row["locator"], f"{row['source']}: {row['locator']}"}
    for entry in read_pending(workspace.blobs):
        found.setdefault(entry.takedown.episode_id, set()).update([entry.takedown.episode_id, *entry.terms.texts])
    for episode_id in read_takedowns(workspace.blobs).by_id:
        found.setdefault(episode_id, {episode_id})
    return found
