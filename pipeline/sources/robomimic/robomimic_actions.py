"""The action track of a robomimic demo: measured poses and grippers, joints as they are, commands made absolute."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pipeline.errors import SourceError
from pipeline.sources.robomimic.robomimic_arms import ArmKeys, arms_of, travel, travel_range
from pipeline.sources.robomimic.robomimic_commands import Meant, meant
from pipeline.sources.robomimic.robomimic_demo import Demo
from pipeline.sources.robomimic.robomimic_table import Table, posed
from pipeline.sources.storage.hdf5_pictures import row_start_ns
from pipeline.sources.tabular_actions import Control, Native, element_names, tabular_track
from schemas.array import Floats
from schemas.episode import ActionTrack, CommandMode, CommandSpace
from schemas.finding import Finding
from schemas.recipe_columns import ArmColumns, Columns, OpeningColumns, RotationColumns

_JOINTS = ("joint_pos", "joint_states", "gripper_qpos", "gripper_pos", "gripper_states")


def action_track(demo: Demo) -> tuple[ActionTrack, list[Finding]]:
    """Poses, grippers and commands of one demo. Raises SourceError when its tables do not belong together."""
    action = demo.file.numbers(f"{demo.group}/actions")
    if not len(action):
        raise SourceError(f"{demo.where}: actions has no rows, expected one per step; leave the demo out")
    table = Table(demo, len(action))
    keys = demo.file.keys(f"{demo.group}/obs")
    arms = arms_of(set(keys), _matrices(demo, "eef_pose"), demo.spec, demo.env, demo.where)
    state = [columns for arm in arms if (columns := _measured(table, arm)) is not None]
    commanded = meant(table, arms, action, _matrices(demo, "target_eef_pose"))
    native = _native(table, keys)
    track, findings = tabular_track(
        demo.ref,
        Control(
            where=demo.where,
            times_ns=np.array([row_start_ns(row, demo.fps) for row in range(len(action))], np.int64),
            period_s=1.0 / demo.fps,
            numbers=table.columns.__getitem__,
            state=native,
            target=Native(_command_names(commanded, native.names, action.shape[1]), action, ["actions"]),
        ),
        state=state,
        target=commanded.target,
        commands=commanded.commands,
        frame="world",
    )
    assert track is not None
    if not state:
        table.tell("pose_missing", f"obs has {', '.join(keys[:12]) or 'nothing'}, none of it an arm's pose or gripper")
    return replace(track, valid=track.valid & np.isfinite(action).all(axis=1)), [*table.findings, *findings]


def _matrices(demo: Demo, name: str) -> dict[str, str]:
    """Paths below the demo of 4×4 poses by arm: IsaacLab keeps them below ``obs``, MimicGen beside it."""
    for folder in (f"obs/datagen_info/{name}", f"datagen_info/{name}"):
        if found := demo.file.keys(f"{demo.group}/{folder}"):
            return {key: f"{folder}/{key}" for key in found}
    return {}


def _measured(table: Table, arm: ArmKeys) -> ArmColumns | None:
    """One arm's observations as columns of the table."""
    columns: dict[str, Any] = {"arm": arm.arm}
    if arm.pose is not None:
        columns |= posed(table, arm.pose, table.rows(arm.pose, 16))
    elif arm.position is not None:
        table.columns[arm.position] = table.rows(arm.position, 3)
        columns["position"] = Columns(column=arm.position)
        if arm.rotation is not None:
            table.columns[arm.rotation] = table.rows(arm.rotation, arm.encoding.width)
            columns["rotation"] = RotationColumns(column=arm.rotation, encoding=arm.encoding)
    if arm.gripper is not None:
        columns["opening"] = _measured_opening(table, arm.gripper, table.rows(arm.gripper))
    return ArmColumns(**columns) if len(columns) > 1 else None


def _command_names(commanded: Meant, joints: Sequence[str], width: int) -> list[str]:
    """Names of an action's numbers: those of the joints they are positions of, where they are."""
    names = element_names("action", [], width)
    commands = commanded.commands
    arm = [name for name in joints if "joint" in name]
    if commands and (commands.mode, commands.space) == (CommandMode.ABSOLUTE, CommandSpace.JOINT) and len(arm) < width:
        names[: len(arm)] = arm
    return names


def _measured_opening(table: Table, name: str, fingers: Floats) -> OpeningColumns:
    table.columns[name] = travel(fingers)
    known = travel_range(table.spec, table.env)
    if known is None:
        low, high = (float(np.nanmin(table.columns[name], initial=0)), float(np.nanmax(table.columns[name], initial=0)))
        robots = ", ".join(table.env.robots) or table.env.name or "the robot"
        message = (
            f"the fingers of {robots} travel from {low:.3g} to {high:.3g} in {name}, larger is taken for more open; "
            "set `gripper_closed` and `gripper_open`"
        )
        table.tell("gripper_range_unknown", message, high)
    closed, opened = known or (0.0, 1.0)
    return OpeningColumns(column=name, closed=closed, open=opened)


def _native(table: Table, keys: list[str]) -> Native:
    """Joints and fingers as they were measured."""
    names: list[str] = []
    columns: list[str] = []
    values: list[Floats] = [np.zeros((table.n_rows, 0))]
    for key in keys:
        if key.endswith(_JOINTS):
            values.append(table.rows(f"obs/{key}"))
            names += element_names(key, [], values[-1].shape[1])
            columns.append(f"obs/{key}")
    return Native(names, np.concatenate(values, axis=1), columns)
