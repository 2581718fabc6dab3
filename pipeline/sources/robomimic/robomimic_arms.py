"""Which observations of a robomimic file are which arm's pose and gripper: robosuite, LIBERO and IsaacLab name them
differently and disagree about quaternions and about what the gripper's number is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.errors import SourceError
from pipeline.sources.robomimic.robomimic_env import Env
from schemas.array import Floats
from schemas.episode import Arm
from schemas.pose import RotationEncoding
from schemas.recipe_formats.robomimic import RobomimicSource

_POSITION = re.compile(r"(?:(robot\d+)_)?(?:(right|left)_)?eef_pos")
_KNOWN_TRAVEL = {"panda": (0.0, 0.04), "franka": (0.0, 0.04)}
"""Travel of one finger in metres, closed and open, by a word in the robot's or the environment's name."""


@dataclass(frozen=True)
class ArmKeys:
    """One arm's observations by path below the demo; None for what is not there."""

    arm: Arm
    robot: str
    position: str | None
    rotation: str | None
    encoding: RotationEncoding
    gripper: str | None
    pose: str | None = None
    """4×4 matrices, of which position and rotation are parts."""


def arms_of(keys: set[str], poses: Mapping[str, str], spec: RobomimicSource, env: Env, where: str) -> list[ArmKeys]:
    """The arms in the order of the action. ``keys`` are those of ``obs``, ``poses`` the matrices' paths by name."""
    if "ee_pos" in keys:
        found = [_libero(keys, spec)]
    elif poses and env.isaac:
        found = [_posed(name, path, keys, spec) for name, path in sorted(poses.items(), reverse=True)]
    else:
        matches = (_POSITION.fullmatch(key) for key in keys)
        found = [_posed_by_numbers(match, keys, spec, env) for match in matches if match]
        found.sort(key=lambda arm: (arm.robot, arm.arm is Arm.LEFT))
    if len({arm.arm for arm in found}) < len(found):
        names = ", ".join(f"{arm.robot} is {arm.arm}" for arm in found)
        raise SourceError(f"{where}: {names}; expected one left and one right arm: say in `arms` which is which")
    return found


def _libero(keys: set[str], spec: RobomimicSource) -> ArmKeys:
    rotation = "obs/ee_ori" if "ee_ori" in keys else None
    gripper = "obs/gripper_states" if "gripper_states" in keys else None
    arm = spec.arms.get("robot0", Arm.RIGHT)
    return ArmKeys(arm, "robot0", "obs/ee_pos", rotation, RotationEncoding.ROTATION_VECTOR, gripper)


def _posed(name: str, path: str, keys: set[str], spec: RobomimicSource) -> ArmKeys:
    side = {"left": Arm.LEFT, "right": Arm.RIGHT}.get(name.lower())
    gripper = next((key for key in ("gripper_pos", f"{name}_gripper_pos") if key in keys), None)
    arm = side or spec.arms.get(name, spec.arms.get("robot0", Arm.RIGHT))
    return ArmKeys(
        arm=arm,
        robot=name,
        position=f"{path}.position",
        rotation=f"{path}.rotation",
        encoding=RotationEncoding.ROT6D_ROWS,
        gripper=f"obs/{gripper}" if gripper else None,
        pose=path,
    )


def _posed_by_numbers(match: re.Match[str], keys: set[str], spec: RobomimicSource, env: Env) -> ArmKeys:
    prefix = match[0].removesuffix("eef_pos")
    robot = match[1] or "robot0"
    arm = Arm(match[2]) if match[2] else spec.arms.get(robot, Arm.RIGHT)
    # The controller moves the grip site, which is turned against the hand's body that `eef_quat` describes.
    rotation = next((key for key in (f"{prefix}eef_quat_site", f"{prefix}eef_quat") if key in keys), None)
    gripper = next((key for key in (f"{prefix}gripper_qpos", f"{prefix}gripper_pos") if key in keys), None)
    return ArmKeys(
        arm=arm,
        robot=robot,
        position=f"obs/{match[0]}",
        rotation=f"obs/{rotation}" if rotation else None,
        encoding=RotationEncoding(f"quaternion_{spec.quaternions or ('wxyz' if env.isaac else 'xyzw')}"),
        gripper=f"obs/{gripper}" if gripper else None,
    )


def travel(fingers: Floats) -> Floats:
    """How far a gripper's fingers [T, F] have moved, [T, 1].

    Two fingers that move against each other (robosuite, and IsaacLab, which turns one's sign): half the jaw's width,
    larger is more open. Any others: their mean size.
    """
    if fingers.shape[1] == 2:
        apart, together = fingers[:, :1] - fingers[:, 1:], fingers[:, :1] + fingers[:, 1:]
        if np.nansum(np.abs(apart)) >= np.nansum(np.abs(together)):
            half: Floats = apart / 2
            return half
    moved: Floats = np.abs(fingers).mean(axis=1, keepdims=True)
    return moved


def travel_range(spec: RobomimicSource, env: Env) -> tuple[float, float] | None:
    """Finger travel when closed and when open, as the recipe says or as it is known for the robot."""
    if spec.gripper_closed is not None and spec.gripper_open is not None:
        return spec.gripper_closed, spec.gripper_open
    named = " ".join([*env.robots, env.name]).lower()
    return next((known for word, known in _KNOWN_TRAVEL.items() if word in named), None)
