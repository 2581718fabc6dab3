"""AgiBot World's ``proprio_stats.h5``: two arms, head, waist and base, as measured and as commanded.

Shapes and units are those of the dataset's card: poses are of the flange, not of the gripper's tip; a measured gripper
is in millimetres, more is more open; a commanded one is 0 open … 1 closed; robots with hands have six joints per hand
in its place. ``action/*/index`` lists the rows in which a command was really sent; a dataset beside it has a value for
those only, or one for every row of which the others mean nothing. A position that was commanded holds until the next.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import SourceError
from pipeline.sources.frame_times import checked_rows, frame_times, to_times
from pipeline.sources.reference import about_episode
from pipeline.sources.storage.hdf5 import Hdf5, first_of
from pipeline.sources.tabular_actions import Control, Native, tabular_track
from schemas.array import Floats, Ints
from schemas.episode import ActionTrack, Arm, CommandMode, CommandSpace
from schemas.finding import Finding
from schemas.pose import RotationEncoding
from schemas.recipe_columns import ArmColumns, Columns, OpeningColumns, RotationColumns
from schemas.recipe_commands import Commands
from schemas.recipe_formats.agibot import AgiBotSource
from schemas.source import EpisodeRef
from schemas.time import NS_PER_S

FPS = 30.0
TIMESTAMP = "/timestamp"
_STEPS = ("/state/joint/position", "/state/end/position", "/state/effector/position", TIMESTAMP)
_UNITS = {1: "ns", 1_000: "µs", 1_000_000: "ms", NS_PER_S: "s"}
_POSITION, _ORIENTATION, _EFFECTOR = "{}/end/position", "{}/end/orientation", "{}/effector/position"
_SIDES = tuple(f"{arm}_joint_{i}" for arm in ("left", "right") for i in range(7))
_NATIVE: Mapping[str, tuple[str, ...]] = {
    "/state/joint/position": _SIDES,
    "/state/head/position": ("head_yaw", "head_pitch"),
    "/state/waist/position": ("waist_pitch", "waist_lift"),
    "/state/effector/position": ("left_gripper_mm", "right_gripper_mm"),
    "/state/robot/position": ("base_x", "base_y", "base_z"),
    "/state/robot/orientation": ("base_qx", "base_qy", "base_qz", "base_qw"),
    "/action/joint/position": _SIDES,
    "/action/head/position": ("head_yaw", "head_pitch"),
    "/action/waist/position": ("waist_pitch", "waist_lift"),
    "/action/effector/position": ("left_gripper_command", "right_gripper_command"),
    "/action/robot/velocity": ("base_velocity", "base_yaw_rate"),
}
_HAND = 12
"""Values per row of `effector/position` on robots with hands; two on those with grippers."""
_EMPTY_SHARE = 0.5
"""A commanded pose whose quaternion is zero in more rows was not commanded at all."""
_CONTRADICTS = 0.5
"""Correlation of the measured opening with the command to close beyond which the polarity cannot be as documented."""


@dataclass(frozen=True)
class Proprio:
    """An open table."""

    ref: EpisodeRef
    table: Hdf5
    n_rows: int

    def width(self, path: str) -> int:
        """Values per row; 0 where there is no such dataset or it has no rows."""
        if not self.table.has(path):
            return 0
        shape = self.table.shape(path)
        return int(np.prod(shape[1:])) if shape and shape[0] else 0

    def column(self, path: str) -> Floats:
        """A dataset of one row per frame, float64 [T, W]; of a command, the last that was sent, NaN before the first.

        Raises SourceError when it has more or fewer.
        """
        values = self.table.numbers(path)
        sent = self.sent(path.split("/")[2]) if path.startswith("/action/") else None
        if sent is not None and len(sent) < self.n_rows and len(values) in (len(sent), self.n_rows):
            return _held(values if len(values) == len(sent) else values[sent], sent, self.n_rows, path)
        if len(values) != self.n_rows:
            raise SourceError(
                f"{self.table.name}: {path} has {len(values)} rows, others {self.n_rows}; the file is damaged or cut "
                "short: fetch it again"
            )
        return values

    def sent(self, part: str) -> Ints | None:
        """The rows in which a part was commanded, in order; None where the table does not say so."""
        path = f"/action/{part}/index"
        stated: NDArray[Any] = self.table.values(path) if self.table.has(path) else np.zeros(0)
        if stated.ndim != 1 or stated.dtype.kind not in "iu" or not 0 < len(stated) <= self.n_rows:
            return None
        rows: Ints = stated.astype(np.int64)
        is_rows = rows[0] >= 0 and rows[-1] < self.n_rows and bool(np.all(np.diff(rows) > 0))
        return rows if is_rows else None


def _held(values: Floats, sent: Ints, n_rows: int, path: str) -> Floats:
    """Commands [S, W] of the rows they were sent in on all rows [T, W]. A velocity is not taken to last."""
    latest = np.searchsorted(sent, np.arange(n_rows), side="right") - 1
    known = latest >= 0 if path.endswith(("position", "orientation")) else np.isin(np.arange(n_rows), sent)
    held: Floats = np.where(known[:, None], values[np.maximum(latest, 0)], np.nan)
    return held


def proprio(ref: EpisodeRef, table: Hdf5) -> Proprio:
    """A file as a table. Raises SourceError when it has no rows."""
    path = first_of(_STEPS, table)
    shape = table.shape(path) if path else ()
    if not shape or not shape[0]:
        raise SourceError(f"{table.name}: found no rows in any of {', '.join(_STEPS)}; it is no proprio_stats.h5")
    return Proprio(ref, table, checked_rows(shape[0], f"{table.name}: {path}"))


def rows_clock(rows: Proprio) -> tuple[Ints, int | None, list[Finding]]:
    """When each row was recorded, from 0, and the unit of the stamps in ns; nominal times and None without stamps."""
    nominal: Ints = np.arange(rows.n_rows, dtype=np.int64) * NS_PER_S // int(FPS)
    stamps = rows.table.values(TIMESTAMP) if rows.table.has(TIMESTAMP) else np.zeros(0, np.int64)
    unit = _unit(stamps) if len(stamps) == rows.n_rows else None
    times_ns, problem = (None, "") if unit is None else to_times(stamps, unit)
    if unit is None or times_ns is None:
        problem = problem or f"{len(stamps)} stamps for {rows.n_rows} rows, not about {FPS:g} per second in any unit"
        message = f"{TIMESTAMP} cannot be used ({problem}); rows are taken as {FPS:g} per second"
        return nominal, None, [about_episode(rows.ref, "timestamps_unusable", message)]
    findings: list[Finding] = []
    if unit != 1:
        message = f"{TIMESTAMP} is in {_UNITS[unit]} by its steps; the dataset's card says ns"
        findings.append(about_episode(rows.ref, "timestamp_unit", message, value=unit, threshold=1))
    return times_ns - times_ns[0], unit, findings


def _unit(stamps: NDArray[Any]) -> int | None:
    """Nanoseconds per unit, as the usual step tells it; None where no unit makes that a frame of 30 per second."""
    if stamps.ndim != 1 or len(stamps) < 2 or stamps.dtype.kind not in "iuf":
        return None
    step = float(np.median(np.diff(stamps.astype(np.float64))))
    return next((unit for unit in _UNITS if 0.5 < step * unit * FPS / NS_PER_S < 2.0), None)


def view_times(rows: Proprio, unit: int | None, n_frames: int | None) -> tuple[Ints | None, str]:
    """When each frame of a view was taken: frame i is of row i. None where that is not known."""
    if unit is None:
        return None, "the rows have no times"
    return frame_times(rows.table.values(TIMESTAMP), unit, n_frames)


def action_track(rows: Proprio, times_ns: Ints, spec: AgiBotSource) -> tuple[ActionTrack | None, list[Finding]]:
    """Both arms as measured and commanded, in the robot's base frame, and all joints."""
    target, findings = _target(rows, spec)
    native = _native(rows, "/action")
    posed = any(arm.position is not None for arm in target)
    commands = Commands(
        mode=CommandMode.ABSOLUTE,
        space=CommandSpace.END_EFFECTOR if posed else CommandSpace.JOINT,
        frame="base" if posed else "joint",
    )
    track, odd = tabular_track(
        rows.ref,
        Control(
            where=rows.table.name,
            times_ns=times_ns,
            period_s=1.0 / FPS,
            numbers=rows.column,
            state=_native(rows, "/state"),
            target=native,
        ),
        state=_arms(rows, "/state", spec.gripper_closed_mm, spec.gripper_open_mm),
        target=target,
        commands=commands if target or native.names else None,
        frame="base",
    )
    return track, [*findings, *odd, *_sent(rows), *_polarity(rows, spec)]


def _arms(rows: Proprio, side: str, closed: float, opened: float) -> list[ArmColumns]:
    """The arms as far as one side of the table has them; ``closed`` and ``opened`` are its grippers' two ends."""
    position, orientation, effector = (path.format(side) for path in (_POSITION, _ORIENTATION, _EFFECTOR))
    is_posed = rows.width(position) == 6 and rows.width(orientation) == 8
    width = rows.width(effector)
    if not is_posed and width not in (2, _HAND):
        return []
    turned = RotationEncoding.QUATERNION_XYZW
    return [
        ArmColumns(
            arm=arm,
            position=Columns(column=position, start=3 * i, stop=3 * i + 3) if is_posed else None,
            rotation=RotationColumns(column=orientation, start=4 * i, stop=4 * i + 4, encoding=turned)
            if is_posed
            else None,
            opening=OpeningColumns(column=effector, start=i, stop=i + 1, closed=closed, open=opened)
            if width == 2
            else None,
            fingers=Columns(column=effector, start=6 * i, stop=6 * i + 6) if width == _HAND else None,
        )
        for i, arm in enumerate((Arm.LEFT, Arm.RIGHT))
    ]


def _target(rows: Proprio, spec: AgiBotSource) -> tuple[list[ArmColumns], list[Finding]]:
    """The commanded arms. Poses that are mostly zero were never commanded and are left out."""
    arms = _arms(rows, "/action", spec.gripper_command_closed, spec.gripper_command_open)
    if not any(arm.rotation is not None for arm in arms):
        return arms, []
    path = _ORIENTATION.format("/action")
    norms = np.linalg.norm(rows.column(path).reshape(rows.n_rows, 2, 4), axis=2)
    empty = float(np.mean(~(norms > 0).all(axis=1)))
    if empty <= _EMPTY_SHARE:
        return arms, []
    message = f"{path} is zero in {empty:.0%} of the rows: no pose was commanded, targets have none"
    bare = [arm.model_copy(update={"position": None, "rotation": None}) for arm in arms]
    kept = [arm for arm in bare if arm.opening is not None or arm.fingers is not None]
    return kept, [about_episode(rows.ref, "command_pose_empty", message, empty, _EMPTY_SHARE)]


def _native(rows: Proprio, side: str) -> Native:
    found = {path: names for path, names in _NATIVE.items() if path.startswith(side) and rows.width(path) == len(names)}
    parts: list[Floats] = [np.zeros((rows.n_rows, 0))]
    parts += [rows.column(path) for path in found]
    return Native([name for names in found.values() for name in names], np.concatenate(parts, axis=1), list(found))


def _sent(rows: Proprio) -> Iterator[Finding]:
    """Commands that were really sent in some rows only."""
    for part in ("end", "effector", "joint"):
        index = f"/action/{part}/index"
        if not rows.width(f"/action/{part}/position") or not rows.table.has(index):
            continue
        sent = rows.sent(part)
        if sent is None:
            message = f"{index} is no list of rows; every row of /action/{part} is taken as sent"
            yield about_episode(rows.ref, "command_index_unusable", message)
        elif len(sent) < rows.n_rows:
            share = len(sent) / rows.n_rows
            message = (
                f"/action/{part} was sent in {share:.0%} of the rows; in the others the last one sent holds, and in "
                f"{int(sent[0])} rows before the first there is none"
            )
            yield about_episode(rows.ref, "commands_not_in_every_row", message, share, 1.0)


def _polarity(rows: Proprio, spec: AgiBotSource) -> Iterator[Finding]:
    """A gripper that closes the more it is told to open is not as the recipe (by default the dataset's card) says."""
    paths = [_EFFECTOR.format(side) for side in ("/state", "/action")]
    if any(rows.width(path) != 2 for path in paths):
        return
    measured = (rows.column(paths[0]) - spec.gripper_closed_mm) / (spec.gripper_open_mm - spec.gripper_closed_mm)
    span = spec.gripper_command_open - spec.gripper_command_closed
    commanded = (rows.column(paths[1]) - spec.gripper_command_closed) / span
    for i, arm in enumerate((Arm.LEFT, Arm.RIGHT)):
        known = np.isfinite(measured[:, i]) & np.isfinite(commanded[:, i])
        x, y = measured[known, i], commanded[known, i]
        if known.sum() < 3 or not np.ptp(x) > 0 or not np.ptp(y) > 0:
            continue
        with np.errstate(all="ignore"):
            correlation = float(np.corrcoef(x, y)[0, 1])
        if correlation < -_CONTRADICTS:
            message = (
                f"the {arm} gripper closes when it is told to open (correlation {correlation:.2f}) as the recipe reads "
                f"{paths[0]} and {paths[1]}; swap closed and open of gripper_*_mm or of gripper_command_*"
            )
            yield about_episode(rows.ref, "gripper_polarity_contradicts", message, correlation, -_CONTRADICTS)
