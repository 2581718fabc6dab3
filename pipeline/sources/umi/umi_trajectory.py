"""Where UMI's SLAM saw the camera (``camera_trajectory.csv``), and from there to the finger tips in the tag's frame."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.sources.storage import csv_file
from schemas.array import Bools, Floats

_PLACE, _TURN = ("x", "y", "z"), ("q_x", "q_y", "q_z", "q_w")
_TRUE, _FALSE = ("true", "1", "1.0"), ("false", "0", "0.0")
_MAX_FRAMES = 1_000_000
"""Nearly five hours of video; a frame number beyond it is damage."""
_LARGEST_M = 1e6
_SQUARE = 1e-2
"""How far a stated transform may be from a rotation and still be one."""


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Camera poses in the SLAM map, one row per frame of the video; NaN where there is none."""

    positions: Floats
    """float64 [N, 3], metres."""
    rotations: Floats
    """float64 [N, 3, 3]."""
    lost: Bools
    """bool [N]: the tracker said it was lost."""
    missing: Bools
    """bool [N]: the table has no usable row for the frame."""


def read_trajectory(files: SourceFiles, path: str) -> Trajectory:
    """The table by frame number. Raises SourceError when it is not what UMI's SLAM writes."""
    name = files.url_of(path)
    numbers: list[int] = []
    poses: list[list[float]] = []
    lost_rows: list[bool] = []
    for line, row in enumerate(csv_file.rows(files, path, ("frame_idx", "is_lost", *_PLACE, *_TURN)), start=2):
        is_lost = row["is_lost"].strip().lower()
        try:
            number, pose = int(row["frame_idx"]), [float(row[column]) for column in (*_PLACE, *_TURN)]
        except ValueError as error:
            raise SourceError(f"{name}: line {line} holds no numbers ({error}); fetch it again") from error
        if not 0 <= number < _MAX_FRAMES or is_lost not in (*_TRUE, *_FALSE):
            found = f"frame_idx {row['frame_idx'][:20]} and is_lost {row['is_lost'][:20]!r}"
            raise SourceError(f"{name}: line {line} has {found}, expected a frame number and true or false")
        numbers.append(number)
        poses.append(pose)
        lost_rows.append(is_lost in _TRUE)
    if not numbers:
        raise SourceError(f"{name}: has no rows; run UMI's SLAM again")
    return _placed(np.array(numbers), np.array(poses), np.array(lost_rows), name)


def _placed(numbers: Floats, poses: Floats, lost_rows: Bools, name: str) -> Trajectory:
    """Rows at the frames they number; lost ones hold a stale or zero pose and give none."""
    if len(np.unique(numbers)) != len(numbers):
        raise SourceError(f"{name}: numbers a frame twice; several runs are joined in it, keep one")
    n_frames = int(numbers.max()) + 1
    usable = ~lost_rows & (np.abs(poses) < _LARGEST_M).all(axis=1) & (np.linalg.norm(poses[:, 3:], axis=1) > 1e-6)
    positions, rotations = np.full((n_frames, 3), np.nan), np.full((n_frames, 3, 3), np.nan)
    positions[numbers[usable]] = poses[usable, :3]
    rotations[numbers[usable]] = Rotation.from_quat(poses[usable, 3:]).as_matrix().reshape(-1, 3, 3)
    lost, missing = np.zeros(n_frames, np.bool_), np.ones(n_frames, np.bool_)
    lost[numbers] = lost_rows
    missing[numbers[usable | lost_rows]] = False
    return Trajectory(positions, rotations, lost, missing)


def tag_transform(stated: object) -> list[list[float]] | None:
    """The tag's pose in the SLAM map [4, 4] of ``tx_slam_tag.json``; None for anything that is no pose."""
    inner = stated.get("tx_slam_tag") if isinstance(stated, dict) else None
    if not (
        isinstance(inner, list) and len(inner) == 4 and all(isinstance(row, list) and len(row) == 4 for row in inner)
    ):
        return None
    if not all(type(number) in (int, float) and abs(number) < _LARGEST_M for row in inner for number in row):
        return None
    matrix = np.array(inner, np.float64)
    turn = matrix[:3, :3]
    is_pose = np.allclose(turn @ turn.T, np.eye(3), atol=_SQUARE) and np.linalg.det(turn) > 0
    return matrix.tolist() if is_pose and np.allclose(matrix[3], [0, 0, 0, 1]) else None


def finger_tips(
    trajectory: Trajectory, tag: list[list[float]] | None, camera_from_tips: tuple[float, float, float]
) -> tuple[Floats, Floats]:
    """Positions [N, 3] and rotations [N, 3, 3] of the finger tips, in the tag's frame or, without one, the map's.

    ``camera_from_tips`` is where the tips are in the camera's axes (x right, y down, z forward).
    """
    positions = trajectory.positions + trajectory.rotations @ np.array(camera_from_tips)
    if tag is None:
        return positions, trajectory.rotations
    matrix = np.array(tag)
    turn, place = matrix[:3, :3], matrix[:3, 3]
    return (positions - place) @ turn, turn.T @ trajectory.rotations
