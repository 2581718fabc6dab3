"""The human track: how well people agree with each other, and how close we come to that (events.md, "Scores").

Each annotator in turn is the truth and every other one a system, with the metrics of everybody else. People disagree
about boundaries too, so an F1 means little until it is divided by theirs: 1 is as good as another person.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from annotators.scores.bootstrap import Interval, interval, ratios_of, resampled_sums
from annotators.scores.boundaries import TOLERANCES_S
from annotators.scores.labels import agreeing
from annotators.scores.marks import OURS, Case, Mark
from annotators.scores.ratios import OVERLAPS, f1_at, ratios, segment_f1_at, typed_f1_at
from schemas.array import Floats
from schemas.event import BoundaryKind

VERBS = "verbs"
"""The share of verbs two annotators agree about, and we with them."""
AGREED = (
    *(f1_at(tolerance_s) for tolerance_s in TOLERANCES_S),
    *(typed_f1_at(tolerance_s) for tolerance_s in TOLERANCES_S),
    *(segment_f1_at(overlap) for overlap in OVERLAPS),
)


@dataclass(frozen=True)
class HumanScore:
    """Over the episodes with two annotators or more."""

    episodes: int
    pairs: int
    """Of annotators of one episode, each counted once."""
    agreement: Mapping[str, Interval]
    """Metric → of one person against another, over all pairs."""
    ours: Mapping[str, Interval]
    """Metric → ours against the same people, on these episodes only."""
    normalised: Mapping[str, Interval]
    """Ours ÷ agreement, on the same resamples; above 1 we are nearer to a person than people are to each other."""


def by_episode(terms: Floats, cases: Sequence[Case]) -> Floats:
    """Rows of one episode added up, [C, K] → [E, K] in order of first appearance: episodes are what is resampled."""
    rows = {name: i for i, name in enumerate(dict.fromkeys(case.name for case in cases))}
    found = np.zeros((len(rows), terms.shape[1]))
    np.add.at(found, [rows[case.name] for case in cases], terms)
    return found


def human_score(
    cases: Sequence[Case], kinds: Sequence[BoundaryKind], *, seed: int, resamples: int
) -> HumanScore | None:
    """Agreement of people and ours with them; None when no episode has two annotators."""
    shared = [case for case in cases if case.others]
    if not shared:
        return None
    people = by_episode(_people(shared, kinds), shared)
    ours = by_episode(_ours(shared, kinds), shared)
    theirs_found, ours_found = ratios_of(people.sum(axis=0)), ratios_of(ours.sum(axis=0))
    sums = resampled_sums(np.concatenate([people, ours], axis=1), seed=seed, resamples=resamples)
    theirs_drawn, ours_drawn = ratios_of(sums[:, : people.shape[1]]), ratios_of(sums[:, people.shape[1] :])
    with np.errstate(divide="ignore", invalid="ignore"):
        share, drawn_shares = ours_found / theirs_found, ours_drawn / theirs_drawn
    metrics = (*AGREED, VERBS)

    def every(estimates: Floats, drawn: Floats) -> dict[str, Interval]:
        return {metric: interval(float(estimates[i]), drawn[:, i]) for i, metric in enumerate(metrics)}

    return HumanScore(
        episodes=len(people),
        pairs=sum(len(case.others) for case in shared) // 2,
        agreement=every(theirs_found, theirs_drawn),
        ours=every(ours_found, ours_drawn),
        normalised=every(share, drawn_shares),
    )


def _people(cases: Sequence[Case], kinds: Sequence[BoundaryKind]) -> Floats:
    """[C, 2M]: everybody else against the annotator of each case."""
    per_case = [
        [_terms(case, other.marks, agreeing(case, other.parts), kinds) for other in case.others] for case in cases
    ]
    return np.array([np.sum(terms, axis=0) for terms in per_case])


def _ours(cases: Sequence[Case], kinds: Sequence[BoundaryKind]) -> Floats:
    return np.array([_terms(case, case.systems[OURS], agreeing(case, case.parts), kinds) for case in cases])


def _terms(case: Case, marks: Sequence[Mark], verbs: tuple[int, int], kinds: Sequence[BoundaryKind]) -> Floats:
    """Numerator and denominator of every metric in turn, float64 [2M]."""
    found = ratios(case, marks, kinds)
    return np.array([*(found[metric] for metric in AGREED), verbs], np.float64).reshape(-1)
