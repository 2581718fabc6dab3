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
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow.fs as pafs

from pipeline.blobs import filesystem_of, is_local
from pipeline.errors import SourceError
from pipeline.folder_walk import walk

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
    """The files below one root. ``storage`` takes the keys `pipeline.blobs.filesystem_of` knows."""

    root: str
    """Absolute local path or object-store URL of a folder."""
    storage: dict[str, str] = field(default_factory=dict)
    follow_links: bool = False
    """Whether links may lead out of the root, as they do in download caches."""

    def list(self, folder: str = "", *, recursive: bool = True) -> list[FileStat]:
        """Every file below ``folder``, sorted by path; empty when the folder does not exist.

        Raises SourceError when the folder leads out of the root.
        """
        filesystem, base = filesystem_of(self.root, self.storage)
        if is_local(self.root):
            if folder:
                self._check(base, folder)
            found = walk(base, folder, recursive=recursive, follow_links=self.follow_links)
            files = [FileStat(one.path, one.size, one.mtime_ns) for one in found if one.passed_over is None]
            return sorted(files, key=lambda stat: stat.path)
        selector = pafs.FileSelector(_join(base, folder), recursive=recursive, allow_not_found=True)
        infos = [info for info in filesystem.get_file_info(selector) if info.type == pafs.FileType.File]
        stats = [FileStat(info.path[len(base) :].lstrip("/"), info.size, info.mtime_ns or 0) for info in infos]
        return sorted(stats, key=lambda stat: stat.path)

    def passed_over(self) -> Iterator[str]:
        """What lies below the root and is never listed, with the reason: loops of links, pipes, names that are none."""
        if is_local(self.root):
            _, base = filesystem_of(self.root, self.storage)
            for one in walk(base, "", recursive=True, follow_links=self.follow_links):
                if one.passed_over is not None:
                    yield f"{one.path} is passed over: {one.passed_over}"

    def stat(self, path: str) -> FileStat | None:
        """Size and time of one file, or None when there is no such file."""
        filesystem, base = filesystem_of(self.root, self.storage)
        try:
            self._check(base, path)
            info = filesystem.get_file_info(_join(base, path))
        except SourceError:
            return None
        except _NO_NAME as error:
            if _is_bad_name(error):
                return None
            raise
        return FileStat(path, info.size, info.mtime_ns or 0) if info.type == pafs.FileType.File else None

    def open(self, path: str) -> BinaryIO:
        """A seekable binary file. Raises SourceError naming the file when it is not there."""
        filesystem, base = filesystem_of(self.root, self.storage)
        try:
            self._check(base, path)
            if is_local(self.root):
                return self._open_local(Path(_join(base, path)))
            return cast(BinaryIO, filesystem.open_input_file(_join(base, path)))
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

    def _check(self, base: str, path: str) -> None:
        """Raises SourceError when a name leads out of the root."""
        inside = not path.startswith("/") and ".." not in path.split("/")
        if inside and is_local(self.root) and not self.follow_links:
            whole, real = os.path.realpath(base), os.path.realpath(_join(base, path))
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
