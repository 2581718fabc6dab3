"""Reading source files where they lie: a folder on this machine or under an object-store URL.

Names come out of files that strangers made. A name that leads out of the source's folder, by dots or by links, is
refused, unless the recipe says that links of this source may be followed.

Sources are only ever read. A `SourceFiles` is a small picklable value, so that a worker on another machine can
open the same files; everything below it is named by its path relative to the root, with ``/`` between folders,
because that is what survives when the root moves.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from pipeline.blobs import is_local
from pipeline.errors import SourceError
from pipeline.folder_walk import walk

if TYPE_CHECKING:
    from pipeline.bucket import Bucket

_BAD_NAME = {errno.ENAMETOOLONG, errno.EINVAL, errno.ELOOP}
_NO_NAME = (OSError, ValueError)
"""What the system says of a name that cannot be one: too long, with a null character, a link to itself."""


@dataclass(frozen=True)
class FileStat:
    """What a listing says about a file; enough to notice that it changed without reading it."""

    path: str
    """Below the root."""
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class SourceFiles:
    """The files below one root. ``storage`` is the recipe's ``workspace.storage``."""

    root: str
    """Absolute local path or object-store URL of a folder."""
    storage: dict[str, str] = field(default_factory=dict)
    follow_links: bool = False
    """Whether links may lead out of the root, as they do in download caches."""

    def list(self, folder: str = "", *, recursive: bool = True) -> list[FileStat]:
        """Every file below ``folder``, sorted by path; empty when the folder does not exist.

        Raises SourceError when the folder leads out of the root.
        """
        if self._bucket is not None:
            return [
                FileStat(one.path, one.size, one.mtime_ns) for one in self._bucket.list(folder, recursive=recursive)
            ]
        if folder:
            self._check(folder)
        found = walk(self._base, folder, recursive=recursive, follow_links=self.follow_links)
        files = [FileStat(one.path, one.size, one.mtime_ns) for one in found if one.passed_over is None]
        return sorted(files, key=lambda stat: stat.path)

    def passed_over(self) -> Iterator[str]:
        """What lies below the root and is never listed, with the reason: loops of links, pipes, names that are none."""
        if is_local(self.root):
            for one in walk(self._base, "", recursive=True, follow_links=self.follow_links):
                if one.passed_over is not None:
                    yield f"{one.path} is passed over: {one.passed_over}"

    def stat(self, path: str) -> FileStat | None:
        """Size and time of one file, or None when there is no such file."""
        try:
            self._check(path)
            if self._bucket is not None:
                there = self._bucket.head(path)
                return FileStat(path, there.size, there.mtime_ns) if there else None
            info = os.stat(_join(self._base, path))
        except (SourceError, FileNotFoundError, NotADirectoryError):
            return None
        except _NO_NAME as error:
            if _is_bad_name(error):
                return None
            raise
        return FileStat(path, info.st_size, info.st_mtime_ns) if stat.S_ISREG(info.st_mode) else None

    def open(self, path: str) -> BinaryIO:
        """A seekable binary file. Raises SourceError naming the file when it is not there."""
        try:
            self._check(path)
            return self._open_local(Path(_join(self._base, path))) if self._bucket is None else self._bucket.open(path)
        except FileNotFoundError as error:
            raise SourceError(
                f"{self.url_of(path)}: no such file, although the listing or the metadata names it; "
                "complete the download, then run again"
            ) from error
        except (PermissionError, IsADirectoryError, NotADirectoryError) as error:
            raise SourceError(
                f"{self.url_of(path)}: cannot be read ({error.strerror}); mend its permissions or what lies there"
            ) from error
        except _NO_NAME as error:
            if not _is_bad_name(error):
                raise
            raise SourceError(f"{self.url_of(path)[:200]!r}: is no file name; the metadata is damaged") from error

    def _open_local(self, path: Path) -> BinaryIO:
        """Opened without waiting: a pipe answers nobody."""
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise SourceError(f"{path}: is a pipe, a socket or a device, expected a file; remove it")
        return path.open("rb")

    @cached_property
    def _base(self) -> str:
        return os.path.abspath(self.root.removeprefix("file://"))

    @cached_property
    def _bucket(self) -> Bucket | None:
        if is_local(self.root):
            return None
        from pipeline.bucket import Bucket  # noqa: PLC0415 - who reads local sources only needs no client

        return Bucket(self.root, self.storage)

    def __reduce__(self) -> tuple[Any, ...]:
        """Connections stay behind."""
        return SourceFiles, (self.root, self.storage, self.follow_links)

    def _check(self, path: str) -> None:
        """Raises SourceError when a name leads out of the root."""
        inside = not path.startswith("/") and ".." not in path.split("/")
        if inside and is_local(self.root) and not self.follow_links:
            whole, real = os.path.realpath(self._base), os.path.realpath(_join(self._base, path))
            inside = real == whole or real.startswith(whole.rstrip("/") + "/")
        if not inside:
            raise SourceError(
                f"{self.url_of(path)[:300]}: leads out of the source's folder; if these are your own links, say "
                "`follow_links: true` in the recipe, else do not trust this source"
            )

    def read(self, path: str) -> bytes:
        """The whole file; for metadata, never for recordings."""
        with self.open(path) as stream:
            return stream.read()

    def url_of(self, path: str) -> str:
        """The full name of a file, for messages and as part of the key of `pipeline.fingerprint`."""
        return _join(self.root.rstrip("/"), path)


def _is_bad_name(error: OSError | ValueError) -> bool:
    return not isinstance(error, OSError) or error.errno in _BAD_NAME


def _join(base: str, path: str) -> str:
    return f"{base}/{path}" if path else base
