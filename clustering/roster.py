"""The events of a level as arrays: what a schedule needs of ten million events without ten million objects.

Ids are fixed-width bytes (35 for Joinery's own), so an event costs about 95 bytes. Rows are sorted by event id,
whatever order the batches came in.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clustering.counter_hash import Keys, keys_of
from schemas.cluster import Membership, Split

SIDES = tuple(Split)


@dataclass(frozen=True, eq=False)
class Roster:
    """N events, one row each, sorted by ``event_id``."""

    event_id: NDArray[np.bytes_]
    episode_id: NDArray[np.bytes_]
    vision_language: NDArray[np.int64]
    action: NDArray[np.int64]
    source: NDArray[np.int32]
    """Place in ``sources``."""
    sources: tuple[str, ...]
    recovery: NDArray[np.bool_]
    side: NDArray[np.uint8]
    """Place of the event's split in `SIDES`."""
    key: Keys
    """Hash of the schedule's seed and the event's id."""

    def of(self, split: Split) -> NDArray[np.int64]:
        """Rows of the events of one split."""
        return np.flatnonzero(self.side == SIDES.index(split))

    def __len__(self) -> int:
        return len(self.event_id)


def roster_of(batches: Iterable[list[Membership]], seed: int) -> Roster:
    """All events that are no copies as one roster. Raises ValueError when an event comes twice."""
    kept = ([item for item in batch if item.kept] for batch in batches)
    places: dict[str, int] = {}
    parts = [_columns(batch, seed, places) for batch in kept if batch] or [_columns([], seed, places)]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.argsort(columns[0], kind="stable")
    event_id, episode_id, v, a, source, recovery, side, key = (column[order] for column in columns)
    twice = np.flatnonzero(event_id[1:] == event_id[:-1])
    if len(twice):
        raise ValueError(f"{event_id[twice[0]].decode()}: found twice; every event has one cell")
    sources = tuple(sorted(places))
    renamed = np.array([sources.index(name) for name in places], np.int32)
    return Roster(event_id, episode_id, v, a, renamed[source], sources, recovery, side, key)


def _columns(batch: list[Membership], seed: int, places: dict[str, int]) -> tuple[NDArray[np.generic], ...]:
    return (
        np.array([item.event_id.encode() for item in batch], np.bytes_),
        np.array([item.episode_id.encode() for item in batch], np.bytes_),
        np.array([item.vision_language for item in batch], np.int64),
        np.array([item.action for item in batch], np.int64),
        np.array([places.setdefault(item.source, len(places)) for item in batch], np.int32),
        np.array([item.recovery for item in batch], np.bool_),
        np.array([SIDES.index(item.split) for item in batch], np.uint8),
        keys_of(f"schedule-{seed}", (item.event_id for item in batch)),
    )
