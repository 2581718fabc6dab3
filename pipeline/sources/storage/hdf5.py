"""Reading HDF5 files that strangers made: ALOHA, robomimic, DROID, EgoDex, FastUMI and AgiBot all come in them.

A file may name other files (links, external storage, virtual datasets), claim more data than the machine has memory,
hold Python objects, or be cut short. All of that is refused here and in `hdf5_dataset` with a `SourceError` that names
file and dataset, so that readers can ask for what they expect and nothing else happens.
"""

import math
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.sources.storage.hdf5_dataset import bands, refusal, short_chunk
from pipeline.sources.storage.hdf5_memory import bounded_memory
from pipeline.sources.storage.hdf5_stream import Guarded
from schemas.array import Floats

MAX_TABLE_BYTES = 256 << 20
"""A numeric table of one episode is some megabytes; one that claims more is no table of an episode."""
MAX_PICTURE_BYTES = 256 << 20
"""One picture, or one compressed row of it."""
MAX_ATTRIBUTE_BYTES = 16 << 20
"""robosuite keeps a whole scene description in an attribute; nobody keeps a recording there."""
MAX_TEXTS, MAX_TEXT_BYTES = 100_000, 64 << 20
"""Texts are read one by one: many may point at the same long one, which then takes its size as often."""
_MAX_ATTRIBUTE_TEXTS = 256
_MAX_NODES, _MAX_DEPTH = 20_000, 16
"""Groups may contain themselves; no episode has more datasets."""
_LARGEST = float(np.finfo(np.float32).max)
"""What no float32 holds is no measurement; as a double it would look like one until tracks are written."""
_BAND_BYTES = 32 << 20
_BROKEN = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    zlib.error,
)
"""What h5py raises on files that are cut short or damaged, depending on where."""


@dataclass(frozen=True)
class Hdf5:
    """An open file. Paths are absolute inside it, ``/observations/qpos``."""

    file: h5py.File
    name: str
    """Of the file, for messages."""
    n_bytes: int = 0
    _checked: dict[str, h5py.Dataset] = field(default_factory=dict, compare=False, repr=False)

    def has(self, path: str) -> bool:
        """Whether a group or dataset of the file itself stands at a path."""
        return self._found(path) is not None

    def keys(self, path: str = "/") -> list[str]:
        """Names in a group, sorted; empty when there is no such group."""
        group = self._found(path)
        if not isinstance(group, h5py.Group):
            return []
        with self._reading(path):
            names = sorted(group)
            "".join(names).encode()  # a name that is no UTF-8 could be stored nowhere further down
        return names

    def datasets(self, path: str = "/") -> list[str]:
        """Paths of all datasets below a group, sorted. Raises SourceError when they never end."""
        found, seen, waiting = [], 0, [(path.rstrip("/"), 0)]
        while waiting:
            folder, depth = waiting.pop()
            for name in self.keys(folder or "/"):
                seen += 1
                if seen > _MAX_NODES or depth >= _MAX_DEPTH:
                    raise SourceError(f"{self.name}: {path} has groups without end; the file is damaged or hostile")
                node = self._found(f"{folder}/{name}")
                if isinstance(node, h5py.Dataset):
                    found.append(f"{folder}/{name}")
                elif isinstance(node, h5py.Group):
                    waiting.append((f"{folder}/{name}", depth + 1))
        return sorted(found)

    def attributes(self, path: str = "/") -> dict[str, Any]:
        """The attributes of a group or dataset that are text, numbers or arrays of them; others are left out."""
        node = self._found(path)
        found: dict[str, Any] = {}
        if node is None:
            return found
        with self._reading(path), bounded_memory():
            for key in sorted(node.attrs):
                if _is_small_and_plain(node.attrs.get_id(key)):
                    found[_clean(key)] = _cleaned(node.attrs[key])
        return found

    def shape(self, path: str) -> tuple[int, ...]:
        """Shape of a dataset. Raises SourceError when there is none."""
        return tuple(int(side) for side in self.dataset(path).shape)

    def is_text(self, path: str) -> bool:
        """Whether a dataset of texts stands at a path."""
        node = self._found(path)
        if not isinstance(node, h5py.Dataset):
            return False
        with self._reading(path):
            return h5py.check_string_dtype(node.dtype) is not None

    def is_pictures(self, path: str) -> bool:
        """Whether a dataset of colour pictures [T, H, W, 3] stands at a path."""
        node = self._found(path)
        if not isinstance(node, h5py.Dataset):
            return False
        with self._reading(path):
            shape: tuple[int, ...] = node.shape or ()
            return bool(len(shape) == 4 and shape[-1] == 3 and node.dtype == np.uint8)

    def stored_bytes(self, path: str) -> int:
        """What a dataset takes in the file."""
        data = self.dataset(path)
        with self._reading(path):
            return int(data.id.get_storage_size())

    def numbers(self, path: str, width: int | None = None) -> Floats:
        """A numeric table, float64 [T, W] (a vector becomes [T, 1]); NaN where a number is not finite in float32.

        Raises SourceError for anything else.
        """
        data = self.dataset(path)
        if data.dtype.kind not in "biuf":
            raise SourceError(f"{self.name}: {path} holds {data.dtype}, expected numbers")
        self._check_fits(data, path, max(8, data.dtype.itemsize))
        self._check_chunks(data, path)
        with self._reading(path):
            values = np.atleast_1d(data[()])
        with np.errstate(all="ignore"):  # damaged floats may be odd ones
            table: Floats = values.astype(np.float64).reshape(len(values), math.prod(values.shape[1:]))
            table[~(np.abs(table) <= _LARGEST)] = np.nan
        if width is not None and table.shape[1] != width:
            raise SourceError(f"{self.name}: {path} has {table.shape[1]} values per row, expected {width}")
        return table

    def values(self, path: str) -> Any:
        """A whole dataset as an array of numbers or of fixed-width text; at least one-dimensional."""
        data = self.dataset(path)
        if data.dtype.hasobject:
            raise SourceError(f"{self.name}: {path} holds sequences or texts of any length, expected numbers")
        self._check_fits(data, path, data.dtype.itemsize)
        self._check_chunks(data, path)
        with self._reading(path):
            return np.atleast_1d(data[()])

    def texts(self, path: str) -> list[str]:
        """A dataset of texts, flattened."""
        data = self.dataset(path)
        if not self.is_text(path):
            raise SourceError(f"{self.name}: {path} holds {data.dtype}, expected text")
        if data.size > MAX_TEXTS:
            raise SourceError(f"{self.name}: {path} claims {data.size} texts, more than {MAX_TEXTS}; it is damaged")
        self._check_chunks(data, path)
        texts, left = [], MAX_TEXT_BYTES
        with self._reading(path), bounded_memory():
            for place in np.ndindex(data.shape):
                value = data[place]
                left -= len(value)
                if left < 0:
                    raise SourceError(f"{self.name}: {path} holds more than {MAX_TEXT_BYTES >> 20} MiB of text")
                texts.append(value.decode("utf-8", "replace") if isinstance(value, bytes) else _clean(str(value)))
        return texts

    def row(self, path: str, index: int) -> Any:
        """One row of a large dataset, such as one picture. Only that row is read."""
        data = self._rowed(path)
        if not 0 <= index < data.shape[0]:
            raise SourceError(f"{self.name}: {path} has shape {data.shape}, expected a row {index}")
        self._check_chunks(data, path, index, index + 1)
        with self._reading(path), bounded_memory() if data.dtype.hasobject else nullcontext():
            return data[index]

    def rows(self, path: str, first: int = 0) -> Iterator[Any]:
        """The rows of a large dataset in order, from ``first``; each chunk is unpacked once."""
        data = self._rowed(path)
        if data.dtype.hasobject:
            yield from (self.row(path, index) for index in range(first, data.shape[0]))
            return
        for band in self.bands(path, first):
            yield from band

    def bands(self, path: str, first: int = 0) -> Iterator[Any]:
        """The same, some megabytes of rows at a time; only for rows of one length."""
        data = self._rowed(path)
        for start, stop in bands(data, first, _BAND_BYTES):
            self._check_chunks(data, path, start, stop)
            with self._reading(path):
                band = data[start:stop]
            yield band

    def dataset(self, path: str) -> h5py.Dataset:
        """A dataset whose data lie in this file and need no plug-in. Raises SourceError saying what is there."""
        if path in self._checked:
            return self._checked[path]
        data = self._found(path)
        if not isinstance(data, h5py.Dataset):
            there = ", ".join(self.keys(path.rpartition("/")[0] or "/")[:12]) or "nothing"
            found = "nothing" if data is None else "a group"
            raise SourceError(f"{self.name}: found {found} at {path}, expected a dataset; beside it stand {there}")
        with self._reading(path):
            reason = refusal(data, self.n_bytes)
        if reason is not None:
            raise SourceError(f"{self.name}: {path} {reason}")
        self._checked[path] = data
        return data

    def _rowed(self, path: str) -> h5py.Dataset:
        """A dataset of rows, none of which is larger than a picture."""
        data = self.dataset(path)
        if not data.shape or (data.dtype.hasobject and data.ndim > 1):
            raise SourceError(f"{self.name}: {path} has shape {data.shape}, expected one row per picture")
        n_bytes = math.prod(data.shape[1:]) * data.dtype.itemsize
        if n_bytes > MAX_PICTURE_BYTES:
            raise SourceError(
                f"{self.name}: one row of {path} takes {n_bytes} bytes, more than {MAX_PICTURE_BYTES >> 20} MiB; "
                "the file is damaged"
            )
        return data

    def _check_fits(self, data: h5py.Dataset, path: str, value_bytes: int) -> None:
        if data.size * value_bytes > MAX_TABLE_BYTES:
            raise SourceError(
                f"{self.name}: {path} claims {data.size} values of {data.dtype}, more than {MAX_TABLE_BYTES >> 20} "
                "MiB; no episode's table is that large: the file is damaged"
            )

    def _check_chunks(self, data: h5py.Dataset, path: str, first: int = 0, stop: int | None = None) -> None:
        """Rows are asked for only when their chunks are whole: the library reads on behind those that are not."""
        if data.shape:
            with self._reading(path):
                reason = short_chunk(data, first, data.shape[0] if stop is None else stop)
            if reason is not None:
                raise SourceError(f"{self.name}: {path} {reason}")

    def _found(self, path: str) -> h5py.Group | h5py.Dataset | None:
        """The node at a path, walked link by link. Raises SourceError when a link leads out of the file."""
        node: h5py.Group | h5py.Dataset = self.file
        steps = [step for step in path.split("/") if step]
        with self._reading(path):
            for step in steps:
                link = node.get(step, getlink=True) if isinstance(node, h5py.Group) else None
                if link is None:
                    return None
                if not isinstance(link, h5py.HardLink):
                    kind = type(link).__name__
                    raise SourceError(f"{self.name}: {path} is a {kind}; copy what it points at into its place")
                node = node[step]
        return node

    @contextmanager
    def _reading(self, path: str) -> Iterator[None]:
        try:
            yield
        except _BROKEN as error:
            raise SourceError(
                f"{self.name}: {path} cannot be read ({_brief(error)}); it is damaged or cut short: fetch it again"
            ) from error


@contextmanager
def opened(files: SourceFiles, path: str) -> Iterator[Hdf5]:
    """A file of a source as HDF5. Raises SourceError when it is none."""
    name = files.url_of(path)
    with files.open(path) as stream:
        try:
            n_bytes = stream.seek(0, 2)
            file = h5py.File(Guarded(stream), "r", rdcc_nbytes=_BAND_BYTES)
        except _BROKEN as error:
            raise SourceError(f"{name}: is no readable HDF5 file ({_brief(error)}); fetch it again") from error
        try:
            yield Hdf5(file, name, n_bytes)
        finally:
            with suppress(*_BROKEN):  # nothing was written: a damaged file may fail to close, all is read by now
                file.close()


def first_of(paths: Sequence[str], file: Hdf5) -> str | None:
    """The first path at which the file has something; formats name the same thing in several ways."""
    return next((path for path in paths if file.has(path)), None)


def _is_small_and_plain(attribute: h5py.h5a.AttrID) -> bool:
    """Whether an attribute is text or numbers of a sane size; asked before it is read."""
    kind, shape = attribute.dtype, attribute.shape
    if shape is None:
        return False
    count = math.prod(shape)
    if h5py.check_string_dtype(kind) is not None and kind.hasobject:
        return bool(count <= _MAX_ATTRIBUTE_TEXTS)
    return bool(kind.kind in "SUbiuf" and count * kind.itemsize <= MAX_ATTRIBUTE_BYTES)


def _cleaned(value: Any) -> Any:
    """Text as text that can be written anywhere, also inside arrays; numbers as they are."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "OS":
        return np.array([_cleaned(one) for one in value.reshape(-1)], dtype=np.str_).reshape(value.shape)
    return value


def _clean(text: str) -> str:
    """h5py gives bytes that are no UTF-8 as lone surrogates, which no file or JSON takes."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _brief(error: BaseException) -> str:
    return _clean(" ".join(str(error).split())[:200]) or type(error).__name__
