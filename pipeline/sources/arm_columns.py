"""From the columns a recipe names to an arm's canonical track: metres, 6-D rotation, opening 0 closed … 1 open.

Shared by all tabular formats. Conversions happen here, at the border; a row whose rotation means nothing becomes
NaN and is marked invalid instead of being replaced by a plausible one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.errors import SourceError
from pipeline.sources.gripper_signals import held, switched
from schemas.array import Bools, Floats
from schemas.episode import ArmTrack
from schemas.pose import RotationEncoding
from schemas.recipe_columns import ArmColumns, Columns, OpeningColumns, OpeningSignal, RotationColumns
from schemas.rotation import rotation_6d

_UNIT_TOLERANCE = 1e-3
"""How far from unit length a rotation's vectors may be before it is worth telling; float32 noise is below 1e-6."""


@dataclass(frozen=True, eq=False)
class Mapped:
    """Arms as the recipe describes them."""

    arms: tuple[ArmTrack, ...]
    valid: Bools
    """bool [T]: every number of every arm means something."""
    provenance: tuple[str, ...]
    """Per arm, which columns it was made of."""
    remarks: tuple[tuple[str, str, float], ...]
    """(check, message, value) of what is odd about them."""


@dataclass(frozen=True)
class Scale:
    """What poses are multiplied by besides the recipe's ``position_scale_m``, where they are steps or velocities."""

    position: float = 1.0
    rotation: float = 1.0


def map_arms(
    arms: Sequence[ArmColumns],
    n_rows: int,
    numbers: Callable[[str], Floats],
    where: str,
    scale: Scale | None = None,
) -> Mapped:
    """The arms' tracks. ``numbers(column)`` gives float64 [T, W]. Raises SourceError where widths do not fit."""
    scale = scale or Scale()
    tracks, valid = [], np.ones(n_rows, np.bool_)
    remarks: list[tuple[str, str, float]] = []
    for columns in arms:
        position = None if columns.position is None else _part(columns.position, 3, numbers, where)
        rotation = None
        if columns.rotation is not None:
            raw = _part(columns.rotation, columns.rotation.encoding.width, numbers, where)
            remarks += _unit_remarks(raw, columns.rotation)
            rotation = _rotation(raw if scale.rotation == 1.0 else raw * scale.rotation, columns.rotation.encoding)
        opening = None
        if columns.opening is not None:
            opening, odd = _opening(_part(columns.opening, 1, numbers, where)[:, 0], columns.opening)
            remarks += odd
        fingers = None if columns.fingers is None else _part(columns.fingers, None, numbers, where)
        for part in (position, rotation, opening, fingers):
            if part is not None:
                valid &= np.isfinite(part.reshape(n_rows, -1)).all(axis=1)
        metres = columns.position_scale_m * scale.position
        tracks.append(
            ArmTrack(
                arm=columns.arm,
                position=None if position is None else (position * metres).astype(np.float32),
                rotation=rotation,
                opening=None if opening is None else opening.astype(np.float32),
                fingers=None if fingers is None else fingers.astype(np.float32).reshape(-1),
                n_fingers=0 if fingers is None else fingers.shape[1],
            )
        )
    return Mapped(tuple(tracks), valid, tuple(map(_text, arms)), tuple(remarks))


def _opening(raw: Floats, columns: OpeningColumns) -> tuple[Floats | None, list[tuple[str, str, float]]]:
    """A gripper's numbers [T] as openings, and what is odd about them; None where they never say anything."""
    opening: Floats = (raw - columns.closed) / (columns.open - columns.closed)
    match columns.signal:
        case OpeningSignal.CONTINUOUS:
            return opening, _still_remarks(raw, columns)
        case OpeningSignal.BINARY:
            return switched(opening), _still_remarks(raw, columns)
        case OpeningSignal.RELATIVE:
            left = held(opening)
    if left is not None:
        return left, []
    message = f"{_slice_text(columns)} never commands the gripper; whether it is open is unknown"
    return None, [("gripper_never_commanded", message, 0.0)]


def _part(columns: Columns, width: int | None, numbers: Callable[[str], Floats], where: str) -> Floats:
    """The named elements of a column, float64 [T, width]."""
    values = numbers(columns.column)
    if columns.stop is not None and columns.stop > values.shape[1]:
        raise SourceError(
            f"{where}: {columns.column} has {values.shape[1]} values per row, the recipe asks for "
            f"{columns.start}:{columns.stop}; correct start and stop"
        )
    part = values[:, columns.start : columns.stop]
    if width is not None and part.shape[1] != width:
        raise SourceError(
            f"{where}: {_slice_text(columns)} has {part.shape[1]} values per row, expected {width}; "
            "name the elements with start and stop"
        )
    return part


def _vectors(raw: Floats, encoding: RotationEncoding) -> Floats | None:
    """The vectors [T, V, D] of a rotation that ought to have unit length; None for encodings without any."""
    match encoding:
        case RotationEncoding.ROT6D_ROWS | RotationEncoding.ROT6D_COLUMNS:
            return raw.reshape(-1, 2, 3)
        case RotationEncoding.QUATERNION_XYZW | RotationEncoding.QUATERNION_WXYZ:
            return raw.reshape(-1, 1, 4)
        case RotationEncoding.EULER_XYZ | RotationEncoding.ROTATION_VECTOR:
            return None


def _rotation(raw: Floats, encoding: RotationEncoding) -> Floats:
    """6-D rotations, float32 [T, 6]; NaN in rows that are not finite, zero, or two parallel vectors."""
    meant = np.isfinite(raw).all(axis=1)
    vectors = _vectors(raw, encoding)
    if vectors is not None:
        meant &= (np.linalg.norm(vectors, axis=2) > 1e-6).all(axis=1)
        if vectors.shape[1] == 2:
            meant &= np.linalg.norm(np.cross(vectors[:, 0], vectors[:, 1]), axis=1) > 1e-6
    rotation = np.full((len(raw), 6), np.nan, np.float32)
    rotation[meant] = rotation_6d(raw[meant], encoding)
    return rotation


def _unit_remarks(raw: Floats, columns: RotationColumns) -> list[tuple[str, str, float]]:
    vectors = _vectors(raw, columns.encoding)
    if vectors is None:
        return []
    lengths = np.linalg.norm(vectors, axis=2)
    furthest = float(np.nanmax(np.abs(lengths - 1.0), initial=0.0))
    if furthest <= _UNIT_TOLERANCE:
        return []
    message = f"{_slice_text(columns)} is up to {furthest:.3f} from unit length; rotations are orthonormalised"
    return [("rotation_not_unit", message, furthest)]


def _still_remarks(opening: Floats, columns: Columns) -> list[tuple[str, str, float]]:
    finite = opening[np.isfinite(opening)]
    if finite.size and np.ptp(finite) == 0:
        message = f"{_slice_text(columns)}, read as a gripper's opening, is {finite[0]:g} in every row"
        return [("gripper_constant", message, float(finite[0]))]
    return []


def _slice_text(columns: Columns) -> str:
    return columns.column if columns.start is None else f"{columns.column}[{columns.start}:{columns.stop}]"


def _text(columns: ArmColumns) -> str:
    parts = []
    for name, part in (("position", columns.position), ("opening", columns.opening), ("fingers", columns.fingers)):
        if part is not None:
            parts.append(f"{name} {_slice_text(part)}")
    if columns.rotation is not None:
        parts.insert(1, f"rotation {_slice_text(columns.rotation)} {columns.rotation.encoding}")
    return f"{columns.arm}: " + ", ".join(parts)
