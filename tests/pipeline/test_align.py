"""The align stage: one alignment per episode, and nothing moves on weak evidence."""

import dataclasses

import numpy as np
import pytest

from pipeline.align import STAGE, Evidence, align, evidence_of, judge
from pipeline.aligned import aligned_actions, kept_frames
from pipeline.stage import Bundle
from pipeline.sync import LagEstimate
from schemas.arrow import from_row, to_row
from schemas.episode import ActionKind, ActionTrack, Alignment, Episode, KeptRange, SyncVerdict
from schemas.filmstrip import Filmstrip
from schemas.finding import Finding, Verdict
from schemas.recipe import AlignSpec
from schemas.time import NS_PER_S
from tests.pipeline.made_up import (
    delayed,
    even_times,
    make_actions,
    make_arm,
    make_camera,
    make_episode,
    make_strip,
    moving_actions,
    seen_motion,
    simulated,
)

SPEC = AlignSpec()
CAMERA = make_camera()
CLEAR = LagEstimate(lag_ns=-100_000_000, sigma_ns=10_000_000, correlation=0.9, margin=0.2, inside=True)


def run(actions: ActionTrack | None, spec: AlignSpec = SPEC, seed: int = 0) -> tuple[Alignment, dict[str, Finding]]:
    episode, strip = make_episode(CAMERA), make_strip(CAMERA, seen_motion(CAMERA, seed, noise=0.5))
    alignment, *findings = align(episode, actions, [strip], [], spec)
    return alignment, {finding.check: finding for finding in findings}


def test_clocks_that_agree_are_confirmed_and_nothing_moves():
    alignment, findings = run(moving_actions())
    assert (alignment.verdict, alignment.offset_ns, findings) == (SyncVerdict.CONFIRMED, 0, {})
    assert alignment.kept == (KeptRange(0, CAMERA.end_ns),)


@pytest.mark.parametrize("lag_s", [0.1, -0.1, 0.25, -0.25])
def test_a_clear_lag_is_corrected_and_the_edges_it_uncovers_are_trimmed(lag_s):
    actions = moving_actions(lag_s)
    alignment, findings = run(actions)
    assert alignment.verdict is SyncVerdict.CORRECTED
    assert abs(alignment.offset_ns / NS_PER_S + lag_s) <= 0.02
    assert findings["sync_corrected"].value == alignment.offset_ns / NS_PER_S
    moved = aligned_actions(actions, alignment)
    ((first, last),) = kept_frames(alignment, CAMERA.clock)
    assert CAMERA.clock.edge_ns(first) >= moved.times_ns[0] - 50_000_000
    assert CAMERA.clock.edge_ns(last) <= moved.times_ns[-1] + 70_000_000
    assert findings["no_actions_at_end"].value == pytest.approx(abs(lag_s), abs=0.03)


def test_a_lag_smaller_than_the_methods_own_error_moves_nothing():
    alignment, _ = run(moving_actions(0.03))
    assert (alignment.verdict, alignment.offset_ns) == (SyncVerdict.CONFIRMED, 0)


def test_unrelated_motion_moves_nothing_and_is_a_finding():
    for seed in range(6):
        alignment, findings = run(moving_actions(seed=seed + 50), seed=seed)
        assert alignment.offset_ns == 0
        assert alignment.verdict is not SyncVerdict.CORRECTED
        assert findings or alignment.verdict is SyncVerdict.CONFIRMED


@pytest.mark.parametrize(
    ("doubt", "told"),
    [
        ({"inside": False}, "outside the window"),
        ({"correlation": 0.3}, "hardly agree"),
        ({"margin": 0.04}, "almost as well"),
        ({"sigma_ns": 60_000_000}, "disagree"),
    ],
)
def test_every_doubt_leaves_the_clocks_as_given_and_is_named(doubt, told):
    verdict, findings = judge(make_episode(CAMERA), dataclasses.replace(CLEAR, **doubt), Evidence.POSITIONS, SPEC)
    assert verdict is SyncVerdict.UNVERIFIED
    assert told in findings[0].message
    assert findings[0].check == "sync_unverified"


@pytest.mark.parametrize(
    ("estimate", "evidence", "spec"),
    [
        (CLEAR, Evidence.JOINTS, SPEC),
        (CLEAR, Evidence.COMMANDS, SPEC),
        (CLEAR, Evidence.POSITIONS, AlignSpec(correct=False)),
        (dataclasses.replace(CLEAR, correlation=0.5), Evidence.POSITIONS, SPEC),
    ],
)
def test_a_lag_that_may_not_be_corrected_is_told(estimate, evidence, spec):
    verdict, findings = judge(make_episode(CAMERA), estimate, evidence, spec)
    assert verdict is SyncVerdict.UNVERIFIED
    assert findings[0].check == "sync_offset_suspected"
    assert findings[0].value == -0.1


def test_measured_positions_are_better_evidence_than_joints_and_joints_than_commands():
    times = even_times(1000, 50.0)
    arm = moving_actions().state[0]
    joints = np.sin(times / NS_PER_S)[:, None]
    assert evidence_of(make_actions(times, arm, joints=joints))[0] is Evidence.POSITIONS
    assert evidence_of(make_actions(times, target=(arm,), joints=joints))[0] is Evidence.JOINTS
    assert evidence_of(make_actions(times, target=(arm,)))[0] is Evidence.COMMANDS


def test_commands_never_move_even_when_they_lead_clearly():
    arm = moving_actions().state[0]
    alignment, findings = run(make_actions(even_times(1000, 50.0) - 200_000_000, target=(arm,)))
    assert (alignment.verdict, alignment.offset_ns) == (SyncVerdict.UNVERIFIED, 0)
    assert findings["sync_offset_suspected"].value == pytest.approx(0.2, abs=0.02)


def test_without_actions_there_is_nothing_to_align():
    for actions in (None, dataclasses.replace(moving_actions(), kind=ActionKind.NONE)):
        alignment, _ = run(actions)
        assert (alignment.verdict, alignment.offset_ns) == (SyncVerdict.NOT_APPLICABLE, 0)
        assert alignment.kept == (KeptRange(0, CAMERA.end_ns),)


def test_an_arm_that_rests_is_unverified():
    alignment, findings = run(make_actions(even_times(1000, 50.0), make_arm(np.zeros((1000, 3)))))
    assert alignment.verdict is SyncVerdict.UNVERIFIED
    assert "no motion to compare" in findings["sync_unverified"].message


def test_the_stage_writes_exactly_one_alignment_whatever_comes():
    cameraless = make_episode(kind=ActionKind.MEASURED)
    cases = [
        (make_episode(CAMERA), [moving_actions()], [make_strip(CAMERA)]),
        (make_episode(CAMERA), [], [make_strip(CAMERA)]),
        (make_episode(CAMERA), [moving_actions()], []),
        (cameraless, [moving_actions()], []),
        (make_episode(make_camera(n=1)), [make_actions(even_times(0, 50.0))], [make_strip(make_camera(n=1))]),
        (make_episode(CAMERA), [make_actions(np.zeros(3, np.int64), make_arm(np.full((3, 3), np.nan)))], []),
    ]
    for episode, actions, strips in cases:
        records = {Episode: [episode], ActionTrack: actions, Filmstrip: strips, Finding: []}
        written = list(STAGE.run(Bundle(item=episode.episode_id, records=records), SPEC))
        assert [type(record) for record in written].count(Alignment) == 1
        assert {type(record) for record in written} <= set(STAGE.writes)
        assert {read.record for read in STAGE.reads} == set(records)
        for record in written:
            assert from_row(type(record), to_row(record)) == record


def test_a_dropped_episode_keeps_nothing_and_says_why():
    times = moving_actions().times_ns.copy()
    times[10] = 0
    alignment, findings = run(dataclasses.replace(moving_actions(), times_ns=times))
    assert alignment.kept == ()
    assert any(finding.verdict is Verdict.DROP for finding in findings.values())


def test_a_rendered_recording_is_confirmed_and_a_delayed_one_corrected(real):
    episode, strips, actions = simulated(real, "robosuite_pickplacecan_seed0_normal")
    alignment, *findings = align(episode, actions, strips, [], SPEC)
    assert alignment.verdict is SyncVerdict.CONFIRMED
    assert findings == []
    alignment, *_ = align(episode, delayed(actions, 0.15), strips, [], SPEC)
    assert alignment.verdict is SyncVerdict.CORRECTED
    assert alignment.offset_ns == pytest.approx(-150_000_000, abs=20_000_000)
