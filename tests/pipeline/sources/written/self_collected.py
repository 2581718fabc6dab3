"""A real simulated episode, recorded again with our own recorder."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from pipeline.recorder import EpisodeRecorder
from schemas.episode import Arm, CameraRole
from schemas.pose import RotationEncoding
from schemas.recipe_columns import ArmColumns, Columns, OpeningColumns, RotationColumns
from schemas.recording import RecordedCamera, Recording

STARTS_NS = 1_700_000_000_123_456_789
PERIOD_NS = 50_000_000
LATE_NS = 120_000_000
"""How much later the wrist camera starts."""


def frames_of(path: Path, n_frames: int) -> Iterator[NDArray[np.uint8]]:
    with av.open(str(path)) as container:
        for _, frame in zip(range(n_frames), container.decode(video=0), strict=False):
            yield frame.to_ndarray(format="rgb24")[::2, ::2]


def recording(**more: Any) -> Recording:
    arm = ArmColumns(
        arm=Arm.RIGHT,
        position=Columns(column="eef_pos"),
        rotation=RotationColumns(column="eef_quat", encoding=RotationEncoding.QUATERNION_XYZW),
        opening=OpeningColumns(column="gripper", closed=0.0, open=0.04),
    )
    stated = {
        "joinery_recording": 1,
        "instruction": "pick up the can and place it in the bin",
        "embodiment": "panda",
        "cameras": [
            RecordedCamera(name="front", file="front.mp4", role=CameraRole.THIRD_PERSON),
            RecordedCamera(name="wrist", file="wrist.mp4", role=CameraRole.WRIST_RIGHT),
        ],
        "state": [arm],
        "joints": ["joint_pos"],
        **more,
    }
    return Recording.model_validate(stated)


def write(folder: Path, real: Path, n_frames: int = 40, stated: Recording | None = None) -> dict[str, Any]:
    """Writes one recording below ``folder``; returns the numbers that went in."""
    sim = real / "sim"
    with np.load(sim / "robosuite_pickplacecan_seed0_normal.npz") as arrays:
        numbers = {key: arrays[key][:n_frames] for key in ("eef_pos", "eef_quat", "gripper_qpos", "joint_pos", "phase")}
    with EpisodeRecorder(folder, stated or recording()) as recorder:
        for i, rgb in enumerate(frames_of(sim / "robosuite_pickplacecan_seed0_normal.mp4", n_frames)):
            recorder.picture("front", rgb, STARTS_NS + i * PERIOD_NS)
        for i, rgb in enumerate(frames_of(sim / "robosuite_pickplacecan_seed0_wrist.mp4", n_frames)):
            recorder.picture("wrist", rgb, STARTS_NS + LATE_NS + i * PERIOD_NS)
        for i in range(n_frames):
            recorder.row(
                STARTS_NS + i * PERIOD_NS + 7,
                eef_pos=numbers["eef_pos"][i],
                eef_quat=numbers["eef_quat"][i],
                joint_pos=numbers["joint_pos"][i],
                gripper=float(numbers["gripper_qpos"][i, 0]),
                phase=str(numbers["phase"][i]),
                control_mode="human" if 10 <= i < 20 else "script",
            )
    return numbers
