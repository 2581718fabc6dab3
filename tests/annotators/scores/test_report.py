"""The whole report: pooled, paired, sliced."""

from dataclasses import replace

import numpy as np
import pytest

from annotators.scores.baselines import UNIFORM, uniform
from annotators.scores.marks import OURS, Case, Mark
from annotators.scores.report import COMPARED, GroupScore, group_score
from schemas.event import BoundaryKind
from schemas.time import NS_PER_S
from schemas.truth import PHYSICAL_KINDS


def cases(n: int, jitter_s: float = 0.02, length_s: int = 10) -> list[Case]:
    """Episodes with true grasps and lifts; we find them up to a jitter, and lose them all in every fifth."""
    rng = np.random.default_rng(0)
    found = []
    for episode in range(n):
        times = np.sort(rng.uniform(0.5, length_s - 0.5, length_s // 2))
        kinds = [BoundaryKind.GRASP, BoundaryKind.LIFT] * length_s
        true = tuple(Mark(round(t * NS_PER_S), kind) for t, kind in zip(times, kinds, strict=False))
        ours = tuple(sorted(replace(m, t_ns=m.t_ns + round(rng.normal(0, jitter_s) * NS_PER_S)) for m in true))
        ranges = ((0, length_s * NS_PER_S),)
        systems = {OURS: () if episode % 5 == 4 else ours, UNIFORM: tuple(uniform(ranges))}
        outcome = "failure" if episode % 5 == 4 else "success"
        found.append(Case(f"lab: {episode}", ranges, true, systems, {"outcome": outcome}))
    return found


def scored(n: int = 20, resamples: int = 400) -> GroupScore:
    return group_score("robots", cases(n), PHYSICAL_KINDS, seed=0, resamples=resamples)


def test_every_baseline_is_compared_on_the_same_episodes() -> None:
    ours, grid = scored().systems
    assert (ours.name, grid.name) == (OURS, UNIFORM)
    assert ours.ours_minus_this == {}
    assert set(grid.ours_minus_this) == set(COMPARED)
    gap, a, b = grid.ours_minus_this["f1@0.25"], ours.metrics["f1@0.25"], grid.metrics["f1@0.25"]
    assert a.estimate is not None
    assert b.estimate is not None
    assert gap.estimate == pytest.approx(a.estimate - b.estimate)
    assert gap.low is not None
    assert gap.low > 0


def test_slices_show_where_it_fails() -> None:
    failure, success = scored().slices
    assert (failure.name, failure.episodes) == ("failure", 4)
    assert failure.metrics[f"{OURS}: typed_f1@0.25"].estimate == 0.0
    assert success.metrics[f"{OURS}: typed_f1@0.25"].estimate == 1.0


def test_the_same_seed_says_the_same() -> None:
    assert scored() == scored()


def test_systems_must_have_answered_the_same_episodes() -> None:
    some = cases(2)
    some[1] = replace(some[1], systems={OURS: ()})
    with pytest.raises(ValueError, match="the same systems"):
        group_score("robots", some, PHYSICAL_KINDS, seed=0, resamples=10)
    with pytest.raises(ValueError, match="at least one"):
        group_score("robots", [], PHYSICAL_KINDS, seed=0, resamples=10)


def test_ten_thousand_boundaries_take_seconds() -> None:
    many = group_score("robots", cases(500, length_s=40), PHYSICAL_KINDS, seed=0, resamples=4000)
    assert many.true == 10_000
