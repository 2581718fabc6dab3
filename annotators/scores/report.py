"""All scores of a set of episodes: pooled, compared with every baseline on the same resamples, and in slices."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from annotators.scores.baselines import GRIPPER, UNIFORM
from annotators.scores.bootstrap import Interval, interval, ratios_of, resampled_sums
from annotators.scores.human import HumanScore, by_episode, human_score
from annotators.scores.labels import LabelScore, label_scores
from annotators.scores.marks import OURS, Case
from annotators.scores.ratios import Ratio, f1_at, ratios, segment_f1_at, typed_f1_at
from annotators.scores.trust import KindScore, Trust, kind_scores, trust
from schemas.array import Floats
from schemas.event import BoundaryKind

COMPARED = (f1_at(0.1), f1_at(0.25), f1_at(0.5), f1_at(1.0), segment_f1_at(0.5), segment_f1_at(0.75))
"""Metrics of which the difference to each baseline is tested."""
SLICED = (
    (OURS, typed_f1_at(0.25)),
    (OURS, f1_at(0.25)),
    (OURS, segment_f1_at(0.75)),
    (GRIPPER, f1_at(0.25)),
    (UNIFORM, f1_at(0.25)),
)


@dataclass(frozen=True)
class SystemScore:
    """One system over all episodes of a group."""

    name: str
    metrics: Mapping[str, Interval]
    ours_minus_this: Mapping[str, Interval]
    """Paired differences; empty for ourselves."""


@dataclass(frozen=True)
class SliceScore:
    """A part of the episodes."""

    by: str
    name: str
    episodes: int
    true: int
    metrics: Mapping[str, Interval]
    """``system: metric``."""


@dataclass(frozen=True)
class GroupScore:
    """Episodes that give the same baselines something to read."""

    name: str
    episodes: int
    annotations: int
    """More than the episodes where several people annotated one: boundaries are counted once for each of them."""
    true: int
    predicted: int
    left_out: int
    """True boundaries in parts that cleaning trimmed; not scored."""
    violations: int
    """Broken invariants of nesting and cover (`schemas.tree`); must be 0."""
    systems: tuple[SystemScore, ...]
    kinds: tuple[KindScore, ...]
    trust: Trust
    labels: tuple[LabelScore, ...]
    slices: tuple[SliceScore, ...]
    human: HumanScore | None
    """How well people agree with each other; None unless an episode has two annotators."""


def group_score(
    name: str, cases: Sequence[Case], kinds: Sequence[BoundaryKind], *, seed: int, resamples: int
) -> GroupScore:
    """Scores of episodes that all have the same systems. Raises ValueError when there are none or they differ."""
    if not cases or any(set(case.systems) != set(cases[0].systems) for case in cases):
        raise ValueError(f"{name}: expected at least one episode, and the same systems for all")
    columns = _Columns(cases, kinds)
    chosen = list(columns.wanted())
    terms = np.concatenate([columns.terms(*column) for column in chosen], axis=1)
    estimates = ratios_of(terms.sum(axis=0))
    resampled = ratios_of(resampled_sums(terms, seed=seed, resamples=resamples))
    at = {column: i for i, column in enumerate(chosen)}

    def one(column: "_Column") -> Interval:
        return interval(float(estimates[at[column]]), resampled[:, at[column]])

    def difference(metric: str, theirs: str) -> Interval:
        a, b = at[OURS, metric, None], at[theirs, metric, None]
        return interval(float(estimates[a] - estimates[b]), resampled[:, a] - resampled[:, b])

    systems = tuple(
        SystemScore(
            system,
            {metric: one((system, metric, None)) for metric in columns.metrics},
            {} if system == OURS else {metric: difference(metric, system) for metric in COMPARED},
        )
        for system in cases[0].systems
    )
    slices = tuple(
        SliceScore(
            by,
            value,
            len({case.name for case in columns.members(by, value)}),
            sum(len(case.true) for case in columns.members(by, value)),
            {f"{system}: {metric}": one((system, metric, (by, value))) for system, metric in columns.sliced},
        )
        for by, value in columns.slices
    )
    return GroupScore(
        name=name,
        episodes=len({case.name for case in cases}),
        annotations=len(cases),
        true=sum(len(case.true) for case in cases),
        predicted=sum(len(case.systems[OURS]) for case in cases),
        left_out=sum(case.left_out for case in cases),
        violations=sum({case.name: case.violations for case in cases}.values()),
        systems=systems,
        kinds=kind_scores(cases, OURS, kinds),
        trust=trust(cases, OURS, kinds),
        labels=label_scores(cases),
        slices=slices,
        human=human_score(cases, kinds, seed=seed, resamples=resamples),
    )


_Column = tuple[str, str, tuple[str, str] | None]
"""System, metric, slice."""


class _Columns:
    """Numerators and denominators per episode, for every system, metric and slice."""

    def __init__(self, cases: Sequence[Case], kinds: Sequence[BoundaryKind]) -> None:
        self._cases = cases
        self._ratios: dict[str, list[Mapping[str, Ratio]]] = {
            system: [ratios(case, case.systems[system], kinds) for case in cases] for system in cases[0].systems
        }
        self.metrics = tuple(self._ratios[OURS][0])
        self.slices = sorted({pair for case in cases for pair in case.slices.items()})
        self.sliced = [(system, metric) for system, metric in SLICED if system in self._ratios]

    def wanted(self) -> Iterator[_Column]:
        yield from ((system, metric, None) for system in self._ratios for metric in self.metrics)
        yield from ((system, metric, where) for where in self.slices for system, metric in self.sliced)

    def members(self, by: str, value: str) -> list[Case]:
        return [case for case in self._cases if case.slices.get(by) == value]

    def terms(self, system: str, metric: str, where: tuple[str, str] | None) -> Floats:
        """float64 [E, 2]; zeros outside the slice, so that a slice is estimated on resamples of everything."""
        found = np.array([ratios[metric] for ratios in self._ratios[system]], np.float64)
        if where is not None:
            found[[case.slices.get(where[0]) != where[1] for case in self._cases]] = 0.0
        return by_episode(found, self._cases)
