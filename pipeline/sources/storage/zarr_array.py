"""Arrays of a zarr, versions 2 and 3, chunk by chunk: numbers and pictures, nothing else.

Read here rather than with the zarr library because a stranger's metadata would choose what that library runs and
allocates: object codecs unpickle, a chunk may unpack to any size, a missing chunk becomes zeros. Here data types,
filters and compressors are on a list, a chunk must unpack to exactly the bytes its shape and type take, and a chunk
that is missing is a `SourceError`. The packers themselves are numcodecs, imagecodecs and zlib.
"""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Any

import imagecodecs
import numcodecs
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import SourceError
from pipeline.sources.storage.zarr_store import Store, inflated

MAX_CHUNK_BYTES = 256 << 20
MAX_ROWS_BYTES = 256 << 20
"""What is read at once: the rows of one episode, or one picture."""
_MAX_SIDE = 1 << 40
_MAX_CHUNKS_ACROSS = 4096
_METADATA_BYTES = 1 << 20
_DTYPE = re.compile(r"^(?:[<>][iuf][248]|\|[iub]1)$")
_NAMED_DTYPES = {"bool": "|b1", "int8": "|i1", "uint8": "|u1"} | {
    f"{word}{8 * size}": f"{kind}{size}"
    for word, kind, sizes in (("int", "i", (2, 4, 8)), ("uint", "u", (2, 4, 8)), ("float", "f", (2, 4, 8)))
    for size in sizes
}
_Shape = tuple[int, ...]
_Unpack = Callable[[bytes, int, _Shape, str], bytes]
"""(data, bytes wanted, chunk shape, what for messages)."""
_REFUSED = (RuntimeError, ValueError, TypeError, OverflowError)
"""What numcodecs and imagecodecs raise on bytes they cannot unpack."""


def _zlib(data: bytes, n_bytes: int, _shape: _Shape, what: str) -> bytes:
    return inflated(data, n_bytes, zlib.MAX_WBITS, what)


def _gzip(data: bytes, n_bytes: int, _shape: _Shape, what: str) -> bytes:
    return inflated(data, n_bytes, 16 + zlib.MAX_WBITS, what)


def _zstd(data: bytes, n_bytes: int, _shape: _Shape, _what: str) -> bytes:
    return bytes(imagecodecs.zstd_decode(data, out=n_bytes + 1))


def _lz4(data: bytes, n_bytes: int, _shape: _Shape, _what: str) -> bytes:
    """Four bytes of size, then the block, as numcodecs writes it."""
    if int.from_bytes(data[:4], "little") != n_bytes:
        raise ValueError(f"claims {int.from_bytes(data[:4], 'little')} bytes")
    return bytes(numcodecs.LZ4().decode(data))


def _blosc(data: bytes, n_bytes: int, _shape: _Shape, _what: str) -> bytes:
    """The header says how large both sides are; Blosc itself believes it, so it is compared first."""
    unpacked, packed = (int.from_bytes(data[at : at + 4], "little") for at in (4, 12))
    if len(data) < 16 or unpacked != n_bytes or packed != len(data):
        raise ValueError(f"claims {packed} packed and {unpacked} unpacked bytes")
    return bytes(numcodecs.blosc.decompress(data))


def _picture(decode: Callable[..., Any]) -> _Unpack:
    """A picture codec that unpacks into a picture of the chunk's size and refuses any other before it allocates."""

    def unpack(data: bytes, _n_bytes: int, shape: _Shape, _what: str) -> bytes:
        pixels = np.empty(tuple(side for side in shape[:-3] if side != 1) + shape[-3:], np.uint8)
        return np.asarray(decode(data, out=pixels)).tobytes()

    return unpack


_UNPACK: Mapping[str, _Unpack] = {
    "blosc": _blosc,
    "zstd": _zstd,
    "gzip": _gzip,
    "zlib": _zlib,
    "lz4": _lz4,
    "jpegxl": _picture(partial(imagecodecs.jpegxl_decode, numthreads=1)),
    "jpeg": _picture(imagecodecs.jpeg_decode),
}
_PICTURES = ("jpegxl", "jpeg")


@dataclass(frozen=True, eq=False)
class Array:
    """One array. Rows are its first axis."""

    store: Store
    path: str
    shape: _Shape
    chunks: _Shape
    dtype: np.dtype[Any]
    codec: str | None
    column_major: bool
    separator: str
    prefix: str
    """Of chunk keys: empty in version 2, ``c`` in version 3."""
    _last: dict[str, NDArray[Any]] = field(default_factory=dict)
    """The chunk unpacked last: neighbouring episodes share one."""

    @property
    def name(self) -> str:
        return f"{self.store.name}: {self.path}"

    @property
    def holds_pictures(self) -> bool:
        """8-bit colour, one picture a row, at least 16 pixels a side."""
        return self.dtype == np.uint8 and len(self.shape) == 4 and self.shape[3] == 3 and min(self.shape[1:3]) >= 16

    def rows(self, start: int, stop: int) -> NDArray[Any]:
        """Rows [start, stop). Raises SourceError when they are not there, or their chunks are missing or damaged."""
        if not 0 <= start <= stop <= self.shape[0]:
            raise SourceError(f"{self.name} has {self.shape[0]} rows, expected rows {start} to {stop}")
        n_bytes = (stop - start) * math.prod(self.shape[1:]) * self.dtype.itemsize
        if n_bytes > MAX_ROWS_BYTES:
            raise SourceError(f"{self.name}: rows {start} to {stop} take {n_bytes} bytes; no episode is that large")
        out = np.empty((stop - start, *self.shape[1:]), self.dtype)
        step = self.chunks[0]
        for first in range(start // step, -(-stop // step) if stop > start else 0):
            begin, end = max(start, first * step), min(stop, (first + 1) * step)
            for across in product(*(range(n) for n in self._chunks_across())):
                here = out[(slice(begin - start, end - start), *self._across(across))]
                part = self._chunk((first, *across))[begin - first * step : end - first * step]
                here[...] = part[tuple(slice(side) for side in here.shape)]
        return out

    def row_keys(self, row: int) -> list[str]:
        """The keys of the chunks that hold a row."""
        return [self._key((row // self.chunks[0], *i)) for i in product(*(range(n) for n in self._chunks_across()))]

    def _chunks_across(self) -> list[int]:
        return [-(-whole // side) for whole, side in zip(self.shape[1:], self.chunks[1:], strict=True)]

    def _across(self, index: _Shape) -> list[slice]:
        """What a chunk covers of the axes after the first; one that reaches over the edge is cut there by slicing."""
        return [slice(i * side, (i + 1) * side) for i, side in zip(index, self.chunks[1:], strict=True)]

    def _key(self, index: _Shape) -> str:
        steps = ([self.prefix] if self.prefix else []) + [str(i) for i in index]
        return f"{self.path}/{self.separator.join(steps)}"

    def _chunk(self, index: _Shape) -> NDArray[Any]:
        key = self._key(index)
        if key not in self._last:
            self._last.clear()
            self._last[key] = self._unpacked(key)
        return self._last[key]

    def _unpacked(self, key: str) -> NDArray[Any]:
        n_bytes = math.prod(self.chunks) * self.dtype.itemsize
        data = self.store.get(key, n_bytes + n_bytes // 4 + 65536)
        if data is None:
            raise SourceError(
                f"{self.store.name}: chunk {key} is missing; whether it was all zeros or was lost cannot be told: "
                "complete the download, or write the zarr with write_empty_chunks=True"
            )
        what = f"{self.store.name}: {key}"
        try:
            unpacked = data if self.codec is None else _UNPACK[self.codec](data, n_bytes, self.chunks, what)
        except _REFUSED as error:
            raise SourceError(
                f"{what} is no {self.codec} chunk of {list(self.chunks)} ({' '.join(str(error).split())[:200]}); "
                "the file is damaged: fetch it again"
            ) from error
        if len(unpacked) != n_bytes:
            raise SourceError(f"{what} unpacks to {len(unpacked)} bytes, expected {n_bytes}; the file is damaged")
        return np.frombuffer(unpacked, self.dtype).reshape(self.chunks, order="F" if self.column_major else "C")


def open_array(store: Store, path: str) -> Array | None:
    """The array at a path, None when there is none. Raises SourceError for metadata that is damaged or refused."""
    for leaf, read in (("zarr.json", _version_3), (".zarray", _version_2)):
        data = store.get(f"{path}/{leaf}", _METADATA_BYTES)
        if data is not None:
            name = f"{store.name}: {path}/{leaf}"
            stated = _object(data, name)
            return None if stated.get("node_type") == "group" else _checked(read(store, path, stated, name), name)
    return None


def _object(data: bytes, name: str) -> dict[str, Any]:
    try:
        stated = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{name} is no JSON ({error}); the file is damaged: fetch it again") from error
    if not isinstance(stated, dict):
        raise SourceError(f"{name} is {type(stated).__name__}, expected an object; the file is damaged")
    return stated


def _version_2(store: Store, path: str, stated: dict[str, Any], name: str) -> Array:
    if filters := stated.get("filters"):
        named = [_word(item, "id") for item in filters if isinstance(item, dict)] if isinstance(filters, list) else []
        raise SourceError(f"{name}: filters {named or str(filters)[:100]} are never read; write the array without")
    order, separator = stated.get("order", "C"), stated.get("dimension_separator", ".")
    return Array(
        store=store,
        path=path,
        shape=_sides(stated.get("shape"), name, "shape"),
        chunks=_sides(stated.get("chunks"), name, "chunks"),
        dtype=_dtype(stated.get("dtype"), name),
        codec=_codec(stated.get("compressor"), "id", name),
        column_major=_one_of(order, ("C", "F"), name, "order") == "F",
        separator=_one_of(separator, (".", "/"), name, "dimension_separator"),
        prefix="",
    )


def _version_3(store: Store, path: str, stated: dict[str, Any], name: str) -> Array:
    grid, keys = _part(stated, "chunk_grid"), _part(stated, "chunk_key_encoding")
    _one_of(_word(grid, "name"), ("regular",), name, "chunk_grid")
    encoding = _one_of(_word(keys, "name") or "default", ("default", "v2"), name, "chunk_key_encoding")
    separator = _part(keys, "configuration").get("separator", "/" if encoding == "default" else ".")
    codecs = stated.get("codecs")
    codecs = codecs if isinstance(codecs, list) else []
    endian = "<"
    if codecs and isinstance(codecs[0], dict) and codecs[0].get("name") == "bytes":
        endian = ">" if _part(codecs[0], "configuration").get("endian") == "big" else "<"
        codecs = codecs[1:]
    if len(codecs) > 1 or stated.get("storage_transformers"):
        raise SourceError(f"{name}: several codecs in a row, or storage transformers; write the array with one codec")
    data_type = stated.get("data_type")
    plain = _NAMED_DTYPES.get(data_type, "") if isinstance(data_type, str) else ""
    return Array(
        store=store,
        path=path,
        shape=_sides(stated.get("shape"), name, "shape"),
        chunks=_sides(_part(grid, "configuration").get("chunk_shape"), name, "chunk_shape"),
        dtype=_dtype(plain if plain.startswith("|") else endian + plain if plain else data_type, name),
        codec=_codec(codecs[0] if codecs else None, "name", name),
        column_major=False,
        separator=_one_of(separator, (".", "/"), name, "separator"),
        prefix="c" if encoding == "default" else "",
    )


def _checked(array: Array, name: str) -> Array:
    """Raises SourceError when the parts of an array's metadata do not fit each other or what is ever read."""
    n_bytes = math.prod(array.chunks) * array.dtype.itemsize
    if len(array.shape) != len(array.chunks) or not array.shape or 0 in array.shape[1:]:
        found = f"shape {list(array.shape)} and chunks {list(array.chunks)}"
        raise SourceError(f"{name}: {found} make no table; the file is damaged")
    if min(array.chunks) < 1 or n_bytes > MAX_CHUNK_BYTES or math.prod(array._chunks_across()) > _MAX_CHUNKS_ACROSS:
        raise SourceError(
            f"{name}: chunks of {list(array.chunks)} for shape {list(array.shape)}; expected chunks of 1 byte to "
            f"{MAX_CHUNK_BYTES >> 20} MiB, at most {_MAX_CHUNKS_ACROSS} of them for a row"
        )
    if array.codec in _PICTURES and not (array.holds_pictures and array.chunks[1:] == array.shape[1:]):
        raise SourceError(f"{name}: {array.codec} holds {array.dtype} {list(array.chunks)}, expected uint8 pictures")
    return array


def _sides(value: object, name: str, key: str) -> _Shape:
    if not isinstance(value, list) or len(value) > 8 or not all(type(side) is int for side in value):
        raise SourceError(f"{name}: {key} is {str(value)[:100]}, expected a few whole numbers; the file is damaged")
    if not all(0 <= side <= _MAX_SIDE for side in value):
        raise SourceError(f"{name}: {key} is {str(value)[:100]}; no recording is that large, the file is damaged")
    return tuple(value)


def _dtype(value: object, name: str) -> np.dtype[Any]:
    if not isinstance(value, str) or not _DTYPE.match(value):
        raise SourceError(f"{name}: holds {str(value)[:100]}; only plain numbers are read, never objects or text")
    return np.dtype(value)


def _codec(value: object, key: str, name: str) -> str | None:
    """The plain name of a compressor, or None for uncompressed. Raises SourceError for one that is not on the list."""
    if value is None:
        return None
    stated = _word(value, key) if isinstance(value, dict) else ""
    plain = stated.removeprefix("imagecodecs_").removeprefix("numcodecs.").removeprefix("imagecodecs.")
    if plain not in _UNPACK:
        raise SourceError(
            f"{name}: compressor {stated or str(value)[:100]!r} is not read; expected one of {', '.join(_UNPACK)}: "
            "write the zarr anew"
        )
    return plain


def _word(stated: Mapping[str, Any], key: str) -> str:
    value = stated.get(key)
    return value if isinstance(value, str) else ""


def _part(stated: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = stated.get(key)
    return value if isinstance(value, dict) else {}


def _one_of(value: object, known: tuple[str, ...], name: str, key: str) -> str:
    if value not in known or not isinstance(value, str):
        raise SourceError(f"{name}: {key} is {str(value)[:100]!r}, expected {' or '.join(known)}; it is not read")
    return value
