"""AWE waypoints (Shi et al. 2023): the fewest points of a path between which straight lines stay close to it.

Dynamic programming over all chords: exact, where greedy extension is not, because a chord that is too long can become
good again further on. Paths are read at 10 Hz and no chord spans more than ten seconds, which bounds the work to
linear in the length of the episode; both are finer and longer than what a 2 cm tolerance ever uses on manipulation.
"""

from collections.abc import Iterator

import numpy as np

from schemas.array import Floats

_HZ = 10.0
LONGEST_S = 10.0
_AT_ONCE = 1 << 18
"""Numbers per array: bounds the memory."""


def awe_waypoints(position: Floats, rate_hz: float, error_m: float, longest_s: float = LONGEST_S) -> list[int]:
    """Samples of the inner waypoints of a path float64 [N, 3] m; of equally few those with least error.

    No chord spans more than ``longest_s``; time and memory grow with its square.
    """
    step = max(1, round(rate_hz / _HZ))
    path = position[::step]
    n, span = len(path), max(1, round(longest_s * rate_hz / step))
    fewest = np.full(n, np.iinfo(np.int64).max, np.int64)
    worst, back = np.full(n, np.inf), np.zeros(n, np.int64)
    if n:
        fewest[0], worst[0] = 0, 0.0
    for start, errors in enumerate(_errors_from_each(path, span)):
        reach = np.flatnonzero(errors <= error_m)
        ends, error, hops = start + 1 + reach, np.maximum(errors[reach], worst[start]), fewest[start] + 1
        better = (hops < fewest[ends]) | ((hops == fewest[ends]) & (error < worst[ends]))
        ends = ends[better]
        fewest[ends], worst[ends], back[ends] = hops, error[better], start
    found, at = [], n - 1
    while at > 0:
        at = int(back[at])
        found.append(at * step)
    return found[-2::-1]


def _errors_from_each(path: Floats, span: int) -> Iterator[Floats]:
    """`chord_errors` of the ``span`` + 1 points from each point but the last on, many at a time for speed."""
    n = len(path)
    longer = np.concatenate([path, np.repeat(path[-1:], span, axis=0)])
    at_once = max(1, _AT_ONCE // (span * span))
    for first in range(0, n - 1, at_once):
        starts = np.arange(first, min(n - 1, first + at_once))
        errors = chord_errors(longer[starts[:, None] + np.arange(span + 1)])
        yield from (row[: n - 1 - start] for start, row in zip(starts.tolist(), errors, strict=True))


def chord_errors(path: Floats) -> Floats:
    """Largest distance of the points between to the chord from the first point to each other one, [..., N - 1].

    ``path`` is float64 [..., N, 3].
    """
    way = path - path[..., :1, :]
    along = way[..., 1:, :] @ np.swapaxes(way, -1, -2)  # [chord, point]
    square = np.sum(way**2, axis=-1)
    length = square[..., 1:, None]
    share = np.clip(np.divide(along, length, out=np.zeros_like(along), where=length > 0), 0.0, 1.0)
    distance = square[..., None, :] - share * (2.0 * along - share * length)  # squared; no [chord, point, 3] array
    found: Floats = np.sqrt(np.maximum(np.max(np.tril(distance), axis=-1), 0.0))
    return found
