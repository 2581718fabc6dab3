"""USTAR bytes of one sample at a time, written and read without seeking.

`tarfile` can write deterministic archives but reads them member by member through a Python file object, which
costs more than reading the disk. A sample is a few headers and payloads in a row, so both directions are a
dozen lines here; `tarfile`, GNU tar and `webdataset` read the result (tests check all three).
"""

import hashlib
import tarfile
from collections.abc import Iterable, Iterator
from typing import BinaryIO

BLOCK = 512
RECORD = 10_240
"""GNU tar pads archives to this; stricter readers warn about shorter ones."""
MAX_NAME = 100
"""Longer names would need a second (PAX) header per member."""


def entry(name: str, data: bytes) -> bytes:
    """Header, data and padding of one member; owner, mode and time are fixed. Raises ValueError on an unfit name."""
    if not name.isascii() or len(name) > MAX_NAME:
        raise ValueError(f"tar member {name!r}: expected at most {MAX_NAME} ASCII characters")
    info = tarfile.TarInfo(name)
    info.size = len(data)
    info.mode = 0o644
    return info.tobuf(format=tarfile.USTAR_FORMAT) + data + bytes(-len(data) % BLOCK)


def sample_bytes(key: str, members: Iterable[tuple[str, bytes]]) -> bytes:
    """One sample: ``<key>.<extension>`` for each (extension, data), in the order given."""
    return b"".join(entry(f"{key}.{extension}", data) for extension, data in members)


def end_of_archive(n_bytes: int) -> bytes:
    """What follows ``n_bytes`` of members: two empty blocks, filled up to a whole record."""
    return bytes(2 * BLOCK + -(n_bytes + 2 * BLOCK) % RECORD)


def members(data: bytes, where: str) -> Iterator[tuple[str, bytes]]:
    """(name, content) of the members in ``data``, which starts at a header and ends where the next sample starts.

    Raises ValueError naming ``where`` when the bytes are not whole USTAR members.
    """
    for name, start, size in places(data, where):
        yield name, data[start : start + size]


def places(data: bytes, where: str) -> Iterator[tuple[str, int, int]]:
    """(name, first byte, size) of each member's content; otherwise as `members`."""
    at = 0
    while at < len(data):
        header = data[at : at + BLOCK]
        if header[257:262] != b"ustar":
            raise ValueError(f"{where}: no tar header at byte {at} of the sample; expected the magic 'ustar'")
        size = int(header[124:136].rstrip(b"\0 ") or b"0", 8)
        start = at + BLOCK
        if start + size > len(data):
            raise ValueError(f"{where}: a member of {size} bytes reaches past the sample's {len(data)} bytes")
        yield header[:MAX_NAME].split(b"\0", 1)[0].decode("ascii", "replace"), start, size
        at = start + size + -size % BLOCK


class TarStream:
    """Writes samples one after the other and knows where each began. Holds the offset and the digest so far."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._hasher = hashlib.sha256()
        self.n_bytes = 0

    def add(self, data: bytes) -> int:
        """Write a sample's bytes; returns their offset."""
        offset = self.n_bytes
        self._stream.write(data)
        self._hasher.update(data)
        self.n_bytes += len(data)
        return offset

    def finish(self) -> str:
        """Write the end of the archive; returns the whole tar's SHA-256."""
        self.add(end_of_archive(self.n_bytes))
        return self._hasher.hexdigest()
