"""Reading backups: into a workspace, or only to see that all is still there and what it was.

A restore goes into an empty folder. The manifest of ``work_done`` comes last: until then the folder is no workspace,
and a restore that was killed goes on when it is repeated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import BinaryIO

from pipeline.blobs import Blobs
from pipeline.errors import StoreError
from pipeline.shards.latest import SHARDS
from pipeline.upkeep.backup import WORKERS
from pipeline.upkeep.backup_place import BackupPlace, DamagedError
from pipeline.upkeep.files_there import files_there
from pipeline.upkeep.snapshot import makes_it_a_workspace
from schemas.backup import Backup, BackupFile
from schemas.takedown import FOLDER as FORGOTTEN

RESTORING = "restoring.json"
"""In a folder that is being restored: from which backup."""
_LINKED = ("tars/", "manifests/", f"{SHARDS}/")
"""Here several names may be one file; elsewhere one may be written to in place."""
_AT_ONCE = 1024


@dataclass(frozen=True)
class Restored:
    """What was read, and what is wrong with it."""

    backup: Backup
    n_files: int
    n_bytes: int
    problems: tuple[str, ...]
    """One per damaged content, with a file that needs it."""
    forgotten_since: tuple[str, ...] = ()
    """Entries of the takedown list that a later backup has and this one has not."""


def check(place: BackupPlace, backup: Backup) -> Restored:
    """Read every content of a backup and compare it with its name."""
    files = place.files(backup)
    problems = [problem for problem in _each(partial(_check, place), files) if problem]
    return Restored(backup, len(files), sum(file.n_bytes for file in files), tuple(problems))


def restore(place: BackupPlace, backup: Backup, target: Blobs, elsewhere: Callable[[str], bool]) -> Restored:
    """Put a backup into an empty folder; files whose path is ``elsewhere`` are left to the caller.

    Damage is told and not raised; then the folder is no workspace. Raises StoreError for a folder that holds something.
    """
    _begin(target, backup)
    files = [file for file in place.files(backup) if not elsewhere(file.path)]
    last = [file for file in files if makes_it_a_workspace(file.path)]
    first_names, other_names = _names([file for file in files if file not in last])
    there = {file.path: file.size for file in files_there(target)}
    put = partial(_put, place, target, there)
    problems = [problem for problem in _each(put, first_names) if problem]
    if not problems:
        for file, like in other_names:
            target.link(like.path, file.path)
        problems = [problem for problem in map(put, last) if problem]
    if not problems:
        target.remove(RESTORING)
    n_bytes = sum(file.n_bytes for file in files)
    return Restored(backup, len(files), n_bytes, tuple(problems), tuple(_forgotten_since(place, backup, files)))


def put_one(place: BackupPlace, file: BackupFile, write: BinaryIO) -> None:
    """Write a file of a backup. Raises DamagedError at its end when it is not what it was."""
    for chunk in place.content(file.sha256):
        write.write(chunk)


def _begin(target: Blobs, backup: Backup) -> None:
    """Mark the folder as being restored. Raises StoreError when something else is there."""
    mark = (backup.model_dump_json(indent=1) + "\n").encode()
    if target.exists(RESTORING):
        if target.read(RESTORING) == mark:
            return
        raise StoreError(f"{target.url}: another backup was being restored there; empty the folder, or name another")
    there = files_there(target)
    if there:
        raise StoreError(f"{target.url}: holds {there[0].path}, expected an empty folder; name another with --to")
    target.put_bytes(RESTORING, mark)


def _names(files: Sequence[BackupFile]) -> tuple[list[BackupFile], list[tuple[BackupFile, BackupFile]]]:
    """Files to be written, and those that are another name of one of these: a set's tars."""
    written: dict[str, BackupFile] = {}
    first: list[BackupFile] = []
    other: list[tuple[BackupFile, BackupFile]] = []
    for file in files:
        if not file.path.startswith(_LINKED):
            first.append(file)
        elif file.sha256 in written:
            other.append((file, written[file.sha256]))
        else:
            written[file.sha256] = file
            first.append(file)
    return first, other


def _each(deed: Callable[[BackupFile], str], files: Sequence[BackupFile]) -> Iterator[str]:
    with ThreadPoolExecutor(WORKERS) as pool:
        left = iter(files)
        while chunk := list(islice(left, _AT_ONCE)):
            yield from pool.map(deed, chunk)


def _check(place: BackupPlace, file: BackupFile) -> str:
    try:
        for _ in place.content(file.sha256):
            pass
    except DamagedError as error:
        return f"{file.path}: {error}"
    return ""


def _put(place: BackupPlace, target: Blobs, there: dict[str, int], file: BackupFile) -> str:
    if there.get(file.path) == file.n_bytes and _is(target, file):
        return ""
    try:
        target.put(file.path, partial(put_one, place, file))
    except DamagedError as error:
        return f"{file.path}: {error}"
    return ""


def _is(target: Blobs, file: BackupFile) -> bool:
    """Whether what an earlier, killed restore has put there is right."""
    hasher = hashlib.sha256()
    with target.open(file.path) as stream:
        while chunk := stream.read(1 << 20):
            hasher.update(chunk)
    return hasher.hexdigest() == file.sha256


def _forgotten_since(place: BackupPlace, backup: Backup, files: Sequence[BackupFile]) -> Iterator[str]:
    """A takedown reaches no backup, so what an old one brings back must be taken down again."""
    newest = [later for later in place.backups() if later.workspace == backup.workspace][-1]
    if newest.name == backup.name:
        return
    had = {file.path for file in files}
    for file in place.files(newest):
        if file.path.startswith(f"{FORGOTTEN}/") and file.path.count("/") == 1 and file.path not in had:
            yield file.path
