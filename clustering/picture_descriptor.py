"""A picture as colours and gradients on a coarse grid: a scene descriptor that needs no weights.

Mean RGB of a 4×4 grid says what stands where; histograms of gradient direction in the same cells (Dalal & Triggs
2005, without block normalisation) say what shapes there are. Both are square-rooted so that a few strong edges do
not drown the rest.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import SourceError

GRID = 4
ORIENTATIONS = 8
SIDE = 64
"""Pictures are reduced to SIDE × SIDE first; a grid cell is 16 × 16 pixels."""
DIMS = GRID * GRID * (3 + ORIENTATIONS)


def decode(jpeg: bytes) -> NDArray[np.uint8]:
    """A JPEG as RGB uint8 [H, W, 3]. Raises SourceError when it is none."""
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise SourceError(f"thumbnail: {len(jpeg)} bytes are not a JPEG picture; run ingest again")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def _cells(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of a [SIDE, SIDE] plane in every grid cell, [GRID, GRID]."""
    side = SIDE // GRID
    means: NDArray[np.float64] = plane.reshape(GRID, side, GRID, side).mean(axis=(1, 3))
    return means


def describe(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Float64 [176] of an RGB picture [H, W, 3]: 48 colours in 0 … 1, then 128 gradient shares in 0 … 1."""
    small = np.asarray(cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.float64) / 255.0
    colours = np.stack([_cells(small[..., channel]) for channel in range(3)], axis=-1)
    dy, dx = np.gradient(small.mean(axis=-1))
    strength = np.hypot(dx, dy)
    direction = np.floor(np.arctan2(dy, dx) / (2 * np.pi) * ORIENTATIONS).astype(np.int64) % ORIENTATIONS
    histogram = np.stack([_cells(np.where(direction == o, strength, 0.0)) for o in range(ORIENTATIONS)], axis=-1)
    total = max(float(histogram.sum()), 1e-6)
    return np.concatenate([np.sqrt(colours).reshape(-1), np.sqrt(histogram / total).reshape(-1)])
