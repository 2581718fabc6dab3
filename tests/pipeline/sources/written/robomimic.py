"""robomimic files as the tools write them: robomimic's `dataset_states_to_obs.py`, LIBERO's `create_dataset.py` and
IsaacLab's `HDF5DatasetFileHandler`.

Re-packed from robosuite runs of ``../shared/real/sim``, whose rows are what robosuite returned *after* the action of
the row; robomimic keeps what was seen before it, so that actions are moved up by one row.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from tests.pipeline.sources.written.aloha import sim_pictures

RUNS = ("robosuite_pickplacecan_seed0_normal", "robosuite_pickplacecan_seed1_recover")
OSC = {
    "type": "OSC_POSE",
    "input_max": 1,
    "input_min": -1,
    "output_max": [0.05, 0.05, 0.05, 0.5, 0.5, 0.5],
    "output_min": [-0.05, -0.05, -0.05, -0.5, -0.5, -0.5],
    "kp": 150,
    "damping": 1,
    "impedance_mode": "fixed",
    "control_delta": True,
    "interpolation": None,
    "ramp_ratio": 0.2,
}


@dataclass(frozen=True, eq=False)
class Demo:
    """One demo: tables by key of ``obs``, actions, flags."""

    obs: dict[str, NDArray[Any]]
    actions: NDArray[np.float64]
    phase: NDArray[np.str_]
    rewards: NDArray[np.float64]
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def n_rows(self) -> int:
        return len(self.actions)


def sim_demo(real: Path, run: str = RUNS[0], rows: slice = slice(30, 90, 2), size: int = 24) -> Demo:
    """Every second row of a part of a run, with two views."""
    with np.load(real / "sim" / f"{run}.npz") as numbers:
        kept = {name: numbers[name][rows] for name in numbers.files}
        actions = np.roll(numbers["action"], -1, axis=0)[rows]
    pictures = sim_pictures(real, run, rows.stop, (size, size))[rows]
    obs = {
        "agentview_image": pictures,
        "robot0_eye_in_hand_image": pictures[:, :, ::-1].copy(),
        "robot0_eef_pos": kept["eef_pos"],
        "robot0_eef_quat": kept["eef_quat"],
        "robot0_gripper_qpos": kept["gripper_qpos"],
        "robot0_joint_pos": kept["joint_pos"],
        "object": np.concatenate([kept["obj_pos"], kept["obj_quat"]], axis=1),
    }
    rewards = np.zeros(len(actions))
    rewards[-3:] = 1.0
    return Demo(obs, actions, kept["phase"], rewards)


def env_args(**kwargs: Any) -> dict[str, Any]:
    """robomimic's, for one Panda with robosuite's usual controller."""
    stated = {
        "has_renderer": False,
        "reward_shaping": False,
        "camera_names": ["agentview", "robot0_eye_in_hand"],
        "robots": ["Panda"],
        "control_freq": 20,
        "controller_configs": OSC,
        **kwargs,
    }
    return {"env_name": "PickPlaceCan", "env_version": "1.4.1", "type": 1, "env_kwargs": stated}


def write_robomimic(
    path: Path,
    demos: Mapping[str, Demo] | Sequence[Demo],
    *,
    args: dict[str, Any] | None = None,
    masks: Mapping[str, Sequence[str]] | None = None,
    compress: bool = False,
    data: Mapping[str, Any] | None = None,
) -> None:
    """`dataset_states_to_obs.py`, with ``--compress`` or without; low-dimensional when there are no pictures."""
    demos = demos if isinstance(demos, Mapping) else {f"demo_{i}": demo for i, demo in enumerate(demos)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as out:
        group = out.create_group("data")
        for name, demo in demos.items():
            write_demo(group.create_group(name), demo, compress=compress)
        group.attrs["total"] = sum(demo.n_rows for demo in demos.values())
        group.attrs["env_args"] = json.dumps(env_args() if args is None else args, indent=4)
        for key, value in (data or {}).items():
            group.attrs[key] = value
        for key, names in (masks or {}).items():
            out[f"mask/{key}"] = np.array(names, dtype="S")


def write_demo(group: h5py.Group, demo: Demo, *, compress: bool = False) -> None:
    group.create_dataset("actions", data=demo.actions)
    group.create_dataset("states", data=np.zeros((demo.n_rows, 71)))
    group.create_dataset("rewards", data=demo.rewards)
    group.create_dataset("dones", data=demo.rewards.astype(np.int64))
    for key, values in demo.obs.items():
        how = {"compression": "gzip"} if compress else {}
        group.create_dataset(f"obs/{key}", data=values, **how)
        group.create_dataset(f"next_obs/{key}", data=np.roll(values, -1, axis=0), **how)
    group.attrs["num_samples"] = demo.n_rows
    group.attrs["model_file"] = '<mujoco model="base"></mujoco>'
    for key, value in demo.attributes.items():
        group.attrs[key] = value


def write_libero(path: Path, demos: Sequence[Demo], *, convention: str | None = "opengl") -> None:
    """LIBERO's `create_dataset.py`: its own names, rotation vectors, pictures as OpenGL renders them."""
    with h5py.File(path, "w") as out:
        group = out.create_group("data")
        group.attrs["env_name"] = "Libero_Kitchen_Tabletop_Manipulation"
        problem = {"problem_name": "libero_kitchen", "language_instruction": "put the can into the bin"}
        group.attrs["problem_info"] = json.dumps(problem)
        group.attrs["bddl_file_name"] = "put_the_can.bddl"
        group.attrs["env_args"] = json.dumps(env_args())
        if convention is not None:
            group.attrs["macros_image_convention"] = convention
        for number, demo in enumerate(demos):
            written = group.create_group(f"demo_{number}")
            obs = demo.obs
            rotation = Rotation.from_quat(obs["robot0_eef_quat"]).as_rotvec()
            tables = {
                "gripper_states": obs["robot0_gripper_qpos"],
                "joint_states": obs["robot0_joint_pos"],
                "ee_states": np.hstack((obs["robot0_eef_pos"], rotation)),
                "ee_pos": obs["robot0_eef_pos"],
                "ee_ori": rotation,
                "agentview_rgb": obs["agentview_image"][:, ::-1],
                "eye_in_hand_rgb": obs["robot0_eye_in_hand_image"][:, ::-1],
            }
            for key, values in tables.items():
                written.create_dataset(f"obs/{key}", data=values)
            written.create_dataset("actions", data=demo.actions)
            written.create_dataset("states", data=np.zeros((demo.n_rows, 71)))
            written.create_dataset("robot_states", data=np.zeros((demo.n_rows, 9)))
            written.create_dataset("rewards", data=(np.arange(demo.n_rows) == demo.n_rows - 1).astype(np.uint8))
            written.create_dataset("dones", data=(np.arange(demo.n_rows) == demo.n_rows - 1).astype(np.uint8))
            written.attrs["num_samples"] = demo.n_rows
            written.attrs["model_file"] = "<mujoco/>"


def write_isaac(path: Path, demo: Demo, *, matrices: bool = True, success: bool = True) -> None:
    """IsaacLab Mimic's annotated demos: quaternions wxyz, positive actions open, no word about scales."""
    obs = demo.obs
    with h5py.File(path, "w") as out:
        group = out.create_group("data")
        group.attrs["total"] = demo.n_rows
        args = {"env_name": "Isaac-Stack-Cube-Franka-IK-Rel-Mimic-v0", "type": 2}
        group.attrs["env_args"] = json.dumps({**args, "sim_args": {"dt": 0.01, "decimation": 5}})
        written = group.create_group("demo_0")
        written.attrs["num_samples"] = demo.n_rows
        written.attrs["seed"] = 0
        written.attrs["success"] = success
        actions = demo.actions.astype(np.float32)
        actions[:, 6] *= -1
        written.create_dataset("actions", data=actions, compression="gzip")
        written.create_dataset("states/articulation/robot/joint_position", data=np.zeros((demo.n_rows, 9)))
        quaternion = obs["robot0_eef_quat"][:, [3, 0, 1, 2]].astype(np.float32)
        tables = {
            "eef_pos": obs["robot0_eef_pos"].astype(np.float32),
            "eef_quat": quaternion,
            "gripper_pos": obs["robot0_gripper_qpos"].astype(np.float32),
            "joint_pos": obs["robot0_joint_pos"].astype(np.float32),
            "table_cam": obs["agentview_image"],
        }
        for key, values in tables.items():
            written.create_dataset(f"obs/{key}", data=values, compression="gzip")
        if matrices:
            for name, values in (("eef_pose", poses(demo, 0)), ("target_eef_pose", poses(demo, 1))):
                written.create_dataset(f"obs/datagen_info/{name}/franka", data=values, compression="gzip")
        for name, flags in signals(demo).items():
            folder = "obs/datagen_info/subtask_term_signals"
            written.create_dataset(f"{folder}/{name}", data=flags[:, None], compression="gzip")


def poses(demo: Demo, shift: int) -> NDArray[np.float32]:
    """4×4 matrices [T, 4, 4] of the hand, ``shift`` rows later."""
    pose = np.tile(np.eye(4, dtype=np.float32), (demo.n_rows, 1, 1))
    pose[:, :3, 3] = demo.obs["robot0_eef_pos"]
    pose[:, :3, :3] = Rotation.from_quat(demo.obs["robot0_eef_quat"]).as_matrix()
    return pose[np.minimum(np.arange(demo.n_rows) + shift, demo.n_rows - 1)]


def signals(demo: Demo) -> dict[str, NDArray[np.bool_]]:
    """Two subtasks that are done when the next phase of the run begins; the last one has no signal."""
    return {"grasp_1": np.isin(demo.phase, ["lift", "move"]), "lift_1": demo.phase == "move"}
