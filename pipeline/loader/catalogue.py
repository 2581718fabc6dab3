"""The catalogue: every training event of a shard set once, as arrays; what a load plan's draws are rows of.

Sorted by event id and read from the manifest alone, so that it is the same for the same events however shards are
named, cut, repeated or ordered. Ten million events are arrays of about 60 bytes each, never objects.
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
from pipeline.loader.names import MANIFEST
from pipeline.loader.plan import arrays_digest
from pipeline.loader.sample import VIDEO_SUFFIX

SPLITS = ("train", "reserve")
"""Splits that hold training events: those the written epoch drew, and those it had no room for."""
COLUMNS = ("event_id", "split", "source", "vision_language", "action", "recovery", "n_frames", "n_action_rows")
MEMBERS = "members.list.element.name"


@dataclass(frozen=True, eq=False)
class Catalogue:
    """N events, one row each, sorted by ``event_id``."""

    event_id: NDArray[np.bytes_]
    vision_language: NDArray[np.int32]
    action: NDArray[np.int32]
    source: NDArray[np.int32]
    """Index into ``source_names``."""
    recovery: NDArray[np.bool_]
    n_frames: NDArray[np.uint32]
    """Of the master view."""
    n_views: NDArray[np.uint8]
    n_action_rows: NDArray[np.uint32]
    source_names: tuple[str, ...]
    """Sorted."""

    def __len__(self) -> int:
        return len(self.event_id)

    @property
    def digest(self) -> str:
        """Identity of the events and of everything a plan asks about them."""
        arrays: dict[str, NDArray[Any]] = {name: getattr(self, name) for name in _FIELDS}
        return arrays_digest({**arrays, "source_names": np.array(self.source_names, np.str_)})

    def rows(self, event_ids: NDArray[np.bytes_]) -> NDArray[np.int64]:
        """Row of every id. Raises KeyError naming the first that is no training event."""
        found = np.minimum(np.searchsorted(self.event_id, event_ids), max(len(self) - 1, 0))
        wrong = np.flatnonzero(self.event_id[found] != event_ids) if len(self) else np.arange(len(event_ids))
        if len(wrong):
            raise KeyError(
                f"{event_ids[wrong[0]].decode()}: not among the {len(self)} training events of the catalogue"
            )
        return found.astype(np.int64)


_FIELDS = ("event_id", "vision_language", "action", "source", "recovery", "n_frames", "n_views", "n_action_rows")
_TYPES = (np.bytes_, np.int32, np.int32, np.int32, np.bool_, np.uint32, np.uint8, np.uint32)


def read_catalogue(blobs: Blobs) -> Catalogue:
    """The catalogue of a shard set's folder. Raises StoreError for a manifest it cannot be read from."""
    names: dict[str, int] = {}
    with blobs.open(MANIFEST) as file:
        parts = list(_parts(pq.ParquetFile(file), names, f"{blobs.url}/{MANIFEST}"))
    columns = [np.concatenate([part[i] for part in parts]) for i in range(len(_FIELDS))]
    del parts
    return catalogue_of(dict(zip(_FIELDS, columns, strict=True)), tuple(names))


def catalogue_of(columns: dict[str, NDArray[Any]], source_names: tuple[str, ...]) -> Catalogue:
    """A catalogue of rows in any order, repeats of an event included. Raises StoreError when repeats differ."""
    order = np.argsort(columns["event_id"], kind="stable")
    event_id = columns["event_id"][order]
    again = np.flatnonzero(event_id[1:] == event_id[:-1]) + 1
    by_name = sorted(range(len(source_names)), key=lambda code: source_names[code])
    columns["source"] = np.argsort(by_name)[columns["source"]] if by_name else columns["source"]
    for name in _FIELDS[1:]:
        values = columns[name][order]
        differ = again[values[again] != values[again - 1]]
        if len(differ):
            event, found = event_id[differ[0]].decode(), values[differ[0] - 1 : differ[0] + 1].tolist()
            raise StoreError(f"{event}: its samples disagree about {name}: {found}; run `joinery verify`")
        columns[name] = np.delete(values, again)
    columns["event_id"] = np.delete(event_id, again)
    kept: dict[str, Any] = {
        name: columns[name].astype(kind, copy=False) for name, kind in zip(_FIELDS, _TYPES, strict=True)
    }
    return Catalogue(**kept, source_names=tuple(source_names[code] for code in by_name))


def _parts(manifest: pq.ParquetFile, names: dict[str, int], where: str) -> Iterator[list[NDArray[Any]]]:
    """Columns of every row group's training events; ``names`` collects sources."""
    missing = [name for name in (*COLUMNS, "members") if name not in manifest.schema_arrow.names]
    if missing:
        raise StoreError(f"{where}: no column {missing[0]!r}; publish the set again with this version of Joinery")
    yield [np.zeros(0, kind) for kind in _TYPES]
    for group in range(manifest.num_row_groups):
        table = manifest.read_row_group(group, columns=[*COLUMNS, MEMBERS])
        table = table.filter(pc.is_in(table.column("split"), pa.array(SPLITS))).combine_chunks()
        if not len(table):
            continue
        found = {name: table.column(name).to_numpy() for name in COLUMNS}
        sources = [names.setdefault(name, len(names)) for name in found["source"]]
        yield [
            np.array(found["event_id"], np.bytes_),
            found["vision_language"].astype(np.int32),
            found["action"].astype(np.int32),
            np.array(sources, np.int32),
            found["recovery"].astype(np.bool_),
            found["n_frames"].astype(np.uint32),
            view_counts(table.column("members").chunk(0)),
            found["n_action_rows"].astype(np.uint32),
        ]


def view_counts(members: pa.ListArray) -> NDArray[np.uint8]:
    """Videos among the members of each row."""
    names = pc.struct_field(members.values, 0)
    before = np.concatenate([[0], np.cumsum(pc.ends_with(names, VIDEO_SUFFIX).to_numpy(zero_copy_only=False))])
    return np.diff(before[members.offsets.to_numpy()]).astype(np.uint8)
