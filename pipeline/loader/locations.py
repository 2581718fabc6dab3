"""Where every training event lies: the manifest as arrays, one row per row of the catalogue.

An event that was drawn several times lies in several places with the same views; the first copy is taken. An event of
three views takes about 460 bytes and is never an object before it is asked for; workers hold none of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.blobs import Blobs
from pipeline.errors import StoreError
from pipeline.loader.catalogue import SPLITS
from pipeline.loader.names import MANIFEST
from schemas.shard import MemberRange

_COLUMNS = ("event_id", "split", "t", "shard", "start_ns", "end_ns", "members")
_DIGEST_BYTES = 32


@dataclass(frozen=True)
class Location:
    """Where one event lies."""

    event_id: str
    shard: str
    members: tuple[MemberRange, ...]


@dataclass(frozen=True, eq=False)
class Locations:
    """N events sorted by id, and the M members of their first copies."""

    event_id: NDArray[np.bytes_]
    shard: NDArray[np.int32]
    """Index into ``shards``."""
    duration_ns: NDArray[np.int64]
    first_member: NDArray[np.int64]
    """[N + 1]: event i has members ``first_member[i]`` … ``first_member[i + 1] − 1``."""
    name: NDArray[np.int32]
    """Index into ``names``."""
    offset: NDArray[np.int64]
    numbers: NDArray[np.uint32]
    """[M, 4]: n_bytes, n_frames, width, height."""
    sha256: NDArray[np.uint8]
    """[M, 32]."""
    shards: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def n_frames(self) -> NDArray[np.int64]:
        """[N] frames of every event's master view, which lies first."""
        frames: NDArray[np.int64] = self.numbers[self.first_member[:-1], 1].astype(np.int64)
        return frames

    def __len__(self) -> int:
        return len(self.event_id)

    def __getitem__(self, row: int) -> Location:
        """Of a row of the catalogue."""
        members = range(int(self.first_member[row]), int(self.first_member[row + 1]))
        return Location(
            event_id=self.event_id[row].decode(),
            shard=self.shards[self.shard[row]],
            members=tuple(self._member(i) for i in members),
        )

    def _member(self, i: int) -> MemberRange:
        n_bytes, *frames = self.numbers[i].tolist()
        sha256 = self.sha256[i].tobytes().hex()
        return MemberRange(self.names[self.name[i]], int(self.offset[i]), n_bytes, sha256, *frames)


def read_locations(blobs: Blobs) -> Locations:
    """The locations of a shard set's folder. Raises StoreError for a manifest that does not say where members lie."""
    shards: dict[str, int] = {}
    names: dict[str, int] = {}
    with blobs.open(MANIFEST) as file:
        manifest = pq.ParquetFile(file)
        missing = [column for column in _COLUMNS if column not in manifest.schema_arrow.names]
        if missing:
            raise StoreError(
                f"{blobs.url}/{MANIFEST}: no column {missing[0]!r}; publish the set again with this version of Joinery"
            )
        parts = [_empty(), *_parts(manifest, shards, names)]
    column = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    counts = column.pop("n_members")
    starts = np.concatenate([[0], np.cumsum(counts)])
    order = np.lexsort((column["t"], column["split"], column["event_id"]))
    ids = column["event_id"][order]
    kept = order[np.flatnonzero(np.concatenate([[True], ids[1:] != ids[:-1]])[: len(ids)])]
    first_member = np.concatenate([[0], np.cumsum(counts[kept])])
    member = np.repeat(starts[:-1][kept] - first_member[:-1], counts[kept]) + np.arange(first_member[-1])
    return Locations(
        event_id=column["event_id"][kept],
        shard=column["shard"][kept].astype(np.int32),
        duration_ns=column["duration_ns"][kept],
        first_member=first_member,
        name=column["name"][member].astype(np.int32),
        offset=column["offset"][member],
        numbers=column["numbers"][member],
        sha256=column["sha256"][member],
        shards=tuple(shards),
        names=tuple(names),
    )


def _empty() -> dict[str, NDArray[Any]]:
    whole = dict.fromkeys(("split", "t", "shard", "duration_ns", "n_members", "name", "offset"), np.zeros(0, np.int64))
    return {
        "event_id": np.zeros(0, np.bytes_),
        **whole,
        "numbers": np.zeros((0, 4), np.uint32),
        "sha256": np.zeros((0, _DIGEST_BYTES), np.uint8),
    }


def _parts(
    manifest: pq.ParquetFile, shards: dict[str, int], names: dict[str, int]
) -> Iterator[dict[str, NDArray[Any]]]:
    """Columns of every row group's training events; ``shards`` and ``names`` collect texts."""
    for group in range(manifest.num_row_groups):
        table = manifest.read_row_group(group, columns=list(_COLUMNS))
        table = table.filter(pc.is_in(table.column("split"), pa.array(SPLITS))).combine_chunks()
        if not len(table):
            continue
        members = table.column("members").chunk(0)
        values = members.flatten()
        columns = {field.name: values.field(i) for i, field in enumerate(values.type)}
        largest = pc.max(columns["n_bytes"]).as_py() or 0
        if largest > np.iinfo(np.uint32).max:
            raise StoreError(f"{MANIFEST}: a member of {largest} bytes, expected less than 4 GiB; cut shorter events")
        digests = bytes.fromhex("".join(columns["sha256"].to_pylist()))
        yield {
            "event_id": np.array(table.column("event_id").to_pylist(), np.bytes_),
            "split": np.array([SPLITS.index(name) for name in table.column("split").to_pylist()], np.int64),
            "t": table.column("t").to_numpy(),
            "shard": _codes(table.column("shard").to_pylist(), shards),
            "duration_ns": table.column("end_ns").to_numpy() - table.column("start_ns").to_numpy(),
            "n_members": members.value_lengths().to_numpy(zero_copy_only=False).astype(np.int64),
            "name": _codes(columns["name"].to_pylist(), names),
            "numbers": np.stack(
                [columns[name].to_numpy() for name in ("n_bytes", "n_frames", "width", "height")], axis=1
            ).astype(np.uint32),
            "offset": columns["offset"].to_numpy(),
            "sha256": np.frombuffer(digests, np.uint8).reshape(-1, _DIGEST_BYTES),
        }


def _codes(texts: list[str], known: dict[str, int]) -> NDArray[np.int64]:
    return np.fromiter((known.setdefault(text, len(known)) for text in texts), np.int64, len(texts))
