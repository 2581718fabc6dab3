"""Raw UMI sessions as UMI's SLAM pipeline leaves them (scripts 00 to 05), with finger tags drawn at known widths.

The scene is a real clip; the tags are real ArUco markers, projected through the lens that UMI's calibration file
describes, 72 mm in front of it.
"""

import csv
import json
import pickle
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from tests.pipeline.films import film

SERIAL = "C3441328164125"
RATE = 60
MIN_WIDTH, MAX_WIDTH = 0.024, 0.0955
"""Between the tags' centres. Tags of 16 mm with their white margins cannot come closer."""
DEPTH_M, TAG_M = 0.072, 0.016
SIZE = (640, 480)
"""Width and height of the pictures."""
INTRINSICS = {
    "final_reproj_error": 0.28,
    "fps": 60.0,
    "image_height": 600,
    "image_width": 800,
    "intrinsic_type": "FISHEYE",
    "intrinsics": {
        "aspect_ratio": 1.0,
        "focal_length": 240.0,
        "principal_pt_x": 404.0,
        "principal_pt_y": 296.0,
        "radial_distortion_1": -0.02,
        "radial_distortion_2": -0.006,
        "radial_distortion_3": 0.001,
        "radial_distortion_4": -0.0002,
        "skew": 0.0,
    },
}
COLUMNS = (
    "frame_idx", "timestamp", "state", "is_lost", "is_keyframe", "x", "y", "z", "q_x", "q_y", "q_z", "q_w",
)  # fmt: skip
Picture = NDArray[np.uint8]


@cache
def rays() -> NDArray[np.float64]:
    """Where each pixel looks, [H, W, 2] at depth 1."""
    inner = INTRINSICS["intrinsics"]
    assert isinstance(inner, dict)
    shrunk = np.array([[SIZE[0] / 800], [SIZE[1] / 600], [1.0]])
    focal, x, y = inner["focal_length"], inner["principal_pt_x"], inner["principal_pt_y"]
    matrix = shrunk * np.array([[focal, 0, x], [0, focal, y], [0, 0, 1.0]])
    bends = np.array([inner[f"radial_distortion_{i}"] for i in range(1, 5)])
    across, down = np.meshgrid(np.arange(SIZE[0], dtype=np.float64), np.arange(SIZE[1], dtype=np.float64))
    seen = cv2.fisheye.undistortPoints(np.stack([across, down], axis=2).reshape(-1, 1, 2), matrix, bends)
    return np.asarray(seen, np.float64).reshape(SIZE[1], SIZE[0], 2)


def with_tags(picture: Picture, width_m: float | None, tags: tuple[int, int] = (0, 1)) -> Picture:
    """A picture with both finger tags at a width; None leaves them out."""
    if width_m is None:
        return picture
    place = rays() * DEPTH_M
    drawn = picture.copy()
    for tag, centre in zip(tags, (-width_m / 2, width_m / 2), strict=True):
        marker = cv2.aruco.generateImageMarker(cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50), tag, 120)
        sheet = np.pad(marker, 30, constant_values=255)
        at = ((place - [centre, 0.02]) / TAG_M * 120 + 90).astype(np.float32)
        ink = cv2.remap(sheet, at, None, cv2.INTER_AREA, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
        there = (at > 1).all(axis=2) & (at < 178).all(axis=2)
        drawn[there] = ink[there][:, None]
    return drawn


def scene(clip: Sequence[Picture], n_frames: int) -> list[Picture]:
    """The clip's pictures at our size, over and over."""
    resized = [cv2.resize(picture, SIZE) for picture in clip]
    return [resized[i % len(resized)] for i in range(n_frames)]


def write_demo(
    demos: Path,
    name: str,
    pictures: Sequence[Picture],
    position: NDArray[np.float64] | None = None,
    quaternion_xyzw: NDArray[np.float64] | None = None,
    lost: Sequence[int] = (),
) -> None:
    """One demo: video, trajectory of the *camera in the SLAM map*, and what else UMI's scripts leave."""
    folder = demos / name
    folder.mkdir(parents=True)
    (folder / "raw_video.mp4").write_bytes(film(pictures, rate=RATE))
    (folder / "imu_data.json").write_text("{}")
    (folder / "tag_detection.pkl").write_bytes(pickle.dumps([{"frame_idx": 0, "tag_dict": {}}]))
    if position is None or quaternion_xyzw is None:
        return
    with (folder / "camera_trajectory.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for i, (place, turn) in enumerate(zip(position, quaternion_xyzw, strict=True)):
            gone = i in lost
            pose = [0.0] * 7 if gone else [*place, *turn]
            table.writerow([i, i / RATE, 2, str(gone).lower(), "false", *(f"{value:.9f}" for value in pose)])


def write_calibration(demos: Path, pictures: Sequence[Picture] = (), serial: str = SERIAL, gripper: int = 0) -> None:
    """A gripper's calibration demo, in which it is opened and closed."""
    folder = demos / f"gripper_calibration_{serial}_2024.01.10_10.50.00.000000"
    folder.mkdir(parents=True)
    tags = {"left_finger_tag_id": 6 * gripper, "right_finger_tag_id": 6 * gripper + 1}
    widths = {"max_width": MAX_WIDTH, "min_width": MIN_WIDTH}
    (folder / "gripper_range.json").write_text(json.dumps({"gripper_id": gripper, **tags, **widths}))
    if pictures:
        (folder / "raw_video.mp4").write_bytes(film(pictures, rate=RATE))


def write_tag(demos: Path, pose: NDArray[np.float64]) -> None:
    """Where mapping found the table's tag in the SLAM map."""
    (demos / "mapping").mkdir(parents=True, exist_ok=True)
    (demos / "mapping/tx_slam_tag.json").write_text(json.dumps({"tx_slam_tag": pose.tolist()}))


def pose_matrix(place: Sequence[float], rotation_vector: Sequence[float]) -> NDArray[np.float64]:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = Rotation.from_rotvec(rotation_vector).as_matrix(), place
    return matrix
