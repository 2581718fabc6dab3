"""Stage ``vote``: what all episodes of a source say together about its two clocks (wall_wm.md §2.2, step 5).

A camera's pipeline delays every episode of a source alike, and one resting arm or covered lens says nothing about the
others. So the curves of all episodes are averaged (Fisher's z of the correlations), the peak of the average is the
common lag, and its standard error comes from how much the episodes' slopes at that peak differ. Episodes that
contradict a first average are left out of a second one, so that a single stray does not blur it; and every episode is
asked whether its own curve allows the result. Where enough of them do, the source has one constant lag; where they do
not, every episode has a lag of its own and nobody speaks for another.

A group may be larger than memory, so curves stream by, three times. Sums are sums of integers: the order of the
episodes, and the workers that made their curves, change no bit. Results are rounded, because the stage is keyed by
content.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from pipeline.stage import Bundle, Read, Scope, Stage
from pipeline.sync import peak_position
from schemas.array import Floats, Ints
from schemas.finding import Finding, Verdict
from schemas.recipe import AlignSpec
from schemas.recipe_section import Count, Fraction, Positive, Section
from schemas.sync import Evidence, LagCurve, LagEstimate, SourceClock, SourceLag
from schemas.time import NS_PER_S

CONTRADICTS = 2.0
"""Standard errors by which a curve's peak must stand above another lag to speak against that lag."""
NEAR_NS = 150_000_000
"""An episode speaks for a lag when its own is nearer than this, the width of a peak, and nothing speaks against."""
_STANDS_OUT = 2.5
"""Standard errors, between episodes, by which the averaged curve's peak must stand above any lag far from it."""
_LEAST_DOUBT = 0.01
_MOST_CORRELATION = 0.99
_UNITS = 1000
"""Fisher's z is summed in thousandths."""
_REACH = 2
"""Slope and bend of the averaged curve span ± 40 ms; closer together, the rounding of the curves would show."""
_LAG_STEP_NS = 10_000_000
_SIGMA_STEP_NS = 5_000_000
_BIN_NS = 5_000_000
_MAD_TO_SIGMA = 1.4826

Curves = Callable[[], Iterable[LagCurve]]
"""Starts another pass over the curves of a group."""


class VoteSpec(Section):
    """The part of ``align`` that a vote depends on."""

    max_lag_s: Positive
    tolerance_s: Positive
    min_correlation: Fraction
    min_margin: Fraction
    max_sigma_s: Positive
    min_voters: Count
    min_agreement: Fraction
    max_source_sigma_s: Positive


@dataclass
class _Average:
    """The sum of many curves."""

    n: int = 0
    z_L: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    step_ns: int = 0

    def add(self, curve: LagCurve) -> None:
        z = fisher_z(curve)
        if self.n == 0:
            self.z_L, self.step_ns = np.zeros(len(z), np.int64), curve.step_ns
        self.z_L += z
        self.n += 1

    @property
    def centre(self) -> int:
        """Where the peak is, far enough from the ends to take slopes there."""
        return int(np.clip(np.argmax(self.z_L), _REACH, len(self.z_L) - 1 - _REACH))

    @property
    def peak(self) -> float:
        """Where the peak is, between the samples."""
        return peak_position(self.z_L.astype(np.float64))

    @property
    def lag_ns(self) -> int:
        """The lag of the peak, not rounded."""
        return round((self.peak - len(self.z_L) // 2) * self.step_ns)

    @property
    def correlation(self) -> float:
        """Of the averaged curve at its peak."""
        return float(np.tanh(np.max(self.z_L) / (_UNITS * self.n)))

    def is_inside(self, max_lag_s: float) -> bool:
        """Whether the peak is a real maximum within the window."""
        best = int(np.argmax(self.z_L))
        return 0 < best < len(self.z_L) - 1 and abs(self.lag_ns) <= max_lag_s * NS_PER_S


@dataclass
class _Opinions:
    """What each episode says about the common lag."""

    average: _Average
    spec: VoteSpec
    squared_slopes: int = 0
    squared_heights_L: Ints = field(default_factory=lambda: np.zeros(1, np.int64))
    """Sum of squares of how far each episode's curve is above every lag, at the common one."""
    speak_for: int = 0
    speak_against: int = 0
    deviations: dict[int, int] = field(default_factory=dict)
    """How many clear episodes deviate by so many bins."""

    def hear(self, curve: LagCurve, in_average: bool) -> None:
        """Count an episode for or against; one that is in the average also tells how certain that is."""
        if curve.estimate.correlation >= self.spec.min_correlation:
            against = contradicts(curve, self.average.lag_ns)
            away_ns = abs(curve.estimate.lag_ns - self.average.lag_ns)
            self.speak_against += against
            self.speak_for += not against and away_ns <= NEAR_NS
        if in_average:
            self._measure(curve)

    def _measure(self, curve: LagCurve) -> None:
        centre, z = self.average.centre, fisher_z(curve)
        before, at, after = int(z[centre - _REACH]), int(z[centre]), int(z[centre + _REACH])
        off = (self.average.peak - centre) / _REACH
        slope = round((after - before) / 2 + (after - 2 * at + before) * off)
        self.squared_slopes += slope * slope
        self.squared_heights_L = self.squared_heights_L + np.square(at - z)
        if is_clear(curve.estimate, self.spec):
            bins = round((curve.estimate.lag_ns - self.average.lag_ns) / _BIN_NS)
            self.deviations[bins] = self.deviations.get(bins, 0) + 1

    def sigma_ns(self) -> float:
        """Standard error of the common lag: how much episodes pull at the peak ÷ how sharp it is. Infinite for one."""
        n, centre, z = self.average.n, self.average.centre, self.average.z_L
        bend = -float(z[centre - _REACH] - 2 * z[centre] + z[centre + _REACH])
        if n < 2 or bend <= 0.0:
            return float("inf")
        return float(np.sqrt(self.squared_slopes * n / (n - 1))) / bend * _REACH * self.average.step_ns

    def standing(self) -> float:
        """Standard errors by which the averaged curve at its peak is above the best lag far from it."""
        n, centre, z = self.average.n, self.average.centre, self.average.z_L
        if n < 2:
            return 0.0
        height_L = (z[centre] - z) / n
        variance_L = np.maximum(self.squared_heights_L / n - height_L * height_L, 0.0) / (n - 1)
        far = np.abs(np.arange(len(z)) - centre) * self.average.step_ns > NEAR_NS
        error_L = np.sqrt(variance_L + 1.0)  # one unit for what rounding the curves hides
        return float(np.min(height_L[far] / error_L[far], initial=np.inf))

    def spread_ns(self) -> float:
        """Robust scatter of clear episodes around the common lag; the most that is allowed when fewer than three."""
        bins = np.array(sorted(self.deviations), np.int64)
        counts = np.array([self.deviations[at] for at in bins.tolist()], np.int64)
        if np.sum(counts) < 3:
            return self.spec.max_sigma_s * NS_PER_S
        order = np.argsort(np.abs(bins), kind="stable")
        middle = np.searchsorted(np.cumsum(counts[order]), (int(np.sum(counts)) + 1) // 2)
        return _MAD_TO_SIGMA * float(np.abs(bins[order[middle]])) * _BIN_NS


def vote(group: str, curves: Curves, spec: VoteSpec) -> list[SourceLag | Finding]:
    """One `SourceLag` for each kind of evidence that occurs in the group, and what a person should know about it."""
    everybody: dict[Evidence, _Average] = {}
    source = ""
    for curve in curves():
        everybody.setdefault(curve.evidence, _Average()).add(curve)
        source = min(source or curve.source, curve.source)
    first_ns = {evidence: average.lag_ns for evidence, average in everybody.items()}
    agreeing: dict[Evidence, _Average] = {}
    for curve in curves():
        if not contradicts(curve, first_ns[curve.evidence]):
            agreeing.setdefault(curve.evidence, _Average()).add(curve)
    opinions = {evidence: _Opinions(average, spec) for evidence, average in agreeing.items()}
    for curve in curves():
        if curve.evidence in opinions:
            opinions[curve.evidence].hear(curve, in_average=not contradicts(curve, first_ns[curve.evidence]))
    lags = [_source_lag(group, evidence, opinions[evidence]) for evidence in Evidence if evidence in opinions]
    return [*lags, *(finding for lag in lags for finding in _told(source, lag, spec))]


def _source_lag(group: str, evidence: Evidence, opinions: _Opinions) -> SourceLag:
    spec, n_for, n_against = opinions.spec, opinions.speak_for, opinions.speak_against
    sigma_ns, spread_ns = opinions.sigma_ns(), opinions.spread_ns()
    enough = n_for + n_against >= spec.min_voters
    clock = SourceClock.UNKNOWN
    if enough and n_for < spec.min_agreement * (n_for + n_against):
        clock = SourceClock.VARYING
    elif (
        n_for >= spec.min_voters
        and opinions.average.is_inside(spec.max_lag_s)
        and opinions.standing() >= _STANDS_OUT
        and sigma_ns <= spec.max_source_sigma_s * NS_PER_S
        and spread_ns <= spec.max_sigma_s * NS_PER_S
    ):
        clock = SourceClock.CONSTANT
    if clock is not SourceClock.CONSTANT:
        return SourceLag(group, evidence, clock, lag_ns=0, sigma_ns=0, spread_ns=0, correlation=0.0, voters=0)
    return SourceLag(
        group=group,
        evidence=evidence,
        clock=clock,
        lag_ns=round(opinions.average.lag_ns / _LAG_STEP_NS) * _LAG_STEP_NS,
        sigma_ns=_rounded_up(sigma_ns, _SIGMA_STEP_NS),
        spread_ns=_rounded_up(spread_ns, _LAG_STEP_NS),
        correlation=int(opinions.average.correlation * 10.0) / 10.0,
        voters=1 << (n_for.bit_length() - 1),
    )


def _rounded_up(value: float, step: int) -> int:
    return max(1, int(np.ceil(value / step))) * step


def _told(source: str, lag: SourceLag, spec: VoteSpec) -> Iterator[Finding]:
    """What a person should know about a source's clocks."""
    lag_s = lag.lag_ns / NS_PER_S
    if lag.clock is SourceClock.VARYING:
        check = "sync_source_varies"
        told = "its episodes disagree about the lag, so each is judged alone; look at how the recorder takes its times"
        yield Finding(lag.group, source, "vote", check, Verdict.KEEP, f"{lag.group}, by {lag.evidence.value}: {told}")
    elif abs(lag_s) > spec.tolerance_s:
        told = f"pictures show the motion {abs(lag_s):.2f} s {'later' if lag_s > 0 else 'earlier'} in all episodes"
        message = f"{lag.group}, by {lag.evidence.value}: {told} (± {lag.sigma_ns / NS_PER_S:.3f} s)"
        yield Finding(lag.group, source, "vote", "sync_source_lag", Verdict.KEEP, message, lag_s, spec.tolerance_s)


def is_clear(estimate: LagEstimate, spec: AlignSpec | VoteSpec) -> bool:
    """Whether an episode alone says what its lag is."""
    return (
        estimate.inside
        and estimate.correlation >= spec.min_correlation
        and estimate.margin >= spec.min_margin
        and estimate.sigma_ns <= spec.max_sigma_s * NS_PER_S
    )


def drift_ns(curve: LagCurve, spec: AlignSpec) -> int:
    """How much later the second half's lag is than the first's; 0 where either half does not say."""
    said = all(
        half.inside and half.correlation >= spec.min_correlation and half.margin >= spec.min_margin
        for half in curve.halves
    )
    return curve.halves[1].lag_ns - curve.halves[0].lag_ns if said else 0


def contradicts(curve: LagCurve, lag_ns: int) -> bool:
    """Whether an episode's curve is significantly lower at this lag than at its own peak."""
    at = curve.at(lag_ns)
    behind = float(np.max(curve.correlation)) - float(curve.correlation[at])
    return behind > CONTRADICTS * max(float(curve.doubt[at]), _LEAST_DOUBT)


def fisher_z(curve: LagCurve) -> Ints:
    """Fisher's z of a curve in whole thousandths, int64 [lags]."""
    bounded: Floats = np.clip(curve.correlation.astype(np.float64), -_MOST_CORRELATION, _MOST_CORRELATION)
    return np.round(np.arctanh(bounded) * _UNITS).astype(np.int64)


def vote_spec(align: AlignSpec) -> VoteSpec:
    """What of the recipe's section ``align`` changes a vote."""
    return VoteSpec(**{key: getattr(align, key) for key in VoteSpec.model_fields})


def run(bundle: Bundle, spec: VoteSpec) -> list[SourceLag | Finding]:
    """`vote` on a group's stream; the item is ``calibration_group(dataset, embodiment)``."""
    return vote(bundle.item, lambda: chain.from_iterable(bundle.stream(LagCurve)), spec)


STAGE = Stage(
    name="vote",
    version=1,
    scope=Scope.GROUP,
    reads=(Read(LagCurve, "lag"),),
    writes=(SourceLag, Finding),
    recipe_slice=lambda recipe: vote_spec(recipe.align),
    run=run,
    content_keyed=True,
)
