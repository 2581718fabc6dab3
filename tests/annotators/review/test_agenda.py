"""The audit is a fixed random sample, the rest goes by risk, and blind means at least half of what is shared."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from annotators.review.agenda import AgendaSpec, Stratum, agenda, risk_of
from pipeline.synthetic.trajectory import Variant, make_trajectory
from schemas.episode import Arm
from schemas.event import Doubt
from tests.annotators.recordings import synthetic

EPISODES = [(f"ep-{number:04d}", number / 2000) for number in range(2000)]


def test_the_same_seed_is_the_same_sample_and_more_episodes_move_none() -> None:
    spec = AgendaSpec(seed=7, audit_share=0.2)
    first = {item.episode_id: item for item in agenda(EPISODES[:1000], spec)}
    later = {item.episode_id: item for item in agenda(EPISODES, spec)}
    assert {name: later[name] for name in first} == first
    audit = [item for item in later.values() if item.stratum is Stratum.AUDIT]
    assert 0.17 < len(audit) / len(EPISODES) < 0.23
    other = {
        item.episode_id for item in agenda(EPISODES, spec.model_copy(update={"seed": 8})) if item.stratum == "audit"
    }
    assert other != {item.episode_id for item in audit}


def test_risk_does_not_make_an_episode_more_likely_to_be_audited() -> None:
    spec = AgendaSpec(audit_share=0.2)
    audited = {item.episode_id for item in agenda(EPISODES, spec) if item.stratum is Stratum.AUDIT}
    turned = [(name, 1 - risk) for name, risk in EPISODES]
    assert {item.episode_id for item in agenda(turned, spec) if item.stratum is Stratum.AUDIT} == audited


def test_the_audit_comes_first_and_the_rest_by_risk() -> None:
    items = agenda(EPISODES, AgendaSpec(audit_share=0.1))
    strata = [item.stratum for item in items]
    assert strata == sorted(strata)
    risks = [item.risk for item in items if item.stratum is Stratum.RISK]
    assert risks == sorted(risks, reverse=True)


def test_only_shared_audits_have_several_raters_and_half_of_them_or_more_are_blind() -> None:
    items = agenda(EPISODES, AgendaSpec(audit_share=0.5, overlap_share=0.5, raters=3))
    shared = [item for item in items if item.raters == 3]
    assert {item.stratum for item in shared} == {Stratum.AUDIT}
    assert 0.4 < sum(item.blind for item in shared) / len(shared) < 0.6
    assert not any(item.blind for item in items if item.raters == 1)
    with pytest.raises(ValidationError, match=r"greater than or equal to 0\.5"):
        AgendaSpec(blind_share=0.2)


def test_doubt_is_risk() -> None:
    plain = synthetic(make_trajectory(1, {Arm.RIGHT: (Variant.PLAIN,)})).tree()
    doubted = [replace(event, doubts=(Doubt.CUT,)) for event in plain]
    assert 0 < risk_of(plain) < risk_of(doubted)
    assert risk_of([]) == 0
