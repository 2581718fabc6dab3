"""Any source's way of writing a rotation, to the one that `schemas.pose` says. Used by readers of poses only.

By itself because the library that knows quaternions and Euler angles takes half a second to import.
"""

import numpy as np
from scipy.spatial.transform import Rotation

from schemas.array import Floats
from schemas.pose import RotationEncoding, matrix_of, orthonormalise

_ANY_ROTATION = np.array([1.0, 0.0, 0.0, 0.0, 1.0, 0.0])
"""Its first 3, 4 or 6 numbers are a valid rotation in every encoding; stands in for rows that are masked out."""


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
