"""How five different laboratories would write the same motion into their LeRobot tables.

Names, units, rotation encodings and gripper polarities differ on purpose: what a recipe's ``state`` and ``target``
sections have to say is exactly what stands here. Every function returns features by name, [T, D].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from pipeline.synthetic.trajectory import ArmMotion, Reading, Trajectory
from pipeline.synthetic.world import opening_m
from schemas.array import Floats

Encode = Callable[[Reading], Floats]


@dataclass(frozen=True, eq=False)
class Layout:
    """Feature names with their element names, and the function that fills them from an episode."""

    names: Mapping[str, tuple[str, ...]]
    features: Callable[[Trajectory], dict[str, Floats]]


def _columns(*parts: Floats) -> Floats:
    return np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)


def _quaternion(rotation: Floats) -> Floats:
    """x, y, z, w without sign jumps along the episode."""
    quaternion: Floats = np.asarray(Rotation.from_matrix(rotation).as_quat())
    jumps = np.sum(quaternion[1:] * quaternion[:-1], axis=1) < 0
    steady: Floats = quaternion * np.concatenate([[1.0], np.cumprod(np.where(jumps, -1.0, 1.0))])[:, None]
    return steady


def _xyz_quaternion(reading: Reading) -> Floats:
    return _columns(reading.position, _quaternion(reading.rotation), reading.opening)


def _wxyz_percent(reading: Reading) -> Floats:
    quaternion = _quaternion(reading.rotation)[:, [3, 0, 1, 2]]
    return _columns(reading.position, quaternion, 100.0 * reading.opening)


def _millimetres_rotvec(reading: Reading) -> Floats:
    rotvec = np.asarray(Rotation.from_matrix(reading.rotation).as_rotvec())
    return _columns(1000.0 * reading.position, rotvec, 1000.0 * opening_m(reading.opening))


def _rot6d_width(reading: Reading) -> Floats:
    return _columns(reading.position, reading.rotation[:, :2], opening_m(reading.opening))


def _euler(reading: Reading) -> Floats:
    return _columns(reading.position, np.asarray(Rotation.from_matrix(reading.rotation).as_euler("xyz")))


def _state_action(encode: Encode) -> Callable[[Trajectory], dict[str, Floats]]:
    """``observation.state`` from what was measured and ``action`` from what was commanded, arms side by side."""

    def features(trajectory: Trajectory) -> dict[str, Floats]:
        return {
            "observation.state": _columns(*(encode(arm.state) for arm in trajectory.arms)),
            "action": _columns(*(encode(arm.target) for arm in trajectory.arms)),
        }

    return features


def _next_state(trajectory: Trajectory) -> dict[str, Floats]:
    """Hand-held devices have no command: the action is the next state."""
    state = _rot6d_width(_only(trajectory).state)
    return {"observation.state": state, "action": np.concatenate([state[1:], state[-1:]])}


def _closedness(trajectory: Trajectory) -> dict[str, Floats]:
    """Cartesian columns and a gripper that counts from open (0) to closed (1), as DROID does."""
    arm = _only(trajectory)
    return {
        "observation.state.cartesian_position": _euler(arm.state),
        "observation.state.gripper_position": 1.0 - arm.state.opening[:, None],
        "action.cartesian_position": _euler(arm.target),
        "action.gripper_position": 1.0 - arm.target.opening[:, None],
    }


def _only(trajectory: Trajectory) -> ArmMotion:
    (arm,) = trajectory.arms
    return arm


def _both(names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    return {"observation.state": names, "action": names}


_POSE = ("x", "y", "z", "qx", "qy", "qz", "qw", "gripper")
_EULER = ("x", "y", "z", "roll", "pitch", "yaw")

TWO_ARMS_XYZW = Layout(
    _both(tuple(f"{side}_{name}" for side in ("left", "right") for name in _POSE)), _state_action(_xyz_quaternion)
)
DROID_LIKE = Layout(
    {
        "observation.state.cartesian_position": _EULER,
        "observation.state.gripper_position": ("gripper",),
        "action.cartesian_position": _EULER,
        "action.gripper_position": ("gripper",),
    },
    _closedness,
)
MILLIMETRES = Layout(
    _both(("x_mm", "y_mm", "z_mm", "rx", "ry", "rz", "gripper_mm")), _state_action(_millimetres_rotvec)
)
UMI_LIKE = Layout(_both(("x", "y", "z", "r11", "r12", "r13", "r21", "r22", "r23", "width_m")), _next_state)
PERCENT_WXYZ = Layout(_both(("x", "y", "z", "qw", "qx", "qy", "qz", "gripper_percent")), _state_action(_wxyz_percent))
