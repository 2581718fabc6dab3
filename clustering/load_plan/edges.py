"""How far windows may reach over the edges of their event, and where the edges are said to be.

For plans that cut recordings by a clock (``chunk_over: episode``) or move boundaries on purpose (``jitter_frames``):
who praises events must be able to say what their boundaries are worth.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clustering.counter_hash import keys_of
from pipeline.loader.plan import Arrays
from pipeline.loader.timeline import Timeline
from schemas.recipe_load import LoadSpec


@dataclass(frozen=True, eq=False)
class Edges:
    """A row per event of the catalogue."""

    previous: NDArray[np.int32]
    next: NDArray[np.int32]
    """Rows of the events that adjoin it, -1 for none."""
    before: NDArray[np.int64]
    after: NDArray[np.int64]
    """Frames of the recording that adjoin it without a gap."""
    start_shift: NDArray[np.int32]
    end_shift: NDArray[np.int32]
    """Frames by which its boundaries are moved, later is positive."""

    def arrays(self) -> Arrays:
        """As a plan's folder keeps them."""
        return {name: getattr(self, name) for name in _NAMES}


_NAMES = ("previous", "next", "before", "after", "start_shift", "end_shift")


def edges_in(arrays: Arrays) -> Edges | None:
    """Those of a plan's folder, None for a plan whose windows stay inside their events."""
    return Edges(**{name: arrays[name] for name in _NAMES}) if "next" in arrays else None


def edges_of(event_id: NDArray[np.bytes_], n_frames: NDArray[np.uint32], timeline: Timeline, spec: LoadSpec) -> Edges:
    """The edges of N events under a load section."""
    frames = n_frames.astype(np.int64)
    start = _shifts(event_id, frames, timeline, spec)
    return Edges(
        previous=timeline.previous,
        next=timeline.next,
        before=_along(frames, timeline.previous),
        after=_along(frames, timeline.next),
        start_shift=start,
        end_shift=np.where(timeline.next >= 0, start[timeline.next], 0).astype(np.int32),
    )


def _shifts(
    event_id: NDArray[np.bytes_], frames: NDArray[np.int64], timeline: Timeline, spec: LoadSpec
) -> NDArray[np.int32]:
    """Of every event's first boundary, uniform in ±``jitter_frames`` by a hash of the event that begins there.

    One boundary is moved once, for the event before it and for the one after: events still lie end to end. None is
    moved over half of what a neighbour has to spare, so no event gets shorter than ``min_frames``. Edges of recordings
    stay where they are.
    """
    if not spec.jitter_frames:
        return np.zeros(len(frames), np.int32)
    keys = keys_of(f"jitter-{spec.seed}", (name.decode() for name in event_id.tolist()))
    wanted = (keys % np.uint64(2 * spec.jitter_frames + 1)).astype(np.int64) - spec.jitter_frames
    spare = np.maximum(frames - spec.min_frames, 0) // 2
    room = np.where(timeline.previous >= 0, np.minimum(spare, spare[timeline.previous]), 0)
    return np.clip(wanted, -room, room).astype(np.int32)


def _along(frames: NDArray[np.int64], step: NDArray[np.int32]) -> NDArray[np.int64]:
    """Frames of all events that are reached by ``step`` again and again; in as many rounds as their number has bits."""
    jump = step.astype(np.int64)
    total = np.where(jump >= 0, frames[jump], 0)
    while np.any(jump >= 0):
        total = total + np.where(jump >= 0, total[jump], 0)
        jump = np.where(jump >= 0, jump[jump], -1)
    return total


def rows_of_reaching(
    event: NDArray[Any],
    first_frame: NDArray[Any],
    n_frames: NDArray[Any],
    sizes: tuple[NDArray[Any], NDArray[Any]],
    edges: Edges,
) -> NDArray[np.int64]:
    """Action rows of windows [N] that may cover several events: of each in proportion, rounded outwards.

    ``sizes``: frames and action rows of every event of the catalogue.
    """
    frames, rows = (size.astype(np.int64) for size in sizes)
    row, first = event.astype(np.int64).copy(), first_frame.astype(np.int64).copy()
    while np.any(early := first < 0):
        row = np.where(early, edges.previous[row], row)
        first = np.where(early, first + frames[row], first)
    left, counted = n_frames.astype(np.int64).copy(), np.zeros(len(row), np.int64)
    while np.any(left > 0):
        here, k = frames[row], rows[row]
        inside = np.clip(here - first, 0, left)
        counted += np.where(inside > 0, -(-k * (first + inside) // here) - k * first // here, 0)
        left -= inside
        first = np.maximum(first - here, 0)
        row = np.where(left > 0, edges.next[row], row)
    return counted
