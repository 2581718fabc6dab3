"""Which part of its event a draw shows, and how many tokens that is.

Every choice is a hash of (seed, draw number), never of what was drawn before. Whole events teach where an event begins,
suffixes what to do from anywhere inside of it (trainer.md: windows that only start at event starts are brittle), chunks
are the baseline others train on. An event too short for its kind is shown whole.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clustering.counter_hash import Keys, key_of, mix
from clustering.load_plan.edges import Edges, rows_of_reaching
from schemas.load_plan import WindowKind
from schemas.recipe_load import LoadSpec

_KIND, _START = 0, 1
"""Counters of the two choices of a draw."""
_UNIT = 1 << 32


@dataclass(frozen=True, eq=False)
class EventSizes:
    """What windows depend on, a row per event of the catalogue."""

    n_frames: NDArray[np.uint32]
    n_views: NDArray[np.uint8]
    n_action_rows: NDArray[np.uint32]
    edges: Edges | None = None
    """Where windows may reach over them."""


@dataclass(frozen=True, eq=False)
class Windows:
    """A window per draw, [N] each."""

    kind: NDArray[np.uint8]
    first_frame: NDArray[np.int64]
    n_frames: NDArray[np.int64]
    n_tokens: NDArray[np.int64]


def windows(draw: NDArray[np.int64], event: NDArray[np.int64], sizes: EventSizes, spec: LoadSpec) -> Windows:
    """The windows of draws [N] of events [N]."""
    edges = sizes.edges
    frames = sizes.n_frames[event].astype(np.int64)
    start = np.zeros(len(event), np.int64) if edges is None else edges.start_shift[event].astype(np.int64)
    available = frames if edges is None else frames + edges.end_shift[event] - start
    keys = mix(draw.astype(np.uint64) + np.uint64(key_of("window", str(spec.seed))), 0)
    kind = _kinds(_upper(mix(keys, _KIND)), spec)
    # A window of ``shortest`` frames or more has this many starts; whole events are windows with one.
    shortest = np.select(
        [kind == WindowKind.SUFFIX, kind == WindowKind.CHUNK], [spec.min_frames, spec.chunk_frames], available
    )
    if edges is not None and spec.chunk_over == "episode":
        shortest = np.where(kind == WindowKind.CHUNK, 1, shortest)
    starts = np.maximum(available - shortest, 0) + 1
    first = start + ((_upper(mix(keys, _START)) * starts) >> 32)
    kind = np.where(starts > 1, kind, WindowKind.EVENT)
    n_frames = np.where(kind == WindowKind.CHUNK, spec.chunk_frames, available - (first - start))
    if edges is None:
        rows = action_rows(sizes.n_action_rows[event].astype(np.int64), frames, first, n_frames)
    else:
        if spec.chunk_over == "episode":
            first, n_frames = _by_the_clock(kind, first, n_frames, frames + edges.after[event], -edges.before[event])
        rows = rows_of_reaching(event, first, n_frames, (sizes.n_frames, sizes.n_action_rows), edges)
    return Windows(
        kind.astype(np.uint8), first, n_frames, tokens(n_frames, sizes.n_views[event].astype(np.int64), rows, spec)
    )


def _by_the_clock(
    kind: NDArray[Any], first: NDArray[Any], n_frames: NDArray[Any], end: NDArray[Any], begin: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Chunks of full length wherever the recording from ``begin`` to ``end`` has room, moved forward at its end."""
    chunk = kind == WindowKind.CHUNK
    first = np.where(chunk, np.maximum(np.minimum(first, end - n_frames), begin), first)
    return first, np.where(chunk, np.minimum(n_frames, end - first), n_frames)


def _kinds(hashes: NDArray[np.int64], spec: LoadSpec) -> NDArray[np.int64]:
    edges = [round(spec.event_share * _UNIT), round((spec.event_share + spec.suffix_share) * _UNIT)]
    if spec.chunk_share == 0:
        edges[1] = _UNIT  # shares that add up to 1 but for rounding draw no chunk
    return np.searchsorted(np.array(edges), hashes, side="right")


def _upper(hashes: Keys) -> NDArray[np.int64]:
    return (hashes >> np.uint64(32)).astype(np.int64)


def action_rows(
    rows: NDArray[Any], available: NDArray[Any], first: NDArray[Any], n_frames: NDArray[Any]
) -> NDArray[np.int64]:
    """Action rows of a window: the event's in proportion to frames, both ends rounded outwards.

    Exact for whole events; for parts an upper bound when rows come at a steady rate.
    """
    counted: NDArray[np.int64] = -(-rows * (first + n_frames) // available) - rows * first // available
    return counted


def tokens(n_frames: NDArray[Any], n_views: NDArray[Any], rows: NDArray[Any], spec: LoadSpec) -> NDArray[np.int64]:
    """Views × latent frames × tokens of one, the state's token, and the actions' (docs/load_plan.md, Tokens)."""
    latents = 1 + (np.minimum(n_frames, spec.max_frames) - 1) // spec.frames_per_latent
    video = np.minimum(n_views, spec.max_views) * latents * spec.tokens_per_latent
    counted: NDArray[np.int64] = video + 1 + np.minimum(rows, spec.max_actions)
    return counted
