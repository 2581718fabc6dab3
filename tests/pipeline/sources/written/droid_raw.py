"""DROID episode folders as droid's ``collect_trajectory`` and ``TrajectoryWriter`` leave them, after svo_to_mp4.

Re-packed from the real DROID episode of ``../shared/real`` (its port has one of three cameras and one joint): the
measured poses, the gripper commands and the pictures are real; joints come from a robosuite run of the same arm.
"""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import av
import h5py
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tests.pipeline.films import film

SLICE = "open_robot/droid_slice_lerobot_v30"
VIDEO = f"{SLICE}/videos/observation.image.exterior_image_2_left/chunk-000/file-000.mp4"
EXT1, EXT2, WRIST = "22008760", "24400334", "18026681"
UUID = "AUTOLab+0d4edc83+2023-10-21-20h-36m-39s"
BEGAN_MS = 1_697_920_599_123
CAPTURE_AFTER_MS = {EXT1: 9, EXT2: 27, WRIST: -14}
"""When each camera captured, after the robot was read. The wrist camera of a step may be ahead of it."""
LATENCY_MS = 31


@dataclass(frozen=True, eq=False)
class Recording:
    """One episode's numbers, T rows and T - 1 pictures per camera."""

    pose: NDArray[np.float64]
    command: NDArray[np.float64]
    goal: NDArray[np.float64]
    gripper: NDArray[np.float64]
    gripper_command: NDArray[np.float64]
    joints: NDArray[np.float64]
    joint_command: NDArray[np.float64]
    paused: NDArray[np.bool_]
    read_ms: NDArray[np.int64]
    pictures: dict[str, NDArray[np.uint8]]
    extra: dict[str, NDArray[Any] | None] = field(default_factory=dict)
    """Datasets to write besides, or instead, by path; None leaves one out."""

    def with_(self, **datasets: NDArray[Any] | None) -> "Recording":
        """The same with other datasets; ``__`` in a name stands for ``/``."""
        return replace(self, extra={**self.extra, **{key.replace("__", "/"): value for key, value in datasets.items()}})

    @property
    def captured_ms(self) -> dict[str, NDArray[np.int64]]:
        return {serial: self.read_ms + after for serial, after in CAPTURE_AFTER_MS.items()}


def recording(real: Path, n_rows: int = 24, first: int = 40, size: tuple[int, int] = (36, 64)) -> Recording:
    """Rows from ``first`` on of the real episode; there the gripper closes for the first time."""
    table = pq.read_table(real / SLICE / "data/chunk-000/file-000.parquet")
    poses = np.array(table["observation.state.cartesian_position"].to_pylist())
    grippers = np.array(table["action.gripper_position"].to_pylist())
    with np.load(real / "sim/robosuite_pickplacecan_seed0_normal.npz") as numbers:
        joints = numbers["joint_pos"]
    rows = slice(first, first + n_rows)
    pictures = _pictures(real / VIDEO, first, n_rows - 1, size)
    steps_ms = np.array([68 + 3 * (i % 3) + (112 if i == n_rows // 2 else 0) for i in range(n_rows)])
    return Recording(
        pose=poses[rows],
        command=poses[first + 1 : first + 1 + n_rows],
        goal=poses[first + 4 : first + 4 + n_rows],
        gripper=grippers[first - 2 : first - 2 + n_rows],
        gripper_command=grippers[rows],
        joints=joints[:n_rows],
        joint_command=joints[1 : n_rows + 1],
        paused=np.arange(n_rows) < 4,
        read_ms=BEGAN_MS + np.cumsum(steps_ms),
        pictures={EXT1: pictures, EXT2: pictures[:, :, ::-1], WRIST: pictures[:, ::-1]},
    )


def _pictures(path: Path, first: int, count: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    with av.open(str(path)) as video:
        frames = [frame for i, frame in zip(range(first + count), video.decode(video=0), strict=False) if i >= first]
    return np.stack([frame.reformat(size[1], size[0], "rgb24").to_ndarray() for frame in frames])


def metadata(**more: Any) -> dict[str, Any]:
    """``metadata_<uuid>.json``; absolute paths of the laboratory's machine included, as in the release."""
    stated = {
        "uuid": UUID,
        "lab": "AUTOLab",
        "user": "a person",
        "success": True,
        "robot_serial": "panda-295341-1325480",
        "r2d2_version": "1.3",
        "current_task": "Move object into or out of container (ex: drawer, clothing hamper, plate, trashcan, washer)",
        "trajectory_length": 24,
        "wrist_cam_serial": WRIST,
        "ext1_cam_serial": EXT1,
        "ext2_cam_serial": EXT2,
        "wrist_mp4_path": f"/data/robot/success/2023-10-21/recordings/MP4/{WRIST}.mp4",
    }
    return {key: value for key, value in {**stated, **more}.items() if value is not None}


def write_episode(
    folder: Path, rec: Recording, *, about: dict[str, Any] | None = None, stereo: bool = False, rate: int = 15
) -> Path:
    """One episode folder; ``about`` is its metadata, an empty one writes none."""
    videos = folder / "recordings/MP4"
    videos.mkdir(parents=True, exist_ok=True)
    for serial, pictures in rec.pictures.items():
        (videos / f"{serial}.mp4").write_bytes(film(list(pictures), rate=rate))
        if stereo:
            both = np.concatenate([pictures, pictures], axis=2)
            (videos / f"{serial}-stereo.mp4").write_bytes(film(list(both), rate=rate))
    about = metadata() if about is None else about
    if about:
        (folder / f"metadata_{about.get('uuid', 'x')}.json").write_text(json.dumps(about))
    with h5py.File(folder / "trajectory.h5", "w") as file:
        for path, values in {**datasets(rec), **rec.extra}.items():
            if values is not None:
                file.create_dataset(path, data=values, maxshape=(None, *values.shape[1:]))
        file.attrs["current_task"] = "a task from the recorder's window"
    return folder


def datasets(rec: Recording) -> dict[str, NDArray[Any]]:
    """Everything in ``trajectory.h5`` by path, T rows each."""
    n = len(rec.pose)
    enabled = ~rec.paused
    ended = np.arange(n) == n - 1
    found: dict[str, NDArray[Any]] = {
        "action/cartesian_position": rec.command,
        "action/cartesian_velocity": np.gradient(rec.command, axis=0),
        "action/gripper_position": rec.gripper_command,
        "action/gripper_velocity": np.gradient(rec.gripper_command),
        "action/joint_position": rec.joint_command,
        "action/joint_velocity": np.gradient(rec.joint_command, axis=0),
        "action/target_cartesian_position": rec.goal,
        "action/target_gripper_position": rec.gripper_command,
        "action/robot_state/cartesian_position": rec.pose,
        "observation/robot_state/cartesian_position": rec.pose,
        "observation/robot_state/joint_positions": rec.joints,
        "observation/robot_state/joint_velocities": np.gradient(rec.joints, axis=0),
        "observation/robot_state/gripper_position": rec.gripper,
        "observation/controller_info/controller_on": np.ones(n, np.bool_),
        "observation/controller_info/movement_enabled": enabled,
        "observation/controller_info/success": ended,
        "observation/controller_info/failure": np.zeros(n, np.bool_),
        "observation/timestamp/skip_action": rec.paused,
        "observation/timestamp/control/step_start": rec.read_ms - 1,
        "observation/timestamp/control/step_end": rec.read_ms + 60,
        "observation/timestamp/robot_state/read_start": rec.read_ms,
        "observation/timestamp/robot_state/read_end": rec.read_ms + 2,
        "observation/timestamp/robot_state/robot_timestamp_seconds": rec.read_ms // 1000 - 7200,
        "observation/timestamp/robot_state/robot_timestamp_nanos": rec.read_ms % 1000 * 1_000_000,
    }
    for number, (serial, captured_ms) in enumerate(rec.captured_ms.items()):
        times = f"observation/timestamp/cameras/{serial}"
        found[f"{times}_read_start"] = rec.read_ms + 2
        found[f"{times}_read_end"] = rec.read_ms + 40
        found[f"{times}_frame_received"] = captured_ms + LATENCY_MS
        found[f"{times}_estimated_capture"] = captured_ms
        found[f"observation/camera_type/{serial}"] = np.full(n, 0 if serial == WRIST else 1)
        place = np.array([0.3 + 0.1 * number, -0.4, 0.5, -2.0, 0.1, -2.3])
        on_hand = rec.pose + np.array([0.0, 0.05, 0.02, 0.0, 0.0, 0.1])
        poses = on_hand if serial == WRIST else np.tile(place, (n, 1))
        found[f"observation/camera_extrinsics/{serial}_left"] = poses
        found[f"observation/camera_extrinsics/{serial}_right"] = poses + 0.06
        if serial == WRIST:
            found[f"observation/camera_extrinsics/{serial}_left_gripper_offset"] = np.tile(place, (n, 1))
    return found


def write_sentences(root: Path, uuid: str = UUID) -> None:
    """``aggregated-annotations-030724.json`` of the release: three people's words per episode, some empty."""
    said = {
        "Other+episode": {"language_instruction1": "never mind"},
        uuid: {
            "language_instruction1": "Put the marker in the cup",
            "language_instruction2": "Move the marker into the mug",
            "language_instruction3": "",
        },
    }
    (root / "aggregated-annotations-030724.json").write_text(json.dumps(said))
