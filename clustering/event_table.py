"""The assigned events of a corpus as arrays: about 100 bytes each, so that ten million fit where objects would not."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.cluster import Assignment

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class EventTable:
    """N events, one row each, sorted by ``event_id``; E episodes, sorted."""

    event_id: NDArray[np.bytes_]
    episode_ids: NDArray[np.bytes_]
    """[E]."""
    episode: Rows
    """Place of the event's episode among ``episode_ids``."""
    cell: Rows
    """Number of the event's cell."""
    with_action: NDArray[np.bool_]
    protected: NDArray[np.bool_]
    """In the tail or a recovery: never left out."""
    start_s: NDArray[np.float64]
    seconds: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.event_id)

    def rows_of(self, event_ids: Sequence[str]) -> Rows:
        """The rows of events; −1 for those that were not assigned."""
        return _places(self.event_id, np.array([name.encode() for name in event_ids], np.bytes_))

    def episodes_of(self, episode_ids: Sequence[str]) -> Rows:
        """The places of episodes; −1 for those without assigned events."""
        return _places(self.episode_ids, np.array([name.encode() for name in episode_ids], np.bytes_))

    def cells(self, rank: Rows) -> Iterator[Rows]:
        """The rows of every cell with several events, best event first; ``rank`` [E] is 0 for the best episode."""
        order = np.lexsort((np.arange(len(self)), -self.seconds, rank[self.episode], self.cell))
        starts = np.flatnonzero(np.diff(self.cell[order], prepend=-1))
        yield from (rows for rows in np.split(order, starts[1:]) if len(rows) > 1)


def _places(names: NDArray[np.bytes_], wanted: NDArray[np.bytes_]) -> Rows:
    if len(names) == 0 or len(wanted) == 0:
        return np.full(len(wanted), -1)
    at = np.minimum(np.searchsorted(names, wanted), len(names) - 1)
    return np.where(names[at] == wanted, at, -1)


def table_of(batches: Iterable[list[Assignment]]) -> EventTable:
    """All assignments as one table. Raises ValueError when an event comes twice."""
    parts = [_columns(batch) for batch in batches if batch] or [_columns([])]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.argsort(columns[0], kind="stable")
    event_id, episode_id, v, a, protected, start_s, seconds = (column[order] for column in columns)
    twice = np.flatnonzero(event_id[1:] == event_id[:-1])
    if len(twice):
        raise ValueError(f"{event_id[twice[0]].decode()}: assigned twice; every event has one cell")
    episode_ids, episode = np.unique(episode_id, return_inverse=True)
    _, cell = np.unique(np.stack([v, a], axis=1), axis=0, return_inverse=True)
    return EventTable(event_id, episode_ids, episode.reshape(-1), cell.reshape(-1), a >= 0, protected, start_s, seconds)


def _columns(batch: list[Assignment]) -> tuple[NDArray[np.generic], ...]:
    return (
        np.array([item.event_id.encode() for item in batch], np.bytes_),
        np.array([item.episode_id.encode() for item in batch], np.bytes_),
        np.array([item.vision_language for item in batch], np.int64),
        np.array([item.action for item in batch], np.int64),
        np.array([item.tail or item.recovery for item in batch], np.bool_),
        np.array([item.start_s for item in batch], np.float64),
        np.array([item.duration_s for item in batch], np.float64),
    )
