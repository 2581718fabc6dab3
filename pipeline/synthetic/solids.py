"""What there is to draw: boxes for things and grippers, strokes for arms and human hands, posed in every frame."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import numpy as np

from pipeline.synthetic.trajectory import ArmMotion, Trajectory
from pipeline.synthetic.world import MAX_WIDTH_M, Point
from schemas.array import Floats
from schemas.episode import Arm

Colour: TypeAlias = tuple[int, int, int]
"""Red, green, blue, 0 … 255."""

COLOUR_OF: dict[str, Colour] = {
    "red": (200, 45, 40), "green": (50, 150, 60), "blue": (45, 80, 190), "yellow": (225, 195, 50),
    "orange": (230, 130, 40), "purple": (125, 60, 150), "white": (232, 232, 228), "teal": (40, 150, 150),
}  # fmt: skip
_STEEL: Colour = (70, 74, 82)
_PAD: Colour = (30, 30, 34)
_SKIN: Colour = (214, 160, 128)


class Manipulator(StrEnum):
    """Whose hand is drawn."""

    ROBOT = "robot"
    HUMAN = "human"
    HANDHELD = "handheld"
    """A gripper without an arm, held from above."""


@dataclass(frozen=True, eq=False)
class Box:
    """A cuboid: ``size`` in metres, ``centre`` [T, 3], ``rotation`` [T, 3, 3] world from box."""

    size: Point
    centre: Floats
    rotation: Floats
    colour: Colour


@dataclass(frozen=True, eq=False)
class Stroke:
    """A thick polyline through ``points`` [T, P, 3]."""

    points: Floats
    thickness_m: float
    colour: Colour


def boxes_of(trajectory: Trajectory, manipulator: Manipulator) -> list[Box]:
    """Supports, items and grippers of an episode."""
    n = trajectory.n_frames
    boxes = []
    for support in trajectory.supports:
        centre = np.tile([*support.centre, support.height_m / 2], (n, 1))
        size = (2 * support.half_m, 2 * support.half_m, max(support.height_m, 0.001))
        boxes.append(Box(size, centre, turned(np.zeros(n)), COLOUR_OF[support.colour]))
    boxes += [
        Box(motion.item.size_m, motion.position, turned(motion.yaw), COLOUR_OF[motion.item.colour])
        for motion in trajectory.items
    ]
    if manipulator is not Manipulator.HUMAN:
        for arm in trajectory.arms:
            boxes += _gripper(arm)
    return boxes


def strokes_of(trajectory: Trajectory, manipulator: Manipulator) -> list[Stroke]:
    """Arms and human hands of an episode."""
    strokes = []
    for motion in trajectory.arms:
        if manipulator is Manipulator.ROBOT:
            strokes.append(_limb(motion, (-0.05, 0.18, 0.35), 0.07, (168, 170, 176)))
        elif manipulator is Manipulator.HUMAN:
            strokes += [_limb(motion, (-0.20, 0.22, 0.22), 0.06, _SKIN), *_fingers(motion)]
    return strokes


def turned(yaw: Floats) -> Floats:
    """Rotations [T, 3, 3] about the vertical."""
    c, s, zero, one = np.cos(yaw), np.sin(yaw), np.zeros_like(yaw), np.ones_like(yaw)
    return np.stack([np.stack([c, -s, zero], -1), np.stack([s, c, zero], -1), np.stack([zero, zero, one], -1)], -2)


def _gripper(motion: ArmMotion) -> list[Box]:
    """Wrist, palm and two fingers; the tool's x axis goes from finger to finger, z out of the gripper."""
    rotation, position = motion.true.rotation, motion.true.position
    half = motion.true.opening * MAX_WIDTH_M / 2 + 0.006
    zero = np.zeros_like(half)

    def at(x: Floats, z: float) -> Floats:
        local = np.stack([x, zero, np.full_like(x, z)], axis=-1)
        placed: Floats = position + np.einsum("tij,tj->ti", rotation, local)
        return placed

    return [
        Box((0.012, 0.022, 0.06), at(-half, -0.024), rotation, _PAD),
        Box((0.012, 0.022, 0.06), at(half, -0.024), rotation, _PAD),
        Box((0.11, 0.05, 0.04), at(zero, -0.075), rotation, _STEEL),
        Box((0.06, 0.06, 0.07), at(zero, -0.13), rotation, (205, 207, 210)),
    ]


def _limb(motion: ArmMotion, root: Point, thickness_m: float, colour: Colour) -> Stroke:
    """From the shoulder (mirrored for the right arm) to the wrist."""
    side = {Arm.LEFT: 1.0, Arm.RIGHT: -1.0}[motion.arm]
    start = np.tile([root[0], side * root[1], root[2]], (len(motion.true.position), 1))
    wrist = motion.true.position - 0.14 * motion.true.rotation[:, :, 2]
    return Stroke(np.stack([start, wrist], axis=1), thickness_m, colour)


def _fingers(motion: ArmMotion) -> list[Stroke]:
    """Palm, thumb and four fingers, bent so that thumb and forefinger are as far apart as the opening says."""
    half = motion.true.opening * MAX_WIDTH_M / 2 + 0.005
    zero = np.zeros_like(half)

    def placed(points: Sequence[tuple[Floats, float, float]]) -> Floats:
        local = np.stack([np.stack([x, zero + y, zero + z], -1) for x, y, z in points], axis=1)
        out: Floats = motion.true.position[:, None] + np.einsum("tij,tnj->tni", motion.true.rotation, local)
        return out

    strokes = [Stroke(placed([(zero, 0.0, -0.14), (zero, 0.0, -0.08)]), 0.075, _SKIN)]
    thumb = [(-0.3 * half, 0.0, -0.09), (-half - 0.02, 0.0, -0.05), (-half, 0.0, 0.0)]
    strokes.append(Stroke(placed(thumb), 0.02, _SKIN))
    for index in range(4):
        y = 0.018 * (index - 1.5)
        bent = [(0.3 * half, y, -0.08), (half + 0.02, y, -0.045), (half, 0.6 * y, 0.004 * (index % 2))]
        strokes.append(Stroke(placed(bent), 0.017, _SKIN))
    return strokes
