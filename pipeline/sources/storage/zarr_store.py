"""The container of a zarr: a zip file or a folder, as keys and bytes. Made for files that strangers made.

Nothing is unpacked to disk and no name leaves the container. Names that climb out of it, links, encrypted or doubled
entries, and entries that claim more than they can hold are refused with a `SourceError`. The zip's directory is
parsed by the standard library once per process and kept as four arrays: UMI writes one entry per picture, and a
million Python objects per worker would be half a gigabyte.
"""

from __future__ import annotations

import hashlib
import stat
import struct
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import SourceError
from pipeline.files import FileStat, SourceFiles
from pipeline.fingerprint import DigestCache, sha256_of

MAX_KEY = 256
"""Characters in a key. Zarr's are short, and every key takes the room of the longest."""
_MAX_DEFLATE = 1032
"""How many bytes one deflated byte can become at most."""
_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_ENCRYPTED = 0x1
_BROKEN_ZIP = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    NotImplementedError,
    OSError,
    EOFError,
    OverflowError,
    ValueError,
    struct.error,
)
_INDEXES_KEPT = 2


class Store(Protocol):
    """Bytes by key, ``data/camera0_rgb/17.0.0.0``."""

    @property
    def name(self) -> str:
        """For messages."""
        ...

    def get(self, key: str, max_bytes: int) -> bytes | None:
        """What stands under a key; None when nothing does. Raises SourceError for damage and for more than that."""
        ...

    def size(self, key: str) -> int | None:
        """How many bytes stand under a key, as far as the listing or directory says; None when there is nothing."""
        ...

    def mark(self, key: str) -> str:
        """SHA-256 of the bytes that really stand under a key: a damaged copy and the good one are told apart."""
        ...

    def keys_ending(self, *ends: str) -> list[str]:
        """Sorted keys with one of these endings."""
        ...


class Index(NamedTuple):
    """A zip's directory, sorted by key."""

    keys: NDArray[np.bytes_]
    offset: NDArray[np.uint64]
    sizes: NDArray[np.uint64]
    """[n, 2]: packed and unpacked."""
    crc: NDArray[np.uint32]
    deflated: NDArray[np.bool_]

    def row(self, key: str) -> int | None:
        """Where a key stands, or None."""
        wanted = key.encode()
        if len(wanted) > self.keys.itemsize:
            return None
        row = int(np.searchsorted(self.keys, np.bytes_(wanted)))
        return row if row < len(self.keys) and bytes(self.keys[row]) == wanted else None


@dataclass(frozen=True, eq=False)
class ZippedStore:
    """A zip file that is open."""

    name: str
    stream: BinaryIO
    index: Index

    def get(self, key: str, max_bytes: int) -> bytes | None:
        row = self.index.row(key)
        if row is None:
            return None
        packed, size = (int(value) for value in self.index.sizes[row])
        if size > max_bytes:
            raise SourceError(f"{self.name}: {key} claims {size} bytes, expected at most {max_bytes}; it is damaged")
        data = self._packed(key, int(self.index.offset[row]), packed)
        if self.index.deflated[row]:
            data = inflated(data, size, -zlib.MAX_WBITS, f"{self.name}: {key}")
        if len(data) != size or zlib.crc32(data) != int(self.index.crc[row]):
            raise SourceError(f"{self.name}: {key} does not match its checksum; the file is damaged: fetch it again")
        return data

    def size(self, key: str) -> int | None:
        row = self.index.row(key)
        return None if row is None else int(self.index.sizes[row, 1])

    def mark(self, key: str) -> str:
        row = self.index.row(key)
        if row is None:
            raise SourceError(f"{self.name}: {key} is missing; complete the download")
        packed, size = (int(value) for value in self.index.sizes[row])
        data = self._packed(key, int(self.index.offset[row]), packed)
        if self.index.deflated[row]:
            with suppress(SourceError):  # what cannot be unpacked is known by its packed bytes
                data = inflated(data, size, -zlib.MAX_WBITS, f"{self.name}: {key}")
        return hashlib.sha256(data).hexdigest()

    def keys_ending(self, *ends: str) -> list[str]:
        found = np.zeros(len(self.index.keys), np.bool_)
        for end in ends:
            found |= np.char.endswith(self.index.keys, end.encode())
        return [key.decode() for key in self.index.keys[found].tolist()]

    def _packed(self, key: str, offset: int, n_bytes: int) -> bytes:
        """An entry's stored bytes, behind a local header that must say the same as the directory."""
        try:
            self.stream.seek(offset)
            header = self.stream.read(_LOCAL.size)
            mark, _, flags, *_, n_name, n_extra = _LOCAL.unpack(header)
            same = self.stream.read(n_name) == key.encode()
            self.stream.seek(offset + _LOCAL.size + n_name + n_extra)
            data = self.stream.read(n_bytes)
        except (OSError, ValueError, struct.error) as error:
            raise SourceError(f"{self.name}: {key} cannot be read ({error}); fetch the file again") from error
        if mark != b"PK\3\4" or flags & _ENCRYPTED or not same or len(data) != n_bytes:
            raise SourceError(f"{self.name}: {key} is not where the directory says; fetch the file again")
        return data


@dataclass(frozen=True, eq=False)
class FolderStore:
    """A plain ``.zarr`` folder below a source's root. ``listing`` and ``digests`` are for discovery."""

    files: SourceFiles
    folder: str
    digests: DigestCache | None = None
    listing: Mapping[str, FileStat] | None = None
    """By path below the source's root."""

    @property
    def name(self) -> str:
        return self.files.url_of(self.folder)

    def get(self, key: str, max_bytes: int) -> bytes | None:
        path = self._path(key)
        found = self.files.stat(path)
        if found is None:
            return None
        with self.files.open(path) as stream:
            data = stream.read(max_bytes + 1)
        if len(data) > max_bytes:
            raise SourceError(f"{self.name}: {key} has {found.size} bytes, expected at most {max_bytes}; it is damaged")
        return data

    def size(self, key: str) -> int | None:
        found = (self.listing or {}).get(self._path(key))
        return None if found is None else found.size

    def mark(self, key: str) -> str:
        found = (self.listing or {}).get(self._path(key))
        if found is None or self.digests is None:
            raise SourceError(f"{self.name}: {key} is missing; complete the download")
        return sha256_of(self.files, found, self.digests)

    def keys_ending(self, *ends: str) -> list[str]:
        start = f"{self.folder}/" if self.folder else ""
        return sorted(
            path[len(start) :] for path in self.listing or {} if path.startswith(start) and path.endswith(ends)
        )

    def _path(self, key: str) -> str:
        return f"{self.folder}/{key}" if self.folder else key


def inflated(data: bytes, size: int, window_bits: int, what: str) -> bytes:
    """Deflated, zlib or gzip bytes that must become exactly ``size`` bytes; no more than that is ever unpacked."""
    if size > _MAX_DEFLATE * len(data) + 64:
        raise SourceError(f"{what} claims to unpack {len(data)} to {size} bytes, which deflate cannot; it is damaged")
    unpacker = zlib.decompressobj(window_bits)
    try:
        unpacked = unpacker.decompress(data, size + 1)
    except zlib.error as error:
        raise SourceError(f"{what} cannot be unpacked ({error}); the file is damaged: fetch it again") from error
    if len(unpacked) != size or not unpacker.eof:
        found = "more" if len(unpacked) > size else str(len(unpacked))
        raise SourceError(f"{what} unpacks to {found} bytes, expected {size}; the file is damaged: fetch it again")
    return unpacked


@contextmanager
def opened_zip(files: SourceFiles, path: str) -> Iterator[ZippedStore]:
    """A zip file of a source as a store. Raises SourceError when it is none or holds what is refused."""
    with files.open(path) as stream:
        yield ZippedStore(files.url_of(path), stream, _index(files, path, stream))


_indexes: OrderedDict[tuple[Any, ...], Index] = OrderedDict()
"""The directories read last in this process: every episode of a buffer asks for the same one."""


def _index(files: SourceFiles, path: str, stream: BinaryIO) -> Index:
    found = files.stat(path)
    key = (files.url_of(path), *((found.size, found.mtime_ns) if found else ()))
    if key not in _indexes:
        _indexes[key] = _read_index(stream, files.url_of(path))
        if len(_indexes) > _INDEXES_KEPT:
            _indexes.popitem(last=False)
    _indexes.move_to_end(key)
    return _indexes[key]


def _read_index(stream: BinaryIO, name: str) -> Index:
    try:
        with zipfile.ZipFile(stream) as archive:
            entries = [entry for entry in archive.infolist() if not entry.orig_filename.endswith("/")]
    except _BROKEN_ZIP as error:
        raise SourceError(
            f"{name}: is no readable zip file ({error}); it is damaged or cut short: fetch it again"
        ) from error
    for entry in entries:
        if reason := _refusal(entry):
            raise SourceError(f"{name}: entry {entry.orig_filename[:MAX_KEY]!r} {reason}")
    names = np.array([entry.orig_filename.encode() for entry in entries], np.bytes_)
    order = np.argsort(names, kind="stable")
    names = names[order]
    if len(doubled := np.flatnonzero(names[1:] == names[:-1])):
        raise SourceError(f"{name}: entry {names[doubled[0]].decode()!r} is there twice; write the zip anew")
    return Index(
        keys=names,
        offset=np.array([entry.header_offset for entry in entries], np.uint64)[order],
        sizes=np.array([(entry.compress_size, entry.file_size) for entry in entries], np.uint64).reshape(-1, 2)[order],
        crc=np.array([entry.CRC for entry in entries], np.uint32)[order],
        deflated=np.array([entry.compress_type == zipfile.ZIP_DEFLATED for entry in entries], np.bool_)[order],
    )


def _refusal(entry: zipfile.ZipInfo) -> str | None:
    """Why an entry of a zip is refused; None when it is not."""
    name, stored = entry.orig_filename, entry.compress_type == zipfile.ZIP_STORED
    reasons = {
        "has a name that no zarr writes; write the zip with zarr": len(name) > MAX_KEY
        or not (name.isascii() and name.isprintable())
        or "\\" in name,
        "has a name that leads out of the zip; do not trust the file": not {"", ".", ".."}.isdisjoint(name.split("/")),
        "is a link; put the file itself into the zip": stat.S_ISLNK(entry.external_attr >> 16),
        "is encrypted; decrypt the file first": bool(entry.flag_bits & _ENCRYPTED),
        "is neither stored nor deflated; write the zip without compression, as zarr does": not stored
        and entry.compress_type != zipfile.ZIP_DEFLATED,
        "contradicts itself about its size; the file is damaged: fetch it again": entry.header_offset < 0
        or (stored and entry.compress_size != entry.file_size),
    }
    return next((reason for reason, holds in reasons.items() if holds), None)
