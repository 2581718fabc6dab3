"""Action embedding of events with end-effector poses (clustering.md, Embeddings): how the arms move, not where.

Per arm: the path relative to its start, turned so that its net horizontal displacement points along x, resampled and
described by orthonormal DCT-II coefficients; opening likewise ×0.7; log duration, log path length, straightness,
height change, opening at both ends and its change. Absolute positions would encode the *task*, not the phase. The path
is taken relative to its own length, else long motions would be compared by their size alone, and what tells phases
apart is said in numbers of limited size (`path_trend`, `opening_trend`): up or down, fast or slow, closing or opening,
open or not. The more active arm comes first, then how the second stands to it. A missing second arm is described as one
at rest, so that the same motion on a one-armed robot lies close by. Weights were chosen on development simulation, even
seeds (docs/cluster.md, Measured).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from clustering.motion_shape import Vector, Window, length_of, opening_features, shape
from schemas.array import Floats
from schemas.episode import Arm, ArmTrack
from schemas.pose import matrix_of

PATH_WEIGHT = 1.5
PATH_OFFSET_M = 0.1
"""The path is divided by its length plus this much, so that one of a few centimetres stays small."""
SCALAR_WEIGHT = 0.5
"""Of log duration, log length and straightness."""
RISE_WEIGHT = 0.8
"""Of the height change in metres."""
ELEVATION_WEIGHT, VERTICAL_WEIGHT = 2.3, 1.2
"""Of what says up or down whatever the size of the motion."""
ENDS_WEIGHT, CHANGE_WEIGHT, TREND_WEIGHT, SWING_WEIGHT = 0.33, 0.8, 2.5, 1.3
"""Of opening at both ends, of its change, of which way it changes, and of opening and closing on the way."""
SLOW_M_S = 0.01
"""Floor of speeds under the logarithm."""
VERTICAL_M_S = 0.05
OPENING_CHANGE = 0.05
OPENING_SWING = 0.1
"""Changes well above these count as changes, whatever their size; the noise of fingers is well below."""
OPEN, OPEN_WIDTH, OPEN_WEIGHT = 0.65, 0.2, 0.75
"""Fingers around an object are less open than this as a rule, waiting ones more."""
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
    """[3·coefficients + 23] of one arm."""
    path = arm.path @ heading(arm.path).T
    length = length_of(path)
    net = float(np.linalg.norm(path[-1] - path[0]))
    straightness = net / length if length >= MIN_PATH_M else 0.0
    shaped = PATH_WEIGHT * shape(path / (length + PATH_OFFSET_M), coefficients)
    scalars = SCALAR_WEIGHT * np.array([math.log(duration_s), math.log(max(length, MIN_PATH_M)), straightness])
    rise = RISE_WEIGHT * (path[-1, 2] - path[0, 2])
    return np.concatenate([shaped, scalars, [rise], path_trend(path, duration_s), opening_trend(arm.opening)])


def path_trend(path: Vector, duration_s: float) -> Vector:
    """[7]: net elevation, then vertical velocity and speed at the start, in the middle and at the end."""
    velocity = np.diff(path, axis=0) * (len(path) - 1) / duration_s
    elevation = (path[-1, 2] - path[0, 2]) / max(length_of(path), MIN_PATH_M)
    vertical = VERTICAL_WEIGHT * np.tanh(_start_middle_end(velocity[:, 2]) / VERTICAL_M_S)
    speed = np.log(np.maximum(_start_middle_end(np.linalg.norm(velocity, axis=1)), SLOW_M_S))
    return np.concatenate([[ELEVATION_WEIGHT * elevation], vertical, speed])


def opening_trend(opening: Vector | None) -> Vector:
    """[12]: four DCT coefficients, both ends, change, which way, most opening and closing on the way, open at the ends.

    Zeros when it is unknown.
    """
    if opening is None:
        return np.zeros(12)
    *spectrum, first, last, change = opening_features(opening)
    smooth = np.convolve(opening, np.ones(3) / 3, "valid")
    opened = float(np.max(smooth - np.minimum.accumulate(smooth)))
    closed = float(np.max(np.maximum.accumulate(smooth) - smooth))
    ends = ENDS_WEIGHT * np.array([first, last])
    swings = SWING_WEIGHT * np.tanh(np.array([opened, closed]) / OPENING_SWING)
    is_open = OPEN_WEIGHT * np.tanh((np.array([first, last]) - OPEN) / OPEN_WIDTH)
    changes = [CHANGE_WEIGHT * change, TREND_WEIGHT * math.tanh(change / OPENING_CHANGE)]
    return np.concatenate([spectrum, ends, changes, swings, is_open])


def _start_middle_end(values: Vector) -> Vector:
    """Means over the first fifth, the middle half and the last fifth."""
    fifth, quarter = max(1, len(values) // 5), len(values) // 4
    parts = (values[:fifth], values[quarter : len(values) - quarter], values[-fifth:])
    return np.array([float(np.mean(part)) for part in parts])


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
    """Float64 [2·(3·coefficients + 23) + 12] of one event; ``arms`` are one or two in a fixed order, openings [T]."""
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
