"""What the actions of a robomimic demo mean: what the controller makes of them, arm by arm.

robosuite's OSC_POSE takes a step from where the arm is: metres and an axis-angle in radians, both scaled from -1 … 1,
along the axes of the world (up to 1.4) or of the robot's base (1.5); the rotation is applied on the left, so that it
does not matter that `eef_quat` describes the hand and not the grip site. Whatever else an action may be is kept as
columns, and a finding says why it became no target.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from pipeline.sources.robomimic.robomimic_arms import ArmKeys
from pipeline.sources.robomimic.robomimic_env import Controller, scaled
from pipeline.sources.robomimic.robomimic_table import Table, posed
from schemas.array import Floats
from schemas.episode import CommandMode, CommandSpace
from schemas.pose import RotationEncoding, matrix_of
from schemas.recipe_columns import ArmColumns, Columns, OpeningColumns, RotationColumns
from schemas.recipe_commands import Commands
from schemas.rotation import rotation_6d

POSITION_M, ROTATION_RAD = 0.05, 0.5
"""What one unit of an OSC_POSE action is by robosuite's own default."""
_POSE_DIMS = {"OSC_POSE": 6, "IK_POSE": 6, "OSC_POSITION": 3}
_JOINT_MODES = {"JOINT_POSITION": None, "JOINT_VELOCITY": CommandMode.VELOCITY, "JOINT_TORQUE": None}
_NEAR_M, _FAR_M = 0.1, 0.3
"""An absolute target is never far from the arm; a step read as one nearly always is."""


@dataclass(frozen=True)
class Meant:
    """What the actions mean, arm by arm in ``target``; ``commands`` None when nobody says."""

    target: list[ArmColumns]
    commands: Commands | None


def meant(table: Table, arms: list[ArmKeys], action: Floats, aims: Mapping[str, str]) -> Meant:
    """The arms' targets, or why there are none. Columns go into the table."""
    if aims and table.env.isaac and set(aims) == {arm.robot for arm in arms}:
        return _meant_by_matrices(table, arms, action, aims)
    controllers = _controllers(table, len(arms) or 1)
    dims = [_POSE_DIMS.get(controller.kind) for controller in controllers]
    if None in dims:
        return _meant_for_joints(table, arms, controllers[0], action)
    if sum(dim + 1 for dim in dims if dim is not None) > action.shape[1] or not arms:
        table.tell(
            "action_width_unexpected",
            f"an action has {action.shape[1]} numbers for {len(arms)} arms of {[c.kind for c in controllers]}; "
            "they are kept as columns",
            action.shape[1],
        )
        return Meant([], None)
    start, target, modes = 0, [], set()
    for arm, controller, dim in zip(arms, controllers, dims, strict=True):
        assert dim is not None
        columns, delta = _aimed(table, arm, controller, action[:, start : start + dim])
        opening = _commanded_opening(table, arm, action[:, start + dim : start + dim + 1])
        target.append(ArmColumns(arm=arm.arm, opening=opening, **columns))
        modes.add(delta)
        start += dim + 1
    if len(modes) > 1 or None in modes:
        return Meant([ArmColumns(arm=arm.arm, opening=arm.opening) for arm in target], None)
    mode = CommandMode.DELTA if True in modes else CommandMode.ABSOLUTE
    return Meant(target, Commands(mode=mode, space=CommandSpace.END_EFFECTOR, frame="base"))


def _controllers(table: Table, n_arms: int) -> list[Controller]:
    """One per arm. Where the file states none, robosuite's usual one is assumed; IsaacLab has no usual one."""
    stated = list(table.env.controllers)
    if len(stated) == 1:
        stated *= n_arms
    if len(stated) == n_arms and all(controller.kind for controller in stated):
        return stated
    usual = Controller("OSC_POSE", frame="world")
    if not table.env.isaac:
        message = "no controller is stated in env_args; actions are read as OSC_POSE: steps of 0.05 m and 0.5 rad"
        table.tell("controller_not_stated", message)
        return [usual] * n_arms
    given = table.spec.actions == "absolute" or (table.spec.position_scale_m and table.spec.rotation_scale)
    if given:
        return [usual] * n_arms
    message = "IsaacLab does not say what an action's numbers are; set `actions`, `position_scale_m`, `rotation_scale`"
    table.tell("action_scale_unknown", message)
    return [Controller("")] * n_arms


def _meant_by_matrices(table: Table, arms: list[ArmKeys], action: Floats, aims: Mapping[str, str]) -> Meant:
    """IsaacLab Mimic writes the absolute pose that each action aims at; grippers are the last numbers of the action."""
    target = []
    for number, arm in enumerate(arms):
        aimed = posed(table, f"target_{arm.robot}", table.rows(aims[arm.robot], 16))
        place = action.shape[1] - len(arms) + number
        opening = _commanded_opening(table, arm, action[:, place : place + 1]) if len(arms) == 1 else None
        target.append(ArmColumns(arm=arm.arm, opening=opening, **aimed))
    return Meant(target, Commands(mode=CommandMode.ABSOLUTE, space=CommandSpace.END_EFFECTOR, frame="base"))


def _meant_for_joints(table: Table, arms: list[ArmKeys], controller: Controller, action: Floats) -> Meant:
    """Joint controllers: the numbers stay columns, and what they are is said where it is known."""
    mode = _JOINT_MODES.get(controller.kind)
    if controller.kind == "JOINT_POSITION":
        mode = CommandMode.DELTA if controller.delta else CommandMode.ABSOLUTE
    if controller.kind:
        table.tell("action_kept_as_columns", f"the controller is {controller.kind}; its actions are no poses")
    target = []
    if len(arms) == 1:  # with several arms, grippers stand at places that depend on the controllers
        target = [ArmColumns(arm=arms[0].arm, opening=_commanded_opening(table, arms[0], action[:, -1:]))]
    commands = None if mode is None else Commands(mode=mode, space=CommandSpace.JOINT, frame="joint")
    return Meant(target, commands)


def _aimed(table: Table, arm: ArmKeys, controller: Controller, action: Floats) -> tuple[dict[str, Any], bool | None]:
    """Columns of one arm's steps or poses along the world's axes, and whether they are steps; None if not known."""
    delta = controller.delta if table.spec.actions is None else table.spec.actions == "delta"
    reason = _doubt(table, arm, controller, action, delta)
    base = _base_of(table, arm, controller)
    if reason is None and base is None:
        reason = "actions are relative to a base whose place the file does not say"
    if reason is None and arm.position is None:
        reason = "no pose was measured"
    if reason is not None or base is None:
        table.tell("action_kept_as_columns", f"{arm.arm} arm: {reason}; its actions become no target poses")
        return {}, None
    moved = _in_metres(table, controller, action) if delta else action
    origin, turn = base
    name = f"action_{arm.arm}"
    table.columns[f"{name}.position"] = moved[:, :3] @ turn.as_matrix().T + (0 if delta else origin)
    columns: dict[str, Any] = {"position": Columns(column=f"{name}.position")}
    if moved.shape[1] > 3 and arm.rotation is not None:  # OSC_POSITION does not turn
        turned = _turned(moved[:, 3:], turn, delta)
        table.columns[f"{name}.rotation"] = turned
        if delta or not _is_other_tool(table, arm, turned):
            encoding = RotationEncoding.ROTATION_VECTOR
            columns["rotation"] = RotationColumns(column=f"{name}.rotation", encoding=encoding)
    return columns, delta


def _doubt(table: Table, arm: ArmKeys, controller: Controller, action: Floats, delta: bool) -> str | None:
    """Why the actions cannot be what they are said to be."""
    if delta and controller.from_goal:
        return "steps start from the goal before them, not from the measured pose"
    if arm.position is None or table.spec.actions is not None:
        return None
    distance = float(np.nanmedian(np.linalg.norm(action[:, :3] - table.columns[arm.position], axis=1)))
    reach = float(np.nanmedian(np.linalg.norm(table.columns[arm.position], axis=1)))
    looks_absolute = distance < _NEAR_M < reach
    contradicts = looks_absolute if delta else distance > _FAR_M and controller.frame == "world"
    if not contradicts:
        return None
    said, seen = ("steps", "poses") if delta else ("poses", "steps")
    message = (
        f"env_args says that actions are {said}, they look like {seen} ({distance:.3g} m from the arm); set `actions`"
    )
    table.tell("actions_contradict_env_args", message, distance)
    return f"they look like {seen}, not {said}"


def _base_of(table: Table, arm: ArmKeys, controller: Controller) -> tuple[Floats, Rotation] | None:
    """Where the axes of an action stand in the world; None when that is not known."""
    if controller.frame != "base":
        return np.zeros(3), Rotation.identity()
    place = table.demo.part["bases"].get(arm.robot)
    if place is not None:
        return np.array(place[:3]), Rotation.from_quat(place[3:], scalar_first=True)
    is_step = controller.delta if table.spec.actions is None else table.spec.actions == "delta"
    if is_step and not table.env.opposed:  # robosuite turns no base but those of robots that face each other
        return np.zeros(3), Rotation.identity()
    return None


def _in_metres(table: Table, controller: Controller, action: Floats) -> Floats:
    """A step in metres and radians: by the recipe, by the controller's output range, by robosuite's default."""
    stated = scaled(controller, action)
    low, high = controller.input_range
    clipped = action.clip(low, high)
    usual = np.concatenate([clipped[:, :3] * POSITION_M, clipped[:, 3:] * ROTATION_RAD], axis=1)
    steps = usual if stated is None else stated
    if table.spec.position_scale_m is not None:
        steps = np.concatenate([action[:, :3] * table.spec.position_scale_m, steps[:, 3:]], axis=1)
    if table.spec.rotation_scale is not None:
        steps = np.concatenate([steps[:, :3], action[:, 3:] * table.spec.rotation_scale], axis=1)
    return steps


def _turned(vectors: Floats, turn: Rotation, delta: bool) -> Floats:
    """Rotation vectors [T, 3] of the base as ones of the world: a step's axis is turned, a pose is."""
    if delta:
        return vectors @ turn.as_matrix().T
    finite = np.isfinite(vectors).all(axis=1)
    world = np.full(vectors.shape, np.nan)
    world[finite] = (turn * Rotation.from_rotvec(vectors[finite])).as_rotvec()
    return world


def _is_other_tool(table: Table, arm: ArmKeys, target: Floats) -> bool:
    """Whether absolute rotations are those of another body than the measured ones, a quarter turn away."""
    assert arm.rotation is not None
    measured = table.columns[arm.rotation]
    good = np.isfinite(target).all(axis=1) & np.isfinite(measured).all(axis=1)
    good &= np.linalg.norm(measured, axis=1) > 0
    if not good.any():
        return False
    turned = matrix_of(rotation_6d(target[good], RotationEncoding.ROTATION_VECTOR))
    apart = float(np.median(angle_between(matrix_of(rotation_6d(measured[good], arm.encoding)), turned)))
    if apart < np.pi / 4:
        return False
    message = (
        f"target rotations are {np.degrees(apart):.0f}° from the measured ones: the controller turns the grip site, "
        f"{arm.rotation} is another body; record `eef_quat_site`. The {arm.arm} target has no rotation"
    )
    table.tell("target_rotation_of_other_body", message, apart)
    return True


def angle_between(one: Floats, other: Floats) -> Floats:
    """Angles in radians between rotation matrices [T, 3, 3]."""
    cosine = (np.einsum("tij,tij->t", one, other) - 1) / 2
    angle: Floats = np.arccos(cosine.clip(-1, 1))
    return angle


def _commanded_opening(table: Table, arm: ArmKeys, command: Floats) -> OpeningColumns:
    usual = 1.0 if table.env.isaac else -1.0
    opened = usual if table.spec.gripper_action_open is None else table.spec.gripper_action_open
    name = f"action_{arm.arm}.gripper"
    table.columns[name] = command
    return OpeningColumns(column=name, closed=-opened, open=opened)
