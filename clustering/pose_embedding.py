"""Action embedding of events with end-effector poses (clustering.md, Embeddings): how the arms move, not where.

Per arm: the path relative to its start, turned so that its net horizontal displacement points along x, resampled and
described by orthonormal DCT-II coefficients ×5; opening likewise ×0.7; log duration, log path length, straightness,
height change, opening at both ends and its change. Absolute positions would encode the *task* (NMI .23–.36 against
phases, relative ones .59–.63). The more active arm comes first, then how the second stands to it. A missing second
arm is described as one at rest, so that the same motion on a one-armed robot lies close by.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from clustering.motion_shape import Vector, Window, length_of, opening_features, shape
from schemas.array import Floats
from schemas.episode import Arm, ArmTrack
from schemas.pose import matrix_of

PATH_WEIGHT = 5.0
MIN_HEADING_M = 0.01
"""A shorter net horizontal displacement has no heading."""
MIN_PATH_M = 0.01
"""Floor of the path length under the logarithm; below it sensor noise is all there is."""
OPENING_ACTIVITY_M = 0.1
"""A full opening or closing counts as much activity as 10 cm of path."""
RELATIVE_FEATURES = 12


@dataclass(frozen=True, eq=False)
class ArmMotion:
    """One arm over an event's grid: ``path`` [points, 3] in metres from its start, zeros without poses."""

    path: Vector
    opening: Vector | None
    start: Vector | None
    """Position [3] at the start, base frame; None without poses."""
    rotation: Floats | None
    """6-D rotation [6] at the start."""

    @property
    def activity(self) -> float:
        swing = 0.0 if self.opening is None else float(np.sum(np.abs(np.diff(self.opening))))
        return length_of(self.path) + OPENING_ACTIVITY_M * swing


def heading(path: Vector) -> Vector:
    """The rotation [3, 3] about z that turns a path's net horizontal displacement onto +x; identity under 1 cm."""
    dx, dy = path[-1, :2] - path[0, :2]
    distance = math.hypot(dx, dy)
    if distance < MIN_HEADING_M:
        return np.eye(3)
    c, s = dx / distance, dy / distance
    return np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])


def arm_features(arm: ArmMotion, duration_s: float, coefficients: int) -> Vector:
    """[3·coefficients + 11] of one arm."""
    path = arm.path @ heading(arm.path).T
    length = length_of(path)
    net = float(np.linalg.norm(path[-1] - path[0]))
    straightness = net / length if length >= MIN_PATH_M else 0.0
    scalars = [math.log(duration_s), math.log(max(length, MIN_PATH_M)), straightness, path[-1, 2] - path[0, 2]]
    return np.concatenate([PATH_WEIGHT * shape(path, coefficients), scalars, opening_features(arm.opening)])


def relative_features(first: ArmMotion, second: ArmMotion) -> Vector:
    """[12]: second arm's position from the first's at start and end, in the first's heading, and its rotation relative
    to the first at the start (first two rows of R₁ᵀR₂ minus those of the identity); zeros where poses are missing.
    """
    features = np.zeros(RELATIVE_FEATURES)
    if first.start is None or second.start is None:
        return features
    apart = second.start - first.start
    features[:3] = heading(first.path) @ apart
    features[3:6] = heading(first.path) @ (apart + second.path[-1] - first.path[-1])
    if first.rotation is not None and second.rotation is not None:
        relative = matrix_of(first.rotation[None])[0].T @ matrix_of(second.rotation[None])[0]
        features[6:] = (relative - np.eye(3))[:2].reshape(-1)
    return features


def arm_motion(track: ArmTrack, opening_T: Floats | None, window: Window) -> ArmMotion:
    """One arm's motion over an event."""
    opening = window.opening(opening_T)
    if track.position is None:
        return ArmMotion(np.zeros((len(window.grid_ns), 3)), opening, None, None)
    position = window.resampled(track.position)
    rotation = None if track.rotation is None else track.rotation[window.rows[0]]
    return ArmMotion(position - position[0], opening, position[0], rotation)


def pose_vector(
    arms: tuple[ArmTrack, ...], openings: Mapping[Arm, Floats], window: Window, duration_s: float, coefficients: int
) -> Vector:
    """Float64 [2·(3·coefficients + 11) + 12] of one event; ``arms`` are one or two in a fixed order, openings [T]."""
    motions = [arm_motion(track, openings.get(track.arm), window) for track in arms]
    first, *others = sorted(motions, key=lambda motion: -motion.activity)
    at_rest = ArmMotion(np.zeros((len(window.grid_ns), 3)), None, None, None)
    second = others[0] if others else at_rest
    return np.concatenate(
        [
            arm_features(first, duration_s, coefficients),
            arm_features(second, duration_s, coefficients),
            relative_features(first, second),
        ]
    )
