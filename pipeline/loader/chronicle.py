"""What came before an event and what follows it: the neighbours of every event at its level of its episode.

A sample tells of one event. What a planner is asked with (what has been done so far) and what it should answer (what
comes next) stand in the set's ``events.parquet``, which lists the events of all levels. Kept as arrays, about 50 bytes
an event, every caption once: for the one process that reads steps, not for each of its workers.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.errors import StoreError
from pipeline.loader.reader import ShardSet
from schemas.array import Floats, Ints

EVENTS = "events.parquet"
_COLUMNS = ["event_id", "episode_id", "level", "start_ns", "end_ns", "verb", "caption"]


@dataclass(frozen=True)
class Neighbour:
    """An event as the story tells it."""

    event_id: str
    caption: str
    """Empty where it has none."""
    verb: str
    seconds: float


@dataclass(frozen=True, eq=False)
class Chronicle:
    """Events by id, each with its place in the order of its episode."""

    event_id: NDArray[np.bytes_]
    """Sorted."""
    place: Ints
    """int64: where each of these stands among the lines."""
    line_event: Ints
    """int64, by place: row of ``event_id``. Events of a level of an episode stand together, in the order of time."""
    line_story: Ints
    """int64, by place: which level of which episode."""
    line_seconds: Floats
    line_caption: Ints
    line_verb: Ints
    captions: tuple[str, ...]
    verbs: tuple[str, ...]

    @staticmethod
    def read(shards: ShardSet) -> "Chronicle":
        """Of a published set. Raises StoreError when it has no table of events."""
        try:
            with shards.open_file(EVENTS) as file:
                table = pq.read_table(file, columns=_COLUMNS)
        except FileNotFoundError as error:
            raise StoreError(
                f"{EVENTS}: not in the shard set, and nothing else says which event follows which; "
                "publish the set again with this version of Joinery"
            ) from error
        columns = {name: table.column(name).to_numpy() for name in ("start_ns", "end_ns")}
        encoded = {name: table.column(name).combine_chunks().dictionary_encode() for name in ("caption", "verb")}
        event_id = np.array(table.column("event_id").to_pylist(), np.bytes_)
        episode = np.array(table.column("episode_id").to_pylist(), np.bytes_)
        level = np.array(table.column("level").to_pylist(), np.bytes_)
        lines = np.lexsort((event_id, columns["end_ns"], columns["start_ns"], level, episode))
        by_id = np.argsort(event_id, kind="stable")
        row = np.empty(len(by_id), np.int64)
        row[by_id] = np.arange(len(by_id))
        place = np.empty(len(lines), np.int64)
        place[row[lines]] = np.arange(len(lines))
        return Chronicle(
            event_id=event_id[by_id],
            place=place,
            line_event=row[lines],
            line_story=_runs(episode[lines], level[lines]),
            line_seconds=(columns["end_ns"] - columns["start_ns"])[lines] / 1e9,
            line_caption=encoded["caption"].indices.to_numpy()[lines].astype(np.int64),
            line_verb=encoded["verb"].indices.to_numpy()[lines].astype(np.int64),
            captions=tuple(encoded["caption"].dictionary.to_pylist()),
            verbs=tuple(encoded["verb"].dictionary.to_pylist()),
        )

    def before(self, event_id: str, most: int) -> tuple[Neighbour, ...]:
        """The events before this one, the latest last. Raises KeyError for an unknown event."""
        place = self._place(event_id)
        first = int(np.searchsorted(self.line_story, self.line_story[place]))
        return tuple(self._neighbour(at) for at in range(max(first, place - most), place))

    def after(self, event_id: str, most: int) -> tuple[Neighbour, ...]:
        """The events after this one, the next first. Raises KeyError for an unknown event."""
        place = self._place(event_id)
        stop = int(np.searchsorted(self.line_story, self.line_story[place], side="right"))
        return tuple(self._neighbour(at) for at in range(place + 1, min(stop, place + 1 + most)))

    def _place(self, event_id: str) -> int:
        key = event_id.encode()
        row = int(np.searchsorted(self.event_id, key))
        if row == len(self.event_id) or self.event_id[row] != key:
            raise KeyError(f"{event_id}: not among the {len(self.event_id)} events of {EVENTS}")
        return int(self.place[row])

    def _neighbour(self, place: int) -> Neighbour:
        return Neighbour(
            self.event_id[self.line_event[place]].decode(),
            self.captions[self.line_caption[place]],
            self.verbs[self.line_verb[place]],
            float(self.line_seconds[place]),
        )


def _runs(*keys: NDArray[np.bytes_]) -> Ints:
    """Number of the run of equal keys each row belongs to, from 0."""
    differs = np.zeros(len(keys[0]), np.bool_)
    for key in keys:
        differs[1:] |= key[1:] != key[:-1]
    counted: Ints = np.cumsum(differs)
    return counted
