"""The place where backups are kept: contents under their SHA-256, each once, and a header per backup.

What a file was called stands in the list of each backup, so a second backup costs what is new. Everything that is
written is read back and compared, and everything that is read is compared: a place that lies is found out.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from pipeline.blobs import Blobs
from pipeline.errors import StoreError
from pipeline.upkeep.files_there import files_there
from schemas.arrow import from_table, to_table
from schemas.backup import BACKUPS, OBJECTS, Backup, BackupFile

SPOOL_BYTES = 16 << 20
_CHUNK = 4 << 20


class DamagedError(StoreError):
    """A content is not there, or is not what its name says."""


@dataclass(frozen=True)
class BackupPlace:
    """A folder or an object-store URL with backups of one workspace or several."""

    blobs: Blobs

    @property
    def url(self) -> str:
        return self.blobs.url

    # -- contents --------------------------------------------------------------------------------------------------

    @cached_property
    def held(self) -> dict[str, int]:
        """SHA-256 → bytes of every content that is there, as listed when first asked for."""
        return {file.path.rpartition("/")[2]: file.size for file in files_there(self.blobs, OBJECTS)}

    def keep(self, stream: BinaryIO) -> tuple[str, int, bool]:
        """Keep a content: its SHA-256, its bytes, and whether it was new. Raises DamagedError when it reads back
        otherwise."""
        hasher, n_bytes = hashlib.sha256(), 0
        with tempfile.SpooledTemporaryFile(SPOOL_BYTES) as spool:
            while chunk := stream.read(_CHUNK):
                hasher.update(chunk)
                n_bytes += len(chunk)
                spool.write(chunk)
            sha256 = hasher.hexdigest()
            if self.held.get(sha256) == n_bytes:
                return sha256, n_bytes, False

            def write(out: BinaryIO) -> None:
                spool.seek(0)
                while chunk := spool.read(_CHUNK):
                    out.write(chunk)

            self.blobs.put(object_path(sha256), write)
        for _ in self.content(sha256):
            pass
        self.held[sha256] = n_bytes
        return sha256, n_bytes, True

    def content(self, sha256: str) -> Iterator[bytes]:
        """A content, piece by piece. Raises DamagedError at the end when it was not what its name says."""
        hasher = hashlib.sha256()
        try:
            with self.blobs.open(object_path(sha256)) as stream:
                while chunk := stream.read(_CHUNK):
                    hasher.update(chunk)
                    yield chunk
        except FileNotFoundError as error:
            raise DamagedError(f"{self.url}/{object_path(sha256)}: not there") from error
        if hasher.hexdigest() != sha256:
            raise DamagedError(f"{self.url}/{object_path(sha256)}: is not what its name says; it was damaged")

    # -- backups ---------------------------------------------------------------------------------------------------

    def backups(self) -> list[Backup]:
        """Every finished backup, oldest first."""
        found = []
        for path in self.blobs.list(BACKUPS):
            try:
                found.append(Backup.model_validate_json(self.blobs.read(path)))
            except ValidationError as error:
                raise StoreError(
                    f"{self.url}/{path}: no header of a backup ({error.errors()[0]['msg']}); if another version of "
                    "Joinery made it, use that one, else remove the file: the other backups do not need it"
                ) from error
        return sorted(found, key=lambda backup: backup.name)

    def backup(self, name: str = "") -> Backup:
        """The backup of this name, or the newest. Raises StoreError when there is none, or it is not clear whose."""
        there = self.backups()
        if not there:
            raise StoreError(f"{self.url}: found no backup there; `joinery backup RECIPE --to URL` makes one")
        chosen = [backup for backup in there if backup.name.startswith(name)] if name else there
        if not chosen or (name and len(chosen) > 1):
            names = ", ".join(backup.name for backup in there)
            raise StoreError(f"{self.url}: {len(chosen)} backups are called {name}…; there are {names}")
        if len({backup.workspace for backup in chosen}) > 1:
            newest = {backup.workspace: backup.name for backup in chosen}
            several = "; ".join(f"{workspace}: {named}" for workspace, named in newest.items())
            raise StoreError(f"{self.url}: holds backups of several workspaces, name one with --backup ({several})")
        return chosen[-1]

    def files(self, backup: Backup) -> list[BackupFile]:
        """The list of a backup, by path. Raises DamagedError when the list itself is damaged."""
        data = b"".join(self.content(backup.files))
        return from_table(BackupFile, pq.read_table(pa.BufferReader(data)))

    def keep_files(self, files: list[BackupFile]) -> str:
        """Keep a list; its SHA-256."""
        with tempfile.SpooledTemporaryFile(SPOOL_BYTES) as spool:
            pq.write_table(to_table(BackupFile, files), spool)
            spool.seek(0)
            return self.keep(cast(BinaryIO, spool))[0]

    def finish(self, backup: Backup) -> None:
        """From now on there is this backup."""
        self.blobs.put_bytes(f"{BACKUPS}/{backup.name}.json", (backup.model_dump_json(indent=1) + "\n").encode())

    def remove(self, backup: Backup) -> None:
        """There is no such backup any more; `sweep` takes its contents."""
        self.blobs.remove(f"{BACKUPS}/{backup.name}.json")

    def sweep(self) -> int:
        """Remove the contents that no backup needs, those of backups that were never finished too; how many."""
        needed = {backup.files for backup in self.backups()}
        for backup in self.backups():
            needed |= {file.sha256 for file in self.files(backup)}
        unneeded = [file for file in files_there(self.blobs, OBJECTS) if file.path.rpartition("/")[2] not in needed]
        for file in unneeded:
            self.blobs.remove(file.path)
        return len(unneeded)


def object_path(sha256: str) -> str:
    """Where a content is kept."""
    return f"{OBJECTS}/{sha256[:2]}/{sha256}"
