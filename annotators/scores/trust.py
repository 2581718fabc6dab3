"""Whether a detector knows how good it is: errors in time per kind, σ against them, confidence against hits."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from annotators.scores.boundaries import TOLERANCES_S, Tally, pooled, tolerance_ns, typed, typed_pairs
from annotators.scores.marks import Case, Mark
from schemas.event import BoundaryKind
from schemas.time import NS_PER_S

ERRORS_WITHIN_S = 0.5
"""Errors in time are those of pairs this close: farther apart it is a miss and a false alarm, not an error in time."""
HIT_WITHIN_S = 0.25
"""What a confidence promises: a true boundary of the same kind this close (`schemas.event.Boundary`)."""
BINS = 10


@dataclass(frozen=True)
class KindScore:
    """One kind of boundary, over all episodes."""

    kind: BoundaryKind
    true: int
    predicted: int
    f1: dict[str, float]
    """Tolerance in seconds → typed F1; precision and recall likewise."""
    precision: dict[str, float | None]
    recall: dict[str, float | None]
    bias_s: float | None
    """Mean of proposed minus true: positive is late."""
    mae_s: float | None
    p90_s: float | None


@dataclass(frozen=True)
class ConfidenceBin:
    """Proposals that were about as sure."""

    low: float
    high: float
    n: int
    confidence: float
    """Their mean."""
    hit_share: float


@dataclass(frozen=True)
class Trust:
    """How far σ and confidence can be believed."""

    pairs: int
    within_sigma: float | None
    """Share of errors below one σ; .68 if errors are normal."""
    within_two_sigma: float | None
    """.95 if errors are normal."""
    ece: float | None
    """Expected calibration error: mean distance of confidence and hit share over ten bins, weighted by size."""
    bins: tuple[ConfidenceBin, ...]


def kind_scores(cases: Sequence[Case], system: str, kinds: Sequence[BoundaryKind]) -> tuple[KindScore, ...]:
    """Of every kind that is true or proposed anywhere."""
    return tuple(score for kind in kinds if (score := _kind_score(cases, system, kind)).true or score.predicted)


def _kind_score(cases: Sequence[Case], system: str, kind: BoundaryKind) -> KindScore:
    tallies = {
        tolerance_s: pooled(
            typed(case.systems[system], case.true, tolerance_ns(tolerance_s), [kind])[kind] for case in cases
        )
        for tolerance_s in TOLERANCES_S
    }
    pairs = _pairs(cases, system, [kind], ERRORS_WITHIN_S)
    errors = np.array([(ours.t_ns - true.t_ns) / NS_PER_S for ours, true in pairs])
    total: Tally = tallies[TOLERANCES_S[0]]
    return KindScore(
        kind=kind,
        true=total.true,
        predicted=total.predicted,
        f1={f"{tolerance_s:g}": tally.f1 for tolerance_s, tally in tallies.items()},
        precision={f"{tolerance_s:g}": tally.precision for tolerance_s, tally in tallies.items()},
        recall={f"{tolerance_s:g}": tally.recall for tolerance_s, tally in tallies.items()},
        bias_s=float(errors.mean()) if errors.size else None,
        mae_s=float(np.abs(errors).mean()) if errors.size else None,
        p90_s=float(np.percentile(np.abs(errors), 90)) if errors.size else None,
    )


def trust(cases: Sequence[Case], system: str, kinds: Sequence[BoundaryKind]) -> Trust:
    """σ coverage and calibration of the proposals whose kind the truth looked for."""
    pairs = _pairs(cases, system, kinds, ERRORS_WITHIN_S)
    errors = np.array([abs(ours.t_ns - true.t_ns) / NS_PER_S for ours, true in pairs])
    sigmas = np.array([ours.sigma_s for ours, _ in pairs])
    confidences, hits = _promises(cases, system, kinds)
    bins = confidence_bins(confidences, hits)
    total = sum(found.n for found in bins)
    gaps = [found.n * abs(found.confidence - found.hit_share) for found in bins]
    return Trust(
        pairs=len(pairs),
        within_sigma=float(np.mean(errors <= sigmas)) if pairs else None,
        within_two_sigma=float(np.mean(errors <= 2 * sigmas)) if pairs else None,
        ece=sum(gaps) / total if total else None,
        bins=bins,
    )


def confidence_bins(confidences: Sequence[float], hits: Sequence[bool]) -> tuple[ConfidenceBin, ...]:
    """Ten bins of equal width over 0 … 1, the upper edge in the last one; empty bins are left out."""
    sure, hit = np.asarray(confidences, np.float64), np.asarray(hits, np.float64)
    index = np.minimum((sure * BINS).astype(np.int64), BINS - 1)
    return tuple(
        ConfidenceBin(i / BINS, (i + 1) / BINS, int(here.sum()), float(sure[here].mean()), float(hit[here].mean()))
        for i in range(BINS)
        if (here := index == i).any()
    )


def _promises(cases: Sequence[Case], system: str, kinds: Sequence[BoundaryKind]) -> tuple[list[float], list[bool]]:
    """Confidence of every proposal, and whether it came true."""
    confidences: list[float] = []
    hits: list[bool] = []
    for case in cases:
        kept = {id(ours) for ours, _ in typed_pairs(case.systems[system], case.true, tolerance_ns(HIT_WITHIN_S), kinds)}
        for mark in case.systems[system]:
            if mark.kind in kinds:
                confidences.append(mark.confidence)
                hits.append(id(mark) in kept)
    return confidences, hits


def _pairs(
    cases: Sequence[Case], system: str, kinds: Sequence[BoundaryKind], within_s: float
) -> list[tuple[Mark, Mark]]:
    return [
        pair for case in cases for pair in typed_pairs(case.systems[system], case.true, tolerance_ns(within_s), kinds)
    ]
