"""What a number of rollouts came to: Task Progress with its interval, success, and how far tasks got.

Task Progress of an episode is the share of the task's events that were done, 0 to 100 (trainer.md, T19). Its mean is
given with a percentile bootstrap over episodes: few values are possible, so that nothing is assumed of their shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from schemas.array import Floats
from trainer.eval.environment import Environment
from trainer.rollout import Rollout

RESAMPLES = 10_000


@dataclass(frozen=True)
class Asked:
    """One act: what was asked for, for how long, and how long it was acted."""

    text: str
    asked_s: float
    acted_s: float


@dataclass(frozen=True)
class Episode:
    """What came of one scene; a line of ``results.jsonl``."""

    seed: int
    instruction: str
    events: tuple[str, ...]
    verbs: tuple[str, ...]
    done: tuple[bool, ...]
    """Of ``events``, at the end."""
    progress: float
    """0 … 100."""
    success: bool
    """Whether the scene was at the end as the task wants it."""
    seconds: float
    """Simulated."""
    thought_s: float
    """Wall-clock seconds of the policy."""
    acts: tuple[Asked, ...]


def episode_of(environment: Environment, made: Rollout) -> Episode:
    """The environment must still be where the rollout has left it."""
    hz = environment.control_hz
    return Episode(
        seed=made.seed,
        instruction=environment.instruction,
        events=tuple(environment.events),
        verbs=tuple(environment.verbs),
        done=tuple(environment.which_done()),
        progress=made.progress,
        success=environment.success,
        seconds=made.ticks / hz,
        thought_s=sum(act.thought_s for act in made.acts),
        acts=tuple(Asked(act.text, act.asked_s, len(act.commanded_T20) / hz) for act in made.acts),
    )


@dataclass(frozen=True)
class Summary:
    """Of all episodes together."""

    episodes: int
    progress: float
    """Mean, 0 … 100."""
    progress_95: tuple[float, float]
    success: float
    """Share of the episodes, 0 … 1."""
    done_by_verb: Mapping[str, float]
    """Of the events of a verb the share that was done, in the order tasks come to them."""
    seconds: float
    """Mean simulated length."""


def summary_of(episodes: Sequence[Episode], seed: int = 0) -> Summary:
    """Raises ValueError for no episodes."""
    if not episodes:
        raise ValueError("found no episodes, expected at least one")
    progress = np.array([each.progress for each in episodes])
    by_verb: dict[str, list[bool]] = {}
    for each in episodes:
        for verb, done in zip(each.verbs, each.done, strict=True):
            by_verb.setdefault(verb, []).append(done)
    return Summary(
        episodes=len(episodes),
        progress=float(progress.mean()),
        progress_95=bootstrap_95(progress, seed),
        success=float(np.mean([each.success for each in episodes])),
        done_by_verb={verb: float(np.mean(done)) for verb, done in by_verb.items()},
        seconds=float(np.mean([each.seconds for each in episodes])),
    )


def bootstrap_95(values: Floats, seed: int = 0) -> tuple[float, float]:
    """Percentile interval of the mean over `RESAMPLES` draws with replacement. For paired arms: of the differences."""
    rng = np.random.default_rng([seed, len(values)])
    means = values[rng.integers(len(values), size=(RESAMPLES, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
