"""Arms as evidence: whose cut it is, who acts, and which verb the motion bears out."""

from itertools import pairwise

import numpy as np
import pytest

from annotators.kinematic.evidence import KinematicEvidence, kinematic_evidence, motion_of
from annotators.tree.claim import make_cut
from annotators.tree.evidence import Goal, Label, Phase
from pipeline.synthetic.trajectory import Variant, make_trajectory
from schemas.array import Floats
from schemas.episode import Arm, ArmTrack
from schemas.event import Boundary, BoundaryKind, RecoveryKind, Verb
from schemas.pose import RotationEncoding
from schemas.recipe import SegmentSpec
from schemas.rotation import rotation_6d
from schemas.time import NS_PER_S
from schemas.truth import PHYSICAL_KINDS
from tests.annotators.recordings import calibration_of, even_times, make_arm, make_episode, make_track, synthetic

FPS = 20
SPEC = SegmentSpec()
FREE = Label(Verb.MOVE, Arm.RIGHT, Phase.MOTION, Goal.MOVE, RecoveryKind.NONE)
CARRYING = Label(Verb.MOVE, Arm.RIGHT, Phase.TRANSPORT, Goal.PLACE, RecoveryKind.NONE)


def evidence_of(track_arms: list[ArmTrack], n: int) -> KinematicEvidence:
    times = even_times(n, FPS)
    episode = make_episode(times, n * NS_PER_S // FPS)
    found = kinematic_evidence(make_track(times, *track_arms), calibration_of(), episode.master.clock, SPEC)
    assert found is not None
    return found


def edge(seconds: float, kind: BoundaryKind = BoundaryKind.MOTION, arm: Arm | None = None) -> Boundary:
    return Boundary(kind, round(seconds * FPS), round(seconds * NS_PER_S), 0.5, 0.1, ("test",), arm)


def straight(delta: tuple[float, float, float], n: int = 60) -> Floats:
    return np.outer(np.linspace(0, 1, n), delta).astype(np.float32)


@pytest.mark.parametrize(
    ("delta", "free", "carrying"),
    [
        ((0.2, 0, 0), Verb.MOVE_FORWARD, Verb.MOVE_FORWARD),
        ((-0.2, 0, 0), Verb.MOVE_BACKWARD, Verb.MOVE_BACKWARD),
        ((0, 0.2, 0), Verb.MOVE_LATERALLY, Verb.MOVE_LATERALLY),
        ((0, 0, 0.2), Verb.MOVE, Verb.LIFT),
        ((0, 0, -0.2), Verb.LOWER, Verb.LOWER),
        ((0.2, 0.2, 0.2), Verb.MOVE, Verb.MOVE),
        ((0.04, 0, 0), Verb.MOVE_FORWARD, Verb.MOVE_FORWARD),
        ((0.02, 0, 0), Verb.ADJUST, Verb.ADJUST),
        ((0, 0, 0), Verb.HOLD_STILL, Verb.HOLD_STILL),
    ],
)
def test_a_primitive_is_named_by_its_motion(delta: tuple[float, float, float], free: Verb, carrying: Verb) -> None:
    n = 30 if max(map(abs, delta)) < 0.1 else 60
    evidence = evidence_of([make_arm(straight(delta, n))], n)
    span = edge(0), edge(n / FPS)
    assert evidence.segment_label(FREE, *span).verb is free
    assert evidence.segment_label(CARRYING, *span).verb is carrying


def test_fingers_name_a_part_in_which_the_tool_hardly_moves() -> None:
    opening = np.linspace(1, 0.3, 30).astype(np.float32)
    evidence = evidence_of([make_arm(straight((0.01, 0, 0), 30), opening)], 30)
    assert evidence.segment_label(FREE, edge(0), edge(1.5)).verb is Verb.CLOSE
    evidence = evidence_of([make_arm(straight((0.3, 0, 0), 30), opening[::-1].copy())], 30)
    assert evidence.segment_label(FREE, edge(0), edge(1.5)).verb is Verb.MOVE_FORWARD


def test_a_wrist_turning_on_the_spot_rotates() -> None:
    euler = np.stack([np.zeros(40), np.zeros(40), np.linspace(0, 1, 40)], axis=1)
    arm = make_arm(straight((0.005, 0, 0), 40), rotation=rotation_6d(euler, RotationEncoding.EULER_XYZ))
    assert evidence_of([arm], 40).segment_label(FREE, edge(0), edge(2)).verb is Verb.ROTATE


def test_the_arm_that_owns_the_edges_acts() -> None:
    arms = [make_arm(straight((0.2, 0, 0)), arm=Arm.LEFT), make_arm(straight((0.1, 0, 0)), arm=Arm.RIGHT)]
    evidence = evidence_of(arms, 60)
    owned = evidence.label(edge(0), edge(3, BoundaryKind.GRASP, Arm.RIGHT))
    assert owned.arm is Arm.RIGHT


def test_without_owners_the_arm_that_moves_most_acts_and_equal_arms_share() -> None:
    def acting(left: float, right: float) -> Arm | None:
        arms = [make_arm(straight((left, 0, 0)), arm=Arm.LEFT), make_arm(straight((right, 0, 0)), arm=Arm.RIGHT)]
        return evidence_of(arms, 60).label(edge(0), edge(3)).arm

    assert acting(0.3, 0.05) is Arm.LEFT
    assert acting(0.05, 0.3) is Arm.RIGHT
    assert acting(0.2, 0.2) is None


def test_both_arms_cut_one_timeline_and_near_cuts_are_one() -> None:
    trajectory = make_trajectory(3, {Arm.LEFT: (Variant.PLAIN,), Arm.RIGHT: (Variant.PLAIN,)})
    recording = synthetic(trajectory)
    clock = recording.episode.master.clock
    evidence = kinematic_evidence(recording.actions, recording.calibration, clock, SPEC)
    assert evidence is not None
    cuts = evidence.cuts()
    assert {cut.arm for cut in cuts} == {Arm.LEFT, Arm.RIGHT}
    for earlier, later in pairwise(cuts):
        if later.t_ns - earlier.t_ns < 0.15 * NS_PER_S:
            assert {earlier.kind, later.kind} <= set(PHYSICAL_KINDS)
            assert earlier.kind is not later.kind


def test_an_arm_without_a_gripper_is_cut_where_its_motion_pauses() -> None:
    stroke = np.sin(np.linspace(0, np.pi, 60)) * 0.01
    speed = np.concatenate([stroke, stroke, stroke])
    position = np.stack([np.cumsum(speed), np.zeros(180), np.zeros(180)], axis=1).astype(np.float32)
    cuts = evidence_of([make_arm(position)], 180).cuts()
    assert [cut.kind for cut in cuts] == [BoundaryKind.MOTION] * 2
    np.testing.assert_allclose([cut.t_ns / NS_PER_S for cut in cuts], [3, 6], atol=0.2)
    assert max(cut.confidence for cut in cuts) <= 0.3


def test_what_pictures_show_is_heard_where_an_arm_pauses_and_cuts_nothing_by_itself() -> None:
    stroke = np.sin(np.linspace(0, np.pi, 60)) * 0.01
    position = np.stack([np.cumsum(np.tile(stroke, 3)), np.zeros(180), np.zeros(180)], axis=1).astype(np.float32)
    times = even_times(180, FPS)
    clock = make_episode(times, 9 * NS_PER_S).master.clock
    seen = [make_cut(round(t * NS_PER_S), BoundaryKind.VISUAL_CHANGE, "visual_change") for t in (3.0, 4.5)]
    evidence = kinematic_evidence(make_track(times, make_arm(position)), calibration_of(), clock, SPEC, lambda: seen)
    assert evidence is not None
    heard = [cut.t_ns / NS_PER_S for cut in evidence.cuts() if "visual_change" in cut.detectors]
    assert heard == [pytest.approx(3.0, abs=0.2)]


def test_a_hand_closed_on_a_resting_arm_grasps_nothing() -> None:
    n = 200
    opening = np.concatenate([np.ones(20), np.zeros(n - 20)]).astype(np.float32)
    resting = evidence_of([make_arm(np.zeros((n, 3), np.float32), opening)], n)
    moving = evidence_of([make_arm(straight((0.4, 0, 0.3), n), opening)], n)
    assert BoundaryKind.GRASP not in {cut.kind for cut in resting.cuts()}
    assert BoundaryKind.GRASP in {cut.kind for cut in moving.cuts()}


def test_a_motion_summary_says_how_far_and_how_fast() -> None:
    evidence = evidence_of([make_arm(straight((0.3, 0, -0.4), 61), np.linspace(1, 0.5, 61).astype(np.float32))], 61)
    motion = motion_of(evidence.timelines[0].signals, 0, 3 * NS_PER_S)
    assert motion.displacement_x_m == pytest.approx(0.3, abs=0.01)
    assert motion.displacement_z_m == pytest.approx(-0.4, abs=0.01)
    assert motion.path_length_m == pytest.approx(0.5, abs=0.01)
    assert motion.peak_speed == pytest.approx(0.5 / 3, abs=0.01)
    assert motion.opening_start == pytest.approx(1.0, abs=0.02)
    assert motion.opening_end == pytest.approx(0.5, abs=0.02)


def test_what_the_source_does_not_give_is_none() -> None:
    motion = motion_of(evidence_of([make_arm(straight((0.3, 0, 0)))], 60).timelines[0].signals, 0, NS_PER_S)
    assert motion.opening_start is None
    joints = np.sin(np.arange(60) / 10)[:, None]
    track = make_track(even_times(60, FPS), joints=joints, joint_names=("j0",))
    clock = make_episode(even_times(60, FPS), 3 * NS_PER_S).master.clock
    blind = kinematic_evidence(track, None, clock, SPEC)
    assert blind is not None
    motion = motion_of(blind.timelines[0].signals, 0, NS_PER_S)
    assert (motion.displacement_x_m, motion.path_length_m) == (None, None)
    assert motion.peak_speed is not None
