"""Poses where a source records joints only: forward kinematics through the recipe's URDF.

A pose is made of joint values that mean something: rows outside the joints' limits (degrees taken for radians, a
sign, an offset, the wrong column) become invalid instead of plausible. What the source measures itself is never
replaced; then the URDF's pose serves to check it.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from pipeline.errors import SourceError
from pipeline.kinematics.robot import Robot, pinocchio, robot_of
from pipeline.kinematics.row_findings import row_findings
from pipeline.sources.reference import about_episode
from schemas.array import Floats
from schemas.episode import ActionTrack, Arm, ArmTrack, CommandMode, CommandSpace
from schemas.finding import Finding
from schemas.recipe_kinematics import KinematicsSpec
from schemas.robot_chain import JointMotion, Placement
from schemas.source import EpisodeRef

_BASE = "base"
_DISAGREES_M = 0.01
"""A measured position this far from the URDF's, by the median, is worth telling."""
_DEGREES = 2.5 * np.pi
"""Angles beyond this many radians are hardly radians."""


def with_forward_kinematics(
    ref: EpisodeRef, track: ActionTrack, specs: Sequence[KinematicsSpec]
) -> tuple[ActionTrack, list[Finding]]:
    """The track with the poses of the arms in ``specs``, and findings.

    Raises SourceError when a column the recipe names is not there, or poses would stand in two frames.
    """
    findings: list[Finding] = []
    for spec in specs:
        track, found = _with_arm(ref, track, spec)
        findings += found
    return track, findings


def _with_arm(ref: EpisodeRef, track: ActionTrack, spec: KinematicsSpec) -> tuple[ActionTrack, list[Finding]]:
    columns = _columns(ref, track, spec)
    robot = robot_of(spec.urdf, spec.base_pose or Placement(), spec.tcp_offset)
    state = _joint_values(track, track.joint_state, columns, spec)
    measured = _pose_of(track.state, spec.arm)
    if measured is None:
        findings = list(_limit_findings(ref, track, spec, robot, state))
    else:
        findings = list(_disagreement(ref, spec, robot, state, measured))
        if findings:
            return track, findings
    target = _joint_values(track, track.joint_target, columns, spec)
    if target is not None and not _are_positions(track) and _pose_of(track.target, spec.arm) is None:
        target = None
        message = (
            f"the commands of the {spec.arm} arm's joints get no pose, because the source does not say that they are "
            "joint positions; say `commands: {mode: absolute, space: joint}` if they are"
        )
        findings.append(about_episode(ref, "commands_without_pose", message))
    arms, valid, made = {"state": track.state, "target": track.target}, track.valid, []
    for side, values in (("state", state), ("target", target)):
        if values is None or _pose_of(arms[side], spec.arm) is not None:
            continue
        posed = _posed(spec, robot, values)
        arms[side] = _merged(arms[side], posed)
        assert posed.position is not None
        valid = valid & np.isfinite(posed.position).all(axis=1)
        made.append(side)
    if not made:
        return track, findings
    text = f"{spec.arm} {' and '.join(made)} pose by forward kinematics of {spec.urdf.text}"
    joined = dataclasses.replace(
        track,
        frame=_frame(ref, track, spec),
        state=arms["state"],
        target=arms["target"],
        valid=valid,
        provenance=f"{track.provenance}; {text}, pinocchio {pinocchio().__version__}",
    )
    return joined, findings


def _columns(ref: EpisodeRef, track: ActionTrack, spec: KinematicsSpec) -> list[int]:
    """Per moving joint, its column's number. Raises SourceError naming the columns there are."""
    found = []
    for joint in spec.urdf.moving:
        named = spec.joints[joint.name].column
        known = named < len(track.joint_names) if isinstance(named, int) else named in track.joint_names
        if not known:
            raise SourceError(
                f"{ref.source}, {ref.locator}: kinematics takes joint '{joint.name}' from column {named!r}, found "
                f"{len(track.joint_names)} native columns {list(track.joint_names)}; name one of them"
            )
        found.append(named if isinstance(named, int) else track.joint_names.index(named))
    return found


def _joint_values(track: ActionTrack, native: Floats | None, columns: list[int], spec: KinematicsSpec) -> Floats | None:
    """The chain's joints, float64 [T, J] in rad and m; None where a joint is recorded in no row."""
    if native is None:
        return None
    values = native.reshape(track.n_rows, len(track.joint_names))[:, columns].astype(np.float64)
    if not np.isfinite(values).any(axis=0).all():
        return None
    turning = [joint.motion is not JointMotion.PRISMATIC for joint in spec.urdf.moving]
    values = np.where(np.array(turning) & spec.degrees, np.radians(values), values)
    maps = [spec.joints[joint.name] for joint in spec.urdf.moving]
    mapped: Floats = values * np.array([part.scale for part in maps]) + np.array([part.offset for part in maps])
    return mapped


def _are_positions(track: ActionTrack) -> bool:
    said = track.commands
    return said is not None and said.mode is CommandMode.ABSOLUTE and said.space is CommandSpace.JOINT


def _posed(spec: KinematicsSpec, robot: Robot, values: Floats) -> ArmTrack:
    """The arm at its joint values; NaN where they are not finite or further outside the limits than tolerated."""
    meant = np.asarray((robot.outside(values) <= spec.limit_tolerance).all(axis=1))
    position, rotation = robot.poses(np.where(meant[:, None], values, np.nan))
    return ArmTrack(
        arm=spec.arm,
        position=position.astype(np.float32),
        rotation=rotation[:, :2].reshape(-1, 6).astype(np.float32),
        opening=None,
        fingers=None,
        n_fingers=0,
    )


def _pose_of(arms: Sequence[ArmTrack], arm: Arm) -> Floats | None:
    return next((part.position for part in arms if part.arm is arm and part.position is not None), None)


def _merged(arms: tuple[ArmTrack, ...], posed: ArmTrack) -> tuple[ArmTrack, ...]:
    """The arms with this one's pose; its gripper and fingers stay."""
    if not any(part.arm is posed.arm for part in arms):
        return (*arms, posed)
    return tuple(
        dataclasses.replace(part, position=posed.position, rotation=posed.rotation) if part.arm is posed.arm else part
        for part in arms
    )


def _frame(ref: EpisodeRef, track: ActionTrack, spec: KinematicsSpec) -> str:
    """What the new pose is relative to. Raises SourceError when others stand in a frame that nothing links to it."""
    if spec.base_pose is not None:
        return track.frame
    if track.frame != _BASE and any(part.position is not None for part in (*track.state, *track.target)):
        raise SourceError(
            f"{ref.source}, {ref.locator}: other poses are in the frame {track.frame!r}, those of the {spec.arm} arm "
            "would be in its base; say with base_pose where the base link stands"
        )
    return _BASE


def _limit_findings(
    ref: EpisodeRef, track: ActionTrack, spec: KinematicsSpec, robot: Robot, values: Floats | None
) -> Iterator[Finding]:
    """Where measured joints leave their limits by more than is tolerated."""
    if values is None:
        message = f"the {spec.arm} arm's joints are not all recorded, so that it gets no measured pose"
        yield about_episode(ref, "kinematics_without_joints", message)
        return
    beyond = np.nan_to_num(robot.outside(values))

    def describe(first: int, stop: int) -> tuple[str, float, float]:
        part = beyond[first:stop].max(axis=0)
        worst = int(np.argmax(part))
        joint, seen = robot.joints[worst], values[first:stop, worst]
        reached = seen[np.nanargmax(beyond[first:stop, worst])]
        advice = "correct scale, offset or column of the joint, or limit_tolerance"
        if not spec.degrees and joint.motion is not JointMotion.PRISMATIC and abs(reached) > _DEGREES:
            advice = "these look like degrees: set `degrees: true`"
        text = (
            f"{spec.arm} joint '{joint.name}' is at {reached:.3f}, its limits are {joint.lower:g} to {joint.upper:g}; "
            f"the rows are invalid: {advice}"
        )
        return text, float(part[worst]), spec.limit_tolerance

    outside = np.asarray((beyond > spec.limit_tolerance).any(axis=1))
    yield from row_findings(ref, track, outside, "joint_out_of_limits", describe)


def _disagreement(
    ref: EpisodeRef, spec: KinematicsSpec, robot: Robot, values: Floats | None, measured: Floats
) -> Iterator[Finding]:
    """What the URDF says about positions the source measures itself, which stay."""
    if values is None:
        return
    apart = np.linalg.norm(robot.poses(values)[0] - measured, axis=1)
    apart = apart[np.isfinite(apart)]
    median = float(np.median(apart)) if apart.size else 0.0
    if median > _DISAGREES_M:
        message = (
            f"by the URDF the {spec.arm} tool is {median:.3f} m away from where the recording says (median); the "
            "recording's own pose is kept. Compare tip_link, tcp_offset and base_pose with what was recorded"
        )
        yield about_episode(ref, "kinematics_disagree", message, median, _DISAGREES_M)
