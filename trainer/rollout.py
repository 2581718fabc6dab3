"""A policy in an environment, in one of two modes, with a record of what happened.

Event mode: a planner says the next event and how long it takes, the model imagines all of it, all of it is executed,
then the scene is looked at again. Unified mode: the same with chunks of one fixed length, whose text comes from a text
source. Everything is a function of the seed.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from torch import Tensor

from schemas.array import Floats
from trainer.eval.environment import Environment
from trainer.next_event import PastEvent, Planner
from trainer.policy import ActionChunk, Observation, Policy
from trainer.text_source import TextSource
from trainer.trajectory import poses_of, tick_times


@dataclass(frozen=True, eq=False)
class Act:
    """One event, or one chunk: what was wanted, what was imagined, and what came of it."""

    text: str
    source: str
    """Who said so: ``planner``, or a text source's name."""
    asked_s: float
    """The duration that was asked for."""
    chunk: ActionChunk
    anchor_20: Floats
    """The observed pose its actions start from."""
    commanded_T20: Floats
    """float32: the absolute pose of every tick that was executed."""
    reached_T20: Floats
    """float32: proprioception after each; NaN where the environment does not know."""
    thought_s: float
    """Wall-clock seconds the policy took."""


@dataclass(frozen=True, eq=False)
class Rollout:
    """A whole run of one scene."""

    mode: str
    seed: int
    acts: tuple[Act, ...]
    progress: float
    """0 … 100, at the end."""
    done: bool
    ticks: int
    """Control ticks in all: what two policies are compared over."""
    progress_after: tuple[float, ...]
    """After every act."""


@dataclass(frozen=True, eq=False)
class _Wanted:
    text: str
    source: str
    duration_s: float
    text_SC: Tensor | None = None


_Next: TypeAlias = Callable[[Observation, Sequence[PastEvent]], _Wanted | None]


def event_rollout(policy: Policy, planner: Planner, environment: Environment, *, seed: int, max_s: float) -> Rollout:
    """Events until the task or the time is over, or the planner has nothing left."""

    def wanted(observation: Observation, history: Sequence[PastEvent]) -> _Wanted | None:
        event = planner.next(observation, history)
        return None if event is None else _Wanted(event.text, "planner", event.duration_s, event.text_SC)

    return _roll("event", policy, wanted, environment, seed, max_s)


def unified_rollout(
    policy: Policy, source: TextSource, environment: Environment, chunk_s: float, *, seed: int, max_s: float
) -> Rollout:
    """Chunks of ``chunk_s`` seconds until the task or the time is over, or the source has nothing left to say."""

    def wanted(observation: Observation, history: Sequence[PastEvent]) -> _Wanted | None:
        said = source.say(observation, history)
        return None if said is None else _Wanted(said.text, said.source, chunk_s, said.text_SC)

    return _roll("unified", policy, wanted, environment, seed, max_s)


def _roll(  # noqa: PLR0917
    mode: str, policy: Policy, wanted: _Next, environment: Environment, seed: int, max_s: float
) -> Rollout:
    observation = environment.reset(seed)
    acts: list[Act] = []
    history: list[PastEvent] = []
    progress: list[float] = []
    ticks, most = 0, round(max_s * environment.control_hz)
    while ticks < most and not environment.done:
        want = wanted(observation, history)
        if want is None:
            break
        act, observation = _act(policy, want, observation, environment, seed_of(seed, len(acts)), most - ticks)
        ticks += len(act.commanded_T20)
        acts.append(act)
        history.append(PastEvent(act.text, len(act.commanded_T20) / environment.control_hz))
        progress.append(environment.progress())
    return Rollout(mode, seed, tuple(acts), environment.progress(), environment.done, ticks, tuple(progress))


def _act(  # noqa: PLR0917
    policy: Policy, want: _Wanted, observation: Observation, environment: Environment, seed: int, most: int
) -> tuple[Act, Observation]:
    """Imagine once, execute all of it or until the task or the time is over."""
    anchor_20, began = observation.state_20, time.perf_counter()
    chunk = policy.act(replace(observation, text=want.text, text_SC=want.text_SC), want.duration_s, seed)
    thought_s = time.perf_counter() - began
    poses = poses_of(chunk, anchor_20, tick_times(chunk.duration_s, environment.control_hz)[:most])
    reached: list[Floats] = []
    for pose_20 in poses:
        observation = environment.step(pose_20)
        reached.append(np.where(observation.state_known_20, observation.state_20, np.nan).astype(np.float32))
        if environment.done:
            break
    commanded = poses[: len(reached)]
    act = Act(
        want.text, want.source, want.duration_s, chunk, anchor_20, commanded, np.stack(reached), round(thought_s, 6)
    )
    return act, observation


def seed_of(seed: int, number: int) -> int:
    """The seed of one act of a rollout; counted, so that it does not depend on what happened before."""
    return int.from_bytes(hashlib.blake2b(f"{seed}:{number}".encode(), digest_size=6).digest(), "little")
