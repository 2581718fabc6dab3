"""Each laboratory's numbers mean what its names say."""

import numpy as np
from scipy.spatial.transform import Rotation

from pipeline.synthetic.layouts import DROID_LIKE, MILLIMETRES, PERCENT_WXYZ, TWO_ARMS_XYZW, UMI_LIKE, Layout
from pipeline.synthetic.trajectory import Reading, Trajectory, Variant, make_trajectory
from schemas.array import Floats
from schemas.episode import Arm
from schemas.pose import RotationEncoding
from schemas.rotation import rotation_6d

ONE = make_trajectory(1, {Arm.RIGHT: (Variant.PLAIN,)}, rate_hz=20)
TWO = make_trajectory(1, {Arm.LEFT: (Variant.PLAIN,), Arm.RIGHT: (Variant.PUSH,)}, rate_hz=20)


def features(layout: Layout, trajectory: Trajectory) -> dict[str, Floats]:
    found = layout.features(trajectory)
    assert {name: values.shape for name, values in found.items()} == {
        name: (trajectory.n_frames, len(elements)) for name, elements in layout.names.items()
    }
    return found


def same_rotation(values: Floats, encoding: RotationEncoding, reading: Reading) -> bool:
    return np.allclose(rotation_6d(values, encoding), reading.rotation[:, :2].reshape(-1, 6), atol=1e-6)


def test_two_arms_stand_side_by_side_left_first() -> None:
    found = features(TWO_ARMS_XYZW, TWO)
    for name, side in (("observation.state", "state"), ("action", "target")):
        for first, arm in ((0, TWO.arms[0]), (8, TWO.arms[1])):
            reading: Reading = getattr(arm, side)
            part = found[name][:, first : first + 8]
            assert np.array_equal(part[:, :3], reading.position)
            assert same_rotation(part[:, 3:7], RotationEncoding.QUATERNION_XYZW, reading)
            assert np.array_equal(part[:, 7], reading.opening)


def test_quaternions_do_not_jump_in_sign() -> None:
    quaternion = features(TWO_ARMS_XYZW, TWO)["observation.state"][:, 3:7]
    assert np.all(np.sum(quaternion[1:] * quaternion[:-1], axis=1) > 0.9)


def test_the_droid_like_gripper_counts_from_open_to_closed() -> None:
    found, arm = features(DROID_LIKE, ONE), ONE.arms[0]
    assert np.allclose(found["observation.state.gripper_position"][:, 0], 1 - arm.state.opening)
    assert np.allclose(found["action.gripper_position"][:, 0], 1 - arm.target.opening)
    cartesian = found["observation.state.cartesian_position"]
    assert np.array_equal(cartesian[:, :3], arm.state.position)
    assert same_rotation(cartesian[:, 3:], RotationEncoding.EULER_XYZ, arm.state)


def test_millimetres_are_millimetres() -> None:
    state, arm = features(MILLIMETRES, ONE)["observation.state"], ONE.arms[0]
    assert np.allclose(state[:, :3] / 1000, arm.state.position)
    assert np.allclose(state[:, 6] / 80, arm.state.opening)
    assert np.allclose(Rotation.from_rotvec(state[:, 3:6]).as_matrix(), arm.state.rotation, atol=1e-9)


def test_a_handheld_gripper_records_its_width_and_its_next_state_as_action() -> None:
    found, arm = features(UMI_LIKE, ONE), ONE.arms[0]
    state = found["observation.state"]
    assert np.allclose(state[:, 9] / 0.08, arm.state.opening)
    assert same_rotation(state[:, 3:9], RotationEncoding.ROT6D_ROWS, arm.state)
    assert np.array_equal(found["action"][:-1], state[1:])


def test_percent_and_w_first() -> None:
    state, arm = features(PERCENT_WXYZ, ONE)["observation.state"], ONE.arms[0]
    assert np.allclose(state[:, 7] / 100, arm.state.opening)
    assert same_rotation(state[:, 3:7], RotationEncoding.QUATERNION_WXYZ, arm.state)
