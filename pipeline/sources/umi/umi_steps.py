"""From rows that say how far a gripper moved to the path it took: undoing their normalisation, then adding them up.

A row is [dx dy dz | six rotation numbers | gripper]. The six numbers are the first two *columns* of the rotation to
the next pose, in the camera's axes (x right, y down, z forward). The real recording decides that: with columns the
pictures turn about all three axes the way the numbers say, with rows every one of them would turn the wrong way.

The real recording also shows why its rotations are not unit: each number was stretched from a fixed interval to
−1 … 1, off-diagonal entries from ±0.1 (ten times too large), diagonal ones from 0.99 … 1 (two hundred times too far
from 1). Taken as they are and orthonormalised, they turn ten times too far. Both factors follow from the rows
themselves, because a rotation's columns are unit and square: there are three equations in every row and only two
unknowns in all, and on the real rows they hold to 3 parts in ten million.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from schemas.array import Floats, Ints

_UNIT = 1e-3
"""How far a column may be from unit length, or two from square, and count as a rotation as it stands."""
_UNEXPLAINED_LENGTH, _UNEXPLAINED_ANGLE = 0.01, 0.1
"""What share of what is to be explained may be left over when a stretch is accepted. The second equation decides the
scale and is much smaller than the first, so that rounding shows in it earlier."""
_DIGITS = 3
_LEAST = 1e-6
"""Nobody stretches an entry a million times."""
_ROUGH = 0.5
"""Differences of rows that change by less than this share from one to the next are themselves a smooth motion."""
_STARTS = 0.2
"""Rows that add up start near zero: their first is a small share of their largest."""


@dataclass(frozen=True)
class Stretch:
    """By how much a rotation's numbers were stretched; both 1 for rotations as they should be."""

    beside: float
    """Off-diagonal entries were multiplied by this."""
    diagonal: float
    """The distance of diagonal entries from 1 was multiplied by this."""


PLAIN = Stretch(1.0, 1.0)


def furthest_from_unit(six: Floats) -> float:
    """How far the columns of rotations [N, 6] are from unit length, at worst."""
    lengths = np.linalg.norm(six.reshape(-1, 2, 3), axis=2)
    return float(np.nanmax(np.abs(lengths - 1.0), initial=0.0))


def stretch_of(six: Floats) -> Stretch | None:
    """How rotations [N, 6] were stretched; `PLAIN` when they are rotations already, None when nothing explains them."""
    six = six[np.isfinite(six).all(axis=1)]
    first, second = six[:, :3], six[:, 3:]
    if furthest_from_unit(six) <= _UNIT and np.all(np.abs(np.sum(first * second, axis=1)) <= _UNIT):
        return PLAIN
    short = np.stack([1.0 - first[:, 0], 1.0 - second[:, 1]])
    beside = np.stack([np.sum(first[:, 1:] ** 2, axis=1), second[:, 0] ** 2 + second[:, 2] ** 2])
    askew, across = first[:, 1] + second[:, 0], first[:, 2] * second[:, 2]
    if not (np.any(across) and np.any(short)):
        return None
    with np.errstate(all="ignore"):
        inverse = -float(np.sum(askew * across) / np.sum(across * across))
    if not inverse >= _LEAST:
        return None
    guess = [inverse, inverse * inverse * float(np.sum(short * beside) / (2.0 * np.sum(short * short)))]

    def stacked(unknowns: Floats) -> Floats:
        return np.concatenate(left_over(unknowns))

    def left_over(unknowns: Floats) -> tuple[Floats, Floats]:
        """Of the two equations, unit length and square, multiplied so that they do not shrink with the scale."""
        g, p = unknowns
        length = (p * p * short * short - 2.0 * p * short) / (g * g) + beside
        square = (1.0 - p * short[0]) * second[:, 0] + (1.0 - p * short[1]) * first[:, 1] + g * across
        return length.reshape(-1), square

    with np.errstate(all="ignore"):
        try:
            fitted = least_squares(stacked, guess, x_scale=np.abs(guess), method="lm")
        except ValueError:  # the equations leave the numbers a computer has: nothing explains these rows
            return None
    g, p = (float(value) for value in fitted.x)
    length, square = left_over(fitted.x)
    if (
        g <= 0.0
        or p <= 0.0
        or _size(length) > _UNEXPLAINED_LENGTH * _size(beside)
        or _size(square) > _UNEXPLAINED_ANGLE * _size(g * across)
    ):
        return None
    return Stretch(_rounded(1.0 / g), _rounded(1.0 / p))


def _size(values: Floats) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def rotations(six: Floats, stretch: Stretch) -> Floats:
    """Rotation matrices [N, 3, 3] of stretched numbers [N, 6]; NaN where two columns mean no rotation."""
    columns = six.reshape(-1, 2, 3) / stretch.beside
    for column in (0, 1):
        columns[:, column, column] = 1.0 - (1.0 - six[:, 4 * column]) / stretch.diagonal
    first, second = columns[:, 0], columns[:, 1]
    with np.errstate(all="ignore"):
        first = first / np.linalg.norm(first, axis=1, keepdims=True)
        second = second - np.sum(first * second, axis=1, keepdims=True) * first
        length = np.linalg.norm(second, axis=1, keepdims=True)
        second = np.where(length > 1e-6, second / length, np.nan)
    matrices: Floats = np.stack([first, second, np.cross(first, second)], axis=2)
    return matrices


def path(moves: Floats, turns: Floats, chunk_starts: Ints | None) -> tuple[Floats, Floats]:
    """Positions [N + 1, 3] and rotations [N + 1, 3, 3] from the first pose on, which is the origin.

    Rows start from the pose before them or, with ``chunk_starts`` (the first row of each chunk), from the pose at which
    their chunk starts. After a row without numbers nothing is known until the end.
    """
    bases = set(range(len(moves))) if chunk_starts is None else set(chunk_starts.tolist())
    positions, rotated = np.zeros((len(moves) + 1, 3)), np.zeros((len(moves) + 1, 3, 3))
    rotated[0] = np.eye(3)
    base = 0
    for row, (move, turn) in enumerate(zip(moves, turns, strict=True)):
        base = row if row in bases else base
        positions[row + 1] = positions[base] + rotated[base] @ move
        rotated[row + 1] = rotated[base] @ turn
    broken = np.concatenate([positions, rotated.reshape(-1, 9)], axis=1)
    unknown = np.cumsum(~np.isfinite(broken).all(axis=1)) > 0
    positions[unknown], rotated[unknown] = np.nan, np.nan
    return positions, rotated


def look_cumulative(moves: Floats) -> bool:
    """Whether moves [N, 3] look like positions since a start: they begin small, and their differences are smooth."""
    steps = np.diff(moves, axis=0)
    if len(steps) < 8 or not np.isfinite(moves).all() or not np.any(steps):
        return False
    roughness = np.mean(np.linalg.norm(np.diff(steps, axis=0), axis=1)) / np.mean(np.linalg.norm(steps, axis=1))
    lengths = np.linalg.norm(moves, axis=1)
    return bool(roughness < _ROUGH and lengths[0] < _STARTS * lengths.max())
