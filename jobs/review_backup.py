"""``joinery review backup``, ``restore`` and ``verify-media``: what stands between people's work and a bad day."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from annotators.review.database import Database
from annotators.review.folder import ReviewFolder
from annotators.review.media_registry import MediaRegistry
from annotators.review.mirror import Mirror, lines_of
from annotators.review.replay import replay_into
from annotators.review.snapshots import copy_to, restore, snapshot, stamped
from annotators.review.store import ReviewStore
from pipeline.errors import StoreError

_CHUNK = 1 << 20


def back_up(folder: Path, out: Path | None) -> Path:
    """A whole copy of the review file, also while it is served. Where it is."""
    parts = ReviewFolder(folder)
    if out is None:
        return snapshot(parts.database, parts.snapshots)
    return copy_to(parts.database, out)


@dataclass(frozen=True)
class Restored:
    """What was put back."""

    snapshot: str
    aside: str
    """Where the file is that was there before; empty when there was none."""
    replayed: int
    """Operations that were saved after the snapshot and came back from the mirror."""


def put_back(folder: Path, snapshot_file: Path | None, *, replay: bool = True) -> Restored:
    """A snapshot (default: the latest), and on top of it what the mirror has of later.

    Raises StoreError while a server has the folder open, for a snapshot that is none, and for a mirror of another file;
    then the file that was there is where it was, or named in the message.
    """
    parts = ReviewFolder(folder)
    chosen = snapshot_file or next(iter(reversed(stamped(parts.snapshots))), None)
    if chosen is None:
        raise StoreError(f"{parts.snapshots}: found no snapshot; name a file")
    with parts.held():
        aside = restore(chosen, parts.database, parts.snapshots)
        with closing(ReviewStore(parts.database)) as store:
            if replay:
                replayed = replay_into(store, lines_of(parts.log))
            else:
                replayed = 0
                if parts.log.is_dir():
                    parts.log.rename(folder / f"log.before-{chosen.stem}")
            Mirror(store.database, parts.log).catch_up()
    return Restored(str(chosen), "" if aside is None else str(aside), replayed)


@dataclass(frozen=True)
class MediaReport:
    """What was looked at and what is wrong."""

    n_files: int
    n_bytes: int
    problems: tuple[str, ...]


def verify_media(folder: Path) -> MediaReport:
    """Whether every registered picture file is there and is what its name says."""
    parts = ReviewFolder(folder)
    if not parts.database.is_file():
        raise StoreError(f"{parts.database}: found no reviews there; `joinery review serve RECIPE` makes them")
    with closing(Database(parts.database)) as database:
        registered = MediaRegistry(database).every()
    files: dict[str, str] = {sha256: f"{episode}, view {view}" for sha256, episode, view in registered}
    n_bytes, problems = 0, []
    for sha256, name in sorted(files.items()):
        path = parts.media_file(sha256)
        if not path.is_file():
            problems.append(f"{name}: {path.name} is gone; serving makes it again")
            continue
        n_bytes += path.stat().st_size
        if _sha256(path) != sha256:
            problems.append(f"{name}: {path.name} is not what its name says; delete it, serving makes it again")
    return MediaReport(len(files), n_bytes, tuple(problems))


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
