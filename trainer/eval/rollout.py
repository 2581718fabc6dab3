"""Closed loop: ask a policy for the next event, do all of it, look again, until the task or the time is over.

What is asked for and how long it may take is decided by a `Planner` before the policy is asked, and never from how long
the event would truly take: `event_by_event` names the event that physics says comes next and gives it the usual length
of its verb in the training set (event mode, text by a person); `chunk_by_chunk` asks for pieces of fixed length under
one text (unified mode).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from schemas.array import Floats
from schemas.displacement import ARM_OFFSETS, absolute_from
from schemas.pose import orthonormalise
from trainer.eval.environment import Environment
from trainer.policy import ActionChunk, Observation, Policy


@dataclass(frozen=True)
class Request:
    """What a policy is asked for."""

    text: str
    duration_s: float


class Planner(Protocol):
    """Decides what is to be done next."""

    def __call__(self, environment: Environment) -> Request: ...


def event_by_event(durations_s: Mapping[str, float]) -> Planner:
    """The next event that is not done, for as long as events of its verb usually take; ``""`` stands for any verb."""

    def plan(environment: Environment) -> Request:
        number = environment.events_done
        verb = environment.verbs[number]
        return Request(environment.events[number], durations_s.get(verb, durations_s[""]))

    return plan


def chunk_by_chunk(duration_s: float, text: str | None = None) -> Planner:
    """Pieces of one length, under one text: the task's instruction unless another is given."""
    return lambda environment: Request(environment.instruction if text is None else text, duration_s)


@dataclass(frozen=True)
class Asked:
    """One turn: what was asked when, and when it was over."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, eq=False)
class Rollout:
    """What came of one episode."""

    seed: int
    instruction: str
    events: tuple[str, ...]
    done: tuple[bool, ...]
    """Of ``events``, at the end; in an order in which the first that is missing tells where it stopped."""
    progress: float
    success: bool
    """Whether the scene was at the end as the task wants it."""
    seconds: float
    asked: tuple[Asked, ...]


Patience = Callable[[Environment], float]
"""How many seconds a scene is given."""


def twice_as_usual(durations_s: Mapping[str, float]) -> Patience:
    """Twice what events of the task's verbs usually take together: time for second tries, and an end."""
    return lambda environment: 2.0 * sum(durations_s.get(verb, durations_s[""]) for verb in environment.verbs)


Watch = Callable[[Environment, Observation, Request, float], None]
"""Shown every moment: where, what is seen, what was asked for, and how many seconds have passed."""


def roll_out(
    environment: Environment,
    policy: Policy,
    plan: Planner,
    *,
    seed: int,
    limit_s: Patience,
    watch: Watch | None = None,
) -> Rollout:
    """One episode, over when every event is done or after the time it is given.

    The same arguments give the same episode: the scene is of ``seed``, the policy's noise of seed and turn.
    """
    observation = environment.reset(seed)
    n_most, tick = round(limit_s(environment) * environment.control_hz), 0
    asked: list[Asked] = []
    while tick < n_most and not environment.done:
        request = plan(environment)
        chunk = policy.act(replace(observation, text=request.text), request.duration_s, _noise(seed, len(asked)))
        poses_K20 = poses_of(chunk, observation, environment.control_hz)
        begun = tick
        for pose_20 in poses_K20[: n_most - tick]:
            if watch is not None:
                watch(environment, observation, request, tick / environment.control_hz)
            observation = environment.step(pose_20)
            tick += 1
        asked.append(Asked(request.text, begun / environment.control_hz, tick / environment.control_hz))
    if watch is not None and asked:
        watch(environment, observation, Request(asked[-1].text, 0.0), tick / environment.control_hz)
    return Rollout(
        seed=seed,
        instruction=environment.instruction,
        events=tuple(environment.events),
        done=tuple(environment.which_done()),
        progress=environment.progress(),
        success=environment.success,
        seconds=tick / environment.control_hz,
        asked=tuple(asked),
    )


def poses_of(chunk: ActionChunk, observation: Observation, control_hz: float) -> Floats:
    """The poses to be told in each control period of a chunk, float32 [n, 20], at least one.

    Action k is what is told from its time on. Where the model gives fewer actions than there are periods, what lies
    between two is interpolated: positions and openings straight, rotations straight and made rotations again.
    """
    told_K20 = absolute_from(chunk.actions_20, observation.state_20, chunk.known_20)
    n = max(1, round(chunk.duration_s * control_hz))
    times_s = np.arange(n) / control_hz
    poses = np.stack([np.interp(times_s, chunk.times_s, column) for column in told_K20.T], axis=1).astype(np.float32)
    for base in ARM_OFFSETS:
        turn = slice(base + 3, base + 9)
        if np.any(poses[:, turn]):
            poses[:, turn] = orthonormalise(poses[:, turn])
    return poses


def _noise(seed: int, turn: int) -> int:
    """Of one turn of one episode, whatever happened before."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{turn}".encode()).digest()[:6], "little")
