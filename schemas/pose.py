"""The one way to say a pose: position in metres and a 6-D rotation, the first two *rows* of R.

Two rows rather than a quaternion because the map is continuous (Zhou et al. 2019), and rows rather than
columns because WALL-WM's 20-D layout uses them (wall_wm.md §3.5). Readers convert at the border with
`schemas.rotation`; everything inside Joinery sees only this form.
"""

from enum import StrEnum

import numpy as np

from schemas.array import Floats


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
