"""Whether the data of an HDF5 dataset may be asked for: looked at before the library allocates or unpacks anything.

A dataset may keep its data in other files, need plug-in code, hold Python objects, claim terabytes that were never
written, or unpack to a thousand times its size. The library follows all of these; this module says no, in words that
complete "<file>: <dataset> …".
"""

import math
import zlib
from collections.abc import Iterator

import h5py
import numpy as np
from h5py import h5z

MAX_CHUNK_BYTES = 256 << 20
"""The library unpacks whole chunks; a chunk of more than one large picture after another is damaged."""
_FILTERS = {h5z.FILTER_DEFLATE: "gzip", h5z.FILTER_LZF: "lzf", h5z.FILTER_SHUFFLE: "shuffle", h5z.FILTER_FLETCHER32: ""}
"""What the library brings itself and unpacks safely; others would load code from plug-in folders or trust sizes."""
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
    properties = data.id.get_create_plist()
    filters = [properties.get_filter(i)[0] for i in range(properties.get_nfilters())]
    foreign = [code for code in filters if code not in _FILTERS]
    if foreign:
        yield f"is packed with {data.compression or f'filter {foreign[0]}'}; repack it with gzip (h5repack)"
    if len(set(filters)) != len(filters):
        yield "is packed twice over; repack it with gzip (h5repack)"
    n_bytes = data.size * data.dtype.itemsize
    if n_bytes and data.chunks is None:
        yield from _whole_reasons(data, n_bytes, file_bytes)
    elif n_bytes:
        yield from _chunk_reasons(data, n_bytes, file_bytes, h5z.FILTER_DEFLATE in filters)


def _whole_reasons(data: h5py.Dataset, n_bytes: int, file_bytes: int) -> Iterator[str]:
    if not data.id.get_storage_size():
        yield f"of shape {data.shape} was made but never written; the recording was interrupted: record it again"
    if n_bytes > file_bytes and not data.dtype.hasobject:
        yield f"claims {n_bytes} bytes in a file of {file_bytes}; the file is damaged or cut short: fetch it again"


def _chunk_reasons(data: h5py.Dataset, n_bytes: int, file_bytes: int, gzipped: bool) -> Iterator[str]:
    chunk_bytes = math.prod(data.chunks) * data.dtype.itemsize
    if chunk_bytes > MAX_CHUNK_BYTES:
        yield f"is kept in chunks of {chunk_bytes} bytes, more than {MAX_CHUNK_BYTES >> 20} MiB; the file is damaged"
    expected = math.prod(-(-side // chunk) for side, chunk in zip(data.shape, data.chunks, strict=True))
    stored: list[tuple[int, tuple[int, ...]]] = []
    data.id.chunk_iter(lambda chunk: stored.append((chunk.size, chunk.chunk_offset)))
    if len(stored) < expected:
        yield (
            f"has {len(stored)} of {expected} chunks of shape {data.chunks}, the others were never written; "
            "the recording was interrupted: record it again"
        )
    total = sum(size for size, _ in stored)
    if total > file_bytes:
        yield f"claims {total} stored bytes in a file of {file_bytes}; the file is damaged or cut short"
    if n_bytes > _LARGE_BYTES and n_bytes > _MAX_EXPANSION * total:
        yield f"unpacks from {total} to {n_bytes} bytes; no recording does: the file is a bomb or damaged"
    for size, offset in stored if gzipped else ():
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
