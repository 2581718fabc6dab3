"""What a number of rollouts came to: Task Progress with its interval, success, and how far tasks got.

Task Progress of an episode is the share of the task's events that were done, 0 to 100 (trainer.md, T19). Its mean is
given with a percentile bootstrap over episodes: few values are possible, so that nothing is assumed of their shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from schemas.array import Floats
from trainer.eval.rollout import Rollout

RESAMPLES = 10_000


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


def summary_of(rollouts: Sequence[Rollout], verbs: Sequence[Sequence[str]], seed: int = 0) -> Summary:
    """``verbs`` are those of each rollout's events. Raises ValueError for no rollouts."""
    if not rollouts:
        raise ValueError("found no rollouts, expected at least one")
    progress = np.array([each.progress for each in rollouts])
    counts: dict[str, list[bool]] = {}
    for each, named in zip(rollouts, verbs, strict=True):
        for verb, done in zip(named, each.done, strict=True):
            counts.setdefault(verb, []).append(done)
    return Summary(
        episodes=len(rollouts),
        progress=float(progress.mean()),
        progress_95=bootstrap_95(progress, seed),
        success=float(np.mean([each.success for each in rollouts])),
        done_by_verb={verb: float(np.mean(done)) for verb, done in counts.items()},
        seconds=float(np.mean([each.seconds for each in rollouts])),
    )


def bootstrap_95(values: Floats, seed: int = 0) -> tuple[float, float]:
    """Percentile interval of the mean over `RESAMPLES` draws with replacement. For paired arms: of the differences."""
    rng = np.random.default_rng([seed, len(values)])
    means = np.array([values[rng.integers(len(values), size=len(values))].mean() for _ in range(RESAMPLES)])
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
