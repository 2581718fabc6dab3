"""NumPy archives (``.npz``) from strangers: numbers and fixed-width text, never objects, never more than is there.

`numpy.load` unpacks whatever a member claims to hold. Here every member is checked against the archive before it is
unpacked, and every array's shape against its member, so that no claim is believed that the file cannot meet.
"""

import io
import lzma
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from schemas.array import Floats

MAX_ARRAY_BYTES = 256 << 20
"""Of one array: five hours of every joint of two hands at 60 Hz have less."""
_MAX_MEMBERS = 10_000
_MAX_HEADER_BYTES = 10_000
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_BROKEN = (
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, lzma.LZMAError, OSError, EOFError, RuntimeError,
    NotImplementedError, RecursionError, ValueError, SyntaxError, tokenize.TokenError, TypeError, KeyError,
    OverflowError, MemoryError,
)  # fmt: skip
"""What zipfile and NumPy's header parser raise on damaged bytes."""


class Npz:
    """An open archive. Get one from `opened`."""

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        self._archive = archive
        self.name = name
        self._members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}

    @property
    def keys(self) -> list[str]:
        """Names of the arrays, in the archive's order."""
        return list(self._members)

    def has(self, key: str) -> bool:
        return key in self._members

    def shape(self, key: str) -> tuple[int, ...]:
        """Shape of an array. Raises SourceError as `array` does."""
        return tuple(int(side) for side in self.array(key).shape)

    def array(self, key: str) -> Any:
        """One array. Raises SourceError when it is not there, holds objects, or is not whole."""
        info = self._members.get(key)
        if info is None:
            raise SourceError(f"{self.name}: holds no array {key!r}; there are {', '.join(self.keys[:20]) or 'none'}")
        if info.file_size > MAX_ARRAY_BYTES:
            raise SourceError(
                f"{self.name}: {key} claims {info.file_size} bytes, more than {MAX_ARRAY_BYTES >> 20} MiB; no log is "
                "that large: the file is damaged"
            )
        if info.compress_type not in _PACKINGS or info.flag_bits & _ENCRYPTED:
            raise SourceError(f"{self.name}: {key} is encrypted or packed in an unusual way; save it anew with NumPy")
        try:
            with self._archive.open(info) as member:
                data = member.read(info.file_size)
            return _array(data)
        except _ObjectsError as error:
            raise SourceError(f"{self.name}: {key} holds Python objects, which are never read; save numbers") from error
        except _BROKEN as error:
            problem = " ".join(str(error).split())[:200]
            raise SourceError(f"{self.name}: {key} cannot be read ({problem}); fetch the file again") from error

    def numbers(self, key: str) -> Floats:
        """An array of numbers as float64. Raises SourceError for anything else."""
        values = self.array(key)
        if not (np.issubdtype(values.dtype, np.number) or values.dtype == np.bool_) or np.iscomplexobj(values):
            raise SourceError(f"{self.name}: {key} holds {values.dtype}, expected numbers")
        numbers: Floats = values.astype(np.float64)
        return numbers


class _ObjectsError(Exception):
    """An array of Python objects, which would have to be unpickled."""


def _array(data: bytes) -> Any:
    """The array of an ``.npy`` file's bytes, a view of them."""
    stream = io.BytesIO(data)
    npy: Any = np.lib.format
    version = npy.read_magic(stream)
    read_header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
    if read_header is None:
        raise ValueError(f"version {version} of the npy format")
    shape, by_columns, dtype = read_header(stream, max_header_size=_MAX_HEADER_BYTES)
    if dtype.hasobject:
        raise _ObjectsError
    count = 1
    for side in shape:
        if side < 0:
            raise ValueError(f"shape {shape}")
        count *= side
    at = stream.tell()
    if count * dtype.itemsize != len(data) - at:
        raise ValueError(f"{dtype} {list(shape)} takes {count * dtype.itemsize} bytes, found {len(data) - at}")
    if dtype.itemsize == 0 or count == 0:
        return np.zeros(shape if count == 0 and max(shape) < 2**31 else 0, dtype)
    return np.frombuffer(data, dtype, count, at).reshape(shape, order="F" if by_columns else "C")


@contextmanager
def opened(files: SourceFiles, path: str) -> Iterator[Npz]:
    """A file of a source as an archive of arrays. Raises SourceError when it is none."""
    name = files.url_of(path)
    with files.open(path) as stream:
        try:
            archive = zipfile.ZipFile(stream)
        except _BROKEN as error:
            raise SourceError(
                f"{name}: is no readable NumPy archive ({' '.join(str(error).split())[:200]}); fetch it again"
            ) from error
        with archive:
            if len(archive.infolist()) > _MAX_MEMBERS:
                raise SourceError(f"{name}: claims {len(archive.infolist())} arrays; the file is damaged")
            yield Npz(archive, name)
