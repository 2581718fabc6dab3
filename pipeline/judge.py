"""What the evidence about an episode's clocks allows: leave them, move the actions, or hold the episode back.

Two witnesses are heard: the episode's own lag curve, and the vote of its source where that is one constant lag.

| own evidence | the source has no constant lag | the source has one |
|---|---|---|
| clear, within a frame of the source's | confirmed, or corrected by its own | confirmed, or corrected by the mean |
| clear, and certainly another lag | – | rejected |
| its clear halves differ: a clock drifts | rejected | rejected |
| strong, but beyond the window | rejected | rejected |
| weak, and allows the source's lag | unverified | by source |
| weak, and denies it, or far weaker than the others' | unverified | unverified; rejected where the lag is not 0 (1) |
| none: nothing moves | unverified | by source |

(1) The source denies the clocks as given and the episode does not bear its source's lag: no lag is left to use.

Only *corrected* and *by source* move actions. Alone, an episode moves them by measured *positions* only: joint speeds
say when something moved but not how much of it the camera saw. A vote by joints moves them where the recipe allows
it. Commands lead the motion by the controller's delay; they never move anything, nor speak against it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pipeline.episode_finding import episode_finding
from pipeline.sync import BEYOND_S, MIN_OVERLAP_S
from pipeline.vote import contradicts, drift_ns, is_clear
from schemas.episode import Episode, SyncVerdict
from schemas.finding import Finding, Verdict
from schemas.recipe import AlignSpec
from schemas.sync import Evidence, LagCurve, LagEstimate, SourceClock, SourceLag
from schemas.time import NS_PER_S

_METHOD_NS = 10_000_000
"""Error of one episode's lag that its jackknife does not see (docs/align.md)."""
_DISAGREES = 1.5
"""Standard errors between an episode's lag and its source's from which they disagree; the jackknife's are generous."""
_COMPARABLE = 0.7
"""Share of its source's correlation from which an episode's evidence counts as of the same kind. Pictures of other
actions, or of nothing, mostly stay below it."""
_SURE_S = 7.0
"""A half of a shorter episode holds two or three motions, and what the arm does not tell of them (fingers, turns) moves
its lag by 0.15 s with exact clocks: the halves may then differ by more, in inverse proportion (docs/align.md)."""


@dataclass(frozen=True)
class Case:
    """What is known about one episode's clocks, and what it is judged by."""

    episode: Episode
    curve: LagCurve | None
    """None when video and actions offer no motion to compare."""
    source: SourceLag | None
    """The constant lag of the source; None when it has none or is not known to have one."""
    own_clock: bool
    """Action rows are not stamped with the frames they were recorded with."""
    spec: AlignSpec

    @property
    def frame_ns(self) -> float:
        """Frame period of the master view, which is as far off as anything may be."""
        if not self.episode.cameras or self.episode.master.n_frames < 2:
            return 0.0
        return float(np.median(np.diff(self.episode.master.times_ns)))

    @property
    def max_drift_s(self) -> float:
        """By how much the halves of this episode may differ."""
        lasting_s = (self.episode.master.end_ns - int(self.episode.master.times_ns[0])) / NS_PER_S
        return round(self.spec.max_drift_s * max(1.0, _SURE_S / lasting_s), 3)


@dataclass(frozen=True)
class Judgement:
    """The verdict on one episode, by how much its actions are to be moved, and what a person should know."""

    verdict: SyncVerdict
    offset_ns: int = 0
    finding: Finding | None = None


class _Doubt(NamedTuple):
    """Why evidence does not do: in words, the value, the threshold."""

    reason: str
    value: float | None = None
    threshold: float | None = None


def _nothing_to_compare(case: Case) -> _Doubt:
    """Why an episode has no curve, as far as the episode itself tells."""
    cameras = case.episode.cameras
    if not cameras:
        return _Doubt("there are no pictures")
    needed_s = MIN_OVERLAP_S + case.spec.max_lag_s + BEYOND_S
    lasts_s = min(camera.end_ns for camera in cameras) / NS_PER_S
    if lasts_s < needed_s:
        return _Doubt("the episode is too short for it, in seconds", lasts_s, needed_s)
    return _Doubt("too few rows are valid, nothing moves, or nothing is seen to move")


def constant_lag(votes: Sequence[SourceLag]) -> SourceLag | None:
    """The source's constant lag, by the best evidence that gives one; commands lead, so theirs is no clock's lag."""
    constant = {vote.evidence: vote for vote in votes if vote.clock is SourceClock.CONSTANT}
    return constant.get(Evidence.POSITIONS) or constant.get(Evidence.JOINTS)


def judge(case: Case) -> Judgement:
    """Verdict, offset and finding of one episode that has actions."""
    curve, source = case.curve, case.source
    if curve is not None and (doubt := _no_lag_is_right(case, curve)) is not None:
        return _rejected(case, doubt)
    if source is None:
        return _unverified(case, _nothing_to_compare(case)) if curve is None else _alone(case, curve)
    if curve is None or curve.evidence is Evidence.COMMANDS:
        return _with_source(case, source, SyncVerdict.BY_SOURCE, source.lag_ns)
    return _two_witnesses(case, curve, source)


def _alone(case: Case, curve: LagCurve) -> Judgement:
    """An episode that nobody else speaks for."""
    estimate, spec = curve.estimate, case.spec
    doubt = _weakness(estimate, spec)
    if doubt is not None:
        return _unverified(case, doubt)
    objection = None
    if curve.evidence is not Evidence.POSITIONS:
        objection = f"{curve.evidence.value} of one episode are no ground to move them"
    elif estimate.correlation < spec.min_correlation_to_move:
        objection = f"a correlation of {estimate.correlation:.2f} is too weak to move them"
    certainty = f"± {estimate.sigma_ns / NS_PER_S:.3f} s, correlation {estimate.correlation:.2f}"
    return _by_lag(case, SyncVerdict.CORRECTED, estimate.lag_ns, certainty, objection)


def _two_witnesses(case: Case, curve: LagCurve, source: SourceLag) -> Judgement:
    """The source's lag is known; the episode's own evidence refines it, allows it, or denies it."""
    estimate, shared_s = curve.estimate, source.lag_ns / NS_PER_S
    clear, denies = is_clear(estimate, case.spec), contradicts(curve, source.lag_ns)
    if clear and abs(estimate.lag_ns - source.lag_ns) <= _allowed_ns(case, estimate, source):
        return _with_source(case, source, SyncVerdict.CORRECTED, _combined(estimate, source))
    other = _Doubt(f"its source has {shared_s:.2f} s throughout", estimate.lag_ns / NS_PER_S, shared_s)
    if clear and denies:
        return _rejected(case, other)
    if clear or denies:
        return _without_lag(case, source, other)
    seen, usual = (
        round(float(curve.correlation[curve.at(source.lag_ns)]), 3),
        round(_COMPARABLE * source.correlation, 3),
    )
    if seen < usual:
        doubt = _Doubt("motion seen and recorded agree far less than in its source", round(seen, 3), round(usual, 3))
        return _without_lag(case, source, doubt)
    return _with_source(case, source, SyncVerdict.BY_SOURCE, source.lag_ns)


def _with_source(case: Case, source: SourceLag, verdict: SyncVerdict, lag_ns: int) -> Judgement:
    """The episode goes with its source, by the evidence of both or by its source's alone."""
    why = f"its source has {source.lag_ns / NS_PER_S:.2f} s throughout"
    objection = None
    if source.evidence is Evidence.JOINTS and not case.spec.joints_may_correct:
        objection = "that is known from joints only and `align.joints_may_correct` is off"
    return _by_lag(case, verdict, lag_ns, why, objection)


def _without_lag(case: Case, source: SourceLag, doubt: _Doubt) -> Judgement:
    """The episode does not bear its source's lag: its own clocks are left, unless the source proves them wrong."""
    may_move = source.evidence is Evidence.POSITIONS or case.spec.joints_may_correct
    return _rejected(case, doubt) if may_move and not _is_none(source.lag_ns, case.spec) else _unverified(case, doubt)


# -- outcomes ----------------------------------------------------------------------------------------------------------


def _by_lag(case: Case, verdict: SyncVerdict, lag_ns: int, why: str, objection: str | None) -> Judgement:
    """Confirmed where the lag is none; else the actions are moved by it, unless something forbids that."""
    spec, lag_s = case.spec, lag_ns / NS_PER_S
    if _is_none(lag_ns, spec):
        return Judgement(SyncVerdict.CONFIRMED if verdict is SyncVerdict.CORRECTED else verdict)
    told = f"the pictures show the motion {abs(lag_s):.3f} s {'later' if lag_s > 0 else 'earlier'} than the actions"
    objection = objection if spec.correct else "`align.correct` is off"
    if objection is not None:
        message = f"{told} ({why}), but {objection}"
        finding = episode_finding(
            case.episode, "sync_offset_suspected", _outcome(case), message, value=lag_s, threshold=spec.tolerance_s
        )
        return Judgement(SyncVerdict.UNVERIFIED, finding=finding)
    check = "sync_corrected" if verdict is SyncVerdict.CORRECTED else "sync_by_source"
    message = f"{told}; they are moved ({why})"
    finding = episode_finding(case.episode, check, Verdict.KEEP, message, value=lag_s, threshold=spec.tolerance_s)
    return Judgement(verdict, lag_ns, finding)


def _rejected(case: Case, doubt: _Doubt) -> Judgement:
    """Held back for a person."""
    message = f"{_measured(case)}, but {doubt.reason}; check that these actions belong to this video"
    outcome = Verdict.DROP if case.spec.on_rejected == "drop" else Verdict.KEEP
    finding = episode_finding(
        case.episode, "sync_rejected", outcome, message, value=doubt.value, threshold=doubt.threshold
    )
    return Judgement(SyncVerdict.REJECTED, finding=finding)


def _unverified(case: Case, doubt: _Doubt) -> Judgement:
    """Nothing is proven; the clocks are taken as given."""
    clocks = "the clocks are taken as given"
    if case.own_clock:
        clocks += ", although rows carry times of their own"
    message = f"{_measured(case)}, but {doubt.reason}; {clocks}"
    finding = episode_finding(
        case.episode, "sync_unverified", _outcome(case), message, value=doubt.value, threshold=doubt.threshold
    )
    return Judgement(SyncVerdict.UNVERIFIED, finding=finding)


def _outcome(case: Case) -> Verdict:
    """What becomes of an unverified episode."""
    dropped = case.spec.on_unverified == "drop" or (case.spec.on_unverified == "drop_own_clock" and case.own_clock)
    return Verdict.DROP if dropped else Verdict.KEEP


def _measured(case: Case) -> str:
    if case.curve is None:
        return "video and actions are there"
    lag_s, sigma_s = case.curve.estimate.lag_ns / NS_PER_S, case.curve.estimate.sigma_ns / NS_PER_S
    return f"{case.curve.evidence.value} fit the pictures best at {lag_s:.3f} ± {sigma_s:.3f} s"


# -- evidence ----------------------------------------------------------------------------------------------------------


def _no_lag_is_right(case: Case, curve: LagCurve) -> _Doubt | None:
    """What is strong enough to hold an episode back, whatever its source says: a drift, a lag beyond the window."""
    spec, estimate = case.spec, curve.estimate
    drift_s = drift_ns(curve, spec) / NS_PER_S
    if abs(drift_s) > case.max_drift_s:
        return _Doubt(
            f"its second half by {drift_s:+.3f} s more than its first: a clock drifts", drift_s, case.max_drift_s
        )
    strong = (
        curve.evidence is Evidence.POSITIONS
        and estimate.correlation >= spec.min_correlation_to_move
        and estimate.margin >= spec.min_margin
        and estimate.sigma_ns <= spec.max_sigma_s * NS_PER_S
    )
    return _beyond_window(estimate, spec) if strong and not estimate.inside else None


def _weakness(estimate: LagEstimate, spec: AlignSpec) -> _Doubt | None:
    """Why an episode's own evidence is not clear (`is_clear`); None when it is."""
    if is_clear(estimate, spec):
        return None
    if not estimate.inside:
        return _beyond_window(estimate, spec)
    if estimate.correlation < spec.min_correlation:
        return _Doubt("motion seen and recorded hardly agree", estimate.correlation, spec.min_correlation)
    if estimate.margin < spec.min_margin:
        return _Doubt("other lags fit almost as well", estimate.margin, spec.min_margin)
    return _Doubt("parts of the episode disagree", estimate.sigma_ns / NS_PER_S, spec.max_sigma_s)


def _beyond_window(estimate: LagEstimate, spec: AlignSpec) -> _Doubt:
    return _Doubt("that is at or outside the window", estimate.lag_ns / NS_PER_S, spec.max_lag_s)


def _is_none(lag_ns: int, spec: AlignSpec) -> bool:
    return abs(lag_ns) <= spec.tolerance_s * NS_PER_S


def _allowed_ns(case: Case, estimate: LagEstimate, source: SourceLag) -> float:
    """How far a clear lag may be from its source's: what chance explains, but at most a frame."""
    chance_ns = _DISAGREES * float(np.sqrt(_own_variance(estimate) + _source_variance(source)))
    return max(min(chance_ns, case.frame_ns), case.spec.tolerance_s * NS_PER_S)


def _combined(estimate: LagEstimate, source: SourceLag) -> int:
    """Mean of the episode's lag and its source's, weighted by precision; whole milliseconds."""
    own, shared = 1.0 / _own_variance(estimate), 1.0 / _source_variance(source)
    lag_ns = (own * estimate.lag_ns + shared * source.lag_ns) / (own + shared)
    return round(lag_ns / 1e6) * 1_000_000


def _own_variance(estimate: LagEstimate) -> float:
    return float(estimate.sigma_ns) ** 2 + float(_METHOD_NS) ** 2


def _source_variance(source: SourceLag) -> float:
    """Of one episode's lag, as far as its source tells it."""
    return float(source.sigma_ns) ** 2 + float(source.spread_ns) ** 2
