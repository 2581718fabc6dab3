"""FastUMI episodes as data_collection.py writes them, with what it leaves beside them.

Re-packed from robosuite runs of ``../shared/real/sim`` as if the tool were the tracking camera: real poses, fingers and
pictures. The collector films at 60 Hz, samples poses at 200 Hz and keeps every third frame with the nearest pose.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import h5py
import numpy as np
from numpy.typing import NDArray

RUN, OTHER_RUN = "robosuite_pickplacecan_seed0_normal", "robosuite_pickplacecan_seed1_recover"
OPEN_M = 0.08
BEGAN_S = 1_716_200_000.25
_PIXELS = 40
"""How far apart, in whole pixels, the gripper's two tags are at most."""


@dataclass(frozen=True, eq=False)
class Recording:
    """One episode: poses, widths and RGB pictures of T rows, and when each row's frame was filmed."""

    pose: NDArray[np.float64]
    opening: NDArray[np.float64]
    pictures: NDArray[np.uint8]
    filmed_s: NDArray[np.float64]
    """[3 T]: of all frames; every third one is a row's."""


def recording(real: Path, run: str = RUN, n_rows: int = 30, size: tuple[int, int] = (48, 64)) -> Recording:
    """The rows in which the gripper closes."""
    with np.load(real / "sim" / f"{run}.npz") as numbers:
        fingers = np.abs(numbers["gripper_qpos"]).sum(axis=1)
        first = max(0, int(np.argmax(numbers["grip_cmd"] > 0)) - n_rows // 3)
        rows = slice(first, first + n_rows)
        pose = np.concatenate([numbers["eef_pos"], numbers["eef_quat"]], axis=1)[rows]
    with av.open(str(real / "sim" / f"{run}.mp4")) as film:
        frames = [frame for i, frame in zip(range(first + n_rows), film.decode(video=0), strict=False) if i >= first]
    pictures = np.stack([frame.reformat(size[1], size[0], "rgb24").to_ndarray() for frame in frames])
    steps_s = np.array([1 / 64 if i % 7 else 1 / 32 for i in range(3 * n_rows)])
    return Recording(pose, np.clip(fingers[rows] / OPEN_M, 0, 1), pictures, BEGAN_S + np.cumsum(steps_s))


def qpos_of(rec: Recording, *, with_gripper: bool) -> NDArray[np.float64]:
    """Rows of ``observations/qpos``: 7 values as collected, 8 after the gripper was looked for in the pictures."""
    if not with_gripper:
        return rec.pose
    pixels = np.rint(rec.opening * _PIXELS) / _PIXELS
    return np.concatenate([rec.pose, pixels[:, None]], axis=1)


def write_episode(
    path: Path,
    rec: Recording,
    *,
    with_gripper: bool = False,
    action: NDArray[Any] | None = None,
    cameras: Sequence[str] = ("front",),
) -> NDArray[np.float64]:
    """``episode_<n>.hdf5``; its action repeats the state unless another one is given. Returns the state."""
    qpos = qpos_of(rec, with_gripper=with_gripper)
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", rdcc_nbytes=1024**2 * 2) as root:
        root.attrs["sim"] = False
        obs = root.create_group("observations")
        image = obs.create_group("images")
        for name in cameras:
            bgr = rec.pictures[..., ::-1]
            shape = bgr.shape
            image.create_dataset(
                name, shape, dtype="uint8", chunks=(1, *shape[1:]), compression="gzip", compression_opts=4
            )[...] = bgr
        obs.create_dataset("qpos", data=qpos)
        root.create_dataset("action", data=qpos if action is None else action)
    return qpos


def write_times(task: Path, rec: Recording) -> None:
    """The collector's ``csv`` folder after this episode."""
    folder = task / "csv"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "temp_video_timestamps.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["Frame Index", "Timestamp"])
        table.writerows(enumerate(map(repr, rec.filmed_s.tolist())))
    kept_s = rec.filmed_s[::3]
    between_s = kept_s + 0.01
    with (folder / "temp_trajectory.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["Timestamp", "Pos X", "Pos Y", "Pos Z", "Q_X", "Q_Y", "Q_Z", "Q_W"])
        for i, pose in enumerate(rec.pose):
            table.writerow([repr(float(kept_s[i]) - 0.002), *map(repr, pose.tolist())])
            table.writerow([repr(float(between_s[i])), *map(repr, (pose + 0.001).tolist())])
