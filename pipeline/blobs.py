"""Files of a workspace that are not table rows: tars, manifests, cards. Local disk and object stores alike.

A blob appears whole or not at all: locally through a temporary name and a rename, on an object store because a
put is atomic there. Names are below the workspace root and made of content keys, so writing the same blob twice
(a retried worker, a resumed run) is harmless. The few names that are not, and that two writers may give different
contents, are written by `Blobs.put_over`, which overwrites nobody's.
"""

from __future__ import annotations

import fcntl
import filecmp
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

import pyarrow.fs as pafs

from pipeline.errors import ConflictError

if TYPE_CHECKING:
    from pipeline.bucket import Bucket

SPOOL_BYTES = 64 << 20


class Ranges(Protocol):
    """An open blob of which parts are read; a part is shorter where the blob ends."""

    def read_at(self, n_bytes: int, offset: int) -> bytes:
        """Bytes from an offset on."""

    def close(self) -> None:
        """Let go of it."""


@dataclass(frozen=True)
class Blobs:
    """The blob side of a workspace; picklable, so that workers can carry it."""

    url: str
    """Absolute local path or object-store URL of the workspace."""
    storage: dict[str, str] = field(default_factory=dict)

    def put(self, path: str, write: Callable[[BinaryIO], None]) -> None:
        """Write one blob atomically; ``write`` gets a binary file. An existing blob is replaced."""
        if self.bucket is not None:
            with tempfile.SpooledTemporaryFile(SPOOL_BYTES) as spool:  # nothing is sent when ``write`` fails
                write(cast(BinaryIO, spool))
                self.bucket.put(path, cast(BinaryIO, spool))
            return
        with self._written(path, write) as attempt:
            attempt.replace(self.local(path))

    @contextmanager
    def _written(self, path: str, write: Callable[[BinaryIO], None]) -> Iterator[Path]:
        """A file beside a local blob's place, to be moved there; gone on leaving if it was not."""
        target = self.local(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        attempt = Path(f"{target}.{uuid.uuid4().hex}.tmp")
        try:
            with attempt.open("wb") as stream:
                write(stream)
                stream.flush()
                os.fsync(stream.fileno())
            yield attempt
        finally:
            attempt.unlink(missing_ok=True)

    def put_bytes(self, path: str, data: bytes) -> None:
        """`put` for bytes at hand."""
        self.put(path, lambda stream: cast(None, stream.write(data)))

    def version(self, path: str) -> str:
        """What tells a blob from the one that takes its place; empty where there is none."""
        if self.bucket is not None:
            there = self.bucket.head(path)
            return (there.etag or "") if there else ""
        try:
            found = self.local(path).stat()
        except FileNotFoundError:
            return ""
        return f"{found.st_ino}-{found.st_size}-{found.st_mtime_ns}"

    def put_over(self, version: str, path: str, write: Callable[[BinaryIO], None]) -> None:
        """Write one blob in the place of that version (empty: of none). The same bytes there already are success.

        Raises ConflictError when somebody else's stand there by then; those stay.
        """
        if self.bucket is not None:
            with tempfile.SpooledTemporaryFile(SPOOL_BYTES) as spool:
                write(cast(BinaryIO, spool))
                spool.seek(0)
                self.bucket.put_if(path, spool.read(), version or None)
            return
        target = self.local(path)
        with self._written(path, write) as attempt, _alone(target.parent):
            if self.version(path) == version:
                attempt.replace(target)
            elif not target.is_file() or not filecmp.cmp(attempt, target, shallow=False):
                raise ConflictError(changed(f"{self.url}/{path}"))

    def open(self, path: str) -> BinaryIO:
        """A seekable binary file; raises FileNotFoundError naming the blob."""
        return self._local_file(path) if self.bucket is None else self.bucket.open(path)

    def ranges(self, path: str) -> Ranges:
        """For reading parts. Raises FileNotFoundError, on an object store only when the first part is asked for."""
        return cast(Ranges, self._local_file(path)) if self.bucket is None else self.bucket.ranges(path)

    def read(self, path: str) -> bytes:
        """The whole blob."""
        return self.local(path).read_bytes() if self.bucket is None else self.bucket.get(path)[0]

    def exists(self, path: str) -> bool:
        return self.local(path).is_file() if self.bucket is None else self.bucket.head(path) is not None

    def list(self, prefix: str, *, unfinished: bool = False) -> list[str]:
        """Paths of all blobs below a folder, sorted; empty when the folder does not exist.

        ``unfinished`` adds what a kill left behind while it was written.
        """
        found = self._walk(prefix) if self.bucket is None else (one.path for one in self.bucket.list(prefix))
        return sorted(path for path in found if unfinished or not path.endswith(".tmp"))

    def _walk(self, prefix: str) -> Iterator[str]:
        root = self.local("")
        for folder, _, names in os.walk(root / prefix):
            below = Path(folder).relative_to(root).as_posix()
            for name in names:
                path = name if below == "." else f"{below}/{name}"
                if os.path.isfile(root / path):  # a link that leads nowhere is none
                    yield path

    def remove(self, path: str) -> None:
        """Remove one blob; nothing happens when there is none."""
        if self.bucket is None:
            self.local(path).unlink(missing_ok=True)
        else:
            self.bucket.remove([path])

    def remove_folder(self, path: str) -> None:
        """Remove a folder of blobs; nothing happens when there is none."""
        if self.bucket is None:
            if self.local(path).is_dir():
                shutil.rmtree(self.local(path))
        else:
            self.bucket.remove([one.path for one in self.bucket.list(path)])

    def link(self, source: str, target: str) -> None:
        """Make ``target`` the same blob as ``source``; by hard link or server-side copy, so no bytes travel."""
        if self.bucket is not None:
            self.bucket.copy(source, target)
            return
        destination = self.local(target)
        destination.parent.mkdir(parents=True, exist_ok=True)
        attempt = Path(f"{destination}.{uuid.uuid4().hex}.tmp")
        os.link(self.local(source), attempt)
        attempt.replace(destination)
        attempt.unlink(missing_ok=True)  # rename(2) is a no-op between two links of one file

    def local(self, path: str) -> Path:
        """Where a blob of a local workspace lies."""
        return Path(os.path.abspath(self.url.removeprefix("file://"))) / path

    def _local_file(self, path: str) -> BinaryIO:
        return cast(BinaryIO, pafs.LocalFileSystem().open_input_file(str(self.local(path))))

    @cached_property
    def bucket(self) -> Bucket | None:
        """The object store; None for a path on this machine."""
        if is_local(self.url):
            return None
        from pipeline.bucket import Bucket  # noqa: PLC0415 - who reads local sets only needs no client

        return Bucket(self.url, self.storage)

    def __reduce__(self) -> tuple[Any, ...]:
        """Connections stay behind."""
        return Blobs, (self.url, self.storage)


def is_local(url: str) -> bool:
    """Whether a workspace or source URL is a path on this machine."""
    return "://" not in url or url.startswith("file://")


def in_a_hurry(storage: Mapping[str, str]) -> dict[str, str]:
    """The same store, asked for a few seconds only: for what may be left undone when it has just been waited for."""
    return {**storage, "retry_s": "5"}


def changed(name: str) -> str:
    """What to say of a blob that somebody else was faster with."""
    return (
        f"{name}: somebody else has written or removed it meanwhile, and that stands; look what it is, then run again"
    )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else who asks for the same is inside; the kernel lets go when a process dies."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
