"""Files of a workspace that are not table rows: tars, manifests, cards. Local disk and object stores alike.

A blob appears whole or not at all: locally through a temporary name and a rename, on an object store because a
put is atomic there. Names are below the workspace root and made of content keys, so writing the same blob twice
(a retried worker, a resumed run) is harmless.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow.fs as pafs

SPOOL_BYTES = 64 << 20
COPY_BYTES = 4 << 20


@dataclass(frozen=True)
class Blobs:
    """The blob side of a workspace; picklable, so that workers can carry it."""

    url: str
    """Absolute local path or object-store URL of the workspace."""
    storage: dict[str, str] = field(default_factory=dict)

    def put(self, path: str, write: Callable[[BinaryIO], None]) -> None:
        """Write one blob atomically; ``write`` gets a binary file. An existing blob is replaced."""
        filesystem, root = filesystem_of(self.url, self.storage)
        target = f"{root}/{path}"
        if not isinstance(filesystem, pafs.LocalFileSystem):
            with tempfile.SpooledTemporaryFile(SPOOL_BYTES) as spool:  # an upload completes even when ``write`` fails
                write(cast(BinaryIO, spool))
                spool.seek(0)
                with filesystem.open_output_stream(target) as stream:
                    shutil.copyfileobj(spool, stream, COPY_BYTES)
            return
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        attempt = Path(f"{target}.{uuid.uuid4().hex}.tmp")
        try:
            with attempt.open("wb") as stream:
                write(stream)
                stream.flush()
                os.fsync(stream.fileno())
            attempt.replace(target)
        finally:
            attempt.unlink(missing_ok=True)

    def put_bytes(self, path: str, data: bytes) -> None:
        """`put` for bytes at hand."""
        self.put(path, lambda stream: cast(None, stream.write(data)))

    def open(self, path: str) -> BinaryIO:
        """A seekable binary file; raises FileNotFoundError naming the blob."""
        filesystem, root = filesystem_of(self.url, self.storage)
        return cast(BinaryIO, filesystem.open_input_file(f"{root}/{path}"))

    def read(self, path: str) -> bytes:
        """The whole blob."""
        with self.open(path) as stream:
            return stream.read()

    def exists(self, path: str) -> bool:
        filesystem, root = filesystem_of(self.url, self.storage)
        found: bool = filesystem.get_file_info(f"{root}/{path}").type == pafs.FileType.File
        return found

    def list(self, prefix: str, *, unfinished: bool = False) -> list[str]:
        """Paths of all blobs below a folder, sorted; empty when the folder does not exist.

        ``unfinished`` adds what a kill left behind while it was written.
        """
        filesystem, root = filesystem_of(self.url, self.storage)
        selector = pafs.FileSelector(f"{root}/{prefix}".rstrip("/"), recursive=True, allow_not_found=True)
        found = [info.path for info in filesystem.get_file_info(selector) if info.type == pafs.FileType.File]
        return sorted(path[len(root) + 1 :] for path in found if unfinished or not path.endswith(".tmp"))

    def remove(self, path: str) -> None:
        """Remove one blob; nothing happens when there is none."""
        filesystem, root = filesystem_of(self.url, self.storage)
        if filesystem.get_file_info(f"{root}/{path}").type == pafs.FileType.File:
            filesystem.delete_file(f"{root}/{path}")

    def remove_folder(self, path: str) -> None:
        """Remove a folder of blobs; nothing happens when there is none."""
        filesystem, root = filesystem_of(self.url, self.storage)
        if filesystem.get_file_info(f"{root}/{path}").type == pafs.FileType.Directory:
            filesystem.delete_dir(f"{root}/{path}")

    def link(self, source: str, target: str) -> None:
        """Make ``target`` the same blob as ``source``; by hard link or server-side copy, so no bytes travel."""
        filesystem, root = filesystem_of(self.url, self.storage)
        if not isinstance(filesystem, pafs.LocalFileSystem):
            filesystem.copy_file(f"{root}/{source}", f"{root}/{target}")
            return
        destination = Path(f"{root}/{target}")
        destination.parent.mkdir(parents=True, exist_ok=True)
        attempt = Path(f"{destination}.{uuid.uuid4().hex}.tmp")
        os.link(f"{root}/{source}", attempt)
        attempt.replace(destination)
        attempt.unlink(missing_ok=True)  # rename(2) is a no-op between two links of one file


def is_local(url: str) -> bool:
    """Whether a workspace or source URL is a path on this machine."""
    return "://" not in url or url.startswith("file://")


def filesystem_of(url: str, storage: dict[str, str]) -> tuple[pafs.FileSystem, str]:
    """The Arrow filesystem and the path in it. ``storage`` keys: endpoint, region, access_key_id, secret_access_key."""
    if is_local(url):
        return pafs.LocalFileSystem(), os.path.abspath(url.removeprefix("file://"))
    if url.startswith("s3://"):
        endpoint = storage.get("endpoint", "")
        filesystem = pafs.S3FileSystem(
            access_key=storage.get("access_key_id"),
            secret_key=storage.get("secret_access_key"),
            region=storage.get("region"),
            endpoint_override=endpoint.split("://")[-1] or None,
            scheme="http" if endpoint.startswith("http://") else "https",
        )
        return filesystem, url.removeprefix("s3://").rstrip("/")
    filesystem, path = pafs.FileSystem.from_uri(url)
    return filesystem, path.rstrip("/")
