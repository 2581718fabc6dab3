"""Which events lie next to each other in their recording, and what is said of any stretch of it.

A load plan's windows may reach over the edges of an event: chunks of fixed length cut by a clock, boundaries that are
moved on purpose. The recording is not in a shard set, but its events are, laid end to end; so a window is put together
from as many of them as it covers. Only plans that ask for it read this.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.blobs import Blobs
from pipeline.errors import StoreError
from pipeline.loader.catalogue import SPLITS, view_counts
from pipeline.loader.names import MANIFEST

EVENTS = "events.parquet"
_MEMBERS = "members.list.element.name"


@dataclass(frozen=True, eq=False)
class Timeline:
    """Where each of N training events, rows of the catalogue, lies."""

    previous: NDArray[np.int32]
    """[N] row of the event that ends where this one begins, in the same recording; -1 for none."""
    next: NDArray[np.int32]
    """[N] row of the event that begins where this one ends; -1 for none."""
    episode_id: NDArray[np.bytes_]
    start_ns: NDArray[np.int64]
    end_ns: NDArray[np.int64]


@dataclass(frozen=True)
class Named:
    """A stretch of a recording and what it is called."""

    start_ns: int
    end_ns: int
    caption: str


def read_timeline(blobs: Blobs) -> Timeline:
    """The timeline of a shard set's folder."""
    with blobs.open(MANIFEST) as file:
        columns = ["event_id", "split", "episode_id", "start_ns", "end_ns", _MEMBERS]
        table = pq.ParquetFile(file).read(columns)
    table = table.filter(pc.is_in(table.column("split"), pa.array(SPLITS))).combine_chunks()
    if not len(table):
        none = np.zeros(0, np.int32)
        return Timeline(none, none, np.zeros(0, np.bytes_), none.astype(np.int64), none.astype(np.int64))
    ids = np.array(table.column("event_id").to_pylist(), np.bytes_)
    _, rows = np.unique(ids, return_index=True)
    return timeline_of(
        np.array(table.column("episode_id").to_pylist(), np.bytes_)[rows],
        table.column("start_ns").to_numpy()[rows],
        table.column("end_ns").to_numpy()[rows],
        view_counts(table.column("members").chunk(0))[rows],
    )


def timeline_of(
    episode_id: NDArray[np.bytes_], start_ns: NDArray[Any], end_ns: NDArray[Any], n_views: NDArray[Any]
) -> Timeline:
    """Neighbours among events in any order: no gap between them, and as many cameras."""
    order = np.lexsort((start_ns, episode_id))
    first, second = order[:-1], order[1:]
    adjoin = (
        (episode_id[first] == episode_id[second])
        & (end_ns[first] == start_ns[second])
        & (n_views[first] == n_views[second])
    )
    previous, following = (np.full(len(order), -1, np.int32) for _ in range(2))
    following[first[adjoin]] = second[adjoin]
    previous[second[adjoin]] = first[adjoin]
    return Timeline(previous, following, episode_id, start_ns.astype(np.int64), end_ns.astype(np.int64))


def pieces_of(
    row: int, first_frame: int, n_frames: int, frames: Sequence[int] | NDArray[Any], timeline: Timeline
) -> list[tuple[int, int, int]]:
    """A window as (row, first frame, frames) of the events it covers, in order; ``frames`` [N] are the events' own.

    Raises ValueError for a window that reaches over the end of what adjoins its event.
    """
    while first_frame < 0:
        row = int(timeline.previous[row])
        if row < 0:
            raise ValueError(f"{-first_frame} frames before an event that nothing adjoins")
        first_frame += int(frames[row])
    found = []
    while n_frames:
        if row < 0:
            raise ValueError(f"{n_frames} frames after an event that nothing adjoins")
        inside = min(n_frames, int(frames[row]) - first_frame)
        if inside > 0:
            found.append((row, first_frame, inside))
            n_frames -= inside
        first_frame = max(first_frame - int(frames[row]), 0)
        row = int(timeline.next[row])
    return found


class Captions:
    """What every stretch of a recording is called at one level."""

    def __init__(self, blobs: Blobs, level: str) -> None:
        """Raises StoreError for a set without a table of events."""
        if not blobs.exists(EVENTS):
            raise StoreError(f"{blobs.url}: no {EVENTS}; publish the set again with this version of Joinery")
        with blobs.open(EVENTS) as file:
            columns = ["level", "episode_id", "start_ns", "end_ns", "caption"]
            table = pq.read_table(file, columns=columns, filters=[("level", "=", level)])
        table = table.sort_by([("episode_id", "ascending"), ("start_ns", "ascending")])
        self._episode = np.array(table.column("episode_id").to_pylist(), np.bytes_)
        self._start, self._end = (table.column(name).to_numpy() for name in ("start_ns", "end_ns"))
        self._caption = table.column("caption").to_pylist()

    def between(self, episode_id: bytes, start_ns: int, end_ns: int) -> tuple[Named, ...]:
        """The events of the level that overlap a stretch, in order."""
        low, high = (int(np.searchsorted(self._episode, episode_id, side=side)) for side in ("left", "right"))
        return tuple(
            Named(int(self._start[i]), int(self._end[i]), self._caption[i])
            for i in range(low, high)
            if self._start[i] < end_ns and self._end[i] > start_ns
        )


def majority(named: Sequence[Named], start_ns: int, end_ns: int) -> str | None:
    """The caption of what has the largest part of a stretch, of the first among equals; None when nothing has any."""
    shared = [max(0, min(one.end_ns, end_ns) - max(one.start_ns, start_ns)) for one in named]
    best = int(np.argmax(shared)) if shared else 0
    return named[best].caption if shared and shared[best] > 0 else None
