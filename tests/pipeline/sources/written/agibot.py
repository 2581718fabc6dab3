"""AgiBot World (beta) as its card describes it: task_info, observations and proprio_stats, a folder per episode each.

Re-packed from robosuite runs of ``../shared/real/sim``: the right arm is the recorded one, the left one does the same
half a second later; fingers in millimetres; one stretch is labelled as the recovery of a failure.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import h5py
import numpy as np
from numpy.typing import NDArray

from tests.pipeline.films import film

RUN, OTHER_RUN = "robosuite_pickplacecan_seed0_normal", "robosuite_pickplacecan_seed1_recover"
BEGAN_NS = 1_723_190_400_123_456_789
TASK, EPISODE = 327, 648_642
VIEWS = ("hand_left_color", "hand_right_color", "head_color")
_LATE = 10


@dataclass(frozen=True, eq=False)
class Recording:
    """One episode of T frames."""

    datasets: dict[str, NDArray[Any]]
    """By path in ``proprio_stats.h5``."""
    pictures: NDArray[np.uint8]
    extra: dict[str, NDArray[Any] | None] = field(default_factory=dict)

    def with_(self, **datasets: NDArray[Any] | None) -> "Recording":
        """The same with other datasets; ``__`` in a name stands for ``/``, None leaves one out."""
        changed = {key.replace("__", "/"): value for key, value in datasets.items()}
        return Recording(self.datasets, self.pictures, {**self.extra, **changed})

    def __getitem__(self, path: str) -> NDArray[Any]:
        return self.datasets[path]


def recording(real: Path, run: str = RUN, n_rows: int = 30, size: tuple[int, int] = (48, 64)) -> Recording:
    """The rows in which the gripper closes."""
    with np.load(real / "sim" / f"{run}.npz") as numbers:
        first = max(_LATE, int(np.argmax(numbers["grip_cmd"] > 0)) - n_rows // 3)
        position, quaternion = (_both(numbers[key], first, n_rows + 1) for key in ("eef_pos", "eef_quat"))
        joints = _both(numbers["joint_pos"], first, n_rows + 1).reshape(n_rows + 1, 14)
        fingers = _both(np.abs(numbers["gripper_qpos"]).sum(axis=1), first, n_rows)
        closing = _both((numbers["grip_cmd"] > 0).astype(np.float64), first, n_rows)
    with av.open(str(real / "sim" / f"{run}.mp4")) as video:
        frames = [frame for i, frame in zip(range(first + n_rows), video.decode(video=0), strict=False) if i >= first]
    steps_ns = np.array([33_366_700 if i % 5 else 40_100_000 for i in range(n_rows)])
    datasets: dict[str, NDArray[Any]] = {
        "timestamp": BEGAN_NS + np.cumsum(steps_ns),
        "state/joint/position": joints[:-1],
        "state/end/position": position[:-1],
        "state/end/orientation": quaternion[:-1],
        "state/effector/position": fingers * 1000 * 1.5,
        "state/head/position": np.zeros((n_rows, 2)),
        "state/waist/position": np.tile([0.5, 0.3], (n_rows, 1)),
        "state/robot/position": np.zeros((n_rows, 3)),
        "state/robot/orientation": np.tile([0.0, 0, 0, 1], (n_rows, 1)),
        "state/robot/orientation_drift": np.zeros((0,)),
        "action/joint/position": joints[1:],
        "action/end/position": position[1:],
        "action/end/orientation": quaternion[1:],
        "action/effector/position": closing,
        "action/head/position": np.zeros((n_rows, 2)),
        "action/waist/position": np.zeros((n_rows, 2)),
        "action/robot/velocity": np.zeros((n_rows, 2)),
        **{f"action/{part}/index": np.arange(n_rows) for part in ("joint", "end", "effector")},
    }
    pictures = np.stack([frame.reformat(size[1], size[0], "rgb24").to_ndarray() for frame in frames])
    return Recording(datasets, pictures)


def _both(values: NDArray[Any], first: int, n_rows: int) -> NDArray[Any]:
    """Left and right [T, 2, …]: the left one is late."""
    return np.stack([values[first - _LATE : first - _LATE + n_rows], values[first : first + n_rows]], axis=1)


def entry(episode: int = EPISODE, *, task: int = TASK, key: str = "lable_info", **more: Any) -> dict[str, Any]:
    """One episode in ``task_<id>.json``; the released files misspell ``label_info``."""
    labels = {
        "action_config": [
            {"start_frame": 0, "end_frame": 12, "action_text": "Pick up the can from the table.", "skill": "Pick"},
            {"start_frame": 12, "end_frame": 30, "action_text": "Place the can into the bin.", "skill": "Place"},
        ],
        "key_frame": [{"start": 6, "end": 15, "comment": "Failure recovery"}],
    }
    return {
        "episode_id": episode,
        "task_id": task,
        "task_name": "Sort the cans",
        "init_scene_text": "A robot stands at a table with a can and four bins.",
        key: labels,
        **more,
    }


def write_task(root: Path, entries: list[dict[str, Any]], task: int = TASK) -> None:
    path = root / f"task_info/task_{task}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(entries, indent=4))


def write_episode(
    root: Path, rec: Recording, episode: int = EPISODE, *, task: int = TASK, views: tuple[str, ...] = VIEWS
) -> None:
    """The observations and proprio_stats of one episode."""
    videos = root / f"observations/{task}/{episode}/videos"
    videos.mkdir(parents=True, exist_ok=True)
    turned = {"hand_left_color": rec.pictures[:, :, ::-1], "hand_right_color": rec.pictures[:, ::-1]}
    for name in views:
        (videos / f"{name}.mp4").write_bytes(film(list(turned.get(name, rec.pictures)), rate=30))
    depth = root / f"observations/{task}/{episode}/depth"
    depth.mkdir(exist_ok=True)
    (depth / "head_depth_000000.png").write_bytes(b"\x89PNG")
    table = root / f"proprio_stats/{task}/{episode}/proprio_stats.h5"
    table.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(table, "w") as file:
        for path, values in {**rec.datasets, **rec.extra}.items():
            if values is not None:
                file[path] = values


def write(root: Path, rec: Recording, **more: Any) -> None:
    """One task of one episode."""
    write_task(root, [entry(**more)])
    write_episode(root, rec)
