"""robosuite's Lift as a task for a policy: a Panda lifts a cube, puts it back and lets go.

Scenes, controller, units and camera are those of the recordings that ``benchmarks.sim`` makes (docs/sim_truth.md), so
that a policy trained on those is at home here: the grip site in the robot's base frame, openings between the measured
ends of the fingers, 20 Hz, the camera ``front``. robosuite's fingers only close or open: above one half they open.

Needs robosuite and MuJoCo, in the simulators' environment (`make sim`).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

os.environ.setdefault("MUJOCO_GL", "egl")  # before MuJoCo is imported: nobody looks at a window here

import mujoco
import numpy as np
import robosuite
from robosuite.controllers import load_composite_controller_config
from scipy.spatial.transform import Rotation

from pipeline.recovery.demonstration import Pose
from pipeline.recovery.simulator import Moment
from pipeline.simulators.contacts import Contacts, geoms_below
from pipeline.simulators.eye import Eye
from pipeline.simulators.pictures import Pictures
from pipeline.simulators.task import TaskEvent
from pipeline.synthetic.truth import HARD_STOP, LIFT_M, MIN_HOLD_S, RETREAT_M
from schemas.array import Floats
from schemas.episode import Arm
from schemas.event import Verb

logging.getLogger("robosuite_logs").setLevel(logging.ERROR)  # it tells of every file it reads

VERSION = 1
"""Goes up whenever the same setpoints would lead elsewhere."""
RATE_HZ, SIZE = 20, 128
CLOSED_M, OPEN_M = 0.0018, 0.08
"""Between the fingers, as the recordings have it."""
REACHED_M = 0.02
"""The grip site is this near to the cube's middle, which is half a cube."""
CAMERA, SHOWN, COLLISION_GROUP = "agentview", "front", 0
_GAP = 3
_UP = np.array([0.0, 0.0, 1.0])
VERBS = (Verb.REACH, Verb.GRASP, Verb.LIFT, Verb.PLACE, Verb.RELEASE, Verb.RETREAT)


class RobosuiteLift:
    """A `SimulatedTask`."""

    def __init__(self) -> None:
        self._env: Any = None
        self._eye: Eye | None = None

    version = f"robosuite-lift {VERSION}, robosuite {robosuite.__version__}, mujoco {mujoco.__version__}"
    embodiment = "panda"
    source = "robosuite"
    rate_hz = float(RATE_HZ)
    instruction = "lift the cube and put it back"

    @property
    def events(self) -> Sequence[TaskEvent]:
        return [TaskEvent(verb, Arm.RIGHT, "cube") for verb in VERBS]

    def reset(self, seed: int) -> Moment:
        self.close()
        control = load_composite_controller_config(controller="BASIC", robot="Panda")
        control["body_parts"]["right"] |= {"type": "OSC_POSE", "input_type": "absolute", "input_ref_frame": "world"}
        self._env = robosuite.make(
            "Lift", robots=["Panda"], control_freq=RATE_HZ, seed=seed, controller_configs=control, has_renderer=False,
            has_offscreen_renderer=False, use_camera_obs=False, ignore_done=True,
        )  # fmt: skip
        self._env.reset()
        self._model, self._data = self._env.sim.model._model, self._env.sim.data._data
        gripper = self._env.robots[0].gripper["right"]
        hand, base = self._data.body(gripper.root_body).id, self._data.body("robot0_base")
        self._contacts = Contacts(
            left=self._geoms(gripper.important_geoms["left_finger"]),
            right=self._geoms(gripper.important_geoms["right_finger"]),
            gripper=geoms_below(self._model, [hand]),
            robot=geoms_below(self._model, [hand, base.id]),
            item=geoms_below(self._model, [self._data.body("cube_main").id]),
            carried_by_joint=False,
        )
        self._site = self._data.site(gripper.important_sites["grip_site"]).id
        self._fingers = [self._model.joint(name).qposadr[0] for name in gripper.joints]
        self._origin, self._base = base.xpos.copy(), base.xmat.reshape(3, 3).copy()
        self._judge = _Judge()
        self._watch()
        return self._look()

    def step(self, setpoints: Mapping[Arm, Pose]) -> Moment:
        told = setpoints[Arm.RIGHT]
        fingers = -1.0 if told.opening > 0.5 else 1.0
        turn = Rotation.from_matrix(self._base @ told.rotation).as_rotvec()
        self._env.step(np.concatenate([self._base @ told.position + self._origin, turn, [fingers]]))
        mujoco.mj_fwdPosition(self._model, self._data)  # contacts of the state as it is now, not a substep ago
        self._watch()
        return self._look()

    def done(self) -> Sequence[bool]:
        return [number < self._judge.done for number in range(len(VERBS))]

    def success(self) -> bool:
        """The cube was lifted and put back, and stands with nobody's hand on it."""
        return self._judge.done > VERBS.index(Verb.PLACE) and self._supported() and not self._held()

    @property
    def demonstration(self) -> Sequence[Mapping[Arm, Pose]]:
        """Waypoints at 0.25 m/s: above the cube, down, close, up, down, open, up. Valid from the scene's start."""
        pose, cube = self._pose(), self._local(self._contacts.where(self._data))
        axes = self._base.T @ self._data.xmat[self._data.body("cube_main").id].reshape(3, 3)
        flat = axes[:2, int(np.argmin(np.abs(axes[2])))]
        yaw = (np.arctan2(flat[1], flat[0]) + np.pi / 4) % (np.pi / 2) - np.pi / 4
        rotation = Rotation.from_rotvec([0.0, 0.0, yaw]).as_matrix() @ pose.rotation
        above, high = cube + 0.12 * _UP, cube + 0.15 * _UP
        way = [(above, 1.0), (cube, 1.0), (cube, 0.0), (high, 0.0), (cube - 0.01 * _UP, 0.0)]
        way += [(cube, 1.0), (above, 1.0)]
        told, at = [], pose.position
        for goal, opening in way:
            steps = max(12, round(1.9 * float(np.linalg.norm(goal - at)) / 0.25 * RATE_HZ))
            for k in range(1, steps + 1):
                u = k / steps
                share = 10 * u**3 - 15 * u**4 + 6 * u**5
                told.append({Arm.RIGHT: Pose(at + share * (goal - at), rotation, opening)})
            at = goal
        return told

    def close(self) -> None:
        if self._eye is not None:
            self._eye.close()
        if self._env is not None:
            self._env.close()
        self._env = self._eye = None

    def _watch(self) -> None:
        self._judge.look(
            hand=self._data.site_xpos[self._site].copy(), cube=self._contacts.where(self._data),
            held=self._held(), supported=self._supported(),
        )  # fmt: skip

    def _held(self) -> bool:
        return self._contacts.held(self._model, self._data) and self._opening() > HARD_STOP

    def _supported(self) -> bool:
        return self._contacts.supported(self._data)

    def _look(self) -> Moment:
        return Moment({Arm.RIGHT: self._pose()}, Pictures((SHOWN,), self._draw))

    def _draw(self, _: str) -> Any:
        if self._eye is None:
            self._eye = Eye(self._model, SIZE, CAMERA, (COLLISION_GROUP,))
        return self._eye.look(self._data)

    def _pose(self) -> Pose:
        rotation = self._base.T @ self._data.site_xmat[self._site].reshape(3, 3)
        return Pose(self._local(self._data.site_xpos[self._site]), rotation, self._opening())

    def _opening(self) -> float:
        width = float(np.abs(self._data.qpos[self._fingers]).sum())
        return float(np.clip((width - CLOSED_M) / (OPEN_M - CLOSED_M), 0.0, 1.0))

    def _local(self, where: Floats) -> Floats:
        local: Floats = self._base.T @ (where - self._origin)
        return local

    def _geoms(self, names: Sequence[str]) -> frozenset[int]:
        return frozenset(self._model.geom(name).id for name in names)


class _Judge:
    """Counts the events done, one after the other, by the constants of `pipeline.synthetic.truth`; none is undone.

    reach: the grip site is within 2 cm of the cube's middle, or the cube is held. grasp: held for 0.2 s. lift: held
    1 cm above where it stood, off its support. place: it stands again and is still held: a fall is no placing. release:
    it stands and is not held. retreat: the hand is 3 cm from where it let go. Contacts that flicker for up to `_GAP`
    periods end no hold.
    """

    def __init__(self) -> None:
        self.done = 0
        self._held_for = self._free_for = 0
        self._in_the_air = False
        """Since it was last lifted the hold has not ended."""
        self._stood_m: float | None = None
        self._left: Floats | None = None

    def look(self, hand: Floats, cube: Floats, held: bool, supported: bool) -> None:
        """One control period."""
        self._held_for = self._held_for + 1 if held else 0
        if self._stood_m is None or (supported and not held):
            self._stood_m = float(cube[2])
        self._free_for = 0 if held else self._free_for + 1
        lifted = held and not supported and cube[2] > self._stood_m + LIFT_M
        self._in_the_air = lifted or (self._in_the_air and self._free_for <= _GAP)
        true = (
            held or float(np.linalg.norm(hand - cube)) < REACHED_M,
            self._held_for > MIN_HOLD_S * RATE_HZ,
            lifted,
            held and supported and self._in_the_air,
            supported and not held,
            self._left is not None and float(np.linalg.norm(hand - self._left)) > RETREAT_M,
        )
        while self.done < len(VERBS) and true[self.done]:
            self.done += 1
            if self.done == VERBS.index(Verb.RELEASE) + 1:
                self._left = hand
