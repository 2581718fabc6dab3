"""The arithmetic shared by pose and joint embeddings: resampling over an event, shape as DCT, opening features."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct

from schemas.array import Bools, Floats, Ints
from schemas.time import Span

Vector = NDArray[np.float64]

OPENING_COEFFICIENTS = 4
OPENING_WEIGHT = 0.7
"""clustering.md: with path shape ×5 (metres) and opening ×0.7, both lie near 1 for ordinary manipulation."""
OPENING_FEATURES = OPENING_COEFFICIENTS + 3


@dataclass(frozen=True, eq=False)
class Window:
    """The action rows of one event that can be used, and the clock they are resampled on."""

    rows: NDArray[np.int64]
    """Indices into the track, valid rows only, never empty."""
    times_ns: Ints
    """Of those rows, on the video clock."""
    grid_ns: Vector
    """``points`` instants from the event's start to its end."""

    def resampled(self, values: Floats) -> Vector:
        """Values [T, D] of the whole track, linearly interpolated on the grid: float64 [points, D]."""
        used = values[self.rows].astype(np.float64)
        columns = [np.interp(self.grid_ns, self.times_ns, column) for column in used.T]
        return np.stack(columns, axis=1) if columns else np.zeros((len(self.grid_ns), 0))

    def opening(self, values: Floats | None) -> Vector | None:
        """An opening [T] of the whole track on the grid, float64 [points]; None stays None."""
        return None if values is None else self.resampled(values[:, None])[:, 0]


def window_of(span: Span, times_ns: Ints, valid: Bools, points: int) -> Window | None:
    """The usable rows of an event; None when it has none, so that it gets no action embedding."""
    rows = np.arange(span.action_start, span.action_end)
    rows = rows[valid[rows]]
    if len(rows) == 0:
        return None
    return Window(rows, times_ns[rows], np.linspace(span.start_ns, span.end_ns, points))


def shape(path: Vector, coefficients: int) -> Vector:
    """The first orthonormal DCT-II coefficients of a path [points, D], flat [D·coefficients], axis by axis."""
    spectrum: Vector = dct(path, type=2, norm="ortho", axis=0)[:coefficients]
    return spectrum.T.reshape(-1)


def length_of(path: Vector) -> float:
    """Arc length of a path [points, D]."""
    return float(np.sum(np.linalg.norm(np.diff(path, axis=0), axis=1)))


def opening_features(opening: Vector | None) -> Vector:
    """[7] of an opening [points]: four DCT coefficients ×0.7, start, end and change; zeros when it is unknown."""
    if opening is None:
        return np.zeros(OPENING_FEATURES)
    first, last = float(opening[0]), float(opening[-1])
    spectrum = OPENING_WEIGHT * shape(opening[:, None], OPENING_COEFFICIENTS)
    return np.concatenate([spectrum, [first, last, last - first]])
