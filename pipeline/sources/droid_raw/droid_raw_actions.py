"""The action track and the control flags of a DROID trajectory.

Of the commanded poses ``action/cartesian_position`` is the target: what the robot was told in that step, after the
controller's speed limit, and what DROID's own training reads. ``action/target_cartesian_position`` is where the
operator's hand was, which the arm may reach much later; it is kept among the native columns.
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from pipeline.errors import SourceError
from pipeline.sources.droid_raw.droid_raw_clock import FPS, Clock
from pipeline.sources.droid_raw.droid_raw_table import ACTION, STATE, Trajectory
from pipeline.sources.reference import about_episode
from pipeline.sources.spans import flag_runs
from pipeline.sources.tabular_actions import Control, Native, tabular_track
from schemas.array import Bools, Floats
from schemas.episode import ActionTrack, Arm, CommandMode, CommandSpace, SourceSpan, SpanMeaning
from schemas.finding import Finding
from schemas.pose import RotationEncoding
from schemas.recipe_columns import ArmColumns, Columns, OpeningColumns, RotationColumns
from schemas.recipe_commands import Commands
from schemas.source import EpisodeRef

_CONTROLLER, _SKIPPED = "/observation/controller_info", "/observation/timestamp/skip_action"
_XYZRPY = ("x", "y", "z", "roll", "pitch", "yaw")
_JOINTS = tuple(f"joint_{i}" for i in range(7))
_NATIVE_STATE: Mapping[str, tuple[str, ...]] = {
    f"{STATE}/joint_positions": _JOINTS,
    f"{STATE}/gripper_position": ("gripper_position",),
}
_NATIVE_TARGET: Mapping[str, tuple[str, ...]] = {
    f"{ACTION}/joint_position": _JOINTS,
    f"{ACTION}/gripper_position": ("gripper_position",),
    f"{ACTION}/cartesian_velocity": tuple(f"cartesian_velocity.{axis}" for axis in _XYZRPY),
    f"{ACTION}/gripper_velocity": ("gripper_velocity",),
    f"{ACTION}/target_cartesian_position": tuple(f"target_cartesian_position.{axis}" for axis in _XYZRPY),
    f"{ACTION}/target_gripper_position": ("target_gripper_position",),
}
_COMMANDS = Commands(mode=CommandMode.ABSOLUTE, space=CommandSpace.END_EFFECTOR, frame="base")


def action_track(trajectory: Trajectory, clock: Clock) -> tuple[ActionTrack | None, list[Finding]]:
    """Measured and commanded tool pose, opening and joints, in the robot's base frame."""
    used = len(clock.rows_ns)

    def numbers(path: str) -> Floats:
        return trajectory.column(path)[:used]

    target = _arm(trajectory, f"{ACTION}/cartesian_position", f"{ACTION}/gripper_position")
    return tabular_track(
        trajectory.ref,
        Control(
            where=trajectory.table.name,
            times_ns=clock.rows_ns,
            period_s=1.0 / FPS,
            numbers=numbers,
            state=_native(trajectory, _NATIVE_STATE, numbers, used),
            target=_native(trajectory, _NATIVE_TARGET, numbers, used),
        ),
        state=_arm(trajectory, f"{STATE}/cartesian_position", f"{STATE}/gripper_position"),
        target=target,
        commands=_COMMANDS if target else None,
        frame="base",
    )


def _arm(trajectory: Trajectory, pose: str, gripper: str) -> list[ArmColumns]:
    """The one arm, as far as the trajectory has it. DROID's grippers are 0 open … 1 closed."""
    posed = trajectory.has(pose)
    opening = OpeningColumns(column=gripper, closed=1.0, open=0.0) if trajectory.has(gripper) else None
    if not posed and opening is None:
        return []
    position = Columns(column=pose, start=0, stop=3) if posed else None
    rotation = RotationColumns(column=pose, start=3, stop=6, encoding=RotationEncoding.EULER_XYZ) if posed else None
    return [ArmColumns(arm=Arm.RIGHT, position=position, rotation=rotation, opening=opening)]


def _native(
    trajectory: Trajectory, columns: Mapping[str, tuple[str, ...]], numbers: Callable[[str], Floats], n_rows: int
) -> Native:
    found = {path: names for path, names in columns.items() if trajectory.has(path)}
    parts: list[Floats] = [np.zeros((n_rows, 0))]
    for path, names in found.items():
        values = numbers(path)
        if values.shape[1] != len(names):
            where = f"{trajectory.table.name}: {path}"
            raise SourceError(
                f"{where} has {values.shape[1]} values per row, expected {len(names)}: {', '.join(names)}"
            )
        parts.append(values)
    return Native([name for names in found.values() for name in names], np.concatenate(parts, axis=1), list(found))


def control_spans(trajectory: Trajectory, clock: Clock) -> tuple[list[SourceSpan], list[Finding]]:
    """Pauses of the operator and the buttons that end an episode."""
    flags = {
        name: trajectory.column(f"{_CONTROLLER}/{name}", 1)[:, 0] > 0.5
        for name in ("movement_enabled", "success", "failure")
        if trajectory.has(f"{_CONTROLLER}/{name}")
    }
    skipped = trajectory.column(_SKIPPED, 1)[:, 0] > 0.5 if trajectory.has(_SKIPPED) else None
    spans: list[SourceSpan] = []
    findings: list[Finding] = []
    used = len(clock.rows_ns)
    paused = ~flags["movement_enabled"] if "movement_enabled" in flags else skipped
    if paused is not None:
        track = "movement_enabled" if "movement_enabled" in flags else "skip_action"
        spans += flag_runs(track, paused[:used], clock.edges_ns, SpanMeaning.PAUSE, "paused")
        findings += _disagreement(trajectory.ref, paused, skipped)
    for name, meaning in (("failure", SpanMeaning.ERROR), ("success", SpanMeaning.OTHER)):
        if name in flags:
            spans += flag_runs(name, flags[name][:used], clock.edges_ns, meaning, name)
    return spans, findings


def _disagreement(ref: EpisodeRef, paused: Bools, skipped: Bools | None) -> Iterator[Finding]:
    """The recorder leaves out an action exactly where movement is not enabled."""
    differing = 0 if skipped is None else int(np.count_nonzero(paused != skipped))
    if differing:
        message = (
            f"movement_enabled and skip_action disagree about pauses in {differing} of {len(paused)} rows; "
            "movement_enabled counts"
        )
        yield about_episode(ref, "pause_flags_disagree", message, value=differing, threshold=0)
