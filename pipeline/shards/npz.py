"""Arrays as npz with the same bytes every time, and read back without the zip machinery.

`numpy.savez` writes the time of day into the archive, and `numpy.load` takes 200 µs for a handful of small
arrays. Members here are stored uncompressed with a fixed date; reading walks the local headers. The files are
ordinary npz: `numpy.load` and WebDataset's decoder read them.
"""

import ast
import io
import struct
import zipfile
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_LOCAL_MAGIC = b"PK\x03\x04"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_NPY_MAGIC = b"\x93NUMPY\x01\x00"
_NPY_PREFIX = 10
"""Magic, version and the 16-bit header length of npy version 1."""


def write_npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The arrays, in the mapping's order, as npz bytes. Raises ValueError for object arrays."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.save(member, np.asarray(array, order="C"), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            info.create_system = 3  # Unix, whatever wrote it
            info.external_attr = 0o644 << 16
            archive.writestr(info, member.getvalue())
    return buffer.getvalue()


def read_npz(data: bytes) -> dict[str, NDArray[Any]]:
    """The arrays `write_npz` wrote, as writable copies. Raises ValueError on anything else, even other npz files."""
    arrays: dict[str, NDArray[Any]] = {}
    at = 0
    while data[at : at + 4] == _LOCAL_MAGIC:
        _, _, flags, method, _, _, _, size, plain_size, n_name, n_extra = _LOCAL_HEADER.unpack_from(data, at)
        if method != zipfile.ZIP_STORED or flags & 0x8 or size != plain_size:
            raise ValueError("npz member is compressed or streamed; expected stored members with known sizes")
        start = at + _LOCAL_HEADER.size + n_name
        name = data[at + _LOCAL_HEADER.size : start].decode()
        at = start + n_extra + size
        arrays[name.removesuffix(".npy")] = _array(data[start + n_extra : at])
    if not arrays:
        raise ValueError(f"not an npz: found {data[:4]!r} at its start, expected {_LOCAL_MAGIC!r}")
    return arrays


def _array(member: bytes) -> NDArray[Any]:
    start = _NPY_PREFIX + int.from_bytes(member[8:_NPY_PREFIX], "little")
    dtype, shape = _header(member[:start])
    return np.frombuffer(member, dtype, offset=start).reshape(shape).copy()


@lru_cache(maxsize=4096)
def _header(raw: bytes) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """dtype and shape; few distinct headers occur, and parsing one costs more than reading its array."""
    if raw[:8] != _NPY_MAGIC:
        raise ValueError(f"npz member starts with {raw[:8]!r}, expected npy version 1 ({_NPY_MAGIC!r})")
    described = ast.literal_eval(raw[_NPY_PREFIX:].decode("latin1"))
    if described["fortran_order"]:
        raise ValueError("npz member is Fortran-ordered; expected C order")
    return np.dtype(described["descr"]), described["shape"]
