"""The events of a level as arrays: what a schedule needs of ten million events without ten million objects.

Ids are fixed-width bytes (35 for Joinery's own), so an event costs about 90 bytes. Rows are sorted by event id,
whatever order the batches came in.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clustering.counter_hash import Keys, keys_of
from schemas.cluster import Assignment


@dataclass(frozen=True, eq=False)
class Roster:
    """N events, one row each, sorted by ``event_id``."""

    event_id: NDArray[np.bytes_]
    episode_id: NDArray[np.bytes_]
    vision_language: NDArray[np.int64]
    action: NDArray[np.int64]
    train: NDArray[np.bool_]
    key: Keys
    """Hash of the schedule's seed and the event's id."""

    def __len__(self) -> int:
        return len(self.event_id)


def roster_of(batches: Iterable[list[Assignment]], seed: int) -> Roster:
    """All assignments as one roster. Raises ValueError when an event comes twice."""
    parts = [_columns(batch, seed) for batch in batches if batch] or [_columns([], seed)]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.argsort(columns[0], kind="stable")
    event_id, episode_id, v, a, train, key = (column[order] for column in columns)
    twice = np.flatnonzero(event_id[1:] == event_id[:-1])
    if len(twice):
        raise ValueError(f"{event_id[twice[0]].decode()}: assigned twice; every event has one cell")
    return Roster(event_id, episode_id, v, a, train, key)


def _columns(batch: list[Assignment], seed: int) -> tuple[NDArray[np.generic], ...]:
    return (
        np.array([item.event_id.encode() for item in batch], np.bytes_),
        np.array([item.episode_id.encode() for item in batch], np.bytes_),
        np.array([item.vision_language for item in batch], np.int64),
        np.array([item.action for item in batch], np.int64),
        np.array([item.split == "train" for item in batch], np.bool_),
        keys_of(f"schedule-{seed}", (item.event_id for item in batch)),
    )
