"""``joinery review export``: what people said goes back to the pipeline, as the workspace's revision.

The next run takes it in: of an episode whose review changed it does `segment` and what stands on it again, and of no
other (docs/review.md, "Back to the pipeline").
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from annotators.review.accepted import review_of
from annotators.review.log import replayed
from annotators.review.store import ReviewStore
from jobs.review_folder import existing_reviews, is_copy, quarantined
from pipeline.errors import JoineryError
from pipeline.revision import PATH, publish, reviews_in, written
from pipeline.store import Workspace
from schemas.review import Review


@dataclass(frozen=True)
class Exported:
    """What was written, or would be."""

    path: str
    at_rev: int
    episodes: int
    events: int
    rejected: int
    """Of the events: those that will be no samples."""
    left_out: int
    """Episodes that people took out as a whole."""
    changed: tuple[str, ...]
    """Episodes that the next run does again: their review is not the one of the revision before."""
    dry_run: bool
    sha256: str


def export_revision(
    workspace: Workspace, folder: Path, *, at_rev: int | None = None, dry_run: bool = False
) -> Exported:
    """Replace the workspace's revision by what people have said, up to entry ``at_rev`` of the review's log.

    Raises StoreError when there are no reviews, JoineryError for an entry that is not there yet.
    """
    with closing(existing_reviews(folder)) as store:
        last = store.n_entries()
        if at_rev is not None and not 0 <= at_rev <= last:
            raise JoineryError(f"--at-rev {at_rev}: expected 0 … {last}, the entries the log has now")
        at_rev = last if at_rev is None else at_rev
        count = _Count(reviews_in(workspace.blobs))
        reviews = count.counted(reviews_of(store, at_rev))
        with Path(os.devnull).open("wb") as nowhere:
            made = written(reviews, at_rev, nowhere) if dry_run else publish(workspace.blobs, reviews, at_rev)
    changed = tuple(count.changed)
    return Exported(
        PATH, at_rev, made.episodes, count.events, count.rejected, count.left_out, changed, dry_run, made.sha256
    )


def reviews_of(store: ReviewStore, at_rev: int | None = None) -> Iterator[Review]:
    """What people said of each episode, in order of id; raters' copies are for `agreement` and say nothing here.

    Quarantine is that of now, whatever the revision: what must not be seen must not come back with an old one.
    """
    withheld = quarantined(store)
    for episode_id in store.episodes():
        if is_copy(episode_id):
            continue
        entries = store.log(episode_id, at_rev)
        left_out = withheld.get(episode_id, "")
        review = review_of(replayed(store.imported(episode_id), entries), entries, left_out)
        if review is not None:
            yield review


@dataclass
class _Count:
    """Counts reviews on their way, and compares them with the revision before; both come in order of id."""

    _before: Iterator[Review]
    events: int = 0
    rejected: int = 0
    left_out: int = 0
    changed: list[str] = field(default_factory=list)

    def counted(self, reviews: Iterator[Review]) -> Iterator[Review]:
        old = next(self._before, None)
        for review in reviews:
            while old is not None and old.episode_id < review.episode_id:
                self.changed.append(old.episode_id)
                old = next(self._before, None)
            same = old is not None and old.episode_id == review.episode_id
            if not same or (old is not None and old.sha256 != review.sha256):
                self.changed.append(review.episode_id)
            if same:
                old = next(self._before, None)
            self.events += len(review.events)
            self.rejected += sum(e.words is not None and e.words.state == "rejected" for e in review.events)
            self.left_out += bool(review.left_out)
            yield review
        while old is not None:
            self.changed.append(old.episode_id)
            old = next(self._before, None)
