"""From series of messages to the rows of an action track.

The rows are the messages of one topic, the first that the recipe's first arm names: no row is made up. Every other
topic gives a row its latest message that is not older than ``join_tolerance_s``; a row for which there is none is
invalid.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pipeline.sources.arm_columns import Mapped, map_arms
from pipeline.sources.ros.ros_clock import Chosen, Tell, in_order, times_of
from pipeline.sources.ros.ros_gather import Gathered, Series
from pipeline.sources.ros.ros_values import JointsOf, NumberOf, PoseOf, Request, requests_of_arm
from schemas.array import Bools, Floats, Ints
from schemas.episode import ActionKind, ActionTrack, CommandMode, CommandSemantics, CommandSpace
from schemas.finding import Finding
from schemas.pose import RotationEncoding
from schemas.recipe_columns import ArmColumns, Columns, OpeningColumns, RotationColumns
from schemas.recipe_formats.ros_bag import ArmTopics, RosBagSource
from schemas.source import EpisodeRef
from schemas.time import NS_PER_S

_UNSTATED = "unstated"
"""The frame of poses whose messages name none."""
_JOINT_STATE = "sensor_msgs/JointState"


@dataclass(eq=False)
class Joined:
    """All series on the rows of one of them."""

    times_ns: Ints
    columns: dict[Request, Floats]
    """float64 [T, W]; NaN in rows without a sample."""
    findings: list[Finding] = field(default_factory=list)


@dataclass(eq=False)
class Native:
    """Native columns side by side: names [J], values float64 [T, J] in parts."""

    names: list[str] = field(default_factory=list)
    parts: list[Floats] = field(default_factory=list)


def action_track(
    ref: EpisodeRef, spec: RosBagSource, gathered: Gathered, clocks: Mapping[str, Chosen], tell: Tell
) -> tuple[ActionTrack | None, list[Finding]]:
    """The track in the bag's own time, and findings; None when no topic that the recipe names has a row."""
    arms = (*spec.state, *spec.target)
    rows = next((gathered.series[r] for arm in arms for r in requests_of_arm(arm) if gathered.series[r].n_rows), None)
    if rows is None:
        return None, []
    joined = join(rows, gathered, clocks, round(spec.join_tolerance_s * NS_PER_S), tell)
    state, target = (_mapped(side, joined, ref.locator) for side in (spec.state, spec.target))
    findings = joined.findings
    findings += [
        tell(check, text, value, None) for check, text, value in dict.fromkeys([*state.remarks, *target.remarks])
    ]
    native_state, native_target = (_native(side, joined, gathered) for side in (spec.state, spec.target))
    names = list(dict.fromkeys([*native_state.names, *native_target.names]))
    valid: Bools = state.valid & target.valid
    for native in (native_state, native_target):
        for part in native.parts:
            valid &= np.isfinite(part).all(axis=1)
    if not valid.all():
        bad = int(np.count_nonzero(~valid))
        findings.append(tell("rows_not_finite", f"{bad} of {len(valid)} rows hold no number somewhere", bad, 0))
    frame, told = _frame(spec, gathered, tell)
    commands, unsaid = _commands(spec, gathered, frame, tell)
    track = ActionTrack(
        episode_id=ref.episode_id,
        kind=ActionKind.MEASURED,
        provenance=_provenance(spec, rows, state, target, clocks),
        times_ns=joined.times_ns,
        valid=valid,
        state=state.arms,
        target=target.arms,
        joint_names=tuple(names),
        joint_state=_spread(native_state, names),
        joint_target=_spread(native_target, names),
        frame=frame,
        commands=commands,
    )
    return track, [*findings, *told, *unsaid]


def join(rows: Series, gathered: Gathered, clocks: Mapping[str, Chosen], hold_ns: int, tell: Tell) -> Joined:
    """Every series' latest sample at each row, if it is young enough."""
    rows_ns = _times(rows, clocks)
    joined = Joined(rows_ns[in_order(rows_ns)], {})
    for request, series in gathered.series.items():
        if not series.n_rows:
            continue
        values = series.values
        if isinstance(request, PoseOf):
            joined.findings += _one_frame(series, values, tell)
        times_ns = _times(series, clocks)
        keep = in_order(times_ns)
        column, missing = _latest(times_ns[keep], values[keep], joined.times_ns, hold_ns)
        joined.columns[request] = column
        if missing:
            message = (
                f"{request.label}: {missing} of {len(column)} rows have no message of it in the {hold_ns / 1e6:g} ms "
                "before them; they are invalid"
            )
            joined.findings.append(tell("rows_without_sample", message, missing, 0))
    return joined


def _times(series: Series, clocks: Mapping[str, Chosen]) -> Ints:
    return times_of(series.stamps, clocks[series.request.label].clock)


def _latest(times_ns: Ints, values: Floats, rows_ns: Ints, hold_ns: int) -> tuple[Floats, int]:
    at = np.searchsorted(times_ns, rows_ns, side="right") - 1
    age = rows_ns - times_ns[np.maximum(at, 0)]
    missing = (at < 0) | (age > hold_ns)
    column: Floats = values[np.maximum(at, 0)]
    column[missing] = np.nan
    return column, int(np.count_nonzero(missing))


def _one_frame(series: Series, values: Floats, tell: Tell) -> Iterator[Finding]:
    """Poses in another frame than the first become NaN: numbers of two frames are no path."""
    other = np.array([frame != series.frames[0] for frame in series.frames])
    if other.any():
        values[other] = np.nan
        n = int(np.count_nonzero(other))
        message = (
            f"{series.request.label}: {n} poses are given in {sorted(set(series.frames) - {series.frames[0]})}, the "
            f"others in {series.frames[0]!r}; they are invalid: name `parent_frame`"
        )
        yield tell("pose_frame_changes", message, n, 0)
    if series.planar:
        message = f"{series.request.label}: is planar; its z is 0 and it turns about z only"
        yield tell("pose_planar", message, None, None)


def _mapped(arms: Sequence[ArmTopics], joined: Joined, where: str) -> Mapped:
    columns = {request.label: values for request, values in joined.columns.items()}
    described = [made for arm in arms if (made := _columns_of(arm, joined)) is not None]
    return map_arms(described, len(joined.times_ns), columns.__getitem__, where)


def _columns_of(arm: ArmTopics, joined: Joined) -> ArmColumns | None:
    """The arm as columns; None when it has joints only, or no message of what it has is in the bag."""
    position = rotation = opening = None
    for request in requests_of_arm(arm):
        if request not in joined.columns:
            continue
        if isinstance(request, PoseOf):
            position = Columns(column=request.label, start=0, stop=3)
            encoding = RotationEncoding.QUATERNION_XYZW
            rotation = RotationColumns(column=request.label, start=3, stop=7, encoding=encoding)
        elif isinstance(request, NumberOf) and arm.gripper is not None:
            opening = OpeningColumns(column=request.label, closed=arm.gripper.closed, open=arm.gripper.open)
    if position is None and opening is None:
        return None
    return ArmColumns(arm=arm.arm, position=position, rotation=rotation, opening=opening)


def _native(arms: Sequence[ArmTopics], joined: Joined, gathered: Gathered) -> Native:
    """Joints and raw gripper numbers, in the source's units."""
    native = Native()
    for arm in arms:
        for request in requests_of_arm(arm):
            if request not in joined.columns or isinstance(request, PoseOf):
                continue
            is_joints = isinstance(request, JointsOf)
            names = gathered.series[request].names if is_joints else (f"{arm.arm}.gripper",)
            native.names += [f"{arm.arm}.{name}" if name in native.names else name for name in names]
            native.parts.append(joined.columns[request])
    return native


def _spread(native: Native, names: list[str]) -> Floats | None:
    """The columns in the track's common order, float32 [T·J]; NaN where there is no such column."""
    if not native.names:
        return None
    values = np.concatenate(native.parts, axis=1)
    spread = np.full((len(values), len(names)), np.nan, np.float32)
    spread[:, [names.index(name) for name in native.names]] = values
    return spread.reshape(-1)


def _frame(spec: RosBagSource, gathered: Gathered, tell: Tell) -> tuple[str, list[Finding]]:
    """What the poses are given in; arms that disagree are told, for a track has one frame."""
    poses = [series for series in gathered.series.values() if series.frames]
    if spec.pose_frame is not None or not poses:
        return spec.pose_frame or "base", []
    frames = list(dict.fromkeys(series.frames[0] or _UNSTATED for series in poses))
    if len(frames) == 1:
        return frames[0], []
    message = f"poses are given in {frames}; the track says {frames[0]!r}: name one `pose_frame` if they are the same"
    return frames[0], [tell("pose_frames_differ", message, len(frames), 1)]


def _commands(
    spec: RosBagSource, gathered: Gathered, frame: str, tell: Tell
) -> tuple[CommandSemantics | None, list[Finding]]:
    """What the targets command. Poses and positions of joints are absolute; other numbers could be anything."""
    if spec.commands is not None:
        return spec.commands.semantics, []
    if any(arm.pose_topic for arm in spec.target):
        return CommandSemantics(CommandMode.ABSOLUTE, CommandSpace.END_EFFECTOR, frame), []
    topics = [arm.joints_topic for arm in spec.target if arm.joints_topic]
    if not topics:
        return None, []
    if all(gathered.channels.get(topic) == _JOINT_STATE for topic in topics):
        return CommandSemantics(CommandMode.ABSOLUTE, CommandSpace.JOINT, "joint"), []
    message = f"what {', '.join(topics)} command is not known from their types; say it with `commands`"
    return None, [tell("commands_unstated", message, None, None)]


def _provenance(spec: RosBagSource, rows: Series, state: Mapped, target: Mapped, clocks: Mapping[str, Chosen]) -> str:
    label = rows.request.label
    parts = [*(f"state {text}" for text in state.provenance), *(f"target {text}" for text in target.provenance)]
    clock = "header stamps" if clocks[label].clock == "header" else "log time"
    rule = f"rows of {label} by {clock}, others joined within {spec.join_tolerance_s:g} s"
    return "; ".join([*(parts or ["native columns only"]), rule])
