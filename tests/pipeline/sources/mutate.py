"""Spoiling a source: which file, and which of the ways to spoil its kind of file.

Half of the changes know the file's format and leave its checksums right, because random bytes die at the first one and
never reach the reader behind it.
"""

import random
from contextlib import suppress
from pathlib import Path

from tests.pipeline.sources.mutations.arrays import zarr_file_changed, zip_changed
from tests.pipeline.sources.mutations.containers import bag_changed, mcap_changed, mp4_changed, tfrecord_changed
from tests.pipeline.sources.mutations.damage import Damage, FileChange
from tests.pipeline.sources.mutations.hdf5 import hdf5_changed
from tests.pipeline.sources.mutations.places import file_replaced, put_beside
from tests.pipeline.sources.mutations.raw_bytes import BYTES
from tests.pipeline.sources.mutations.tables import parquet_changed, sqlite_changed
from tests.pipeline.sources.mutations.text import suffixes_of

_BY_SUFFIX: dict[str, FileChange] = {
    ".bag": bag_changed,
    ".db3": sqlite_changed,
    ".h5": hdf5_changed,
    ".hdf5": hdf5_changed,
    ".mcap": mcap_changed,
    ".mp4": mp4_changed,
    ".npz": zip_changed,
    ".parquet": parquet_changed,
    ".zip": zip_changed,
}


def spoil(root: Path, rng: random.Random) -> Damage:
    """Spoil one file below ``root`` in place, or put something beside the files."""
    if rng.random() < 0.04 and _chosen(root, rng) is not None:
        with suppress(FileExistsError):  # put there before
            return Damage(put_beside(root, rng), None)
    path = _chosen(root, rng)
    if path is None:
        return Damage("nothing left to spoil", None)
    name = path.relative_to(root).as_posix()
    if rng.random() < 0.07:
        return Damage(file_replaced(path, rng), name)
    change = _structural(path)
    if change is not None and rng.random() < 0.6:
        try:
            return Damage(change.__name__, name, change(path, rng))
        except Exception:  # noqa: BLE001 - already too damaged for the library that wrote it
            return Damage(f"{change.__name__} after other damage", name)
    return Damage(_flat(path, rng), name)


def _flat(path: Path, rng: random.Random) -> str:
    """One of the changes that know at most that the file is text. Returns its name."""
    data = path.read_bytes()
    texts = suffixes_of(path)
    flat = rng.choice(texts if texts and rng.random() < 0.75 else BYTES)
    path.write_bytes(flat(data, rng) if data else b"")
    return flat.__name__


def _chosen(root: Path, rng: random.Random) -> Path | None:
    """A file; of kinds with many files, such as chunks, as seldom as of kinds with one."""
    found = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    if not found:
        return None
    kind = rng.choice(sorted({_kind(path) for path in found}))
    return rng.choice([path for path in found if _kind(path) == kind])


def _kind(path: Path) -> str:
    if path.name.startswith(".z") or path.name == "zarr.json":
        return path.name
    return path.suffix.lower().rstrip("0123456789") if "tfrecord" not in path.name else ".tfrecord"


def _structural(path: Path) -> FileChange | None:
    if "tfrecord" in path.name:
        return tfrecord_changed
    if any(part.endswith(".zarr") for part in path.parts):
        return zarr_file_changed
    return _BY_SUFFIX.get(path.suffix.lower())
