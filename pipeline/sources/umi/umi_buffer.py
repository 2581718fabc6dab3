"""The inside of a UMI replay buffer: which of its arrays are read, where episodes end, and what tells them apart.

An episode is known by its own rows and pictures, not by the zip: a buffer that grows re-runs nothing, and a zip and a
folder of the same chunks hold the same episodes. Pictures count by their packed bytes as they really are, not by the
checksums that the zip claims for them: a damaged copy would otherwise pass for the good one that replaces it. So a
buffer is read once when it is first listed, like any other file, and decoded not at all.
"""

import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np

from pipeline.errors import SourceError
from pipeline.files import FileStat, SourceFiles
from pipeline.fingerprint import DigestCache
from pipeline.sources.storage.zarr_array import Array, open_array
from pipeline.sources.storage.zarr_store import FolderStore, Store, opened_zip
from schemas.array import Ints

ZIP = ".zarr.zip"
ENDS = "meta/episode_ends"
POSITION, ROTATION, WIDTH = "eef_pos", "eef_rot_axis_angle", "gripper_width"
LOW_DIM = {POSITION: 3, ROTATION: 3, WIDTH: 1}
"""Numbers per row of the arrays ``robot{k}_…`` that are read."""
_METADATA = (".zarray", "zarr.json")
_MAX_EPISODES = 1_000_000
_ROBOT = re.compile(rf"^robot(\d)_({'|'.join(LOW_DIM)})$")
_REPEATED = re.compile(r"^robot\d_demo_(start|end)_pose$")
_CAMERA = re.compile(r"^camera(\d)_rgb$")
_ANY_CAMERA = re.compile(r"^(?!.*(tactile|depth|gelsight|digit)).*(camera|cam|view|rgb|image)", re.IGNORECASE)
"""Names of pictures of a scene. A tactile sensor's pictures have the same shape and are no view."""


@dataclass(frozen=True, eq=False)
class Buffer:
    """An opened replay buffer: the arrays that are read, by name."""

    low_dim: dict[str, Array]
    cameras: dict[str, Array]
    """By view, master first."""
    ignored: list[str]
    """What else there is, in words."""


def folders(listing: Mapping[str, FileStat]) -> Iterator[str]:
    """Folders that are zarrs with episode ends; ``""`` is the source's own folder."""
    for leaf in _METADATA:
        for path in listing:
            if f"/{path}".endswith(f"/{ENDS}/{leaf}"):
                yield path[: -len(f"{ENDS}/{leaf}")].rstrip("/")


def opened_buffer(
    files: SourceFiles, path: str, digests: DigestCache | None = None, listing: Mapping[str, FileStat] | None = None
) -> AbstractContextManager[Store]:
    """A buffer's container, zip or folder; ``digests`` and ``listing`` are for discovery."""
    if path.endswith(ZIP):
        return opened_zip(files, path)
    return nullcontext(FolderStore(files, path, digests, listing))


def read_buffer(store: Store, n_robots: int) -> Buffer:
    """The arrays of ``data/``. Raises SourceError when there is neither a pose nor a picture among them."""
    names = _names(store)
    low_dim: dict[str, Array] = {}
    cameras: dict[str, Array] = {}
    ignored = []
    for name in names:
        robot = _ROBOT.match(name)
        if robot and int(robot[1]) < n_robots:
            low_dim[name] = _checked(array_at(store, f"data/{name}"), LOW_DIM[robot[2]])
            continue
        array, why = _optional(store, name)
        if array is not None and array.holds_pictures and _ANY_CAMERA.match(name):
            view = name.removesuffix("_rgb")
            cameras[name if view in cameras else view] = array
        elif not _REPEATED.match(name):
            ignored.append(why)
    if not low_dim and not cameras:
        raise SourceError(
            f"{store.name}: found {', '.join(names) or 'nothing'} in data/, expected robot0_{POSITION} or "
            "camera0_rgb; this zarr is no UMI replay buffer"
        )
    numbered = sorted(cameras, key=lambda name: (not _CAMERA.match(f"{name}_rgb"), name))
    return Buffer(low_dim, {name: cameras[name] for name in numbered}, ignored)


def _names(store: Store) -> list[str]:
    """What stands in ``data/``."""
    paths = [key.split("/") for key in store.keys_ending(*(f"/{leaf}" for leaf in _METADATA))]
    return sorted({path[1] for path in paths if len(path) == 3 and path[0] == "data"})


def _optional(store: Store, name: str) -> tuple[Array | None, str]:
    """An array that an episode can do without, and what it is in words. A camera by UMI's own name must be readable."""
    try:
        array = open_array(store, f"data/{name}")
    except SourceError as error:
        if _CAMERA.match(name):
            raise
        return None, f"{name} ({str(error).removeprefix(f'{store.name}: ')})"
    return array, name if array is None else f"{name} ({array.dtype} {list(array.shape)})"


def _checked(array: Array, width: int) -> Array:
    if array.shape[1:] != (width,) and not (width == 1 and len(array.shape) == 1):
        raise SourceError(f"{array.name} has shape {list(array.shape)}, expected [rows, {width}]; it is damaged")
    return array


def episode_ends(store: Store) -> Ints:
    """The row after each episode's last, int64 [E]. Raises SourceError when they step back or are no numbers."""
    array = open_array(store, ENDS)
    if array is None or array.dtype.kind not in "iu" or len(array.shape) != 1:
        found = "nothing" if array is None else f"{array.dtype} {list(array.shape)}"
        raise SourceError(f"{store.name}: found {found} at {ENDS}, expected a list of row numbers; it is damaged")
    ends: Ints = array.rows(0, array.shape[0]).astype(np.int64)
    if np.any(np.diff(ends, prepend=0) < 0) or len(ends) > _MAX_EPISODES:
        raise SourceError(
            f"{store.name}: {ENDS} steps back or names more than {_MAX_EPISODES} episodes; the file is damaged"
        )
    return ends


def content_of(
    buffer: Buffer, rows: tuple[int, int], files: SourceFiles, digests: DigestCache, zipped: FileStat | None
) -> tuple[str, int]:
    """An episode's digest and size; of a zip that has not changed, without reading it. Folders remember by file."""
    n_bytes = _n_bytes(buffer, *rows)
    if zipped is None:
        return _content(buffer, *rows), n_bytes
    names = ",".join([*sorted(buffer.low_dim), *buffer.cameras])
    key = (f"{files.url_of(zipped.path)}#{rows[0]}:{rows[1]}:{names}", zipped.size, zipped.mtime_ns)
    known = digests.get(*key)
    if known is None:
        known = _content(buffer, *rows)
        digests.put(*key, known)
    return known, n_bytes


def _content(buffer: Buffer, start: int, stop: int) -> str:
    """A digest of an episode's rows and pictures. Where chunks hold several pictures, their pixels count instead:
    a neighbour must not."""
    hasher = hashlib.sha256()
    for name, array in sorted(buffer.low_dim.items()):
        rows = array.rows(start, stop)
        rows = np.ascontiguousarray(rows.astype(rows.dtype.newbyteorder("<")))
        hasher.update(f"{name} {rows.dtype.str} {rows.shape};".encode() + rows.tobytes())
    for name, array in buffer.cameras.items():
        hasher.update(f"{name} {array.shape[1:]};".encode())
        for row in range(start, stop):
            if array.chunks[0] > 1:
                hasher.update(array.rows(row, row + 1).tobytes())
            else:
                hasher.update(",".join(array.store.mark(key) for key in array.row_keys(row)).encode())
    return hasher.hexdigest()


def _n_bytes(buffer: Buffer, start: int, stop: int) -> int:
    """What an episode takes. Raises SourceError when its rows, or the chunks of its pictures, are not there."""
    n_bytes = 0
    for array in [*buffer.low_dim.values(), *buffer.cameras.values()]:
        if stop > array.shape[0]:
            raise SourceError(f"{array.name} has {array.shape[0]} rows, expected rows {start} to {stop}")
    for array in buffer.low_dim.values():
        n_bytes += (stop - start) * math.prod(array.shape[1:]) * array.dtype.itemsize
    for array in buffer.cameras.values():
        step = array.chunks[0]
        for key in (key for row in range(start - start % step, stop, step) for key in array.row_keys(row)):
            size = array.store.size(key)
            if size is None:
                raise SourceError(f"{array.store.name}: chunk {key} is missing; complete the download")
            n_bytes += size
    return n_bytes


def array_at(store: Store, path: str) -> Array:
    """An array that must be there. Raises SourceError when it is not."""
    array = open_array(store, path)
    if array is None:
        raise SourceError(f"{store.name}: no array {path}, although it was there when the source was listed")
    return array
