"""From raw vectors to points on a sphere: weight, centre, project, normalise. Linear up to the last step.

Words are weighted by inverse document frequency and share the variance equally with the pictures (TF-IDF → SVD of
clustering.md); joint positions, whose units nobody knows, get unit variance; learned features are whitened. Poses are
left as they are: their weights were chosen so that distances mean something.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from clustering.families import Family
from schemas.array import Floats

CHUNK = 1024
"""Rows converted to float64 at a time; of the widest vectors 16 MB."""
NEGLIGIBLE = 1e-8
"""Directions with less of the largest variance than this are rounding, not data."""
SAMPLES_PER_WHITENED_DIMENSION = 10
"""Whitening a direction that few samples define makes their noise as loud as the signal."""


@dataclass(frozen=True, eq=False)
class Projection:
    """``unit(((x − mean) · scale) @ matrixᵀ)``: mean and scale float32 [D], matrix float32 [P, D]."""

    mean: Floats
    scale: Floats
    matrix: Floats

    def points(self, vectors: Floats) -> NDArray[np.float32]:
        """Unit vectors float32 [n, P] of raw vectors [n, D]; one that projects to nothing becomes the first axis."""
        rows = [self._points(vectors[start : start + CHUNK]) for start in range(0, len(vectors), CHUNK)]
        return np.concatenate(rows) if rows else np.zeros((0, len(self.matrix)), np.float32)

    def _points(self, vectors: Floats) -> NDArray[np.float32]:
        centred = (vectors.astype(np.float64) - self.mean) * self.scale
        projected = centred @ self.matrix.astype(np.float64).T
        length = np.linalg.norm(projected, axis=1, keepdims=True)
        nowhere = length[:, 0] < 1e-9
        projected[nowhere] = np.eye(1, projected.shape[1])
        units: NDArray[np.float32] = (projected / np.where(nowhere[:, None], 1.0, length)).astype(np.float32)
        return units


def fit_projection(vectors: NDArray[np.float32], family: Family, dims: int) -> Projection:
    """The projection of raw vectors float32 [n ≥ 1, D] to at most ``dims`` dimensions, fewer when they span fewer."""
    mean = vectors.mean(axis=0, dtype=np.float64)
    scale = _scale(vectors, mean, family)
    covariance = _covariance(vectors, mean, scale)
    variance, axes = _principal_axes(covariance, dims)
    if family.whiten:
        keep = max(1, min(len(variance), len(vectors) // SAMPLES_PER_WHITENED_DIMENSION))
        variance, axes = variance[:keep], axes[:keep] / np.sqrt(np.maximum(variance[:keep, None], NEGLIGIBLE))
    return Projection(mean.astype(np.float32), scale.astype(np.float32), axes.astype(np.float32))


def _scale(vectors: NDArray[np.float32], mean: NDArray[np.float64], family: Family) -> NDArray[np.float64]:
    scale = np.ones(len(mean))
    if family.text_dims == 0 and not family.standardise:
        return scale
    variance = _variance(vectors, mean)
    if family.standardise:
        return np.where(variance > NEGLIGIBLE, 1.0 / np.sqrt(np.maximum(variance, NEGLIGIBLE)), 0.0)
    n = len(vectors)
    frequency = np.count_nonzero(vectors[:, : family.text_dims], axis=0)
    scale[: family.text_dims] = np.log((1 + n) / (1 + frequency)) + 1.0
    for block in (slice(None, family.text_dims), slice(family.text_dims, None)):
        total = float(np.sum(variance[block] * scale[block] ** 2))
        scale[block] /= np.sqrt(total) if total > NEGLIGIBLE else 1.0
    return scale


def _variance(vectors: NDArray[np.float32], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """[D], summed like the covariance: numpy's own makes two copies of the sample in float64."""
    total = np.zeros(len(mean))
    for start in range(0, len(vectors), CHUNK):
        total += np.sum((vectors[start : start + CHUNK] - mean) ** 2, axis=0)
    return total / len(vectors)


def _covariance(
    vectors: NDArray[np.float32], mean: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    """[D, D], summed chunk by chunk in a fixed order."""
    total = np.zeros((len(mean), len(mean)))
    for start in range(0, len(vectors), CHUNK):
        centred = (vectors[start : start + CHUNK].astype(np.float64) - mean) * scale
        total += centred.T @ centred
    return total / len(vectors)


def _principal_axes(covariance: NDArray[np.float64], dims: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Variances [P] in falling order and unit axes [P, D]; each axis' largest component is positive."""
    size = len(covariance)
    variance, columns = eigh(covariance, subset_by_index=[max(0, size - dims), size - 1])
    variance, axes = variance[::-1], columns[:, ::-1].T
    keep = max(1, int(np.sum(variance > NEGLIGIBLE * max(float(variance[0]), NEGLIGIBLE))))
    variance, axes = variance[:keep], axes[:keep]
    largest = axes[np.arange(keep), np.argmax(np.abs(axes), axis=1)]
    return variance, axes * np.where(largest < 0, -1.0, 1.0)[:, None]
