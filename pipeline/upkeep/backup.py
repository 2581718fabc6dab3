"""Making a backup: a snapshot of the workspace, of which only what the place does not have yet is read and copied."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib.metadata import version
from itertools import islice
from pathlib import Path

from pipeline.files import FileStat
from pipeline.store import Workspace
from pipeline.upkeep.backup_place import BackupPlace
from pipeline.upkeep.snapshot import Snapshot, settles, snapshot
from schemas.backup import Backup, BackupFile

WORKERS = 8
"""An object store answers many at a time; a disk does not mind."""
_AT_ONCE = 1024


@dataclass(frozen=True)
class BackedUp:
    """A finished backup and what it cost."""

    backup: Backup
    n_copied: int
    copied_bytes: int
    n_known: int
    """Files not even read: they look as they did, under names that mean one content for good."""


@dataclass(frozen=True)
class Beside:
    """A local file that goes into a backup under another path: the copy of the review file."""

    path: str
    file: Path


@dataclass(frozen=True)
class _Kept:
    file: BackupFile
    new: bool
    read: bool


def back_up(
    workspace: Workspace, place: BackupPlace, now: datetime, beside: Callable[[], Sequence[Beside]]
) -> BackedUp:
    """Back a workspace up, also while a run is at work in it. ``beside`` is asked last.

    Raises DamagedError when the place does not give back what it was given.
    """
    before = [backup for backup in place.backups() if backup.workspace == workspace.url]
    known = {file.path: file for file in place.files(before[-1])} if before else {}
    seen = snapshot(workspace)
    kept: list[_Kept] = []
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(WORKERS))
        files = iter(seen.files)
        while chunk := list(islice(files, _AT_ONCE)):
            kept += [one for one in pool.map(partial(_keep, seen, place, known), chunk) if one is not None]
    kept += [_keep_beside(place, one) for one in beside()]
    listed = sorted((one.file for one in kept), key=lambda file: file.path)
    files_sha256 = place.keep_files(listed)
    backup = Backup(
        name=f"{now:%Y%m%dT%H%M%S.%fZ}-{files_sha256[:8]}",
        workspace=workspace.url,
        joinery=version("joinery"),
        files=files_sha256,
        n_files=len(listed),
        n_bytes=sum(file.n_bytes for file in listed),
        tables=dict(seen.tables),
    )
    place.finish(backup)
    new = {one.file.sha256: one.file.n_bytes for one in kept if one.new}
    return BackedUp(backup, len(new), sum(new.values()), sum(not one.read for one in kept))


def _keep(seen: Snapshot, place: BackupPlace, known: dict[str, BackupFile], file: FileStat) -> _Kept | None:
    """Keep one file; None for one that has gone since it was listed, which no table or set needs."""
    was = known.get(file.path)
    if was is not None and _looks_the_same(was, file) and place.held.get(was.sha256) == was.n_bytes:
        return _Kept(was, new=False, read=False)
    try:
        with seen.open(file) as stream:
            sha256, n_bytes, new = place.keep(stream)
    except FileNotFoundError:
        if settles(file.path):
            raise
        return None
    return _Kept(BackupFile(file.path, n_bytes, file.mtime_ns, sha256), new, read=True)


def _looks_the_same(was: BackupFile, file: FileStat) -> bool:
    return settles(file.path) and (was.n_bytes, was.mtime_ns) == (file.size, file.mtime_ns)


def _keep_beside(place: BackupPlace, one: Beside) -> _Kept:
    with one.file.open("rb") as stream:
        sha256, n_bytes, new = place.keep(stream)
    return _Kept(BackupFile(one.path, n_bytes, 0, sha256), new, read=True)


def thin_out(place: BackupPlace, workspace_url: str, keep: int) -> Iterator[Backup]:
    """Remove all but the newest backups of a workspace, and what only they needed; those removed."""
    own = [backup for backup in place.backups() if backup.workspace == workspace_url]
    gone = own[: max(0, len(own) - keep)]
    for backup in gone:
        place.remove(backup)
        yield backup
    place.sweep()
