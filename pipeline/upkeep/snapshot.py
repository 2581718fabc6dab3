"""Which files make up a workspace at one moment, also while a run is at work in it.

The version of ``work_done`` is taken first, then those of the other tables: whatever it vouches for was committed
before, so it stands in versions that were taken after. Rows that came later are there without a line that vouches for
them, and nobody sees them. Blobs are listed after that, and ``latest.json`` is read before: the set it names is whole.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, cast

from pipeline.at_work import FOLDER as AT_WORK
from pipeline.blobs import Blobs
from pipeline.errors import StoreError
from pipeline.files import FileStat
from pipeline.loader.names import LATEST
from pipeline.shards.latest import SHARDS
from pipeline.store import Workspace
from pipeline.table_files import files_of, manifest_names, newest
from pipeline.tables import LEDGERS
from pipeline.upkeep.files_there import files_there
from pipeline.upkeep.garbage import TRIED
from schemas.run import WorkDone

FIRST = LEDGERS[WorkDone]
_TABLES = "tables/"
_PASSING = (_TABLES, f"{AT_WORK}/", f"{TRIED}/", "inputs/", "review/lock", "review/review.sqlite")
"""Tables are copied version by version, the review file by SQLite; the rest says who is at work just now."""
_HALF = (".tmp", ".part")
_NEVER_REWRITTEN = (f"{_TABLES}", "tars/", "manifests/", f"{SHARDS}/ss-", "answers/", "review/media/")
"""Below these a name means one content for good."""


@dataclass(frozen=True)
class Snapshot:
    """A workspace at one moment."""

    blobs: Blobs
    tables: Mapping[str, int]
    """The version of each table."""
    files: tuple[FileStat, ...]
    pointers: Mapping[str, bytes]
    """Small files whose content was read first."""

    def open(self, file: FileStat) -> BinaryIO:
        """A file's content. Raises FileNotFoundError for one that has gone since."""
        if file.path in self.pointers:
            return cast(BinaryIO, io.BytesIO(self.pointers[file.path]))
        return self.blobs.open(file.path)


def snapshot(workspace: Workspace) -> Snapshot:
    """The workspace now. Raises StoreError for a table that lacks a file."""
    names = workspace.tables()
    versions = {name: newest(workspace, name) for name in sorted(names, key=lambda name: (name != FIRST, name))}
    pointers = dict(_pointers(workspace.blobs))
    there = {file.path: file for file in files_there(workspace.blobs)}
    files = [file for path, file in there.items() if not path.startswith(_PASSING) and not path.endswith(_HALF)]
    for name, version in versions.items():
        files += _of_table(workspace, name, version, there)
    return Snapshot(workspace.blobs, versions, tuple(sorted(files, key=lambda file: file.path)), pointers)


def settles(path: str) -> bool:
    """Whether a file of this name never changes once it is there."""
    return path.startswith(_NEVER_REWRITTEN)


def makes_it_a_workspace(path: str) -> bool:
    """Whether this file is what `Workspace.existing` looks for: put last, a half-restored folder is none."""
    return path.startswith(f"{_TABLES}{FIRST}.lance/_versions/")


def _pointers(blobs: Blobs) -> Iterator[tuple[str, bytes]]:
    path = f"{SHARDS}/{LATEST}"
    if blobs.exists(path):
        yield path, blobs.read(path)


def _of_table(workspace: Workspace, name: str, version: int, there: Mapping[str, FileStat]) -> Iterator[FileStat]:
    missing = []
    for path in files_of(workspace, name, version):
        if path in there:
            yield there[path]
        elif path not in manifest_names(name, version) and "/_transactions/" not in path:
            missing.append(path)
    if missing:
        raise StoreError(
            f"{workspace.url}: version {version} of table {name} needs {missing[0]}, which is not there "
            f"({len(missing)} files are missing); restore an earlier backup"
        )
