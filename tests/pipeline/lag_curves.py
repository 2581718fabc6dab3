"""Made-up lag curves for the tests of vote, judge and align."""

import numpy as np

from schemas.sync import Evidence, LagCurve, LagEstimate, LagPeak, SourceClock, SourceLag
from schemas.time import NS_PER_S

STEP_S = 0.02


def ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)


def peaked(
    lag_s: float,
    *,
    height: float = 0.8,
    sigma_s: float = 0.02,
    margin: float = 0.2,
    width_s: float = 0.1,
    doubt: float = 0.04,
    evidence: Evidence = Evidence.POSITIONS,
    inside: bool = True,
    drift_s: float = 0.0,
    name: str = "ep-1",
) -> LagCurve:
    """A curve with one peak; ``doubt`` is the standard error of its height above everywhere else."""
    lags_s = STEP_S * np.arange(-43, 44)
    correlation = height * np.exp(-0.5 * ((lags_s - lag_s) / width_s) ** 2)
    halves = tuple(LagPeak(ns(lag_s + side * drift_s), height, margin, True) for side in (-0.5, 0.5))
    return LagCurve(
        episode_id=name,
        source="lab",
        evidence=evidence,
        step_ns=ns(STEP_S),
        correlation=np.round(correlation, 3).astype(np.float32),
        doubt=np.where(np.abs(lags_s - lag_s) < STEP_S / 2, 0.0, doubt).astype(np.float32),
        estimate=LagEstimate(ns(lag_s), height, margin, inside, ns(sigma_s)),
        halves=halves,
    )


def flat(name: str = "ep-1", height: float = 0.1, seed: int = 0) -> LagCurve:
    """A curve that says nothing: low, ragged and unsure."""
    ragged = height * np.abs(np.random.default_rng(seed).standard_normal(87))
    best = int(np.argmax(ragged))
    estimate = LagEstimate(ns(STEP_S * (best - 43)), round(float(ragged[best]), 4), 0.01, True, ns(0.3))
    silent = LagPeak(0, 0.0, 0.0, True)
    return LagCurve(
        name,
        "lab",
        Evidence.POSITIONS,
        ns(STEP_S),
        ragged.astype(np.float32),
        np.full(87, 0.2, np.float32),
        estimate,
        (silent, silent),
    )


def source_lag(lag_s: float, evidence: Evidence = Evidence.POSITIONS, correlation: float = 0.8) -> SourceLag:
    """What a source that has one constant lag says."""
    return SourceLag("lab/arm", evidence, SourceClock.CONSTANT, ns(lag_s), ns(0.005), ns(0.01), correlation, 8)
