"""The control record of one event in the 20-D layout: what ``action.npz`` and ``state.npz`` hold.

An action row says where the arm should be next: the source's target where it has one, else the state one row
later; ``source`` says which, column by column, because the two are not the same quantity. Every sample has both
members, so a stock reader can ask every sample for them; an event without actions has zero rows and no known
columns.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.action_layout import layout_of
from schemas.array import Bools, Floats, Ints
from schemas.calibration import Calibration
from schemas.displacement import ACTION_DIMS
from schemas.episode import ActionTrack, ArmTrack

TARGET, NEXT_STATE, NONE = "target", "next_state", "none"


@dataclass(frozen=True, eq=False)
class Control:
    """An episode's actions and states in absolute units: float32 [T, 20], with masks bool [20] and bool [T]."""

    times_ns: Ints
    action: Floats
    action_known: Bools
    action_valid: Bools
    action_source: NDArray[np.str_]
    """[20] of ``target``, ``next_state`` or ``none``."""
    state: Floats
    state_known: Bools
    state_valid: Bools
    native: Mapping[str, Mapping[str, NDArray[Any]]]
    """By ``action`` and ``state``: joints and finger joints, one row per action row, in source units."""
    joint_names: tuple[str, ...]


def control_of(actions: ActionTrack | None, calibration: Calibration) -> Control:
    """The whole episode's control record; zero rows without an action track. ``actions`` are on the video clock."""
    if actions is None:
        nothing, unknown = np.zeros((0, ACTION_DIMS), np.float32), np.zeros(ACTION_DIMS, np.bool_)
        none = np.full(ACTION_DIMS, NONE)
        empty = np.zeros(0, np.bool_)
        return Control(np.zeros(0, np.int64), nothing, unknown, empty, none, nothing, unknown, empty, {}, ())
    state = layout_of(actions.state, actions.n_rows, calibration)
    target = layout_of(actions.target, actions.n_rows, calibration)
    next_state = np.concatenate([state.values[1:], state.values[-1:]])
    next_valid = np.concatenate([actions.valid[1:], actions.valid[-1:]])
    from_state = state.known & ~target.known
    return Control(
        times_ns=actions.times_ns,
        action=np.where(target.known, target.values, next_state),
        action_known=target.known | state.known,
        action_valid=actions.valid & next_valid if from_state.any() else actions.valid,
        action_source=np.where(target.known, TARGET, np.where(from_state, NEXT_STATE, NONE)),
        state=state.values,
        state_known=state.known,
        state_valid=actions.valid,
        native={
            "action": _native(actions, actions.joint_target, actions.target),
            "state": _native(actions, actions.joint_state, actions.state),
        },
        joint_names=actions.joint_names,
    )


def _native(actions: ActionTrack, joints: Floats | None, arms: tuple[ArmTrack, ...]) -> dict[str, NDArray[Any]]:
    """Native quantities of one side, rows first."""
    found: dict[str, NDArray[Any]] = {}
    if joints is not None:
        found["joints"] = joints.reshape(actions.n_rows, -1)
    for arm in arms:
        if arm.fingers is not None:
            found[f"fingers_{arm.arm}"] = arm.fingers.reshape(actions.n_rows, -1)
    return found


def action_arrays(control: Control, first: int, last: int) -> dict[str, NDArray[Any]]:
    """``action.npz`` of rows [first, last)."""
    rows = slice(first, last)
    arrays: dict[str, NDArray[Any]] = {
        "times_ns": control.times_ns[rows],
        "values": control.action[rows],
        "known": control.action_known,
        "valid": control.action_valid[rows],
        "source": control.action_source,
    }
    return arrays | _native_rows(control, "action", rows)


def state_arrays(control: Control, first: int, last: int) -> dict[str, NDArray[Any]]:
    """``state.npz`` of rows [first, last)."""
    rows = slice(first, last)
    arrays: dict[str, NDArray[Any]] = {
        "times_ns": control.times_ns[rows],
        "values": control.state[rows],
        "known": control.state_known,
        "valid": control.state_valid[rows],
    }
    return arrays | _native_rows(control, "state", rows)


def _native_rows(control: Control, side: str, rows: slice) -> dict[str, NDArray[Any]]:
    found = {name: array[rows] for name, array in control.native.get(side, {}).items()}
    if "joints" in found:
        found["joint_names"] = np.array(control.joint_names, np.str_)
    return found
