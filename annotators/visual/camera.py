"""What of the flow is the camera's: a robust affine model of every frame's flow grid, and what it leaves over.

Affine, because a filmstrip does not know the shape of its pictures: pan, zoom, roll and tilt are affine on any grid,
whatever its aspect. RANSAC, because an arm may fill a third of the view and would pull a mean or a least-squares fit
along. The triples of cells that are tried are drawn once from a fixed seed and are the same for every frame, so the
same flow gives the same model wherever it runs. The simplest model that explains the picture wins: a camera at rest
first, then a shift, then the affine ones.
"""

from dataclasses import dataclass

import numpy as np

from schemas.array import Floats
from schemas.filmstrip import FLOW_GRID

_SEED = 0
_TRIPLES = 40
"""With half the cells the camera's, 40 triples miss a clean one in half a percent of frames."""
_LEAST_AREA = 4.0
"""Of the triangle of a triple, in cells: slimmer ones turn noise into zoom."""
_TOLERANCE, _SHARE = 0.001, 0.1
"""A cell agrees when it is off by less than a thousandth of the width, or a tenth of the picture's median flow."""
_AT_REST = 0.6
"""Share of cells without motion from which on the camera is at rest."""
_WORTH = 4
"""Cells a richer model has to explain beyond a simpler one."""
_CHUNK = 512
"""Frames at a time: bounds the memory whatever the length of the recording."""


@dataclass(frozen=True, eq=False)
class Residual:
    """The flow that is not the camera's."""

    flow: Floats
    """float64 [N, FLOW_GRID, FLOW_GRID, 2], in the unit of what came in."""
    camera: Floats
    """float64 [N], mean length of what was taken away."""


def without_camera(flow: Floats) -> Residual:
    """Flow [N, FLOW_GRID, FLOW_GRID, 2] minus each frame's camera motion. Cells that are not finite count as still."""
    cells = np.nan_to_num(np.asarray(flow, np.float64), posinf=0.0, neginf=0.0).reshape(len(flow), -1, 2)
    camera = np.zeros_like(cells)
    length = np.linalg.norm(cells, axis=2)
    allowed = np.maximum(_TOLERANCE, _SHARE * np.median(length, axis=1))
    moving = np.flatnonzero(np.mean(length < _TOLERANCE, axis=1) < _AT_REST)
    for first in range(0, len(moving), _CHUNK):
        frames = moving[first : first + _CHUNK]
        camera[frames] = _models(cells[frames], allowed[frames])
    return Residual((cells - camera).reshape(flow.shape), np.mean(np.linalg.norm(camera, axis=2), axis=1))


def _models(cells: Floats, allowed: Floats) -> Floats:
    """The camera's flow in every cell, [N, cells, 2]: the best model, fitted again to all the cells that agree."""
    shift = np.broadcast_to(np.median(cells, axis=1, keepdims=True), cells.shape)
    chosen, most = np.zeros_like(cells), _agreeing(cells, np.zeros_like(cells), allowed)
    for model in (shift, _best_affine(cells, allowed)):
        agreeing = _agreeing(cells, model, allowed)
        better = agreeing.sum(axis=1) >= most.sum(axis=1) + _WORTH
        chosen[better], most[better] = model[better], agreeing[better]
    affine = np.any(chosen != chosen[:, :1], axis=(1, 2))
    chosen[affine] = _refitted(cells[affine], most[affine])
    return chosen


def _agreeing(cells: Floats, model: Floats, allowed: Floats) -> Floats:
    agreeing: Floats = (np.linalg.norm(cells - model, axis=-1) < allowed[:, None]).astype(np.float64)
    return agreeing


def _best_affine(cells: Floats, allowed: Floats) -> Floats:
    """Of the affine models through each triple of cells, the one most cells agree with; the first of equals."""
    best, most = np.zeros_like(cells), np.full(len(cells), -1.0)
    for triple, spread in _TRIALS:
        model = np.matmul(spread, cells[:, triple])
        n = _agreeing(cells, model, allowed).sum(axis=1)
        better = n > most
        best[better], most[better] = model[better], n[better]
    return best


def _refitted(cells: Floats, weight: Floats) -> Floats:
    """Least squares over the cells that agree; three or more of them do, those of the triple."""
    weighted = _PLACES[None] * weight[:, :, None]
    gram = np.matmul(np.swapaxes(weighted, 1, 2), _PLACES[None]) + 1e-9 * np.eye(3)
    found: Floats = np.matmul(_PLACES[None], np.linalg.solve(gram, np.matmul(np.swapaxes(weighted, 1, 2), cells)))
    return found


def _places() -> Floats:
    """(1, x, y) of each cell, float64 [cells, 3], 0 in the middle of the picture."""
    axis = np.arange(FLOW_GRID) - (FLOW_GRID - 1) / 2
    y, x = np.meshgrid(axis, axis, indexing="ij")
    return np.stack([np.ones(x.size), x.ravel(), y.ravel()], axis=1)


def _trials() -> tuple[tuple[list[int], Floats], ...]:
    """Triples of cells, and the matrix [cells, 3] that spreads their flow over all cells."""
    rng = np.random.default_rng(_SEED)
    trials: list[tuple[list[int], Floats]] = []
    while len(trials) < _TRIPLES:
        triple = rng.choice(len(_PLACES), 3, replace=False).tolist()
        corners = _PLACES[triple]
        if abs(float(np.linalg.det(corners))) / 2 >= _LEAST_AREA:
            trials.append((triple, _PLACES @ np.linalg.inv(corners)))
    return tuple(trials)


_PLACES = _places()
_TRIALS = _trials()
