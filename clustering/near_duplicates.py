"""Near duplicates inside one cell: which events are connected, and which one is kept for which.

Events come best first. One is left out if a better one that is kept lies within both limits of it; so every event that
is left out has a kept one beside it, and neither order nor batches matter. A group is what near duplicates connect. All
pairs are compared, tile by tile: memory grows with the size of the cell, not with its square.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from schemas.recipe_dedup import DedupSpec

Rows = NDArray[np.int64]
Tile = NDArray[np.bool_]

TILE = 1 << 23
"""Pairs compared at a time."""
MOST_ROWS = 1024
ROUNDING = 1e-5
SAME_EPISODE = 0.1
"""An episode repeats itself because the work does. Its own events must be this much nearer to be one event twice, as
in a film that loops."""
SAME_LENGTH = 1.1
"""Where nothing is known of motion, look and words must be as near as motion would have to be, and lengths alike."""


@dataclass(frozen=True, eq=False)
class CellEvents:
    """The events of one cell, best first."""

    vision_language: NDArray[np.float32]
    """Unit points [n, P]."""
    action: NDArray[np.float32] | None
    """Unit points [n, Q]; None in cells without actions."""
    episode: Rows
    side: Rows
    """Events on different sides are never near duplicates of each other."""
    seconds: NDArray[np.float64]
    protected: Tile
    """Never left out."""

    def __len__(self) -> int:
        return len(self.episode)


@dataclass(frozen=True, eq=False)
class Near:
    """What was found in a cell, by place in it."""

    group: Rows
    """[n]: the first event it is connected with, itself when alone."""
    keeper: Rows
    """[n]: the kept event it is left out for; its own place when it is kept."""


def find_near(events: CellEvents, spec: DedupSpec) -> Near:
    """Groups and keepers of one cell."""
    n = len(events)
    group, keeper = np.arange(n), np.arange(n)
    height = max(1, min(MOST_ROWS, TILE // max(1, n)))
    for start in range(0, n, height):
        rows = slice(start, min(start + height, n))
        near = _near_before(events, rows, spec)
        if near.any():
            _choose(near, rows, events.protected, keeper)
            group = _connected(near, rows, group)
    return Near(group, keeper)


def _near_before(events: CellEvents, rows: slice, spec: DedupSpec) -> Tile:
    """Bool [rows, rows.stop]: which of the events before it each one is a near duplicate of."""
    width = max(1, TILE // (rows.stop - rows.start))
    parts = [
        _near(events, rows, slice(start, min(start + width, rows.stop)), spec) for start in range(0, rows.stop, width)
    ]
    near = np.concatenate(parts, axis=1)
    places = np.arange(rows.start, rows.stop)
    near[:, rows.start :] &= places[:, None] > places[None, :]
    return near


def _near(events: CellEvents, rows: slice, columns: slice, spec: DedupSpec) -> Tile:
    """Both cosines above 1 − ε, for events on one side."""
    found = _both(events, rows, columns, spec, 1.0)
    if not found.any():
        return found
    found &= events.side[rows, None] == events.side[None, columns]
    same = found & (events.episode[rows, None] == events.episode[None, columns])
    if same.any():
        found &= ~same | _both(events, rows, columns, spec, SAME_EPISODE)
    return found


def _both(events: CellEvents, rows: slice, columns: slice, spec: DedupSpec, share: float) -> Tile:
    v, a = spec.epsilon_vision_language * share, spec.epsilon_action * share
    if events.action is None:
        found = _above(events.vision_language, rows, columns, min(v, a))
        ratio = events.seconds[rows, None] / events.seconds[None, columns]
        return found & (ratio <= SAME_LENGTH) & (ratio >= 1.0 / SAME_LENGTH)
    found = _above(events.vision_language, rows, columns, v)
    return found & _above(events.action, rows, columns, a) if found.any() else found


def _above(points: NDArray[np.float32], rows: slice, columns: slice, epsilon: float) -> Tile:
    # Rounded, because products of equal points differ in the last digits with the size of the tile.
    cosine = points[rows] @ points[columns].T
    above: Tile = cosine > np.float32(1.0 - epsilon - ROUNDING)
    near = cosine[above]
    above[above] = np.minimum(np.round(near, 5), np.float32(1.0)) > np.float32(1.0 - epsilon)
    return above


def _choose(near: Tile, rows: slice, protected: Tile, keeper: Rows) -> None:
    """Fill in the keepers of these rows; those of the rows before are known."""
    before = near[:, : rows.start] & (keeper[: rows.start] == np.arange(rows.start))
    mine = keeper[rows]
    open_to = ~protected[rows]
    if before.size:
        found = before.any(axis=1) & open_to
        mine[found] = before.argmax(axis=1)[found]
    inside = near[:, rows.start :]
    places = np.arange(rows.start, rows.stop)
    for i in np.flatnonzero(inside.any(axis=0)):
        if mine[i] == places[i]:
            follow = inside[:, i] & open_to & (mine == places)
            mine[follow] = places[i]


def _connected(near: Tile, rows: slice, group: Rows) -> Rows:
    """Groups with the pairs of these rows joined; a group is called by its first event."""
    width = max(1, TILE // len(near))
    for start in range(0, near.shape[1], width):
        i, j = np.nonzero(near[:, start : start + width])
        ours, theirs = group[rows.start + i], group[start + j]
        apart = ours != theirs
        if apart.any():
            edges = np.unique(np.stack([ours[apart], theirs[apart]]), axis=1)
            group = join(group, edges[0], edges[1])
    return group


def join(group: Rows, ours: Rows, theirs: Rows) -> Rows:
    """Groups [n] with those called ``ours[i]`` and ``theirs[i]`` made one, called by its first member."""
    n = len(group)
    _, label = connected_components(coo_matrix((np.ones(len(ours), np.int8), (ours, theirs)), (n, n)), directed=False)
    first = np.full(n, n)
    np.minimum.at(first, label, np.arange(n))
    joined: Rows = first[label[group]].astype(np.int64)
    return joined
