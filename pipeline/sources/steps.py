"""From commands that say how far to move to targets that say where to: steps added to the state they start from."""

import dataclasses

import numpy as np

from schemas.array import Floats
from schemas.episode import ArmTrack
from schemas.pose import matrix_of


def absolute_targets(
    state: tuple[ArmTrack, ...], steps: tuple[ArmTrack, ...], *, in_tool_frame: bool
) -> tuple[ArmTrack, ...]:
    """Steps as absolute poses in the frame of ``state``; arms without a pose, openings and fingers stay as they are.

    Row t of a step starts from row t of the measured state: p + d and D·R in the base frame, p + R·d and R·D in the
    tool's. Nothing is accumulated over rows, so an error of one row stays in it.
    """
    measured = {arm.arm: arm for arm in state}
    return tuple(
        _moved(measured[step.arm], step, in_tool_frame) if step.position is not None else step for step in steps
    )


def _moved(start: ArmTrack, step: ArmTrack, in_tool_frame: bool) -> ArmTrack:
    assert start.position is not None, "`check_commands` refuses a recipe without it"
    assert step.position is not None
    moved = step.position.astype(np.float64)
    turned = None if start.rotation is None else matrix_of(start.rotation)
    if in_tool_frame and turned is not None:
        moved = np.einsum("tij,tj->ti", turned, moved)
    rotation = None
    if turned is not None and step.rotation is not None:
        turn = matrix_of(step.rotation)
        rotation = _two_rows(turned @ turn if in_tool_frame else turn @ turned)
    position = (start.position.astype(np.float64) + moved).astype(np.float32)
    return dataclasses.replace(step, position=position, rotation=rotation)


def _two_rows(matrices: Floats) -> Floats:
    rows: Floats = matrices[:, :2].reshape(-1, 6).astype(np.float32)
    return rows
