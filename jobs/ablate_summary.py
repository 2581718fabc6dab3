"""What an ablation came to: every arm's Task Progress, and its paired difference from the base.

Rows are paired by (seed, episode): the same initial weights, the same scene. The bootstrap draws seeds with
replacement, and inside each drawn seed its episodes: runs of one seed share a model, so episodes alone would make the
interval of few models look like that of many. With three seeds it is wide, and rightly so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from jobs.ablate_arms import BASE
from schemas.array import Floats

WORSE_BY = 5.0
"""T19 of trainer.md gates on this and on nothing else until a pilot is larger."""


@dataclass(frozen=True)
class Row:
    """One episode of one model."""

    arm: str
    seed: int
    episode: int
    scene: int
    """Seed of the scene."""
    progress: float
    """0 … 100."""
    success: bool
    steps: int
    """Control ticks it took."""
    turns: int
    """How often the policy was asked."""


@dataclass(frozen=True)
class Interval:
    """A mean and the middle 95 % of the bootstrap."""

    mean: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class ArmSummary:
    """One arm over all seeds and episodes."""

    arm: str
    episodes: int
    progress: Interval
    by_seed: Mapping[int, float]
    success: float
    difference: Interval | None
    """Arm less base, paired; None for the base."""


def summarise(rows: Sequence[Row], resamples: int) -> list[ArmSummary]:
    """Every arm, in the order of their rows. Raises ValueError when the arms were not judged on the same scenes."""
    names = list(dict.fromkeys(row.arm for row in rows))
    tables = {name: _table([row for row in rows if row.arm == name]) for name in names}
    pairs = set(tables[names[0]])
    for name in names:
        if set(tables[name]) != pairs:
            raise ValueError(f"arm {name}: {len(tables[name])} episodes, not the {len(pairs)} of {names[0]}; finish it")
    found = []
    for name in names:
        own = tables[name]
        scores = _by_seed({pair: row.progress for pair, row in own.items()})
        less = {pair: row.progress - tables[BASE][pair].progress for pair, row in own.items()} if name != BASE else {}
        found.append(
            ArmSummary(
                name,
                len(own),
                interval(list(scores.values()), resamples),
                {seed: float(values.mean()) for seed, values in scores.items()},
                float(np.mean([row.success for row in own.values()])),
                interval(list(_by_seed(less).values()), resamples) if less else None,
            )
        )
    return found


def difference(rows: Sequence[Row], arm: str, other: str, resamples: int) -> Interval:
    """``arm`` less ``other``, paired."""
    own, theirs = (_table([row for row in rows if row.arm == name]) for name in (arm, other))
    less = _by_seed({pair: row.progress - theirs[pair].progress for pair, row in own.items()})
    return interval(list(less.values()), resamples)


def interval(groups: Sequence[Floats], resamples: int) -> Interval:
    """Of the mean of groups' means: groups are drawn with replacement, then values inside each drawn group."""
    rng = np.random.default_rng([len(groups), resamples])  # same rows, same interval
    chosen = rng.integers(len(groups), size=(resamples, len(groups)))
    totals = np.zeros(resamples)
    for number, values in enumerate(groups):
        times = (chosen == number).sum(axis=1)
        for most in range(1, len(groups) + 1):
            drawn = values[rng.integers(len(values), size=(resamples, len(values)))].mean(axis=1)
            totals += np.where(times >= most, drawn, 0.0)
    low, high = np.quantile(totals / len(groups), [0.025, 0.975])
    return Interval(float(np.mean([values.mean() for values in groups])), float(low), float(high))


def _table(rows: Sequence[Row]) -> dict[tuple[int, int], Row]:
    return {(row.seed, row.scene): row for row in rows}


def _by_seed(values: Mapping[tuple[int, int], float]) -> dict[int, Floats]:
    seeds = sorted({seed for seed, _ in values})
    return {seed: np.array([values[pair] for pair in sorted(values) if pair[0] == seed]) for seed in seeds}


def verdict(found: Interval) -> str:
    """In words, and no more than the interval bears."""
    if not found.excludes_zero:
        return "no difference that this pilot can tell from noise"
    better = "better" if found.mean > 0 else "worse"
    return f"{better} in this pilot: a hint, in one simulator, at one size"


def not_worse(found: Interval) -> bool:
    """T19's gate."""
    return found.mean > -WORSE_BY
