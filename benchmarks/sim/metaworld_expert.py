"""MetaWorld's scripted experts, disturbed as events.md says. Needs the simulators' environment (docs/sim_truth.md).

One step is recorded as 50 ms (20 Hz), although MetaWorld's physics moves on by 12.5 ms: an expert that runs at its own
pace lifts at 0.8 m/s and is done in a second, faster than any arm that people record. Slowed down four times, pauses,
drops and holds have the lengths of real ones; only free fall looks like slow motion.
"""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
from metaworld.env_dict import ALL_V3_ENVIRONMENTS
from metaworld.policies import ENV_POLICY_MAP
from numpy.random import Generator

from benchmarks.sim.disturbance import Disturbance, Dropper, draw
from benchmarks.sim.performance import Debounce, Performance, Step
from benchmarks.sim.tasks import Task
from pipeline.simulators.contacts import Contacts, geoms_below
from pipeline.simulators.eye import Eye, camera_at
from schemas.array import Floats

RATE_HZ = 20.0
MOST_STEPS = 320
STANDING, AFTER_SUCCESS, MOST_LOWERING, OPENING, GOING_UP, RETREATING, RESTING = 6, 8, 80, 14, 20, 28, 8
PATIENCE, STUCK_M = 60, 0.01
DEEPER_M = 0.05
"""The experts' own floor keeps what they hold from reaching the table."""
LOOK_AT, DISTANCE_M, AZIMUTH, ELEVATION = (0.0, 0.68, 0.12), 1.0, 130.0, -25.0
CLOSED_M, OPEN_M = 0.0297, 0.1003
"""Between the claws, measured with nothing between them."""
_BASE_FROM_WORLD = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
"""The arm stands at the origin and faces +y."""
_HAND_FROM_TOOL = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
"""The hand's x axis points out of the gripper."""


class _Stage:
    """An environment that is stepped and watched."""

    def __init__(self, task: Task, seed: int, size: int | None) -> None:
        env = ALL_V3_ENVIRONMENTS[f"{task.name}-v3"]()
        env._partially_observable = False  # experts want to know the goal
        env.__dict__.pop("sawyer_observation_space", None)
        env._freeze_rand_vec, env._set_task_called, env.max_path_length = False, True, 10 * MOST_STEPS
        env.seeded_rand_vec = True  # or the scene is drawn from NumPy's global state, whatever the seed
        env.seed(seed)
        self.env, self.seen = env, env.reset()[0]
        self.model, self.data = env.model, env.data
        mujoco.mj_forward(self.model, self.data)  # a reset sets joints, not where that puts the bodies
        body = self.data.body(task.body).id
        left, right, hand, palm = (self.data.body(n).id for n in ("leftclaw", "rightclaw", "hand", "right_hand"))
        joints = range(self.model.body_jntadr[body], self.model.body_jntadr[body] + self.model.body_jntnum[body])
        self.contacts = Contacts(
            left=geoms_below(self.model, [left]),
            right=geoms_below(self.model, [right]),
            gripper=geoms_below(self.model, [hand, palm]),
            robot=geoms_below(self.model, [int(self.model.body_rootid[hand])]),
            item=geoms_below(self.model, [body]),
            carried_by_joint=all(self.model.jnt_type[joint] != mujoco.mjtJoint.mjJNT_FREE for joint in joints),
        )
        camera = camera_at(LOOK_AT, DISTANCE_M, AZIMUTH, ELEVATION)
        self.eye = None if size is None else Eye(self.model, size, camera)
        self.arm = [self.model.joint(f"right_j{k}").qposadr[0] for k in range(7)]
        versions = f"metaworld 3, mujoco {mujoco.__version__}"
        self.performance = Performance(
            task, seed, RATE_HZ, "sawyer", CLOSED_M, OPEN_M, Debounce(fill=3, shortest=6), versions
        )
        self.told_effort = -1.0

    @property
    def held(self) -> bool:
        return self.contacts.held(self.model, self.data)

    @property
    def supported(self) -> bool:
        return self.contacts.supported(self.data)

    def act(self, move: Floats, effort: float) -> bool:
        """Record what there is and what is told, then do it. Whether the task is done."""
        told = np.clip(np.append(move, effort), -1.0, 1.0)
        hand, tool = self.data.body("hand"), self.env.tcp_center
        goal = np.clip(
            self.data.mocap_pos[0] + told[:3] * self.env.action_scale, self.env.mocap_low, self.env.mocap_high
        )
        claws = self.data.body("rightclaw").xpos - self.data.body("leftclaw").xpos
        self.performance.steps.append(
            Step(
                tool=_BASE_FROM_WORLD @ tool,
                rotation=_BASE_FROM_WORLD @ hand.xmat.reshape(3, 3) @ _HAND_FROM_TOOL,
                width_m=float(np.linalg.norm(claws)),
                joints=self.data.qpos[self.arm].copy(),
                item=_BASE_FROM_WORLD @ self.contacts.where(self.data),
                held=self.held,
                touched=self.contacts.touched(self.model, self.data),
                supported=self.supported,
                target=_BASE_FROM_WORLD @ (goal + tool - hand.xpos),
                target_width_m=CLOSED_M + (OPEN_M - CLOSED_M) * (1.0 - float(told[3])) / 2.0,
                picture=None if self.eye is None else self.eye.look(self.data),
            )
        )
        self.told_effort = effort
        self.seen, _, _, _, info = self.env.step(told)
        return bool(info["success"])


def perform(task: Task, seed: int, rng: Generator, size: int | None) -> Performance:
    """One episode; with pictures of ``size`` pixels a side, or without."""
    stage = _Stage(task, seed, size)
    disturbance = draw(rng, MOST_STEPS)
    for _ in range(STANDING):
        stage.act(np.zeros(3), -1.0)
    _expert(stage, ENV_POLICY_MAP[f"{task.name}-v3"](), disturbance)
    if stage.performance.success:
        _put_down(stage)
    if stage.eye is not None:
        stage.eye.close()
    return stage.performance


def _expert(stage: _Stage, policy: Any, disturbance: Disturbance) -> None:
    """The expert until a little after success, or until nobody believes in it any more."""
    dropper, more = Dropper(disturbance.drops), AFTER_SUCCESS
    for k in range(MOST_STEPS):
        action = np.clip(policy.get_action(stage.seen), -1.0, 1.0)
        move = action[:3] * disturbance.scale + disturbance.noise[k]
        effort = float(action[3])
        if k in disturbance.paused:
            move, effort = np.zeros(3), stage.told_effort
        if dropper.opens(stage.held):
            effort = -1.0
        done = stage.act(move, effort)
        stage.performance.success |= done and dropper.left < 0
        more -= stage.performance.success
        if more < 0 or _stuck(stage):
            return


def _stuck(stage: _Stage) -> bool:
    """Whether the expert waits for something that does not come, such as an object that rolled out of reach."""
    recent = [step.tool for step in stage.performance.steps[-PATIENCE:]]
    return len(recent) == PATIENCE and float(np.ptp(recent, axis=0).max()) < STUCK_M


def _put_down(stage: _Stage) -> None:
    """Lower what is held until something else carries it, open, go up (and back where that parts nothing), rest."""
    effort, standing = stage.told_effort, 0
    stage.data.mocap_pos[0] = stage.data.body("hand").xpos  # an expert that presses is far ahead of its hand
    stage.env.mocap_low = stage.env.mocap_low - np.array([0.0, 0.0, DEEPER_M])
    for _ in range(MOST_LOWERING):
        standing = standing + 1 if stage.supported else 0
        if not stage.held or standing > 3:
            break
        stage.act(np.array([0.0, 0.0, -0.6]), effort)
    for _ in range(OPENING):
        stage.act(np.zeros(3), -1.0)
    for k in range(RETREATING):
        stuck = k >= GOING_UP and stage.contacts.touched(stage.model, stage.data)
        stage.act(np.array([0.0, -0.7 if stuck else 0.0, 0.7]), -1.0)
    for _ in range(RESTING):
        stage.act(np.zeros(3), -1.0)
