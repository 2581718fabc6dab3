"""The vote: what the episodes of a source say together, and when they say nothing."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from pipeline.stage import Bundle
from pipeline.vote import STAGE, contradicts, drift_ns, is_clear, vote, vote_spec
from schemas.finding import Finding, Verdict
from schemas.recipe import AlignSpec
from schemas.sync import Evidence, LagCurve, SourceClock, SourceLag
from tests.pipeline.lag_curves import flat, ns, peaked

ALIGN = AlignSpec()
SPEC = vote_spec(ALIGN)
SCATTER_S = (0.01, -0.008, 0.004, -0.012, 0.006, 0.0, -0.002, 0.009)


def source(lag_s: float, n: int = 6, **more: object) -> list[LagCurve]:
    return [peaked(lag_s + SCATTER_S[i], name=f"ep-{i}", **more) for i in range(n)]


def said(curves: Sequence[LagCurve], spec: AlignSpec = ALIGN) -> list[SourceLag]:
    return [found for found in vote("lab/arm", lambda: curves, vote_spec(spec)) if isinstance(found, SourceLag)]


def told(curves: Sequence[LagCurve]) -> dict[str, Finding]:
    return {found.check: found for found in vote("lab/arm", lambda: curves, SPEC) if isinstance(found, Finding)}


@pytest.mark.parametrize("lag_s", [0.0, 0.11, -0.25, 0.5, -0.5])
def test_episodes_that_agree_have_one_constant_lag(lag_s):
    (lag,) = said(source(lag_s))
    assert lag.clock is SourceClock.CONSTANT
    assert abs(lag.lag_ns - ns(lag_s)) <= ns(0.01)
    assert lag.sigma_ns <= ns(0.02)
    assert lag.voters == 4  # of six, rounded down to a power of two


def test_episodes_that_are_unsure_one_by_one_are_sure_together():
    curves = source(0.11, n=8, sigma_s=0.06, margin=0.03, evidence=Evidence.JOINTS)
    assert not any(is_clear(curve.estimate, SPEC) for curve in curves)
    (lag,) = said(curves)
    assert (lag.evidence, lag.clock) == (Evidence.JOINTS, SourceClock.CONSTANT)
    assert abs(lag.lag_ns - ns(0.11)) <= ns(0.01)


@pytest.mark.parametrize("n", [1, 3])
def test_few_episodes_speak_for_nobody(n):
    assert [lag.clock for lag in said(source(0.1, n=n))] == [SourceClock.UNKNOWN]


def test_a_stray_neither_decides_nor_blurs():
    (without,) = said(source(0.1, n=5))
    (lag,) = said([*source(0.1, n=5), peaked(-0.4, name="stray")])
    assert lag.clock is SourceClock.CONSTANT
    assert (lag.lag_ns, lag.sigma_ns, lag.spread_ns) == (without.lag_ns, without.sigma_ns, without.spread_ns)


def test_episodes_that_contradict_one_another_vary():
    curves = [peaked(lag_s, name=f"ep-{lag_s}") for lag_s in (0.0, 0.2, -0.3, 0.4, -0.1, 0.6)]
    (lag,) = said(curves)
    assert (lag.clock, lag.lag_ns) == (SourceClock.VARYING, 0)
    assert "disagree" in told(curves)["sync_source_varies"].message


def test_episodes_that_say_nothing_decide_nothing():
    assert [lag.clock for lag in said([flat(f"ep-{i}", seed=i) for i in range(8)])] == [SourceClock.UNKNOWN]


def test_a_common_peak_beyond_the_window_is_no_lag():
    curves = source(0.8, inside=False)
    assert [lag.clock for lag in said(curves)] == [SourceClock.UNKNOWN]


def test_a_peak_that_does_not_stand_out_among_episodes_is_no_lag():
    def two_peaked(number: int, second: float) -> LagCurve:
        curve, other = (peaked(lag_s, margin=0.01, doubt=0.5, name=f"ep-{number}") for lag_s in (0.1, -0.4))
        both = curve.correlation + np.float32(second) * other.correlation
        return dataclasses.replace(curve, correlation=both, doubt=np.full(87, 0.5, np.float32))

    assert [lag.clock for lag in said([two_peaked(i, 0.5) for i in range(8)])] == [SourceClock.CONSTANT]
    doubtful = [two_peaked(i, 0.55 + 0.6 * (i % 2)) for i in range(8)]
    assert [lag.clock for lag in said(doubtful)] == [SourceClock.UNKNOWN]


def test_clear_episodes_that_scatter_widely_have_no_one_lag():
    def scattered(by_s: float) -> list[LagCurve]:
        return [peaked(by_s * (-1) ** i, width_s=0.3, doubt=0.5, name=f"ep-{i:02d}") for i in range(40)]

    assert [lag.clock for lag in said(scattered(0.02))] == [SourceClock.CONSTANT]
    assert [lag.clock for lag in said(scattered(0.08))] == [SourceClock.UNKNOWN]


def test_each_kind_of_evidence_votes_apart():
    lags = said([*source(0.0), *source(0.2, evidence=Evidence.COMMANDS)])
    assert [(lag.evidence, lag.clock) for lag in lags] == [
        (Evidence.POSITIONS, SourceClock.CONSTANT),
        (Evidence.COMMANDS, SourceClock.CONSTANT),
    ]
    assert abs(lags[1].lag_ns - ns(0.2)) <= ns(0.01)


def test_a_lag_of_the_whole_source_is_a_finding_about_it():
    assert told(source(0.0)) == {}
    finding = told(source(-0.2))["sync_source_lag"]
    assert (finding.subject, finding.source, finding.verdict) == ("lab/arm", "lab", Verdict.KEEP)
    assert finding.value == pytest.approx(-0.2, abs=0.01)
    assert "earlier" in finding.message


@pytest.mark.parametrize(
    "stricter", [{"min_voters": 7}, {"max_source_sigma_s": 0.001}, {"min_correlation": 0.9}, {"max_lag_s": 0.1}]
)
def test_every_threshold_can_silence_a_source(stricter):
    assert said(source(0.2, n=6))[0].clock is SourceClock.CONSTANT
    (lag,) = said(source(0.2, n=6), ALIGN.model_copy(update=stricter))
    assert lag.clock is not SourceClock.CONSTANT
    assert (lag.lag_ns, lag.sigma_ns, lag.voters) == (0, 0, 0)


def test_agreement_is_a_share_of_those_that_speak():
    curves = [*source(0.1, n=6), *(peaked(-0.4, name=f"stray-{i}") for i in range(2))]
    assert said(curves)[0].clock is SourceClock.CONSTANT  # 6 of 8 is the 0.75 asked for
    assert said([*curves, peaked(0.5, name="stray-3")])[0].clock is SourceClock.VARYING


def test_the_order_of_episodes_changes_no_bit():
    curves = [*source(0.1, n=8), flat("flat"), peaked(-0.3, name="stray")]
    shuffled = [curves[i] for i in np.random.default_rng(0).permutation(len(curves))]
    assert vote("g", lambda: curves, SPEC) == vote("g", lambda: shuffled, SPEC)


def test_one_more_episode_like_the_others_changes_no_result():
    assert said(source(0.1, n=6)) == said([*source(0.1, n=6), peaked(0.1, name="new")])


def test_a_curve_contradicts_a_lag_where_it_is_significantly_lower():
    curve = peaked(0.2, doubt=0.1)
    assert not contradicts(curve, ns(0.2))
    assert not contradicts(curve, ns(0.26))  # lower by 0.13, which is less than two standard errors
    assert contradicts(curve, ns(0.0))
    assert not contradicts(peaked(0.2, doubt=0.5), ns(0.0))


def test_a_drift_is_told_only_by_halves_that_are_clear():
    assert drift_ns(peaked(0.0, drift_s=0.2), ALIGN) == ns(0.2)
    assert drift_ns(peaked(0.0, drift_s=0.2, margin=0.01), ALIGN) == 0
    assert drift_ns(peaked(0.0, drift_s=0.2, height=0.2), ALIGN) == 0


def test_the_stage_streams_its_group_and_reads_only_what_a_vote_depends_on():
    curves = source(0.1, n=7)
    passes = []

    def stream():
        passes.append(1)
        yield from ([curve] for curve in curves)

    written = list(STAGE.run(Bundle(item="lab/arm", streams={LagCurve: stream}), SPEC))
    assert [type(record) for record in written] == [SourceLag, Finding]
    assert len(passes) == 3
    assert vote_spec(ALIGN.model_copy(update={"on_rejected": "keep", "frozen_s": 9.0})) == SPEC
