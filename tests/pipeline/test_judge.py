"""The judge: which evidence confirms, moves, or holds back; nothing moves on weak evidence."""

import dataclasses
import itertools

import pytest

from pipeline.judge import Case, Judgement, constant_lag, judge
from schemas.episode import SyncVerdict
from schemas.finding import Verdict
from schemas.recipe import AlignSpec
from schemas.sync import Evidence, LagCurve, SourceClock, SourceLag
from tests.pipeline.lag_curves import flat, ns, peaked, source_lag
from tests.pipeline.made_up import make_camera, make_episode

SPEC = AlignSpec()
EPISODE = make_episode(make_camera(hz=20.0))
WEAK = {"margin": 0.02, "sigma_s": 0.08}


def judged(
    curve: LagCurve | None, source: SourceLag | None = None, spec: AlignSpec = SPEC, *, own_clock: bool = False
) -> Judgement:
    return judge(Case(EPISODE, curve, source, own_clock, spec))


# -- alone -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lag_s", [0.0, 0.03, -0.03])
def test_alone_a_clear_lag_of_nothing_is_confirmed(lag_s):
    assert judged(peaked(lag_s)) == Judgement(SyncVerdict.CONFIRMED)


@pytest.mark.parametrize("lag_s", [0.05, -0.1, 0.5, -0.5])
def test_alone_a_clear_lag_is_corrected(lag_s):
    found = judged(peaked(lag_s))
    assert (found.verdict, found.offset_ns) == (SyncVerdict.CORRECTED, ns(lag_s))
    assert found.finding.check == "sync_corrected"
    assert found.finding.value == lag_s


@pytest.mark.parametrize(
    ("curve", "told"),
    [
        (peaked(0.8, inside=False, height=0.5), "outside the window"),
        (peaked(0.1, height=0.3), "hardly agree"),
        (peaked(0.1, margin=0.04), "almost as well"),
        (peaked(0.1, sigma_s=0.06), "disagree"),
        (None, "nothing moves"),
    ],
)
def test_alone_every_weakness_leaves_the_clocks_as_given_and_is_named(curve, told):
    found = judged(curve)
    assert (found.verdict, found.offset_ns) == (SyncVerdict.UNVERIFIED, 0)
    assert found.finding.check == "sync_unverified"
    assert told in found.finding.message


@pytest.mark.parametrize(
    ("curve", "spec"),
    [
        (peaked(0.1, evidence=Evidence.JOINTS), SPEC),
        (peaked(0.1, evidence=Evidence.COMMANDS), SPEC),
        (peaked(0.1, height=0.5), SPEC),
        (peaked(0.1), AlignSpec(correct=False)),
    ],
)
def test_alone_what_may_not_move_actions_is_told(curve, spec):
    found = judged(curve, spec=spec)
    assert (found.verdict, found.offset_ns) == (SyncVerdict.UNVERIFIED, 0)
    assert (found.finding.check, found.finding.value) == ("sync_offset_suspected", 0.1)


# -- with the source ---------------------------------------------------------------------------------------------------


def test_clear_evidence_that_agrees_is_combined_with_the_sources():
    found = judged(peaked(0.12), source_lag(0.1))
    assert found.verdict is SyncVerdict.CORRECTED
    assert ns(0.1) < found.offset_ns < ns(0.12)
    assert judged(peaked(0.02), source_lag(0.0)) == Judgement(SyncVerdict.CONFIRMED)


def test_clear_evidence_for_another_lag_is_rejected():
    for own_s, shared_s in ((0.3, 0.0), (0.0, 0.3), (-0.2, 0.2)):
        found = judged(peaked(own_s), source_lag(shared_s))
        assert (found.verdict, found.offset_ns) == (SyncVerdict.REJECTED, 0)
        assert found.finding.check == "sync_rejected"


def test_a_clear_lag_more_than_a_frame_off_its_source_never_passes_as_chance():
    curve = peaked(0.055, sigma_s=0.05, doubt=0.2)  # 1.5 standard errors would allow it, a frame of 50 ms does not
    assert judged(curve, source_lag(0.0)).verdict is SyncVerdict.UNVERIFIED


def test_weak_evidence_that_allows_the_sources_lag_goes_with_it():
    curve = peaked(0.15, doubt=0.3, **WEAK)
    found = judged(curve, source_lag(0.1))
    assert (found.verdict, found.offset_ns, found.finding.check) == (SyncVerdict.BY_SOURCE, ns(0.1), "sync_by_source")
    assert judged(peaked(0.0, **WEAK), source_lag(0.0)) == Judgement(SyncVerdict.BY_SOURCE)


def test_an_episode_without_evidence_goes_with_its_source():
    for curve in (None, peaked(0.3, evidence=Evidence.COMMANDS)):
        found = judged(curve, source_lag(0.1))
        assert (found.verdict, found.offset_ns) == (SyncVerdict.BY_SOURCE, ns(0.1))


@pytest.mark.parametrize(
    "curve",
    [peaked(0.3, doubt=0.04, **WEAK), peaked(0.1, height=0.4, doubt=0.5, **WEAK), flat()],
    ids=["denies it", "far weaker than the others", "flat"],
)
def test_weak_evidence_that_does_not_bear_its_source_never_moves(curve):
    assert judged(curve, source_lag(0.0)).verdict is SyncVerdict.UNVERIFIED
    found = judged(curve, source_lag(0.1))  # the clocks as given are wrong, and so may be the source's lag
    assert (found.verdict, found.offset_ns) == (SyncVerdict.REJECTED, 0)


def test_joints_of_many_speak_and_move_only_where_the_recipe_allows_it():
    curve, source = peaked(0.11, evidence=Evidence.JOINTS, **WEAK), source_lag(0.1, Evidence.JOINTS)
    found = judged(curve, source)
    assert (found.verdict, found.offset_ns) == (SyncVerdict.UNVERIFIED, 0)
    assert found.finding.check == "sync_offset_suspected"
    assert "joints_may_correct" in found.finding.message
    found = judged(curve, source, AlignSpec(joints_may_correct=True))
    assert (found.verdict, found.offset_ns) == (SyncVerdict.BY_SOURCE, ns(0.1))
    assert judged(flat(), source).verdict is SyncVerdict.UNVERIFIED  # a lag that may not move proves no clock wrong


def test_positions_are_asked_before_joints_and_commands_never():
    joints, commands = source_lag(0.1, Evidence.JOINTS), source_lag(0.2, Evidence.COMMANDS)
    positions = source_lag(0.0)
    assert constant_lag([joints, positions, commands]) is positions
    assert constant_lag([joints, commands]) is joints
    assert constant_lag([commands]) is None
    varying = SourceLag("g", Evidence.POSITIONS, SourceClock.VARYING, 0, 0, 0, 0.0, 0)
    assert constant_lag([varying, commands]) is None


# -- with and without --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", [None, source_lag(0.0), source_lag(0.1)])
def test_a_drifting_clock_is_rejected_whatever_its_source_says(source):
    found = judged(peaked(0.0, drift_s=-0.2), source)
    assert (found.verdict, found.offset_ns) == (SyncVerdict.REJECTED, 0)
    assert "drifts" in found.finding.message
    assert judged(peaked(0.0, drift_s=0.1), source_lag(0.0)).verdict is SyncVerdict.CONFIRMED


@pytest.mark.parametrize(("lasting_s", "rejected"), [(4.0, False), (5.5, False), (6.5, True), (20.0, True)])
def test_the_halves_of_a_short_episode_may_differ_by_more(lasting_s, rejected):
    """Rolled out in a simulator, 4 to 6 s, with exact clocks: halves 0.12 to 0.15 s apart."""
    episode = make_episode(make_camera(n=round(lasting_s * 20.0), hz=20.0))
    found = judge(Case(episode, peaked(0.0, drift_s=-0.15), None, own_clock=False, spec=SPEC))
    assert (found.verdict is SyncVerdict.REJECTED) is rejected
    certain = judge(Case(episode, peaked(0.0, drift_s=-0.3), None, own_clock=False, spec=SPEC))
    assert certain.verdict is SyncVerdict.REJECTED
    assert certain.finding.threshold == pytest.approx(0.12 * max(1.0, 7.0 / lasting_s), abs=1e-3)


@pytest.mark.parametrize("source", [None, source_lag(0.0), source_lag(0.1)])
def test_a_strong_lag_beyond_the_window_is_rejected_whatever_its_source_says(source):
    assert judged(peaked(0.8, inside=False), source).verdict is SyncVerdict.REJECTED


@pytest.mark.parametrize(
    ("on_unverified", "own_clock", "outcome"),
    [
        ("keep", True, Verdict.KEEP),
        ("drop_own_clock", False, Verdict.KEEP),
        ("drop_own_clock", True, Verdict.DROP),
        ("drop", False, Verdict.DROP),
    ],
)
def test_what_becomes_of_the_unverified_is_the_recipes_choice(on_unverified, own_clock, outcome):
    spec = AlignSpec(on_unverified=on_unverified)
    suspected = peaked(0.1, evidence=Evidence.JOINTS)
    for curve in (flat(), suspected):
        assert judged(curve, spec=spec, own_clock=own_clock).finding.verdict is outcome


def test_the_rejected_are_dropped_unless_the_recipe_keeps_them():
    assert judged(peaked(0.3), source_lag(0.0)).finding.verdict is Verdict.DROP
    kept = judged(peaked(0.3), source_lag(0.0), AlignSpec(on_rejected="keep"))
    assert (kept.verdict, kept.finding.verdict) == (SyncVerdict.REJECTED, Verdict.KEEP)


def test_only_corrected_and_by_source_move_and_what_is_held_back_always_says_why():
    own = [
        peaked(lag_s, height=height, margin=margin, doubt=doubt, evidence=evidence, drift_s=drift_s)
        for lag_s, height, margin, doubt, evidence, drift_s in itertools.product(
            (0.0, 0.1, -0.4), (0.3, 0.5, 0.8), (0.02, 0.2), (0.03, 0.4), Evidence, (0.0, 0.3)
        )
    ]
    sources = [None, *(source_lag(lag_s, evidence) for lag_s in (0.0, 0.1) for evidence in Evidence)]
    for curve, source in itertools.product([None, flat(), *own], sources):
        found = judged(curve, source)
        if found.offset_ns:
            assert found.verdict in (SyncVerdict.CORRECTED, SyncVerdict.BY_SOURCE)
        if found.verdict in (SyncVerdict.UNVERIFIED, SyncVerdict.REJECTED):
            assert found.finding is not None


def test_correct_off_moves_nothing_at_all():
    spec = AlignSpec(correct=False)
    for curve, source in ((peaked(0.1), None), (peaked(0.1), source_lag(0.1)), (None, source_lag(0.1))):
        found = judged(curve, source, spec)
        assert (found.verdict, found.offset_ns) == (SyncVerdict.UNVERIFIED, 0)


def test_why_nothing_can_be_compared_is_said_of_the_episode_at_hand():
    def said(n: int) -> str:
        episode = make_episode(make_camera(n=n, hz=20.0))
        return judge(Case(episode, None, None, own_clock=False, spec=SPEC)).finding.message

    assert "too short for it" in said(36)
    assert "nothing is seen to move" in said(200)
    bare = dataclasses.replace(EPISODE, cameras=())
    assert "there are no pictures" in judge(Case(bare, None, None, own_clock=False, spec=SPEC)).finding.message
