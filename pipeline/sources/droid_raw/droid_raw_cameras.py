"""The views of a DROID episode: where each camera is, when its frames were captured, how it is calibrated."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.sources.droid_raw.droid_raw_clock import FPS, Clock, ViewClock, view_clock
from pipeline.sources.droid_raw.droid_raw_meta import STEREO, WRIST
from pipeline.sources.droid_raw.droid_raw_table import Trajectory
from pipeline.sources.frame_times import n_frames_of, shown
from pipeline.sources.raw import RawCamera
from pipeline.sources.reference import about_episode, common_part, recipe_part
from pipeline.sources.views import Claims, view
from schemas.array import Bools, Floats, Ints
from schemas.episode import CameraRole
from schemas.finding import Finding
from schemas.pose import RotationEncoding, matrix_of
from schemas.recipe_formats.droid_raw import DroidRawSource
from schemas.rotation import rotation_6d

_TYPES, _HAND = "/observation/camera_type", 0
_POSES, _INTRINSICS = "/observation/camera_extrinsics", "/observation/camera_intrinsics"
_STILL_M = 1e-6
"""A camera whose pose changes by less does not move."""


def cameras_of(
    trajectory: Trajectory, files: SourceFiles, serials: Mapping[str, str]
) -> tuple[list[RawCamera], list[ViewClock], list[Finding]]:
    """The views, cameras on the hand last unless the recipe orders them, and the clock of each."""
    ref = trajectory.ref
    cameras: list[RawCamera] = []
    findings: list[Finding] = []
    for name, serial in serials.items():
        try:
            camera, odd = view(ref, files, name, Claims())
        except SourceError as error:
            if not cameras:  # without the master view there are no frames to number
                raise
            findings.append(about_episode(ref, "view_unreadable", f"view {name} is left out: {error}"))
            continue
        findings += odd
        if _on_hand(trajectory, serial) and not name.startswith(WRIST):
            if name.removesuffix(STEREO) == serial:
                role = common_part(ref).camera_roles.get(name, CameraRole.WRIST_RIGHT)
                camera = dataclasses.replace(camera, role=role)
            else:
                message = (
                    f"camera {serial} is at {name} by the metadata, on the hand by the trajectory; the metadata counts"
                )
                findings.append(about_episode(ref, "camera_place_disagrees", message))
        cameras.append(camera)
    if recipe_part(ref, DroidRawSource).cameras is None:
        cameras.sort(key=lambda camera: camera.role in (CameraRole.WRIST_LEFT, CameraRole.WRIST_RIGHT))
    clocks = [
        view_clock(trajectory.table, camera.name, serials[camera.name], n_frames_of(ref, files, camera.video))
        for camera in cameras
    ]
    return cameras, clocks, findings


def _on_hand(trajectory: Trajectory, serial: str) -> bool:
    path = f"{_TYPES}/{serial}"
    return trajectory.has(path) and bool((trajectory.column(path, 1) == _HAND).all())


def on_clock(
    trajectory: Trajectory, cameras: Sequence[RawCamera], clocks: Sequence[ViewClock], clock: Clock
) -> tuple[list[RawCamera], list[Finding]]:
    """The views on the episode clock, with their calibration; pictures of both eyes side by side have none."""
    placed: list[RawCamera] = []
    findings: list[Finding] = []
    for camera, own in zip(cameras, clocks, strict=True):
        start_ns = clock.starts_ns[camera.name]
        seen = None if own.captured_ns is None else _seen(own.captured_ns, start_ns)
        poses, matrix = None, None
        if not camera.name.endswith(STEREO):
            poses, odd = _extrinsics(trajectory, own.serial, seen)
            matrix = _intrinsics(trajectory, own.serial)
            findings += odd
        placed.append(
            dataclasses.replace(
                camera,
                starts_ns=start_ns,
                expected_fps=FPS if seen is None else None,
                expected_frames=len(clock.rows_ns) if seen is None else int(seen.sum()),
                extrinsics=poses,
                intrinsics=matrix,
            )
        )
    return placed, findings


def _seen(captured_ns: Ints, start_ns: int) -> Bools:
    """Which frames are shown on the episode clock, bool [N]: none twice, none before its 0."""
    seen: Bools = shown(captured_ns) & (captured_ns - captured_ns[0] + start_ns >= 0)
    return seen


def _extrinsics(trajectory: Trajectory, serial: str, seen: Bools | None) -> tuple[Floats | None, list[Finding]]:
    """Base from camera [P, 4, 4] of the left eye: one pose, or one per frame ``seen`` where the camera moves.

    None when the trajectory has none or, for a moving camera, it is not known which row a frame belongs to.
    """
    path = f"{_POSES}/{serial}_left"
    if not trajectory.has(path):
        return None, []
    values = trajectory.column(path, 6)
    if not np.isfinite(values).all():
        message = f"{path} holds no number somewhere; the camera's poses are left out"
        return None, [about_episode(trajectory.ref, "camera_pose_not_finite", message)]
    if (np.ptp(values, axis=0) <= _STILL_M).all():
        values = values[:1]
    elif seen is None:
        message = f"{path} moves, and which row a frame belongs to is unknown; the camera's poses are left out"
        return None, [about_episode(trajectory.ref, "camera_pose_unplaced", message)]
    else:
        values = values[: len(seen)][seen]
    poses = np.tile(np.eye(4), (len(values), 1, 1))
    poses[:, :3, :3] = matrix_of(rotation_6d(values[:, 3:], RotationEncoding.EULER_XYZ))
    poses[:, :3, 3] = values[:, :3]
    return poses, []


def _intrinsics(trajectory: Trajectory, serial: str) -> Floats | None:
    """The left eye's camera matrix [3, 3]; None when it is not there or means nothing. The release leaves it out."""
    path = f"{_INTRINSICS}/{serial}_left"
    if not trajectory.has(path):
        return None
    matrix = trajectory.table.numbers(path).reshape(-1)[:9]
    if matrix.size != 9 or not np.isfinite(matrix).all() or not (matrix[[0, 4]] > 0).all():
        return None
    return matrix.reshape(3, 3)
