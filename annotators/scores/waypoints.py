"""AWE waypoints (Shi et al. 2023): the fewest points of a path between which straight lines stay close to it.

Dynamic programming over all chords: exact, where greedy extension is not, because a chord that is too long can become
good again further on. Paths are read at 10 Hz and no chord spans more than ten seconds, which bounds the work to
linear in the length of the episode; both are finer and longer than what a 2 cm tolerance ever uses on manipulation.
"""

import numpy as np

from schemas.array import Floats

_HZ = 10.0
_LONGEST_S = 10.0


def awe_waypoints(position: Floats, rate_hz: float, error_m: float) -> list[int]:
    """Samples of the inner waypoints of a path float64 [N, 3] m; of equally few those with least error."""
    step = max(1, round(rate_hz / _HZ))
    path = position[::step]
    n, span = len(path), max(1, round(_LONGEST_S * rate_hz / step))
    fewest = np.full(n, np.iinfo(np.int64).max, np.int64)
    worst, back = np.full(n, np.inf), np.zeros(n, np.int64)
    if n:
        fewest[0], worst[0] = 0, 0.0
    for start in range(n - 1):
        errors = chord_errors(path[start : start + span + 1])
        for reach in np.flatnonzero(errors <= error_m) + 1:
            end, error = start + int(reach), max(float(errors[reach - 1]), float(worst[start]))
            if (fewest[start] + 1, error) < (fewest[end], worst[end]):
                fewest[end], worst[end], back[end] = fewest[start] + 1, error, start
    found, at = [], n - 1
    while at > 0:
        at = int(back[at])
        found.append(at * step)
    return found[-2::-1]


def chord_errors(path: Floats) -> Floats:
    """Largest distance of the points between to the chord from the first point to each other one, float64 [N - 1]."""
    way = path - path[0]
    along = way[1:] @ way.T  # [chord, point]
    square = np.sum(way**2, axis=1)
    length = square[1:, None]
    share = np.clip(np.divide(along, length, out=np.zeros_like(along), where=length > 0), 0.0, 1.0)
    distance = square - share * (2.0 * along - share * length)  # squared, expanded: no [chord, point, 3] array
    found: Floats = np.sqrt(np.maximum(np.max(np.tril(distance), axis=1), 0.0))
    return found
