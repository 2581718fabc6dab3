"""Joints for a robot that shall follow a recorded hand: inverse kinematics to the recipe's URDF.

The pose that was measured stays the state. The joints found for it become command columns (``joint_target``), named
``<arm>.<joint>``: row i holds where the robot's joints would have to be for its tool to be where the hand was at row
i; nobody measured them, so ``joint_state`` has no such columns, and the track's kind says retargeted. Rows the robot
cannot follow are invalid, which is what cleaning trims and drops by (``align.max_action_gap_s``,
``align.max_invalid_share``), so that a wider tolerance brings them back.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from pipeline.kinematics.inverse import Solution, solve
from pipeline.kinematics.robot import Robot, pinocchio, robot_of
from pipeline.kinematics.row_findings import row_findings
from pipeline.sources.reference import about_episode
from schemas.array import Floats
from schemas.episode import ActionKind, ActionTrack, ArmTrack
from schemas.finding import Finding
from schemas.pose import matrix_of
from schemas.recipe_kinematics import RetargetSpec
from schemas.source import EpisodeRef
from schemas.time import NS_PER_S


def with_retargeting(
    ref: EpisodeRef, track: ActionTrack, specs: Sequence[RetargetSpec]
) -> tuple[ActionTrack, list[Finding]]:
    """The track with joints for the arms in ``specs``, and findings about what the robots cannot do."""
    findings: list[Finding] = []
    for spec in specs:
        arm = next((part for part in track.state if part.arm is spec.arm and part.position is not None), None)
        if arm is None or (arm.rotation is None and not spec.position_only):
            lacks = "position" if arm is None else "rotation"
            message = (
                f"the recipe asks for joints of the {spec.arm} arm, but no {lacks} of it is measured; none are found"
            )
            findings.append(about_episode(ref, "nothing_to_retarget", message))
            continue
        track, found = _with_arm(ref, track, arm, spec)
        findings += found
    return track, findings


def _with_arm(
    ref: EpisodeRef, track: ActionTrack, arm: ArmTrack, spec: RetargetSpec
) -> tuple[ActionTrack, list[Finding]]:
    robot = robot_of(spec.urdf, spec.base_pose, spec.tcp_offset)
    position, rotation = _poses(track, arm)
    solution = solve(robot, position, rotation, spec)
    joints = np.where(solution.reached[:, None], solution.joints, np.nan)
    text = (
        f"{spec.arm} joints retargeted to {spec.urdf.text} by inverse kinematics, pinocchio {pinocchio().__version__}"
    )
    names = tuple(f"{spec.arm}.{joint.name}" for joint in robot.joints)
    extended = dataclasses.replace(
        track,
        kind=ActionKind.RETARGETED,
        provenance=f"{track.provenance}; {text}",
        valid=track.valid & solution.reached,
        joint_names=(*track.joint_names, *names),
        joint_state=None
        if track.joint_state is None
        else _beside(track, track.joint_state, np.full_like(joints, np.nan)),
        joint_target=_beside(track, track.joint_target, joints),
    )
    return extended, list(_findings(ref, track, robot, solution, spec))


def _poses(track: ActionTrack, arm: ArmTrack) -> tuple[Floats, Floats]:
    """Positions [T, 3] and rotations [T, 3, 3] of the valid rows, NaN in the others; no rotation is the identity."""
    assert arm.position is not None
    position = np.where(track.valid[:, None], arm.position.astype(np.float64), np.nan)
    if arm.rotation is None:
        return position, np.tile(np.eye(3), (track.n_rows, 1, 1))
    rotation = matrix_of(np.where(track.valid[:, None], arm.rotation.astype(np.float64), np.nan))
    return position, rotation


def _beside(track: ActionTrack, native: Floats | None, joints: Floats) -> Floats:
    """Native columns and new ones next to each other, float32 [T·(J + K)]; NaN for native ones that are not there."""
    shape = (track.n_rows, len(track.joint_names))
    there = np.full(shape, np.nan, np.float32) if native is None else native.reshape(shape)
    beside: Floats = np.concatenate([there, joints.astype(np.float32)], axis=1).reshape(-1)
    return beside


def _findings(
    ref: EpisodeRef, track: ActionTrack, robot: Robot, solution: Solution, spec: RetargetSpec
) -> Iterator[Finding]:
    """Where the robot cannot follow, and where it can only just."""
    asked = np.isfinite(solution.joints).all(axis=1)

    def unreachable(first: int, stop: int) -> tuple[str, float, float]:
        away, turned = solution.position_error[first:stop].max(), solution.rotation_error[first:stop].max()
        text = (
            f"{spec.urdf.robot} cannot follow the {spec.arm} arm, it stays {away:.3f} m and {turned:.3f} rad away, and "
            "the rows are invalid; correct base_pose or tcp_offset, or widen max_position_error_m or "
            "max_rotation_error_rad"
        )
        if away > spec.max_position_error_m:
            return text, float(away), spec.max_position_error_m
        return text, float(turned), spec.max_rotation_error_rad

    def limited(first: int, stop: int) -> tuple[str, float, float]:
        touched = solution.at_limit[first:stop].any(axis=0)
        named = ", ".join(robot.joints[joint].name for joint in np.flatnonzero(touched))
        return (
            f"{spec.urdf.robot} follows the {spec.arm} arm with joints at their limits: {named}",
            float(touched.sum()),
            0.0,
        )

    def singular(first: int, stop: int) -> tuple[str, float, float]:
        least = float(solution.smallest_singular[first:stop].min())
        text = f"{spec.urdf.robot} is nearly singular ({least:.4f} m/rad) where it follows the {spec.arm} arm"
        return text, least, spec.min_singular_value

    speed = _joint_speeds(track, solution)
    allowed = np.array([joint.speed if joint.speed > 0.0 else np.inf for joint in robot.joints])

    def fast(first: int, stop: int) -> tuple[str, float, float]:
        part = speed[first:stop] / allowed
        worst = int(np.argmax(np.nanmax(part, axis=0)))
        reached = float(np.nanmax(speed[first:stop, worst]))
        text = f"{spec.urdf.robot} would have to move '{robot.joints[worst].name}' at {reached:.2f} per second"
        return text, reached, float(allowed[worst])

    yield from row_findings(ref, track, asked & ~solution.reached, "retarget_unreachable", unreachable)
    at_limit = solution.reached & solution.at_limit.any(axis=1)
    yield from row_findings(ref, track, at_limit, "retarget_joint_limit", limited)
    near = solution.reached & (solution.smallest_singular < spec.min_singular_value)
    yield from row_findings(ref, track, near, "retarget_near_singular", singular)
    too_fast = np.asarray((np.nan_to_num(speed) > allowed).any(axis=1))
    yield from row_findings(ref, track, too_fast, "retarget_too_fast", fast)


def _joint_speeds(track: ActionTrack, solution: Solution) -> Floats:
    """Speed of each joint into each row, float64 [T, J] per second; NaN unless both rows are reached."""
    speed = np.full(solution.joints.shape, np.nan)
    step_s = np.diff(track.times_ns) / NS_PER_S
    both = solution.reached[1:] & solution.reached[:-1] & (step_s > 0)
    rows = np.flatnonzero(both) + 1
    speed[rows] = np.abs(solution.joints[rows] - solution.joints[rows - 1]) / step_s[rows - 1][:, None]
    return speed
