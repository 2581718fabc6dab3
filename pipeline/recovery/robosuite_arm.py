"""robosuite as a simulator: scenes of robomimic files, whose `states` and `model_file` say everything about a moment.

Only files that keep both can be set up again: a picture and an arm's pose do not say where objects are to the
millimetre. The arm is driven by robosuite's own operational-space controller with absolute poses in the world, whatever
controller the demonstration was recorded with. robosuite's grippers know only closing and opening, which an opening is
turned into.

Needs robosuite and MuJoCo in an environment of its own (docs/recovery.md), and EGL or OSMesa to draw.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("MUJOCO_GL", "egl")  # before robosuite is imported: nobody looks at a window here

import h5py
import mujoco
import numpy as np
import robosuite
from robosuite.controllers import load_composite_controller_config
from robosuite.utils.camera_utils import get_camera_extrinsic_matrix, get_camera_intrinsic_matrix
from scipy.spatial.transform import Rotation

from pipeline.recovery.demonstration import Pose
from pipeline.recovery.simulator import Moment, SceneError, check_same_scene
from schemas.array import Floats
from schemas.episode import Arm, CameraRole
from schemas.event import Verb
from schemas.recording import RecordedCamera
from schemas.recovery_plan import PlannedEvent

_OURS = {
    "has_renderer": False,
    "has_offscreen_renderer": True,
    "use_camera_obs": False,
    "use_object_obs": True,
    "ignore_done": True,
    "hard_reset": False,
    "renderer": "mujoco",
}
"""What decides how an environment is run rather than what happens in it."""
_NOT_THEIRS = {"controller_configs", "camera_names", "camera_heights", "camera_widths", "camera_depths", "env_name"}
_OPENING_TOLERANCE = 0.02
_FINGER_CALLS = 20
"""A gripper's command moves by a share of its range per call; after these it has arrived."""
_SIZE = 256
_AGREE_M = 0.005


class RobosuiteSimulator:
    """Scenes of robomimic files; an environment is made once and used for all scenes of its kind."""

    def __init__(self, size: int = _SIZE) -> None:
        self._size = size
        self._env: Any = None
        self._made_for = ""
        self._model = ""

    @property
    def version(self) -> str:
        return f"robosuite {robosuite.__version__}, mujoco {mujoco.__version__}"

    def scene(self, event: PlannedEvent) -> RobosuiteScene:
        """Raises SceneError when the episode's file has no states, or is of an environment that cannot be made."""
        path, _, demo = event.scene.locator.rpartition("#")
        file = Path(event.scene.root) / path
        if not path or not file.is_file():
            raise SceneError(f"{event.scene.root}, {event.scene.locator}: no robomimic file, whose states are needed")
        try:
            with h5py.File(file, "r") as opened:
                args = str(opened["data"].attrs["env_args"])
                group = opened[f"data/{demo}"]
                model, state = str(group.attrs["model_file"]), np.asarray(group["states"][event.scene.row], np.float64)
                site = f"{_ROBOT}eef_quat_site" in group["obs"]
        except (OSError, KeyError, ValueError, IndexError, TypeError) as error:
            message = f"{file}, {demo}: no `env_args`, `model_file` or `states` of row {event.scene.row} ({error})"
            raise SceneError(message) from error
        env = self._environment(args, file)
        try:
            if model != self._model:
                env.reset()
                env.reset_from_xml_string(env.edit_model_xml(model))
                self._model = model
            env.sim.reset()
            env.sim.set_state_from_flattened(state)
            env.sim.forward()
        except Exception as error:  # the model's text is a program for MuJoCo, which fails in ways of its own
            self._model = ""
            raise SceneError(f"{file}, {demo}: robosuite {robosuite.__version__} cannot restore it: {error}") from error
        scene = RobosuiteScene(env, event, self._size, f"{_ROBOT}eef_quat_site" if site else f"{_ROBOT}eef_quat")
        check_same_scene(event, scene.look(), _AGREE_M)
        return scene

    def _environment(self, args: str, file: Path) -> Any:
        if args == self._made_for:
            return self._env
        try:
            stated = json.loads(args)
            theirs = {key: value for key, value in stated["env_kwargs"].items() if key not in _NOT_THEIRS}
            robots = theirs.get("robots", [])
            robot = robots[0] if isinstance(robots, list) and len(robots) == 1 else robots
            if not isinstance(robot, str):
                raise SceneError(f"{file}: robots {robots}, expected one with one arm")
            control = _absolute(load_composite_controller_config(controller="BASIC", robot=robot))
            made = robosuite.make(stated["env_name"], **{**theirs, **_OURS}, controller_configs=control)
        except (KeyError, ValueError, TypeError, AttributeError, AssertionError) as error:
            message = f"{file}: robosuite {robosuite.__version__} cannot make its environment: {error!r}"
            raise SceneError(message) from error
        if list(made.robots[0].arms) != ["right"]:
            raise SceneError(f"{file}: the robot has the arms {list(made.robots[0].arms)}, expected one")
        self._env, self._made_for, self._model = made, args, ""
        made.reset()
        return made


_ROBOT = "robot0_"


def _absolute(config: dict[str, Any]) -> dict[str, Any]:
    """The usual controller, told poses in the world instead of steps."""
    config["body_parts"]["right"] |= {"type": "OSC_POSE", "input_type": "absolute", "input_ref_frame": "world"}
    return config


class RobosuiteScene:
    """One moment of one demo, and what follows."""

    def __init__(self, env: Any, event: PlannedEvent, size: int, rotation_key: str) -> None:
        assert event.arm is not None
        self._env, self._arm, self._size, self._rotation_key = env, event.arm, size, rotation_key
        self._robot = env.robots[0]
        self._gripper = self._robot.gripper["right"]
        for _ in range(_FINGER_CALLS):  # what the fingers were told is no part of the state
            self._gripper.format_action(np.array([-1.0 if event.verb is Verb.GRASP else 1.0]))
        self._robot.composite_controller.update_state()
        self._robot.composite_controller.reset()
        self._seen = env._get_observations(force_update=True)
        self._site_from_told = self._rotation(rotation_key).T @ self._site_rotation()

    @property
    def rate_hz(self) -> float:
        return float(self._env.control_freq)

    @property
    def cameras(self) -> Sequence[RecordedCamera]:
        sim, size = self._env.sim, self._size
        cameras = []
        for name, role, still in _CAMERAS:
            if name not in sim.model.camera_names:
                continue
            where = get_camera_extrinsic_matrix(sim, name).tolist() if still else None
            intrinsics = get_camera_intrinsic_matrix(sim, name, size, size).tolist()
            cameras.append(
                RecordedCamera(name=name, file=f"{name}.mp4", role=role, intrinsics=intrinsics, extrinsics=where)
            )
        return cameras

    def look(self) -> Moment:
        position = np.asarray(self._seen[f"{_ROBOT}eef_pos"], np.float64)
        pose = Pose(position, self._rotation(self._rotation_key), self._opening())
        return Moment({self._arm: pose}, {camera.name: self._picture(camera.name) for camera in self.cameras})

    def step(self, setpoints: Mapping[Arm, Pose]) -> Moment:
        told = setpoints[self._arm]
        turn = Rotation.from_matrix(told.rotation @ self._site_from_told).as_rotvec()
        missing = told.opening - self._opening()
        fingers = 0.0 if abs(missing) < _OPENING_TOLERANCE else -np.sign(missing)
        self._seen, *_ = self._env.step(np.concatenate([told.position, turn, [fingers]]))
        return self.look()

    def success(self) -> bool | None:
        """robosuite's own word."""
        return bool(self._env._check_success())

    def close(self) -> None:
        """The environment is used again."""

    def _opening(self) -> float:
        """Half the jaw's width as a share of what the fingers' joints allow: 1 is as open as the model can be."""
        joints = self._robot.gripper["right"].joints
        reach = [
            np.abs(self._env.sim.model.jnt_range[self._env.sim.model.joint_name2id(name)]).max() for name in joints
        ]
        there = np.abs(self._seen[f"{_ROBOT}gripper_qpos"])
        return float(np.clip(np.mean(there / np.asarray(reach)), 0.0, 1.0))

    def _rotation(self, key: str) -> Floats:
        rotation: Floats = Rotation.from_quat(self._seen[key]).as_matrix()
        return rotation

    def _site_rotation(self) -> Floats:
        """Of what the controller moves: the grip site, which is turned against the hand's body."""
        site = self._env.sim.model.site_name2id(self._gripper.important_sites["grip_site"])
        return np.array(self._env.sim.data.site_xmat[site]).reshape(3, 3)

    def _picture(self, camera: str) -> Any:
        return self._env.sim.render(camera_name=camera, width=self._size, height=self._size)[::-1]


_CAMERAS = (
    ("agentview", CameraRole.THIRD_PERSON, True),
    ("robot0_eye_in_hand", CameraRole.WRIST_RIGHT, False),
)
