"""Where the cameras are: pinhole views, still or moving, one pose per frame.

A pose is camera-from-world in OpenCV axes (x right, y down, z forward). Views look down steeply enough that the
table's horizon is never in the picture, so that the table is one homography per frame.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.synthetic.trajectory import ArmMotion
from schemas.array import Floats


@dataclass(frozen=True)
class PictureSize:
    """Width and height in pixels, and the focal length as a multiple of the width."""

    width: int
    height: int
    focal: float = 1.05


@dataclass(frozen=True, eq=False)
class View:
    """A camera over T frames; ``rotation`` [T, 3, 3] and ``translation`` [T, 3] take world points into the camera."""

    size: PictureSize
    rotation: Floats
    translation: Floats
    still: bool

    @property
    def focal_px(self) -> float:
        return self.size.focal * self.size.width

    def see(self, points: Floats) -> tuple[Floats, Floats]:
        """Pixels [T, N, 2] and depths in metres [T, N] of world points [T, N, 3]."""
        local = np.einsum("tij,tnj->tni", self.rotation, points) + self.translation[:, None]
        depth = np.maximum(local[..., 2], 1e-3)
        centre = np.array([self.size.width / 2, self.size.height / 2])
        return local[..., :2] / depth[..., None] * self.focal_px + centre, local[..., 2]

    def table_homography(self, frame: int) -> Floats:
        """Homography [3, 3] from table coordinates (x, y, 1) in metres to pixels."""
        plane = np.column_stack([self.rotation[frame, :, 0], self.rotation[frame, :, 1], self.translation[frame]])
        focal = self.focal_px
        intrinsics = np.array([[focal, 0, self.size.width / 2], [0, focal, self.size.height / 2], [0, 0, 1.0]])
        out: Floats = intrinsics @ plane
        return out


def look_at(size: PictureSize, eyes: Floats, targets: Floats, *, still: bool) -> View:
    """A level camera at ``eyes`` [T, 3] looking at ``targets`` [T, 3]."""
    forward = targets - eyes
    forward = forward / np.linalg.norm(forward, axis=1, keepdims=True)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right = right / np.linalg.norm(right, axis=1, keepdims=True)
    rotation = np.stack([right, np.cross(forward, right), forward], axis=1)
    return View(size, rotation, -np.einsum("tij,tj->ti", rotation, eyes), still)


def third_person(rng: np.random.Generator, size: PictureSize, n_frames: int) -> View:
    """A still camera across the table, facing the robot."""
    eye = np.array([1.25, 0.0, 0.78]) + rng.uniform(-0.08, 0.08, 3)
    target = np.array([0.42, 0.0, 0.06]) + rng.uniform(-0.02, 0.02, 3)
    return look_at(size, np.tile(eye, (n_frames, 1)), np.tile(target, (n_frames, 1)), still=True)


def head(rng: np.random.Generator, size: PictureSize, n_frames: int, rate_hz: float) -> View:
    """A head above the near edge of the table that sways by centimetres within seconds."""
    times = np.arange(n_frames)[:, None] / rate_hz

    def sway(amplitude_m: float) -> Floats:
        frequency, phase = rng.uniform(0.15, 0.6, (2, 3)), rng.uniform(0, 2 * np.pi, (2, 3))
        waves: Floats = np.sin(2 * np.pi * frequency[0] * times + phase[0]) + 0.5 * np.sin(
            2 * np.pi * 2 * frequency[1] * times + phase[1]
        )
        return amplitude_m * waves

    eye = np.array([-0.02, 0.0, 0.72]) + rng.uniform(-0.04, 0.04, 3)
    return look_at(size, eye + sway(0.012), np.array([0.44, 0.0, 0.0]) + sway(0.008), still=False)


def orbit(rng: np.random.Generator, size: PictureSize, n_frames: int, rate_hz: float) -> View:
    """A camera that someone walks slowly around the table with, from any side."""
    times = np.arange(n_frames) / rate_hz
    angle = rng.uniform(-np.pi, np.pi) + rng.uniform(-0.12, 0.12) * times
    distance, height = rng.uniform(0.45, 0.7), rng.uniform(0.6, 0.8)
    centre = np.array([0.45, 0.0, 0.03])
    around = np.stack([np.cos(angle) * distance, np.sin(angle) * distance, np.full(n_frames, height)], axis=1)
    return look_at(size, centre + around, np.tile(centre, (n_frames, 1)), still=False)


def wrist(size: PictureSize, motion: ArmMotion) -> View:
    """A camera on the wrist, 16 cm above the fingertips and 7 cm beside them, looking past them."""
    rotation, position = motion.true.rotation, motion.true.position
    eyes = position + rotation @ np.array([0.0, -0.07, -0.16])
    tilt = 0.25
    ct, st = np.cos(tilt), np.sin(tilt)
    camera_from_tool = np.array([[1.0, 0.0, 0.0], [0.0, ct, -st], [0.0, st, ct]])
    turned = camera_from_tool @ rotation.transpose(0, 2, 1)
    return View(size, turned, -np.einsum("tij,tj->ti", turned, eyes), still=False)
