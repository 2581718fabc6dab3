"""Every encoding of a rotation becomes the same first two rows, against scipy and by hand."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from schemas.array import Floats
from schemas.pose import RotationEncoding, matrix_of, orthonormalise
from schemas.rotation import rotation_6d

ROTATIONS = Rotation.random(50, rng=np.random.default_rng(7))
MATRICES = ROTATIONS.as_matrix()


def written(encoding: RotationEncoding) -> Floats:
    """The rotations as a source would write them, [T, width]."""
    match encoding:
        case RotationEncoding.ROT6D_ROWS:
            values = MATRICES[:, :2, :].reshape(-1, 6)
        case RotationEncoding.ROT6D_COLUMNS:
            values = np.concatenate([MATRICES[:, :, 0], MATRICES[:, :, 1]], axis=1)
        case RotationEncoding.QUATERNION_XYZW:
            values = ROTATIONS.as_quat()
        case RotationEncoding.QUATERNION_WXYZ:
            values = ROTATIONS.as_quat(scalar_first=True)
        case RotationEncoding.EULER_XYZ:
            values = ROTATIONS.as_euler("xyz")
        case RotationEncoding.ROTATION_VECTOR:
            values = ROTATIONS.as_rotvec()
    return np.array(values, np.float64)


@pytest.mark.parametrize("encoding", list(RotationEncoding))
def test_every_encoding_round_trips(encoding: RotationEncoding) -> None:
    values = written(encoding)
    assert values.shape == (50, encoding.width)
    rotation = rotation_6d(values, encoding)
    assert rotation.dtype == np.float32
    assert rotation.shape == (50, 6)
    np.testing.assert_allclose(matrix_of(rotation), MATRICES, atol=1e-6)


@pytest.mark.parametrize("encoding", list(RotationEncoding))
def test_an_empty_track_stays_empty(encoding: RotationEncoding) -> None:
    assert rotation_6d(np.zeros((0, encoding.width)), encoding).shape == (0, 6)


@pytest.mark.parametrize("encoding", list(RotationEncoding))
def test_a_row_that_is_not_finite_becomes_nan_and_spoils_no_other(encoding: RotationEncoding) -> None:
    values = written(encoding)
    values[3, 0] = np.nan
    values[5, -1] = np.inf
    rotation = rotation_6d(values, encoding)
    assert np.flatnonzero(np.isnan(rotation).all(axis=1)).tolist() == [3, 5]
    others = np.delete(np.arange(50), [3, 5])
    np.testing.assert_allclose(matrix_of(rotation)[others], MATRICES[others], atol=1e-6)


def test_euler_angles_are_extrinsic_x_then_y_then_z() -> None:
    """ROS rpy and DROID: R = Rz(yaw)·Ry(pitch)·Rx(roll), written out by hand."""
    roll, pitch, yaw = 0.3, -0.4, 1.1
    cr, sr, cp, sp, cy, sy = np.cos(roll), np.sin(roll), np.cos(pitch), np.sin(pitch), np.cos(yaw), np.sin(yaw)
    about_x = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    about_y = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    about_z = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    found = rotation_6d(np.array([[roll, pitch, yaw]]), RotationEncoding.EULER_XYZ)
    np.testing.assert_allclose(matrix_of(found)[0], about_z @ about_y @ about_x, atol=1e-6)


def test_the_two_numbers_are_rows_not_columns() -> None:
    quarter_turn_about_z = rotation_6d(np.array([[0.0, 0.0, np.pi / 2]]), RotationEncoding.ROTATION_VECTOR)
    np.testing.assert_allclose(quarter_turn_about_z, [[0, -1, 0, 1, 0, 0]], atol=1e-7)


def test_rows_that_are_nearly_orthonormal_are_made_so() -> None:
    """Recorded rows have lengths of 0.983 to 0.999 (formats.md A3)."""
    rough = MATRICES[:, :2].reshape(-1, 6) * 0.98 + 0.004
    matrices = matrix_of(orthonormalise(rough))
    np.testing.assert_allclose(
        matrices @ matrices.transpose(0, 2, 1), np.broadcast_to(np.eye(3), (50, 3, 3)), atol=1e-6
    )
    np.testing.assert_allclose(np.linalg.det(matrices), 1.0, atol=1e-6)


def test_a_quaternion_need_not_have_unit_length() -> None:
    values = written(RotationEncoding.QUATERNION_XYZW) * 3
    np.testing.assert_allclose(matrix_of(rotation_6d(values, RotationEncoding.QUATERNION_XYZW)), MATRICES, atol=1e-6)


@pytest.mark.parametrize(
    ("encoding", "message"),
    [
        (RotationEncoding.QUATERNION_XYZW, "rotation row 2: the quaternion is zero, no rotation is meant"),
        (RotationEncoding.ROT6D_ROWS, "rotation row 2: the two rows are zero or parallel, no rotation is meant"),
    ],
)
def test_numbers_that_mean_no_rotation_name_their_row(encoding: RotationEncoding, message: str) -> None:
    values = written(encoding)
    values[1] = np.nan
    values[2] = 0
    with pytest.raises(ValueError, match=f"^{message}$"):
        rotation_6d(values, encoding)


def test_a_wrong_width_names_the_right_one() -> None:
    with pytest.raises(ValueError, match=r"found shape \(2, 3\), expected \[T, 4\] for quaternion_wxyz"):
        rotation_6d(np.zeros((2, 3)), RotationEncoding.QUATERNION_WXYZ)
