"""The one way to say a pose: position in metres and a 6-D rotation, the first two *rows* of R.

Two rows rather than a quaternion because the map is continuous (Zhou et al. 2019), and rows rather than
columns because WALL-WM's 20-D layout uses them (wall_wm.md §3.5). Readers convert at the border with the
functions here; everything inside Joinery sees only this form.
"""

from enum import StrEnum

import numpy as np
from scipy.spatial.transform import Rotation

from schemas.array import Floats

_ANY_ROTATION = np.array([1.0, 0.0, 0.0, 0.0, 1.0, 0.0])
"""Its first 3, 4 or 6 numbers are a valid rotation in every encoding; stands in for rows that are masked out."""


class RotationEncoding(StrEnum):
    """How a source writes a rotation."""

    ROT6D_ROWS = "rot6d_rows"
    ROT6D_COLUMNS = "rot6d_columns"
    QUATERNION_XYZW = "quaternion_xyzw"
    QUATERNION_WXYZ = "quaternion_wxyz"
    EULER_XYZ = "euler_xyz"
    """Extrinsic x-y-z in radians, i.e. R = Rz·Ry·Rx (DROID, ROS rpy)."""
    ROTATION_VECTOR = "rotation_vector"

    @property
    def width(self) -> int:
        """How many numbers one rotation takes."""
        return {"rot6d_rows": 6, "rot6d_columns": 6, "quaternion_xyzw": 4, "quaternion_wxyz": 4}.get(self.value, 3)


def orthonormalise(rotation_T6: Floats) -> Floats:
    """Gram-Schmidt on the two rows, float32 [T, 6]. Raises ValueError where the rows are zero or parallel.

    Rows with NaN stay NaN.
    """
    rows = np.asarray(rotation_T6, np.float64).reshape(-1, 2, 3)
    first_norm = np.linalg.norm(rows[:, 0], axis=1, keepdims=True)
    first = rows[:, 0] / np.where(first_norm > 1e-6, first_norm, 1.0)
    second = rows[:, 1] - np.sum(first * rows[:, 1], axis=1, keepdims=True) * first
    second_norm = np.linalg.norm(second, axis=1, keepdims=True)
    bad = np.flatnonzero((first_norm <= 1e-6) | (second_norm <= 1e-6))
    if bad.size:
        raise ValueError(f"rotation row {bad[0]}: the two rows are zero or parallel, no rotation is meant")
    both: Floats = np.concatenate([first, second / second_norm], axis=1).astype(np.float32)
    return both


def matrix_of(rotation_T6: Floats) -> Floats:
    """Rotation matrices [T, 3, 3] of orthonormal 6-D rotations [T, 6]; the third row is the cross product."""
    rows = np.asarray(rotation_T6, np.float64).reshape(-1, 2, 3)
    return np.stack([rows[:, 0], rows[:, 1], np.cross(rows[:, 0], rows[:, 1])], axis=1)


def rotation_6d(values: Floats, encoding: RotationEncoding) -> Floats:
    """Any encoding [T, width] to orthonormal first-two-rows float32 [T, 6].

    Rows that are not all finite become NaN, so that a reader can mark them invalid without losing the episode.
    Raises ValueError on a wrong width, and naming the row where the numbers mean no rotation (a zero quaternion).
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 2 or values.shape[1] != encoding.width:
        raise ValueError(f"rotation: found shape {values.shape}, expected [T, {encoding.width}] for {encoding.value}")
    finite = np.asarray(np.isfinite(values).all(axis=1))
    values = np.where(finite[:, None], values, _ANY_ROTATION[: encoding.width])
    rotation_T6: Floats = _matrices(values, encoding)[:, :2].reshape(-1, 6).astype(np.float32)
    rotation_T6[~finite] = np.nan
    return rotation_T6


def _matrices(values: Floats, encoding: RotationEncoding) -> Floats:
    """Rotation matrices float64 [T, 3, 3] of finite rows [T, width]."""
    rotation: Floats
    match encoding:
        case RotationEncoding.ROT6D_ROWS:
            rotation = matrix_of(orthonormalise(values))
        case RotationEncoding.ROT6D_COLUMNS:
            rotation = matrix_of(orthonormalise(values)).transpose(0, 2, 1)
        case RotationEncoding.QUATERNION_XYZW:
            rotation = Rotation.from_quat(_checked_quaternions(values)).as_matrix()
        case RotationEncoding.QUATERNION_WXYZ:
            rotation = Rotation.from_quat(_checked_quaternions(values)[:, [1, 2, 3, 0]]).as_matrix()
        case RotationEncoding.EULER_XYZ:
            rotation = Rotation.from_euler("xyz", values).as_matrix()
        case RotationEncoding.ROTATION_VECTOR:
            rotation = Rotation.from_rotvec(values).as_matrix()
    return rotation


def _checked_quaternions(values: Floats) -> Floats:
    zero = np.flatnonzero(np.linalg.norm(values, axis=1) == 0)
    if zero.size:
        raise ValueError(f"rotation row {zero[0]}: the quaternion is zero, no rotation is meant")
    return values
