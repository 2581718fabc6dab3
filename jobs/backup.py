"""``joinery backup`` and ``joinery restore``: a workspace with the reviews that belong to it (docs/operations.md)."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from annotators.review.snapshots import copy_to
from jobs.review_folder import FILE, FOLDER
from pipeline.at_work import Deed, at_work
from pipeline.blobs import Blobs, is_local
from pipeline.errors import StoreError
from pipeline.store import Workspace
from pipeline.upkeep.backup import BackedUp, Beside, back_up, thin_out
from pipeline.upkeep.backup_place import BackupPlace
from pipeline.upkeep.restore import Restored, put_one, restore

_REVIEWS = f"{FOLDER}/"
_NOT_COPIED = ("lock", FILE)
"""Who holds the folder open, and the review file itself, of which SQLite makes a copy; its log may be half written."""


@dataclass(frozen=True)
class Made:
    """A backup that was made."""

    made: BackedUp
    removed: tuple[str, ...]
    """Older backups that were to be kept no longer."""


def make_backup(workspace: Workspace, place: BackupPlace, review: Path | None = None, keep: int | None = None) -> Made:
    """Back up a workspace and its reviews. Raises StoreError while something is removed from either place."""
    inside = _inside(workspace.url)
    with tempfile.TemporaryDirectory() as scratch, at_work(workspace.blobs, Deed.BACKUP):

        def reviews() -> Sequence[Beside]:  # last: the review file then has all that its mirror has
            folder = review or inside
            return [] if folder is None else _reviews(folder, Path(scratch), whole=folder != inside)

        with at_work(place.blobs, Deed.BACKUP):
            made = back_up(workspace, place, datetime.now(UTC), reviews)
        if keep is None:
            return Made(made, ())
        with at_work(place.blobs, Deed.GC):
            return Made(made, tuple(backup.name for backup in thin_out(place, workspace.url, keep)))


def restore_backup(place: BackupPlace, name: str, target: Blobs, review: Path | None = None) -> Restored:
    """Put a backup back, and its reviews into the workspace or the folder named.

    Raises StoreError for a target that is not empty, and for reviews that nobody has said a local folder for.
    """
    backup = place.backup(name)
    reviews = [file for file in place.files(backup) if file.path.startswith(_REVIEWS)]
    if reviews and review is None and not is_local(target.url):
        raise StoreError(
            f"{target.url}: found an object store, and the reviews in this backup need a local disk; name a folder "
            "with --review"
        )
    if review is not None and review.is_dir() and any(review.iterdir()):
        raise StoreError(f"{review}: is not empty; name another folder with --review")
    done = restore(place, backup, target, lambda path: review is not None and path.startswith(_REVIEWS))
    if review is not None and not done.problems:
        for file in reviews:
            path = review / file.path.removeprefix(_REVIEWS)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as stream:
                put_one(place, file, stream)
    return done


def _inside(url: str) -> Path | None:
    return Path(url.removeprefix("file://")) / FOLDER if is_local(url) else None


def _reviews(folder: Path, scratch: Path, *, whole: bool) -> list[Beside]:
    """The review file as SQLite copies it, and of a folder outside the workspace everything else."""
    found = []
    if whole:
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        names = {path: path.relative_to(folder).as_posix() for path in paths}
        found = [Beside(f"{_REVIEWS}{name}", path) for path, name in names.items() if not name.startswith(_NOT_COPIED)]
    if (folder / FILE).is_file():
        found.append(Beside(f"{_REVIEWS}{FILE}", copy_to(folder / FILE, scratch / FILE)))
    return found
