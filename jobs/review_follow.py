"""``joinery review follow``: the present trees of the machine come into the episodes under review.

What people touched stays (`annotators.review.suggest`). Episodes that are not under review are none of this verb's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from annotators.review.accepted import PIPELINE
from annotators.review.document import Document
from annotators.review.from_tree import document_of
from annotators.review.suggest import CannotFollowError
from jobs.past_runs import newest_of
from jobs.review_folder import existing_reviews, is_copy
from jobs.river import RIVER
from pipeline.errors import JoineryError
from pipeline.ledger import Ledger
from pipeline.store import Workspace
from schemas.episode import Episode
from schemas.event import Event
from schemas.run import WorkDone

CHUNK = 64


@dataclass(frozen=True)
class Followed:
    """What became of the episodes under review."""

    changed: int
    unchanged: int
    suggestions: int
    """Places where the machine would have it otherwise than people, over all episodes."""
    refused: tuple[str, ...]
    """Why an episode stays as it is."""
    without_tree: tuple[str, ...]
    """Under review, and without events under this recipe."""


def follow(workspace: Workspace, ledger: Ledger, folder: Path) -> Followed:
    """Take the present trees in. Raises StoreError when there are no reviews, JoineryError without any run."""
    actor = PIPELINE + _last_run(workspace)
    changed = unchanged = waiting = 0
    refused = []
    with closing(existing_reviews(folder)) as store:
        left = {episode_id for episode_id in store.episodes() if not is_copy(episode_id)}
        for newer in trees(workspace, ledger, left):
            left.discard(newer.episode_id)
            try:
                moved = bool(store.follow(newer, actor))
            except CannotFollowError as error:
                refused.append(str(error))
                continue
            changed, unchanged = changed + moved, unchanged + (not moved)
            waiting += len(store.suggestions(newer.episode_id))
    return Followed(changed, unchanged, waiting, tuple(refused), tuple(sorted(left)))


def trees(workspace: Workspace, ledger: Ledger, episodes: set[str]) -> Iterator[Document]:
    """The present trees of these episodes as documents, in order of id, a few in memory at a time."""
    stage = [stage.name for stage in RIVER if Event in stage.writes][-1]
    done = [(item, attempt) for item, attempt in ledger.done_attempts(stage) if item in episodes]
    ingested = dict(ledger.done_attempts("ingest"))
    for i in range(0, len(done), CHUNK):
        chunk = done[i : i + CHUNK]
        events = workspace.read(Event, [attempt for _, attempt in chunk])
        recordings = workspace.read(Episode, [ingested[item] for item, _ in chunk])
        for item, attempt in chunk:
            if events[attempt]:
                n_frames = recordings[ingested[item]][0].master.n_frames
                yield document_of(item, n_frames, events[attempt])


def _last_run(workspace: Workspace) -> str:
    """The run that made the newest tree; its id signs what is taken in."""
    stage = [stage.name for stage in RIVER if Event in stage.writes][-1]
    runs = {row.run_id for row in workspace.rows(WorkDone, f"stage = '{stage}'")}
    if not runs:
        raise JoineryError("no run has made any events yet; `joinery run` does")
    return newest_of(workspace, runs)
