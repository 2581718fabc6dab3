"""The align stage: one alignment per episode, and nothing moves on weak evidence."""

import dataclasses

import numpy as np
import pytest

from pipeline.align import STAGE, align, case_of
from pipeline.aligned import aligned_actions, kept_frames
from pipeline.lag import lag_curve
from pipeline.stage import Bundle
from schemas.arrow import from_row, to_row
from schemas.episode import ActionKind, ActionTrack, Alignment, Episode, KeptRange, SyncVerdict
from schemas.filmstrip import Filmstrip
from schemas.finding import Finding, Verdict
from schemas.recipe import AlignSpec
from schemas.sync import LagCurve, SourceLag
from schemas.time import NS_PER_S
from tests.pipeline.lag_curves import source_lag
from tests.pipeline.made_up import (
    delayed,
    even_times,
    make_actions,
    make_arm,
    make_camera,
    make_episode,
    make_strip,
    moving_actions,
    path_at,
    seen_motion,
    simulated,
)

SPEC = AlignSpec()
CAMERA = make_camera()
EPISODE = make_episode(CAMERA)


def aligned(
    episode: Episode,
    actions: ActionTrack | None,
    strips: list[Filmstrip],
    votes: list[SourceLag] | None = None,
    spec: AlignSpec = SPEC,
) -> tuple[Alignment, dict[str, Finding]]:
    """Stages lag and align, with the vote given."""
    curve = lag_curve(episode, actions, strips, spec.max_lag_s)
    alignment, *findings = align(case_of(episode, actions, curve, votes or [], spec), actions, strips, [])
    assert isinstance(alignment, Alignment)
    return alignment, {finding.check: finding for finding in findings if isinstance(finding, Finding)}


def run(
    actions: ActionTrack | None, votes: list[SourceLag] | None = None, spec: AlignSpec = SPEC, seed: int = 0
) -> tuple[Alignment, dict[str, Finding]]:
    return aligned(EPISODE, actions, [make_strip(CAMERA, seen_motion(CAMERA, seed, noise=0.5))], votes, spec)


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


@pytest.mark.parametrize("lag_s", [0.1, -0.25])
def test_a_shift_changes_times_and_no_value_so_that_resampling_after_it_is_exact(lag_s):
    actions = moving_actions(lag_s, noise_m=0.0)
    alignment, _ = run(actions)
    moved = aligned_actions(actions, alignment)
    assert moved is not None
    assert moved.state is actions.state
    at = np.concatenate([CAMERA.times_ns[slice(*frames)] for frames in kept_frames(alignment, CAMERA.clock)])
    seen = path_at(at / NS_PER_S)

    def off_m(track: ActionTrack) -> float:
        position = track.state[0].position
        sampled = np.stack([np.interp(at, track.times_ns, position[:, i]) for i in range(3)], axis=1)
        return float(np.median(np.linalg.norm(sampled - seen, axis=1)))

    assert off_m(moved) < 0.1 * off_m(actions)


def test_frames_without_actions_are_trimmed_for_every_way_to_be_moved():
    actions = moving_actions(0.2)
    silent = make_strip(CAMERA, np.zeros(CAMERA.n_frames))
    alignment, findings = aligned(EPISODE, actions, [silent], [source_lag(-0.2)])
    assert (alignment.verdict, alignment.offset_ns) == (SyncVerdict.BY_SOURCE, -200_000_000)
    assert findings["no_actions_at_end"].verdict is Verdict.TRIM
    ((first, last),) = kept_frames(alignment, CAMERA.clock)
    assert (first, last) == (0, CAMERA.n_frames - 4)  # 0.2 s of 20 frames per second


def test_an_episode_that_contradicts_its_source_is_dropped_and_keeps_nothing():
    alignment, findings = run(moving_actions(0.3), [source_lag(0.0)])
    assert (alignment.verdict, alignment.offset_ns, alignment.kept) == (SyncVerdict.REJECTED, 0, ())
    assert findings["sync_rejected"].verdict is Verdict.DROP
    spec = AlignSpec(on_rejected="keep")
    alignment, findings = run(moving_actions(0.3), [source_lag(0.0)], spec)
    assert (alignment.verdict, alignment.offset_ns) == (SyncVerdict.REJECTED, 0)
    assert alignment.kept


def test_rows_that_carry_the_frames_times_have_no_clock_of_their_own():
    on_frames = make_actions(CAMERA.times_ns, make_arm(path_at(CAMERA.times_ns / NS_PER_S)))
    assert not case_of(EPISODE, on_frames, None, [], SPEC).own_clock
    assert case_of(EPISODE, moving_actions(), None, [], SPEC).own_clock
    assert case_of(make_episode(), on_frames, None, [], SPEC).own_clock
    silent, strict = make_strip(CAMERA, np.zeros(CAMERA.n_frames)), AlignSpec(on_unverified="drop_own_clock")
    assert aligned(EPISODE, on_frames, [silent], spec=strict)[0].kept
    assert aligned(EPISODE, moving_actions(), [silent], spec=strict)[0].kept == ()


def test_a_lag_smaller_than_the_methods_own_error_moves_nothing():
    alignment, _ = run(moving_actions(0.015))
    assert (alignment.verdict, alignment.offset_ns) == (SyncVerdict.CONFIRMED, 0)


def test_unrelated_motion_moves_nothing_and_is_a_finding():
    for seed in range(6):
        alignment, findings = run(moving_actions(seed=seed + 50), seed=seed)
        assert alignment.offset_ns == 0
        assert alignment.verdict is not SyncVerdict.CORRECTED
        assert findings or alignment.verdict is SyncVerdict.CONFIRMED


def test_commands_never_move_even_when_they_lead_clearly():
    arm = moving_actions().state[0]
    alignment, findings = run(make_actions(even_times(1000, 50.0) - 200_000_000, target=(arm,)))
    assert (alignment.verdict, alignment.offset_ns) == (SyncVerdict.UNVERIFIED, 0)
    assert findings["sync_offset_suspected"].value == pytest.approx(0.2, abs=0.02)


def test_without_actions_there_is_nothing_to_align():
    by_kind = [dataclasses.replace(moving_actions(), kind=kind) for kind in (ActionKind.NONE, ActionKind.PSEUDO)]
    for actions in (None, *by_kind):
        alignment, _ = run(actions, [source_lag(0.1)])
        assert (alignment.verdict, alignment.offset_ns) == (SyncVerdict.NOT_APPLICABLE, 0)
        assert alignment.kept == (KeptRange(0, CAMERA.end_ns),)


def test_an_arm_that_rests_is_unverified():
    alignment, findings = run(make_actions(even_times(1000, 50.0), make_arm(np.zeros((1000, 3)))))
    assert alignment.verdict is SyncVerdict.UNVERIFIED
    assert "nothing moves" in findings["sync_unverified"].message


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
        curve = lag_curve(episode, actions[0] if actions else None, strips, SPEC.max_lag_s)
        records = {Episode: [episode], ActionTrack: actions, Filmstrip: strips, Finding: []}
        records |= {LagCurve: [] if curve is None else [curve], SourceLag: [source_lag(0.0)]}
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
    alignment, findings = aligned(episode, actions, strips)
    assert alignment.verdict is SyncVerdict.CONFIRMED
    assert findings == {}
    alignment, _ = aligned(episode, delayed(actions, 0.15), strips)
    assert alignment.verdict is SyncVerdict.CORRECTED
    assert alignment.offset_ns == pytest.approx(-150_000_000, abs=20_000_000)
