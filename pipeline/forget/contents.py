"""What is inside a file: members of archives, values of tables, cells of databases, opened down to plain bytes.

A file's own bytes show nothing of what is compressed, spread over pages or stored as numbers for letters. So whatever
can be opened is opened, archives in archives too; what looks compressed and cannot be is said to be so, because a file
nobody looked into proves nothing.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sqlite3
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

MAGIC_BYTES = 512
MOST_DEPTH = 8
_UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    tarfile.TarError,
    sqlite3.Error,
)
_CLOSED = {b"\x28\xb5\x2f\xfd": "zstd", b"\x04\x22\x4d\x18": "lz4", b"7z\xbc\xaf\x27\x1c": "7z", b"Rar!": "rar"}


class UnopenedError(ValueError):
    """A file holds what cannot be looked into."""


class _Text(bytes):
    """Was text in its container, so it is no container itself, whatever letters it begins with."""


Values = Iterator[bytes]
Opener = Callable[[BinaryIO, int], Values]


def values_in(stream: BinaryIO, depth: int = 0) -> Values:
    """Everything inside a seekable file, value by value; nothing for a plain file.

    Raises UnopenedError when it is a container that cannot be read.
    """
    head = stream.read(MAGIC_BYTES)
    stream.seek(0)
    opener = _opener(head)
    if opener is None:
        return
    if depth == MOST_DEPTH:
        raise UnopenedError(f"archives nested {MOST_DEPTH} deep")
    try:
        yield from opener(stream, depth)
    except UnopenedError:
        raise
    except _UNREADABLE as error:
        raise UnopenedError(f"{type(error).__name__}: {error}") from error


def values_of(array: pa.Array) -> Values:
    """Text and binary values of an Arrow array, however nested: text joined line by line, binary one by one."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        yield from values_of(array.dictionary)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        yield _Text("\n".join(text for text in array.to_pylist() if text).encode())
    elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        yield from (value for value in array.to_pylist() if value)
    elif pa.types.is_struct(kind):
        for i in range(kind.num_fields):
            yield from values_of(array.field(i))
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        if not pa.types.is_primitive(kind.value_type):
            yield from values_of(array.flatten())
    elif pa.types.is_map(kind):
        yield from values_of(array.keys)
        yield from values_of(array.items)


def values_of_batches(batches: Iterator[pa.RecordBatch], depth: int = 0) -> Values:
    """The same of whole tables; a binary value that is itself an archive is opened."""
    for batch in batches:
        for column in batch.columns:
            for value in values_of(column):
                yield from _with_inside(value, depth)


def _opener(head: bytes) -> Opener | None:  # noqa: PLR0911 - one line per kind of file
    if head[:4] == b"PK\x03\x04":
        return _zip
    if head[:2] == b"\x1f\x8b":
        return lambda stream, depth: _compressed(gzip.GzipFile(fileobj=stream), depth)
    if head[:3] == b"BZh":
        return lambda stream, depth: _compressed(bz2.BZ2File(stream), depth)
    if head[:6] == b"\xfd7zXZ\x00":
        return lambda stream, depth: _compressed(lzma.LZMAFile(stream), depth)
    if head[:4] == b"PAR1":
        return lambda stream, depth: values_of_batches(pq.ParquetFile(stream).iter_batches(1024), depth + 1)
    if head[:6] == b"ARROW1":
        return lambda stream, depth: values_of_batches(_ipc(stream), depth + 1)
    if head[:16] == b"SQLite format 3\x00":
        return _sqlite
    if head[:6] == b"\x93NUMPY":
        return _npy
    if head[257:262] == b"ustar":
        return _tar
    for magic, name in _CLOSED.items():
        if head.startswith(magic):
            return _closed(name)
    return None


def _closed(name: str) -> Opener:
    def refuse(_stream: BinaryIO, _depth: int) -> Values:
        raise UnopenedError(f"compressed with {name}, which Joinery does not read")

    return refuse


def _with_inside(value: bytes, depth: int) -> Values:
    yield value
    if len(value) >= 4 and not isinstance(value, _Text):
        yield from values_in(io.BytesIO(value), depth)


def _zip(stream: BinaryIO, depth: int) -> Values:
    with zipfile.ZipFile(stream) as archive:
        for info in archive.infolist():
            yield info.filename.encode()
            yield from _with_inside(archive.read(info), depth + 1)


def _tar(stream: BinaryIO, depth: int) -> Values:
    with tarfile.open(fileobj=stream, mode="r:") as archive:
        for info in archive:
            yield info.name.encode()
            member = archive.extractfile(info)
            if member is not None:
                yield from _with_inside(member.read(), depth + 1)


def _compressed(stream: Any, depth: int) -> Values:
    with stream:
        yield from _with_inside(stream.read(), depth + 1)


def _ipc(stream: BinaryIO) -> Iterator[pa.RecordBatch]:
    reader = pa.ipc.open_file(stream)
    return (reader.get_batch(i) for i in range(reader.num_record_batches))


def _npy(stream: BinaryIO, _depth: int) -> Values:
    """Letters of NumPy's text are four bytes each, so they are spelled out."""
    array = np.load(stream, allow_pickle=False) if _is_text(stream) else None
    if array is not None:
        yield "\n".join(str(item) for item in array.reshape(-1)).encode()


def _is_text(stream: BinaryIO) -> bool:
    head = stream.read(MAGIC_BYTES)
    stream.seek(0)
    return b"'descr': '<U" in head or b"'descr': '>U" in head


def _sqlite(stream: BinaryIO, depth: int) -> Values:
    """Every cell: a value that is larger than a page lies in pieces that no search of the file finds."""
    with tempfile.NamedTemporaryFile(suffix=".sqlite") as copy:
        while chunk := stream.read(1 << 20):
            copy.write(chunk)
        copy.flush()
        sql = sqlite3.connect(f"file:{copy.name}?mode=ro&immutable=1", uri=True)
        try:
            names = [row[0] for row in sql.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for name in names:
                quoted = '"' + name.replace('"', '""') + '"'
                for row in sql.execute(f"SELECT * FROM {quoted}"):  # noqa: S608 - a table's own name, quoted
                    for cell in row:
                        if isinstance(cell, str | bytes):
                            raw = _Text(cell.encode()) if isinstance(cell, str) else cell
                            yield from _with_inside(raw, depth + 1)
        finally:
            sql.close()
