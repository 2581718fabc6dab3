"""What is seen in each frame, as numbers whose differences mean something: how much moves, which way, how it looks.

One row per live frame (`annotators.visual.live`). Motion is a logarithm, because an arm far away that starts to move
matters as much as one close by; which way is a histogram of the flow the camera leaves over; the look is the mean
colour of a 4 × 4 grid. Rows are not standardised per recording: where nothing happens, nothing may look like a change.
"""

from itertools import pairwise

import numpy as np

from annotators.visual.camera import without_camera
from annotators.visual.live import Live, per_second
from schemas.array import Floats
from schemas.filmstrip import FLOW_GRID, Filmstrip
from schemas.time import NS_PER_S, FrameClock

DIRECTIONS = 8
_SMOOTH_S = 0.1
"""Half width of the mean that steadies the logarithm."""
_DIRECTION, _LOOK = 1.5, 2.0
"""Weights: a full turn of everything that moves, and from black to white, against a factor e in motion."""
_FLOOR = 0.5
"""Share of the shot's median motion that is added before the logarithm: rest and near rest are alike."""
STILL_DIFFERENCE = 0.1
"""Mean grey difference (of 255) to the picture before, below which nothing moves: a small robot in a wide view makes
0.1 to 0.3. It belongs to pictures, not to seconds: noise does not grow with time."""


def seen(strip: Filmstrip, clock: FrameClock, live: Live) -> Floats:
    """float64 [L, 1 + DIRECTIONS + 48]."""
    residual = without_camera(strip.flow)
    cells = per_second(residual.flow, live).reshape(len(live.frames), FLOW_GRID**2, 2)
    lengths = np.linalg.norm(cells, axis=2)
    own = np.mean(lengths, axis=1)
    # the share of what changed in the picture that the camera did not change
    change = per_second(strip.difference, live) * own / np.maximum(own + per_second(residual.camera, live), 1e-9)
    toward = _directions(cells, lengths)
    frame_s = frame_period_s(clock)
    reach = max(1, round(_SMOOTH_S / frame_s))
    motion, turn = np.zeros(len(change)), np.zeros_like(toward)
    for first, last in shots_of(live):
        part = slice(first, last)
        usual = max(_FLOOR * float(np.median(change[part])), STILL_DIFFERENCE / frame_s)
        motion[part] = _smoothed(np.log(change[part] + usual), reach)
        turn[part] = toward[part] / (own[part] + max(_FLOOR * float(np.median(own[part])), 1e-9))[:, None]
    look = np.asarray(strip.descriptor, np.float64)[live.frames] / 255.0
    return np.concatenate([motion[:, None], _DIRECTION * turn, _LOOK * look], axis=1)


def shots_of(live: Live) -> list[tuple[int, int]]:
    """Half-open ranges of live frames between hard cuts."""
    edges = [0, *(np.flatnonzero(np.diff(live.shot)) + 1).tolist(), len(live.shot)]
    return [(first, last) for first, last in pairwise(edges) if last > first]


def frame_period_s(clock: FrameClock) -> float:
    """The usual time between frames; one second for a single frame."""
    return float(np.median(np.diff(clock.times_ns))) / NS_PER_S if len(clock) > 1 else 1.0


def _directions(cells: Floats, lengths: Floats) -> Floats:
    """Mean length by direction, float64 [L, DIRECTIONS]; shared between the two nearest, so that none is an edge."""
    at = np.arctan2(cells[..., 1], cells[..., 0]) * (DIRECTIONS / (2 * np.pi)) % DIRECTIONS
    low = np.floor(at).astype(np.int64) % DIRECTIONS
    share = at - np.floor(at)
    found = np.zeros((len(cells), DIRECTIONS))
    for k in range(DIRECTIONS):
        weight = np.where(low == k, 1 - share, 0.0) + np.where((low + 1) % DIRECTIONS == k, share, 0.0)
        found[:, k] = np.mean(lengths * weight, axis=1)
    return found


def _smoothed(values: Floats, reach: int) -> Floats:
    """Means of ``reach`` values on each side, fewer at the ends."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    at = np.arange(len(values))
    low, high = np.maximum(0, at - reach), np.minimum(len(values), at + reach + 1)
    found: Floats = (total[high] - total[low]) / (high - low)
    return found
