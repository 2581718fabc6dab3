"""The SHA-256 of source files, without reading again what has not changed.

Identity comes from file contents, so every file must be hashed once. That is the dominant cost of listing a large
source; it is paid once, because a file whose URL, size and modification time are the same is not read again.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Protocol

from pipeline.files import FileStat, SourceFiles

_CHUNK_BYTES = 4 << 20


class DigestCache(Protocol):
    """Remembers the SHA-256 of files; the workspace keeps one in a table."""

    def get(self, url: str, size: int, mtime_ns: int) -> str | None:
        """The hex digest put under exactly this key, or None."""
        ...

    def put(self, url: str, size: int, mtime_ns: int, sha256: str) -> None:
        """Remember a digest."""
        ...


@dataclass
class MemoryDigests:
    """A `DigestCache` that lasts as long as the process: for tests and single runs."""

    known: dict[tuple[str, int, int], str] = field(default_factory=dict)

    def get(self, url: str, size: int, mtime_ns: int) -> str | None:
        return self.known.get((url, size, mtime_ns))

    def put(self, url: str, size: int, mtime_ns: int, sha256: str) -> None:
        self.known[url, size, mtime_ns] = sha256


def sha256_of(files: SourceFiles, stat: FileStat, digests: DigestCache) -> str:
    """Hex SHA-256 of one whole file, read in pieces, or from the cache when the file has not changed."""
    url = files.url_of(stat.path)
    cached = digests.get(url, stat.size, stat.mtime_ns)
    if cached is not None:
        return cached
    hasher = hashlib.sha256()
    with files.open(stat.path) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            hasher.update(chunk)
    sha256 = hasher.hexdigest()
    digests.put(url, stat.size, stat.mtime_ns, sha256)
    return sha256
