"""The segment stage: scores against exact truth, robustness, and the stage's contract."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotators.scores.boundaries import Tally, pooled, tolerance_ns, typed
from annotators.scores.marks import marks_of
from annotators.scores.matching import matched_times
from annotators.segment import STAGE, segment
from annotators.tree.build import DOUBTFUL
from annotators.tree.ranges import usable_ranges
from pipeline.calibrate import calibrate
from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.pseudo.hand_actions import HandWatch
from pipeline.sources.formats import read
from pipeline.stage import Bundle
from pipeline.synthetic.trajectory import Variant, make_trajectory
from pipeline.video import Picture
from schemas.calibration import Calibration
from schemas.episode import ActionKind, ActionTrack, Alignment, Arm, ArmTrack, Episode
from schemas.event import BoundaryKind, Event, Level
from schemas.filmstrip import Filmstrip, FrameFlag
from schemas.finding import Finding
from schemas.pose import RotationEncoding
from schemas.recipe import CalibrateSpec, SegmentSpec
from schemas.rotation import rotation_6d
from schemas.time import NS_PER_S
from schemas.tree import violations
from schemas.truth import PHYSICAL_KINDS
from tests.annotators.recordings import (
    EPISODE_ID,
    Recording,
    all_kept,
    blank_strip,
    boundaries,
    calibration_of,
    even_times,
    make_arm,
    make_episode,
    make_track,
    simulated,
    synthetic,
)
from tests.annotators.sim_truth import true_boundaries
from tests.pipeline.pseudo.made_hands import SPEC as SEEN
from tests.pipeline.pseudo.made_hands import FakeTracker
from tests.pipeline.pseudo.made_hands import hand as drawn_hand
from tests.pipeline.real_episodes import lerobot_refs

SPEC = SegmentSpec()
Seconds = Sequence[tuple[BoundaryKind, float]]
GRASPING = (Variant.PLAIN, Variant.PAUSE, Variant.MISS, Variant.SLIP, Variant.DROP, Variant.ABANDON)
SIM_NAMES = ("robosuite_pickplacecan_seed0_normal", "robosuite_pickplacecan_seed1_recover")


# -- scores ----------------------------------------------------------------------------------------------------


def of_their_kind(
    found: Seconds, true: Seconds, tolerance_s: float, kinds: Sequence[BoundaryKind] = PHYSICAL_KINDS
) -> Tally:
    return pooled(typed(marks_of(found), marks_of(true), tolerance_ns(tolerance_s), kinds).values())


@pytest.mark.parametrize("rate_hz", [20, 30])
def test_synthetic_grasps_misses_and_slips_are_found_within_a_tenth_of_a_second(rate_hz: int) -> None:
    total, lost = Tally(), Tally()
    for seed in range(6):
        for variant in GRASPING:
            tasks = (variant, Variant.PLAIN) if seed % 2 else (variant,)
            trajectory = make_trajectory([seed, 3], {Arm.RIGHT: tasks}, rate_hz=rate_hz)
            true = [(boundary.kind, boundary.t_ns / NS_PER_S) for boundary in trajectory.boundaries]
            found = boundaries(synthetic(trajectory).tree())
            total += of_their_kind(found, true, 0.1)
            lost += of_their_kind(found, true, 0.1, (BoundaryKind.MISS, BoundaryKind.SLIP))
    assert total.f1 >= 0.98
    assert lost.f1 >= 0.9


def test_two_arms_at_once_are_found_apart() -> None:
    """On one timeline, where contacts of the two arms make room for each other (per arm: test_hand_over)."""
    total = Tally()
    for seed in range(6):
        tasks = {Arm.LEFT: (Variant.PLAIN,), Arm.RIGHT: (GRASPING[seed],)}
        trajectory = make_trajectory([seed, 4], tasks, stagger_s=(0.6, 1.6, 3.5)[seed % 3])
        true = [(boundary.kind, boundary.t_ns / NS_PER_S) for boundary in trajectory.boundaries]
        total += of_their_kind(boundaries(synthetic(trajectory).tree()), true, 0.25)
    assert total.f1 >= 0.95


def test_real_physics_is_found_too(real: Path) -> None:
    scores = {
        tolerance: sum(
            (
                of_their_kind(
                    boundaries(simulated(real / "sim", name).tree()), true_boundaries(real / "sim", name), tolerance
                )
                for name in SIM_NAMES
            ),
            Tally(),
        ).f1
        for tolerance in (0.1, 0.25, 0.5)
    }
    assert scores[0.1] >= 0.9
    assert scores[0.25] >= 0.93


def test_the_injected_drop_is_a_slip_and_the_object_is_fetched(real: Path) -> None:
    found = boundaries(simulated(real / "sim", SIM_NAMES[1]).tree())
    kinds = [kind for kind, _ in found if kind in PHYSICAL_KINDS]
    assert kinds.count(BoundaryKind.GRASP) == 2
    (slip,) = [t for kind, t in found if kind is BoundaryKind.SLIP]
    assert slip == pytest.approx(85 / 20, abs=0.1)


def droid(real: Path) -> Recording:
    """The real DROID episode as its reader gives it: measured pose, of the gripper only the command (1 = closed)."""
    column = "observation.state.cartesian_position"
    pose = {
        "arm": "right",
        "position": {"column": column, "start": 0, "stop": 3},
        "rotation": {"column": column, "start": 3, "stop": 6, "encoding": "euler_xyz"},
    }
    grip = {"arm": "right", "opening": {"column": "action.gripper_position", "closed": 1.0, "open": 0.0}}
    folder = real / "open_robot" / "droid_slice_lerobot_v30"
    _, (ref,) = lerobot_refs(folder, state=[pose], target=[grip])
    track = read(ref, SourceFiles(str(folder))).actions
    assert track is not None
    track = replace(track, episode_id=EPISODE_ID)
    episode = make_episode(track.times_ns, int(track.times_ns[-1]) + NS_PER_S // 15)
    found = calibrate("test/test_arm", [(episode, all_kept(episode), track)], CalibrateSpec())
    return Recording(episode, track, next(record for record in found if isinstance(record, Calibration)))


def test_every_gripper_edge_of_a_real_droid_episode_is_a_grasp_or_a_release(real: Path) -> None:
    edges = [47, 111, 185, 225, 275, 342, 344, 438, 495, 593]  # half-open crossings of the command, SOURCES.md
    found = boundaries(droid(real).tree())
    grips = [(kind, t * 15) for kind, t in found if kind in (BoundaryKind.GRASP, BoundaryKind.RELEASE)]
    assert len(grips) == len(edges)
    assert len(matched_times([round(frame) for _, frame in grips], edges, 3)) == len(edges)
    assert [kind for kind, _ in grips] == [BoundaryKind.GRASP, BoundaryKind.RELEASE] * 5


def test_a_commanded_gripper_is_trusted_less(real: Path) -> None:
    events = droid(real).tree()
    grasps = [event.start for event in events if event.start.kind is BoundaryKind.GRASP]
    assert max(grasp.confidence for grasp in grasps) < 0.85
    assert grasps[0].detectors[0] == "gripper_command"


def seen_hand(n: int = 80, hz: float = 10.0) -> Recording:
    """A hand that a tracker saw: it comes, pinches, lifts, crosses the picture, comes down, and lets go."""
    at = (0, 12, 16, 24, 32, 44, 54, 60, 64, n - 1)
    right = np.interp(np.arange(n), at, (0.2, 0.4, 0.4, 0.4, 0.4, 0.7, 0.7, 0.7, 0.7, 0.9))
    down = np.interp(np.arange(n), at, (0.3, 0.5, 0.5, 0.5, 0.35, 0.35, 0.5, 0.5, 0.5, 0.3))
    gap = np.interp(np.arange(n), at, (1.2, 1.2, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 1.2, 1.2))
    told = [[drawn_hand((x, y), gap=g)] for x, y, g in zip(right, down, gap, strict=True)]
    watch = HandWatch("ego", FakeTracker(*told), SEEN)
    for i in range(n):
        t_ns = round(i * NS_PER_S / hz)
        frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
        watch.look(Picture(t_ns, t_ns + round(NS_PER_S / hz), frame, 0, False), t_ns)
    track = watch.track(EPISODE_ID, "made up")
    assert track is not None
    times = even_times(n, hz)
    return Recording(make_episode(times, round(n * NS_PER_S / hz), ActionKind.PSEUDO), track, calibration_of())


def test_a_hand_that_was_only_seen_is_cut_as_an_arm_is_and_trusted_half() -> None:
    events = seen_hand().tree()
    found = boundaries(events)
    assert [kind for kind, _ in found if kind in (BoundaryKind.GRASP, BoundaryKind.LIFT, BoundaryKind.RELEASE)] == [
        BoundaryKind.GRASP, BoundaryKind.LIFT, BoundaryKind.RELEASE,
    ]  # fmt: skip
    times = dict(found)
    assert times[BoundaryKind.GRASP] == pytest.approx(1.6, abs=0.2)
    assert times[BoundaryKind.RELEASE] == pytest.approx(6.0, abs=0.2)
    inner = [event.start for event in events if event.start.kind is not BoundaryKind.RANGE_EDGE]
    assert max(edge.confidence for edge in inner) < DOUBTFUL
    assert all(event.needs_vlm for event in events if event.level in (Level.ACTION, Level.SEGMENT))


# -- the contract ----------------------------------------------------------------------------------------------


def plain() -> Recording:
    return synthetic(make_trajectory(11, {Arm.RIGHT: (Variant.PLAIN,)}))


def test_same_inputs_same_events() -> None:
    assert plain().tree() == plain().tree()


def test_the_alignment_moves_the_cuts_with_the_actions() -> None:
    recording = plain()
    offset = 10 * NS_PER_S // 30
    moved = segment(
        recording.episode,
        recording.actions,
        (),
        all_kept(recording.episode, offset_ns=offset),
        recording.calibration,
        spec=SPEC,
    )
    before = [t for kind, t in boundaries(recording.tree()) if kind in PHYSICAL_KINDS]
    after = [t for kind, t in boundaries(moved) if kind in PHYSICAL_KINDS]
    np.testing.assert_allclose(np.array(after) - np.array(before), offset / NS_PER_S, atol=0.04)


def test_each_kept_range_has_its_own_task_and_nothing_covers_the_hole() -> None:
    recording = plain()
    alignment = all_kept(recording.episode, (0, 3 * NS_PER_S), (4 * NS_PER_S, recording.episode.master.end_ns))
    events = segment(recording.episode, recording.actions, (), alignment, recording.calibration, spec=SPEC)
    tasks = [event.span for event in events if event.level is Level.TASK]
    assert [(task.frame_start, task.frame_end) for task in tasks] == [(0, 90), (120, recording.episode.master.n_frames)]


def test_an_episode_of_which_nothing_is_kept_has_no_events() -> None:
    recording = plain()
    alignment = replace(all_kept(recording.episode), kept=())
    assert segment(recording.episode, recording.actions, (), alignment, recording.calibration, spec=SPEC) == []


def test_claimed_but_missing_actions_are_an_error_that_says_what_to_do() -> None:
    episode = plain().episode
    with pytest.raises(SourceError, match="ingest it again"):
        segment(episode, None, (), all_kept(episode), None, spec=SPEC)


def test_pictures_are_read_only_where_no_arm_says_anything() -> None:
    recording = plain()
    flags = np.zeros(recording.episode.master.n_frames, np.uint8)
    flags[50] = FrameFlag.HARD_CUT
    strips = (blank_strip(len(flags), flags=flags),)
    with_arm = segment(
        recording.episode, recording.actions, strips, all_kept(recording.episode), recording.calibration, spec=SPEC
    )
    assert BoundaryKind.HARD_CUT not in {event.start.kind for event in with_arm}
    silent = replace(recording.episode, action_kind=ActionKind.NONE)
    without = segment(silent, None, strips, all_kept(silent), None, spec=SPEC)
    ((kind, when),) = boundaries(without, Level.SUBTASK)
    assert kind is BoundaryKind.HARD_CUT
    assert when == pytest.approx(50 / 30)
    assert all(event.needs_vlm and event.boundaries_by.proposer == "visual" for event in without)
    assert all(event.start.confidence <= 0.3 for event in without if event.start.kind is not BoundaryKind.RANGE_EDGE)


def test_the_stage_reports_ranges_it_had_to_leave_out() -> None:
    recording = plain()
    alignment = all_kept(recording.episode, (0, 3 * NS_PER_S), (4 * NS_PER_S, 4 * NS_PER_S + 1))
    bundle = Bundle(
        item=EPISODE_ID,
        records={
            Episode: [recording.episode],
            ActionTrack: [recording.actions],
            Filmstrip: [],
            Alignment: [alignment],
            Calibration: [recording.calibration],
        },
    )
    records = list(STAGE.run(bundle, SPEC))
    assert {type(record) for record in records} == {Event, Finding}
    assert [record.check for record in records if isinstance(record, Finding)] == ["range_too_short"]
    assert set(STAGE.writes) == {Event, Finding}


# -- robustness ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "fps"), [(30, 1.0), (33, 20.0), (10, 4.0), (5, 1.0), (4, 1.0), (1, 30.0)])
def test_short_and_slow_clips_without_actions_have_a_tree_or_none(n: int, fps: float) -> None:
    times = even_times(n, fps)
    episode = make_episode(times, int(times[-1]) + round(NS_PER_S / fps), ActionKind.NONE)
    events = segment(episode, None, (blank_strip(n),), all_kept(episode), None, spec=SPEC)
    assert bool(events) == (n >= 5)


def test_a_constant_gripper_on_a_33_frame_clip_is_cut_by_motion_only() -> None:
    times = even_times(33, 20)
    position = np.cumsum(np.full((33, 3), 0.005), axis=0).astype(np.float32)
    track = make_track(times, make_arm(position, np.full(33, 0.5, np.float32)))
    recording = Recording(make_episode(times, 33 * NS_PER_S // 20), track, calibration_of())
    events = recording.tree()
    assert {event.boundaries_by.proposer for event in events} == {"kinematic"}
    assert all(event.needs_vlm for event in events)


def random_arm(rng: np.random.Generator, n: int, arm: Arm) -> ArmTrack:
    """Any mixture of motion, noise, steps, constants and NaNs."""
    walk = np.cumsum(rng.normal(0, rng.choice([0, 1e-4, 1e-2, 1.0]), (n, 3)), axis=0)
    opening = np.clip(np.cumsum(rng.normal(0, rng.choice([0, 0.01, 0.3]), n)) + rng.uniform(), -0.2, 1.2)
    if rng.uniform() < 0.5:
        opening = np.round(opening)
    walk[rng.uniform(size=n) < rng.choice([0, 0.05, 0.6])] = np.nan
    rotation = rotation_6d(rng.normal(0, 1, (n, 3)), RotationEncoding.EULER_XYZ) if n else None
    return make_arm(
        None if rng.uniform() < 0.3 else walk.astype(np.float32),
        None if rng.uniform() < 0.3 else opening.astype(np.float32),
        arm,
        rotation if rng.uniform() < 0.5 else None,
    )


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_frames=st.integers(1, 200),
    n_rows=st.integers(0, 300),
    fps=st.sampled_from([1.0, 4.0, 15.0, 30.0, 120.0]),
    kind=st.sampled_from([ActionKind.MEASURED, ActionKind.PSEUDO, ActionKind.NONE]),
    cuts=st.lists(st.floats(-0.1, 1.1), max_size=6),
)
def test_no_signal_clock_or_range_breaks_the_tree(
    seed: int, n_frames: int, n_rows: int, fps: float, kind: ActionKind, cuts: list[float]
) -> None:
    rng = np.random.default_rng(seed)
    steps = np.round(rng.choice([1, 1, 1, 2, 30], n_frames) * NS_PER_S / fps).astype(np.int64)
    times = np.cumsum(steps) - steps[0]
    end = int(times[-1] + steps[0])
    episode = make_episode(times, end, kind)
    edges = sorted(round(cut * end) for cut in [*cuts, 1.0])
    ranges = [(a, b) for a, b in pairwise(edges) if b > a][:: rng.integers(1, 3)]
    alignment = all_kept(episode, *ranges, offset_ns=int(rng.normal(0, 3e8)))
    rows = np.sort(rng.integers(-end // 4, end + end // 4, n_rows))
    arms = [random_arm(rng, n_rows, arm) for arm in Arm][: rng.integers(0, 3)]
    joints = rng.normal(0, 1, (n_rows, 2)) if rng.uniform() < 0.5 else None
    names = ("left_0", "right_0") if joints is not None else ()
    valid = (rng.uniform(size=n_rows) < rng.choice([0.2, 0.95, 1.1])).tolist()
    track = make_track(rows, *arms, joints=joints, joint_names=names, valid=valid)
    flow = rng.normal(0, 0.01, (n_frames, 8, 8, 2)).astype(np.float32)
    flags = (rng.uniform(size=n_frames) < 0.05).astype(np.uint8) * FrameFlag.HARD_CUT
    strips = (blank_strip(n_frames, flags=flags, flow=flow),)
    events = segment(episode, track, strips, alignment, calibration_of(), spec=SPEC)
    clock = episode.master.clock
    moved = None if kind is ActionKind.NONE else replace(track, times_ns=rows + alignment.offset_ns)
    assert violations(events, clock, usable_ranges(alignment, clock, moved), kind) == []
    assert len({event.event_id for event in events}) == len(events)
    assert bool(events) == bool(usable_ranges(alignment, clock, moved))
