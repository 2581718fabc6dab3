"""Waypoint experts for robosuite's Panda at 20 Hz, disturbed like MetaWorld's, and with misses of their own.

Needs the simulators' environment (docs/sim_truth.md).
"""

from __future__ import annotations

import logging
from typing import Any

import mujoco
import numpy as np
import robosuite
from numpy.random import Generator
from robosuite.controllers import load_composite_controller_config
from scipy.spatial.transform import Rotation

from benchmarks.sim.disturbance import DROP_STEPS, Disturbance, Dropper, draw
from benchmarks.sim.performance import Debounce, Performance, Step
from benchmarks.sim.tasks import Task
from pipeline.simulators.contacts import Contacts, geoms_below
from pipeline.simulators.eye import Eye
from schemas.array import Floats

logging.getLogger("robosuite_logs").setLevel(logging.ERROR)  # it tells of every file it reads

RATE_HZ = 20.0
MOST_STEPS = 600
OPEN, CLOSED = -1.0, 1.0
DROP_AFTER, NOTICES_AFTER = (12, 45), 6
SPEED_M_S, NOISE_M = 0.25, 0.02
MISS_SHARE, MISS_STEPS = 0.25, 20
MISS_ABOVE_M = {"Lift": 0.08, "PickPlaceCan": 0.12, "PickPlaceMilk": 0.17}
"""Above the object's middle, with air between; the fingers take 15 steps to their hard stop."""
TRIES = 3
TOWARDS_ARM_M, PRESSES_M = 0.04, 0.04
"""The middle of the far bin is at the end of the arm's reach, where it comes down only half-way."""
CAMERA, COLLISION_GROUP = "agentview", 0
CLOSED_M, OPEN_M = 0.0018, 0.08
"""Between the fingers; measured with nothing between them, 20 steps after the command."""
_UP = np.array([0.0, 0.0, 1.0])
_GRASP_ABOVE_M = {"Lift": 0.0, "PickPlaceCan": 0.01, "PickPlaceMilk": 0.02}


class _Lost(Exception):  # noqa: N818 - no error: the object is no longer in the hand
    """The object is gone from between the fingers."""


class _Stage:
    """An environment that is driven by setpoints and watched."""

    def __init__(self, task: Task, seed: int, size: int | None, disturbance: Disturbance, drop_after: int) -> None:
        control = load_composite_controller_config(controller="BASIC", robot="Panda")
        control["body_parts"]["right"] |= {"type": "OSC_POSE", "input_type": "absolute", "input_ref_frame": "world"}
        self.env = robosuite.make(
            task.name, robots=["Panda"], control_freq=round(RATE_HZ), seed=seed, controller_configs=control,
            has_renderer=False, has_offscreen_renderer=False, use_camera_obs=False, ignore_done=True,
        )  # fmt: skip
        self.seen = self.env.reset()
        self.model, self.data = self.env.sim.model._model, self.env.sim.data._data
        self.body = self.data.body(task.body).id
        gripper = self.env.robots[0].gripper["right"]
        hand = self.data.body(gripper.root_body).id
        self.contacts = Contacts(
            left=self._geoms(gripper.important_geoms["left_finger"]),
            right=self._geoms(gripper.important_geoms["right_finger"]),
            gripper=geoms_below(self.model, [hand]),
            robot=geoms_below(self.model, [hand, self.data.body("robot0_base").id]),
            item=geoms_below(self.model, [self.body]),
            carried_by_joint=False,
        )
        self.site = self.data.site(gripper.important_sites["grip_site"]).id
        self.fingers = [self.model.joint(name).qposadr[0] for name in gripper.joints]
        self.arm = [self.model.joint(f"robot0_joint{k}").qposadr[0] for k in range(1, 8)]
        base = self.data.body("robot0_base")
        self.origin, self.base = base.xpos.copy(), base.xmat.reshape(3, 3).copy()
        self.eye = None if size is None else Eye(self.model, size, CAMERA, (COLLISION_GROUP,))
        self.disturbance, self.dropper = disturbance, Dropper(disturbance.drops, drop_after)
        self.missing_for: int | None = None
        """Steps since the fingers lost what they held; None while they have held nothing."""
        versions = f"robosuite {robosuite.__version__}, mujoco {mujoco.__version__}"
        self.performance = Performance(
            task, seed, RATE_HZ, "panda", CLOSED_M, OPEN_M, Debounce(fill=3, shortest=3), versions
        )
        self.at, self.turn = self.data.site_xpos[self.site].copy(), self._rotation()
        self.started = self.goal = self.turn

    def _geoms(self, names: list[str]) -> frozenset[int]:
        return frozenset(self.model.geom(name).id for name in names)

    def _rotation(self) -> Any:
        return Rotation.from_matrix(self.data.site_xmat[self.site].reshape(3, 3))

    @property
    def item(self) -> Floats:
        where: Floats = self.contacts.where(self.data)
        return where

    def held(self) -> bool:
        return self.contacts.held(self.model, self.data)

    @property
    def over(self) -> bool:
        return len(self.performance.steps) >= MOST_STEPS

    def _local(self, where: Floats) -> Floats:
        local: Floats = self.base.T @ (where - self.origin)
        return local

    def act(self, fingers: float) -> None:
        """Record what there is and what is told, then do it; a forced opening overrides the fingers."""
        if self.over or self._lost(fingers):
            raise _Lost
        told = self.at + self.disturbance.noise[len(self.performance.steps)] * NOISE_M
        if self.dropper.opens(self.held() and fingers == CLOSED):
            fingers = OPEN
        self.performance.steps.append(
            Step(
                tool=self._local(self.data.site_xpos[self.site]),
                rotation=self.base.T @ self._rotation().as_matrix(),
                width_m=float(np.abs(self.data.qpos[self.fingers]).sum()),
                joints=self.data.qpos[self.arm].copy(),
                item=self._local(self.item),
                held=self.held(),
                touched=self.contacts.touched(self.model, self.data),
                supported=self.contacts.supported(self.data),
                target=self._local(told),
                target_width_m=OPEN_M if fingers == OPEN else CLOSED_M,
                picture=None if self.eye is None else self.eye.look(self.data),
            )
        )
        self.seen, *_ = self.env.step(np.concatenate([told, self.turn.as_rotvec(), [fingers]]))
        mujoco.mj_fwdPosition(self.model, self.data)  # contacts of the state as it is now, not a substep ago
        self.performance.success |= bool(self.env._check_success())

    def _lost(self, fingers: float) -> bool:
        if fingers == OPEN:
            self.missing_for = None
        elif self.held():
            self.missing_for = 0
        elif self.missing_for is not None:
            self.missing_for += 1
        return self.missing_for is not None and self.missing_for > NOTICES_AFTER

    def go(self, to: Floats, fingers: float, speed_m_s: float = SPEED_M_S) -> None:
        """A minimum-jerk way to a place; pauses are taken on the way."""
        start, way = self.at.copy(), float(np.linalg.norm(to - self.at))
        turn, turning = self.turn, (self.goal * self.turn.inv()).as_rotvec()
        steps = max(6, round(1.9 * way / (speed_m_s * self.disturbance.scale) * RATE_HZ))
        for k in range(1, steps + 1):
            while len(self.performance.steps) in self.disturbance.paused:
                self.act(fingers)
            u = k / steps
            share = 10 * u**3 - 15 * u**4 + 6 * u**5
            self.at = start + share * (to - start)
            self.turn = Rotation.from_rotvec(share * turning) * turn
            self.act(fingers)

    def stay(self, steps: int, fingers: float) -> None:
        for _ in range(steps):
            self.act(fingers)

    def face(self) -> None:
        """On the way to come, turn the fingers to the object's sides, by as little as will do."""
        axes = self.data.xmat[self.body].reshape(3, 3)
        flat = axes[:2, np.argmin(np.abs(axes[2]))]
        yaw = (np.arctan2(flat[1], flat[0]) + np.pi / 4) % (np.pi / 2) - np.pi / 4
        self.goal = Rotation.from_rotvec(yaw * _UP) * self.started


def perform(task: Task, seed: int, rng: Generator, size: int | None) -> Performance:
    """One episode; with pictures of ``size`` pixels a side, or without."""
    disturbance = draw(rng, MOST_STEPS + 1)
    stage = _Stage(task, seed, size, disturbance, int(rng.integers(*DROP_AFTER)))
    misses = bool(rng.random() < MISS_SHARE)
    stage.stay(5, OPEN)
    for attempt in range(TRIES):
        try:
            _pick(stage, misses and attempt == 0)
            _place(stage)
            break
        except _Lost:
            if stage.over:
                break
            stage.stay(DROP_STEPS, OPEN)
    if not stage.over:
        try:
            stage.stay(10, OPEN)
            stage.go(stage.at + 0.15 * _UP, OPEN)
            stage.stay(6, OPEN)
        except _Lost:
            pass
    if stage.eye is not None:
        stage.eye.close()
    return stage.performance


def _pick(stage: _Stage, misses: bool) -> None:
    """Above the object, down, close, up. Raises _Lost when it does not come along or falls."""
    stage.face()
    stage.go(np.append(stage.item[:2], max(stage.at[2], stage.item[2] + 0.15)), OPEN)
    if misses:
        stage.go(stage.item + MISS_ABOVE_M[stage.performance.task.name] * _UP, OPEN)
        stage.stay(MISS_STEPS, CLOSED)
        stage.stay(12, OPEN)
    stage.go(stage.item + _GRASP_ABOVE_M[stage.performance.task.name] * _UP, OPEN, 0.15)
    stage.stay(4, OPEN)
    stage.stay(10, CLOSED)
    stage.go(stage.at + 0.22 * _UP, CLOSED)
    if not stage.held():
        raise _Lost


def _place(stage: _Stage) -> None:
    """Over the goal, down until it stands, let go of afterwards. Raises _Lost when it falls on the way."""
    if stage.performance.task.name == "Lift":
        goal = stage.at[:2] + np.array([0.0, 0.12])
    else:
        goal = np.asarray(stage.env.target_bin_placements[stage.env.object_id])[:2] - TOWARDS_ARM_M
    stage.go(np.append(goal, stage.at[2]), CLOSED)
    if not stage.held():
        raise _Lost
    standing = 0
    while standing < 3 and stage.held() and stage.data.site_xpos[stage.site][2] - stage.at[2] < PRESSES_M:
        standing = standing + 1 if stage.contacts.supported(stage.data) else 0
        stage.at = stage.at - 0.0075 * stage.disturbance.scale * _UP
        stage.act(CLOSED)
    if not stage.held() and not standing:
        raise _Lost
    stage.stay(5, CLOSED)
