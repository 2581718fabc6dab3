"""Clips for the 3-D probe: the demo's tables filmed by a camera that goes round them, with depth and poses exact.

CO3Dv2, which the published probe uses, is for other licences than ours; here geometry is known by construction. A ray
through a pixel meets the table's plane or a box, whichever is nearer. Only what is a plane or a box is shown (a gripper
without an arm), so no depth is approximated.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.synthetic.scene import Look, render
from pipeline.synthetic.solids import Box, Manipulator, boxes_of
from pipeline.synthetic.trajectory import Trajectory, Variant, make_trajectory
from pipeline.synthetic.view import PictureSize, View, look_at
from schemas.array import Floats
from schemas.episode import Arm
from trainer.batch import PATCH
from trainer.configs import DataConfig
from trainer.eval.probe import SAMPLES, Scene
from trainer.example import fitted_view

RATE_HZ = 20
_FINER = 2
"""Pictures are drawn at so many times the canvas's size, then made smaller as any recording is."""
_SWEEP_DEG = 35.0
_PROGRAMME = (Variant.PLAIN, Variant.PAUSE, Variant.PUSH, Variant.SLIP)
_TABLES = ((150, 122, 92), (176, 176, 172), (118, 128, 118), (160, 138, 116))


def make_scene(seed: int, index: int, data: DataConfig) -> Scene:
    """Clip ``index`` of a seed: another trajectory, another table, another way of the camera."""
    rng = np.random.default_rng([seed, 300, index])
    trajectory = make_trajectory(
        [seed, 300, index], {Arm.RIGHT: (_PROGRAMME[index % len(_PROGRAMME)],)}, rate_hz=RATE_HZ
    )
    first = int(rng.integers(trajectory.n_frames - data.max_frames))
    frames = range(first, first + data.max_frames)
    size = PictureSize(data.width * _FINER, data.height * _FINER, focal=1.0)
    view = _camera(rng, size, trajectory.n_frames, frames)
    look = Look(Manipulator.HANDHELD, _TABLES[index % len(_TABLES)], seed=1000 * seed + index)
    pictures = np.stack(list(render(trajectory, view, look, frames)))
    shown = frames[:: data.codec.time_stride]
    depth_FNG, local_FNG3 = depths(trajectory, view, shown, data)
    poses = np.stack([world_from_camera(view, frame) for frame in shown])
    first_from_camera = np.linalg.inv(poses[0]) @ poses
    turned = np.einsum("fij,fngj->fngi", first_from_camera[:, :3, :3], local_FNG3)
    return Scene(
        name=f"scene-{seed}-{index}",
        pixels=fitted_view(pictures, data)[0],
        depth_FNG=depth_FNG,
        points_FNG3=turned + first_from_camera[:, None, None, :3, 3],
        first_from_camera_F44=first_from_camera,
    )


def _camera(rng: np.random.Generator, size: PictureSize, n_frames: int, frames: Sequence[int]) -> View:
    """Round the table, nearer or farther, up or down, all at a steady pace within ``frames``."""
    way = np.clip((np.arange(n_frames) - frames[0]) / (len(frames) - 1), 0.0, 1.0)[:, None]
    angle = rng.uniform(-np.pi, np.pi) + np.radians(rng.uniform(-_SWEEP_DEG, _SWEEP_DEG)) * way
    distance = rng.uniform(0.45, 0.7) + rng.uniform(-0.12, 0.12) * way
    height = rng.uniform(0.55, 0.8) + rng.uniform(-0.1, 0.1) * way
    centre = np.array([0.45, 0.0, 0.03]) + rng.uniform(-0.05, 0.05, 3)
    eyes = centre + np.concatenate([np.cos(angle) * distance, np.sin(angle) * distance, height], axis=1)
    return look_at(size, eyes, np.tile(centre, (n_frames, 1)), still=False)


def world_from_camera(view: View, frame: int) -> Floats:
    """The camera's pose [4, 4]."""
    pose = np.eye(4)
    pose[:3, :3] = view.rotation[frame].T
    pose[:3, 3] = -view.rotation[frame].T @ view.translation[frame]
    return pose


def depths(trajectory: Trajectory, view: View, frames: Sequence[int], data: DataConfig) -> tuple[Floats, Floats]:
    """Depth [F, N, G] and the point in its camera [F, N, G, 3] of every place asked for."""
    rays_NG3 = _rays(view, data)
    boxes = boxes_of(trajectory, Manipulator.HANDHELD)
    depth = np.stack([_cast(rays_NG3.reshape(-1, 3), view, boxes, frame) for frame in frames])
    depth_FNG = depth.reshape(len(frames), *rays_NG3.shape[:2])
    return depth_FNG, depth_FNG[..., None] * rays_NG3


def _rays(view: View, data: DataConfig) -> Floats:
    """Directions with z = 1 through the places of every token [N, G, 3], in the camera."""
    token = PATCH * data.codec.space_stride
    step = token / SAMPLES
    offsets = (np.arange(SAMPLES) + 0.5) * step
    corners = np.stack(
        np.meshgrid(*(np.arange(0, side, token) for side in (data.height, data.width)), indexing="ij"), axis=-1
    ).reshape(-1, 1, 2)
    inside = np.stack(np.meshgrid(offsets, offsets, indexing="ij"), axis=-1).reshape(1, -1, 2)
    row, column = np.moveaxis((corners + inside) * _FINER - 0.5, -1, 0)  # whole numbers are pixel centres
    x, y = (column - view.size.width / 2) / view.focal_px, (row - view.size.height / 2) / view.focal_px
    return np.stack([x, y, np.ones_like(x)], axis=-1)


def _cast(rays_R3: Floats, view: View, boxes: Sequence[Box], frame: int) -> Floats:
    """Depth [R] of the nearest thing each ray meets: the table's plane or a box."""
    pose = world_from_camera(view, frame)
    eye, directions = pose[:3, 3], rays_R3 @ pose[:3, :3].T
    nearest: Floats = -eye[2] / directions[:, 2]  # views look down: every ray meets the plane
    for box in boxes:
        rotation, half = box.rotation[frame], np.asarray(box.size) / 2
        start, along = (eye - box.centre[frame]) @ rotation, directions @ rotation
        along = np.where(np.abs(along) < 1e-12, 1e-12, along)
        one, other = (-half - start) / along, (half - start) / along
        enter, leave = np.minimum(one, other).max(axis=1), np.maximum(one, other).min(axis=1)
        nearest = np.where((enter <= leave) & (enter > 0), np.minimum(nearest, enter), nearest)
    return nearest
