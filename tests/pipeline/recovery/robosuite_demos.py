"""Demonstrations made in robosuite by a script, written as robomimic's tools write them, states and models included.

In robosuite's environment: ``python -m tests.pipeline.recovery.robosuite_demos OUT.hdf5 [Lift|PickPlaceCan] [SEED]``.
"""

import json
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import robosuite
from robosuite.controllers import load_composite_controller_config
from scipy.spatial.transform import Rotation

from pipeline.recovery.robosuite_arm import _absolute

SIZE = 64
OPEN, CLOSED = -1.0, 1.0


class Writer:
    """Steps an environment and keeps what robomimic keeps: what was seen and the state before each action."""

    def __init__(self, name: str, seed: int, **more: Any) -> None:
        control = _absolute(load_composite_controller_config(controller="BASIC", robot="Panda"))
        self.kwargs = {"robots": ["Panda"], "control_freq": 20, "seed": seed, **more}
        self.name, self.control = name, control
        self.env = robosuite.make(
            name, **self.kwargs, controller_configs=control, has_renderer=False, has_offscreen_renderer=True,
            use_camera_obs=False, ignore_done=True,
        )  # fmt: skip
        self.obs = self.env.reset()
        self.model = self.env.sim.model.get_xml()
        state = self.env.sim.get_state().flatten()
        self.env.reset_from_xml_string(self.model)
        self.env.sim.reset()
        self.env.sim.set_state_from_flattened(state)
        self.env.sim.forward()
        self.obs = self.env._get_observations(force_update=True)
        self.turn = Rotation.from_quat(self.obs["robot0_eef_quat_site"])
        self.rows: dict[str, list[Any]] = {}
        self.at = np.array(self.obs["robot0_eef_pos"])

    def go(self, to: Any, steps: int, fingers: float) -> None:
        start = self.at.copy()
        for k in range(1, steps + 1):
            u = k / steps
            self.at = start + (10 * u**3 - 15 * u**4 + 6 * u**5) * (np.asarray(to) - start)
            self._step(fingers)

    def stay(self, steps: int, fingers: float) -> None:
        for _ in range(steps):
            self._step(fingers)

    def _step(self, fingers: float) -> None:
        action = np.concatenate([self.at, self.turn.as_rotvec(), [fingers]])
        sim = self.env.sim
        keep = {
            "states": sim.get_state().flatten(),
            "actions": action,
            "obs/agentview_image": sim.render(camera_name="agentview", width=SIZE, height=SIZE)[::-1],
        }
        for key in ("eef_pos", "eef_quat", "eef_quat_site", "gripper_qpos", "joint_pos"):
            keep[f"obs/robot0_{key}"] = np.array(self.obs[f"robot0_{key}"])
        for key, value in keep.items():
            self.rows.setdefault(key, []).append(value)
        self.obs, *_ = self.env.step(action)

    def write(self, path: Path) -> None:
        """One file with one demo."""
        path.parent.mkdir(parents=True, exist_ok=True)
        args = {"env_name": self.name, "env_version": robosuite.__version__, "type": 1}
        args["env_kwargs"] = {**self.kwargs, "controller_configs": self.control}
        with h5py.File(path, "w") as out:
            group = out.create_group("data/demo_0")
            for key, values in self.rows.items():
                group.create_dataset(key, data=np.stack(values))
            group.create_dataset("rewards", data=np.zeros(len(self.rows["actions"])))
            group.create_dataset("dones", data=np.zeros(len(self.rows["actions"]), np.int64))
            group.attrs["num_samples"] = len(self.rows["actions"])
            group.attrs["model_file"] = self.model
            out["data"].attrs["env_args"] = json.dumps(args)
            out["data"].attrs["total"] = len(self.rows["actions"])


def pick(writer: Writer, thing: Any, above: float = 0.1) -> None:
    up = np.array([0.0, 0.0, 1.0])
    writer.go(thing + above * up, 25, OPEN)
    writer.go(thing, 20, OPEN)
    writer.stay(5, OPEN)
    writer.stay(12, CLOSED)
    writer.go(thing + (above + 0.05) * up, 25, CLOSED)


def lift(path: Path, seed: int) -> bool:
    writer = Writer("Lift", seed)
    pick(writer, np.array(writer.obs["cube_pos"]))
    writer.stay(10, CLOSED)
    writer.write(path)
    return bool(writer.env._check_success())


def pick_place_can(path: Path, seed: int) -> bool:
    writer = Writer("PickPlaceCan", seed)
    pick(writer, np.array(writer.obs["Can_pos"]) + 0.01 * np.array([0.0, 0.0, 1.0]), 0.2)
    up = np.array([0.0, 0.0, 1.0])
    goal = np.array(writer.env.target_bin_placements[writer.env.object_id])
    writer.go(goal + 0.3 * up, 45, CLOSED)
    writer.go(goal + 0.075 * up, 40, CLOSED)
    writer.stay(8, CLOSED)
    writer.stay(10, OPEN)
    writer.go(goal + 0.3 * up, 25, OPEN)
    writer.stay(5, OPEN)
    writer.write(path)
    return bool(writer.env._check_success())


if __name__ == "__main__":
    make = {"Lift": lift, "PickPlaceCan": pick_place_can}[sys.argv[2] if len(sys.argv) > 2 else "Lift"]
    print("success:", make(Path(sys.argv[1]), int(sys.argv[3]) if len(sys.argv) > 3 else 0))
