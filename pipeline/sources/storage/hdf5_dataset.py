"""Whether the data of an HDF5 dataset may be asked for: looked at before the library allocates or unpacks anything.

A dataset may keep its data in other files, need plug-in code, hold Python objects, claim terabytes that were never
written, unpack to a thousand times its size, or to less: then the library hands out whatever its memory holds behind
it, or dies. It follows all of these; this module says no, in words that complete "<file>: <dataset> …".
"""

import math
import zlib
from collections.abc import Iterator
from itertools import product

import h5py
import imagecodecs
import numpy as np
from h5py import h5z

MAX_CHUNK_BYTES = 256 << 20
"""The library unpacks whole chunks; a chunk of more than one large picture after another is damaged."""
_FILTERS = {h5z.FILTER_DEFLATE: "gzip", h5z.FILTER_LZF: "lzf", h5z.FILTER_SHUFFLE: "shuffle", h5z.FILTER_FLETCHER32: ""}
"""What the library brings itself and unpacks safely; others would load code from plug-in folders or trust sizes."""
_PACKERS = {h5z.FILTER_DEFLATE, h5z.FILTER_LZF}
_CHECKSUM_BYTES = 4
"""What fletcher32 adds to a chunk."""
_TRUSTED_STORED_BYTES = 1 << 20
"""gzip expands at most 1,032-fold, so that a stored chunk up to this size cannot take more than 1 GiB."""
_USUAL_BAND_BYTES = 4 << 20
"""Fewer, larger reads; whoever wants one picture only reads some more."""
_LARGE_BYTES, _MAX_EXPANSION = 2 << 30, 200
"""Many gigabytes that take next to nothing in the file are a bomb; black films below the limit are read."""


def refusal(data: h5py.Dataset, file_bytes: int) -> str | None:
    """Why a dataset must not be read, or None. Raises what h5py raises on damage."""
    return next(_reasons(data, file_bytes), None)


def bands(data: h5py.Dataset, first: int, most_bytes: int) -> Iterator[tuple[int, int]]:
    """Ranges of rows, from ``first``, to read at a time: no chunk twice where that fits into ``most_bytes``."""
    n_rows = data.shape[0]
    row_bytes = max(1, math.prod(data.shape[1:]) * data.dtype.itemsize)
    together = data.chunks[0] if data.chunks else 1
    wanted = max(together, _USUAL_BAND_BYTES // row_bytes // together * together)
    step = max(1, min(wanted, most_bytes // row_bytes))
    start = first
    while start < n_rows:
        stop = min(n_rows, start - start % step + step)
        yield start, stop
        start = stop


def short_chunk(data: h5py.Dataset, first: int, stop: int) -> str | None:
    """Why the chunks of rows [first, stop) must not be read: one does not unpack to exactly what it stands for.

    Raises what h5py and the packers raise on damage. Only packed chunks are looked into; others have been by `refusal`.
    """
    filters = _filters(data)
    if data.chunks is None or _PACKERS.isdisjoint(filters):
        return None
    expected, step = _chunk_bytes(data), data.chunks[0]
    across = [range(0, side, chunk) for side, chunk in zip(data.shape[1:], data.chunks[1:], strict=True)]
    for place in product(range(first // step * step, stop, step), *across):
        mask, packed = data.id.read_direct_chunk(place)
        found = _unpacked_bytes(packed, _applied(filters, mask), expected)
        if found != expected:
            return f"has a chunk that unpacks to {found} bytes and stands for {expected}; it is damaged: fetch it again"
    return None


def _unpacked_bytes(packed: bytes, filters: list[int], expected: int) -> int:
    """How long a chunk is when its filters are undone, counted a little beyond what is expected."""
    for code in reversed(filters):
        if code == h5z.FILTER_FLETCHER32:
            packed = packed[:-_CHECKSUM_BYTES]
        elif code == h5z.FILTER_DEFLATE:
            packed = zlib.decompressobj().decompress(packed, expected + 2 * _CHECKSUM_BYTES)
        elif code == h5z.FILTER_LZF:
            packed = bytes(imagecodecs.lzf_decode(packed, header=False, out=expected + 2 * _CHECKSUM_BYTES))
    return len(packed)


def _filters(data: h5py.Dataset) -> list[int]:
    properties = data.id.get_create_plist()
    return [properties.get_filter(i)[0] for i in range(properties.get_nfilters())]


def _applied(filters: list[int], mask: int) -> list[int]:
    """Without those that a chunk was written without, as the library does where packing makes it longer."""
    return [code for i, code in enumerate(filters) if not mask >> i & 1]


def _chunk_bytes(data: h5py.Dataset) -> int:
    """Of one whole chunk in the file; texts and sequences of any length are a length, an address and a number there."""
    value_bytes = data.id.get_type().get_size()
    if data.dtype.hasobject:
        value_bytes = 4 + data.file.id.get_create_plist().get_sizes()[0] + 4
    return int(math.prod(data.chunks) * value_bytes)


def _plain(dtype: np.dtype[np.generic]) -> bool:
    """Numbers, text, or sequences of numbers; no references, pickles or nested sequences."""
    if not dtype.hasobject:
        return dtype.kind != "V" or dtype.names is not None
    vlen = h5py.check_vlen_dtype(dtype)
    return h5py.check_string_dtype(dtype) is not None or (vlen is not None and np.dtype(vlen).kind in "biuf")


def _reasons(data: h5py.Dataset, file_bytes: int) -> Iterator[str]:
    """The reasons in an order in which each may rely on those before."""
    if data.shape is None:
        yield "is empty, expected data"
    if data.is_virtual or data.external:
        yield "keeps its data in other files; copy them in (h5repack) first"
    if not _plain(data.dtype):
        yield "holds references or Python objects, which are never read"
    filters = _filters(data)
    foreign = [code for code in filters if code not in _FILTERS]
    if foreign:
        yield f"is packed with {data.compression or f'filter {foreign[0]}'}; repack it with gzip (h5repack)"
    if len(set(filters)) != len(filters):
        yield "is packed twice over; repack it with gzip (h5repack)"
    n_bytes = data.size * data.dtype.itemsize
    if n_bytes and data.chunks is None:
        yield from _whole_reasons(data, n_bytes, file_bytes)
    elif n_bytes:
        yield from _chunk_reasons(data, n_bytes, file_bytes, filters)


def _whole_reasons(data: h5py.Dataset, n_bytes: int, file_bytes: int) -> Iterator[str]:
    if not data.id.get_storage_size():
        yield f"of shape {data.shape} was made but never written; the recording was interrupted: record it again"
    if n_bytes > file_bytes and not data.dtype.hasobject:
        yield f"claims {n_bytes} bytes in a file of {file_bytes}; the file is damaged or cut short: fetch it again"


def _chunk_reasons(data: h5py.Dataset, n_bytes: int, file_bytes: int, filters: list[int]) -> Iterator[str]:
    chunk_bytes = math.prod(data.chunks) * data.dtype.itemsize
    if chunk_bytes > MAX_CHUNK_BYTES:
        yield f"is kept in chunks of {chunk_bytes} bytes, more than {MAX_CHUNK_BYTES >> 20} MiB; the file is damaged"
    expected = math.prod(-(-side // chunk) for side, chunk in zip(data.shape, data.chunks, strict=True))
    stored: list[tuple[int, tuple[int, ...], int]] = []
    data.id.chunk_iter(lambda chunk: stored.append((chunk.size, chunk.chunk_offset, chunk.filter_mask)))
    if len(stored) < expected:
        yield (
            f"has {len(stored)} of {expected} chunks of shape {data.chunks}, the others were never written; "
            "the recording was interrupted: record it again"
        )
    total = sum(size for size, _, _ in stored)
    if total > file_bytes:
        yield f"claims {total} stored bytes in a file of {file_bytes}; the file is damaged or cut short"
    if n_bytes > _LARGE_BYTES and n_bytes > _MAX_EXPANSION * total:
        yield f"unpacks from {total} to {n_bytes} bytes; no recording does: the file is a bomb or damaged"
    for size, _, mask in stored:
        applied = _applied(filters, mask)
        plain_bytes = _chunk_bytes(data) + _CHECKSUM_BYTES * applied.count(h5z.FILTER_FLETCHER32)
        if _PACKERS.isdisjoint(applied) and size != plain_bytes:
            yield f"has a chunk of {size} bytes where {plain_bytes} are expected; it is damaged: fetch it again"
    for size, offset, _ in stored if h5z.FILTER_DEFLATE in filters else ():
        if size > _TRUSTED_STORED_BYTES and _inflates_beyond(data, offset, 2 * chunk_bytes):
            yield f"has a chunk that unpacks to more than the {chunk_bytes} bytes it stands for; a bomb"


def _inflates_beyond(data: h5py.Dataset, offset: tuple[int, ...], limit: int) -> bool:
    """Whether one stored chunk takes more than ``limit`` bytes; unpacked in pieces, none of them kept."""
    _, packed = data.id.read_direct_chunk(offset)
    inflater, left = zlib.decompressobj(), limit
    piece = inflater.decompress(packed, 1 << 20)
    while piece:
        left -= len(piece)
        if left < 0:
            return True
        piece = inflater.decompress(inflater.unconsumed_tail, 1 << 20)
    return False
