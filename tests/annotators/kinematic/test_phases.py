"""Names for what lies between contacts."""

from itertools import groupby, pairwise

import pytest

from annotators.kinematic.contact import Contact, contacts_of
from annotators.kinematic.gripper import find_holds
from annotators.kinematic.phases import ArmTimeline, arm_timeline
from annotators.kinematic.proposals import Proposal
from annotators.kinematic.signals import arm_signals
from annotators.kinematic.strokes import FreeMotion, Push
from annotators.tree.claim import PRIORS
from annotators.tree.evidence import Goal, Phase
from pipeline.synthetic.trajectory import Variant, as_action_track, make_trajectory
from schemas.episode import Arm
from schemas.event import BoundaryKind, RecoveryKind
from schemas.recipe import SegmentSpec
from tests.annotators.recordings import calibration_of

SPEC = SegmentSpec()


def timeline(*variants: Variant, seed: int = 0) -> ArmTimeline:
    track = as_action_track(make_trajectory([seed, 5], {Arm.RIGHT: variants}), "ep-test")
    (signals,) = arm_signals(track, calibration_of(), SPEC)
    assert signals.opening is not None
    holds = find_holds(signals.opening, signals.grid.rate_hz, SPEC)
    return arm_timeline(signals, contacts_of(signals, holds, SPEC))


def names(line: ArmTimeline) -> list[Phase]:
    return [span.phase for span in line.phases]


PICK_AND_PLACE = [
    Phase.REACH, Phase.GRASP, Phase.LIFT, Phase.TRANSPORT, Phase.PLACE, Phase.RELEASE, Phase.RETREAT,
]  # fmt: skip


def test_a_plain_task_goes_through_every_phase_once() -> None:
    assert names(timeline(Variant.PLAIN)) == PICK_AND_PLACE


def test_two_tasks_reach_again_between_retreat_and_grasp() -> None:
    assert names(timeline(Variant.PLAIN, Variant.PLAIN)) == PICK_AND_PLACE * 2


def test_a_miss_is_its_own_phase_and_the_next_try_is_a_retry() -> None:
    line = timeline(Variant.MISS)
    assert names(line) == [Phase.REACH, Phase.MISS, *PICK_AND_PLACE]
    recoveries = [span.recovery for span in line.phases[:4]]
    assert recoveries == [RecoveryKind.NONE, RecoveryKind.MISS, RecoveryKind.RETRY, RecoveryKind.RETRY]


def test_a_slip_is_a_drop_and_then_a_regrasp() -> None:
    line = timeline(Variant.SLIP)
    k = names(line).index(Phase.DROP)
    assert [span.recovery for span in line.phases[k : k + 3]] == [
        RecoveryKind.SLIP, RecoveryKind.REGRASP, RecoveryKind.REGRASP,
    ]  # fmt: skip
    assert names(line)[k + 1 :] == PICK_AND_PLACE


def test_picking_and_placing_are_two_goals() -> None:
    goals = {span.phase: span.goal for span in timeline(Variant.PLAIN).phases}
    assert {phase for phase, goal in goals.items() if goal is Goal.PICK} == {Phase.REACH, Phase.GRASP, Phase.LIFT}


@pytest.mark.parametrize("variant", list(Variant))
@pytest.mark.parametrize("seed", range(3))
def test_phases_tile_the_track_in_order(variant: Variant, seed: int) -> None:
    line = timeline(variant, Variant.PLAIN, seed=seed)
    assert line.starts[0] == 0
    assert all(a < b for a, b in pairwise(line.starts))
    assert line.starts[-1] < line.signals.grid.n


def test_of_two_phases_that_start_together_the_later_one_counts() -> None:
    signals = timeline(Variant.PLAIN).signals
    contact = Contact(50, 150, plateau=0.4, depth=0.6, lifted=70, levelled=80, touched_down=150, left=170)
    line = arm_timeline(signals, [contact])
    assert names(line) == [
        Phase.REACH, Phase.GRASP, Phase.LIFT, Phase.TRANSPORT, Phase.RELEASE, Phase.RETREAT,
    ]  # fmt: skip


def test_a_recording_that_starts_with_the_object_in_hand_starts_with_transport() -> None:
    contact = Contact(None, 150, plateau=0.4, depth=0.6, touched_down=130, left=170)
    line = arm_timeline(timeline(Variant.PLAIN).signals, [contact])
    assert names(line) == [Phase.TRANSPORT, Phase.PLACE, Phase.RELEASE, Phase.RETREAT]
    assert BoundaryKind.GRASP not in {cut.kind for cut in line.cuts}


def test_without_contacts_there_is_one_phase_and_no_cut() -> None:
    line = arm_timeline(timeline(Variant.PLAIN).signals, [])
    assert names(line) == [Phase.MOTION]
    assert line.cuts == ()
    assert not line.has_contacts


def test_a_push_between_two_grasps_has_its_own_goal_and_is_turned_to_and_from() -> None:
    track = as_action_track(make_trajectory([0, 5], {Arm.RIGHT: (Variant.PLAIN,) * 2}), "ep-test")
    (signals,) = arm_signals(track, calibration_of(), SPEC)
    assert signals.opening is not None
    contacts = contacts_of(signals, find_holds(signals.opening, signals.grid.rate_hz, SPEC), SPEC)
    first, second = contacts
    assert first.left is not None
    assert second.closed is not None
    gap = second.closed - first.left
    push = Push(
        start=first.left + gap // 4,
        ended=first.left + gap // 2,
        left=first.left + gap // 2 + 10,
        pulled=True,
        weight=0.8,
        detector="resistance",
    )
    line = arm_timeline(signals, contacts, FreeMotion(pushes=(push,)))
    assert names(line) == [*PICK_AND_PLACE, Phase.REACH, Phase.PULL, Phase.RETREAT, *PICK_AND_PLACE]
    goals = [span.goal for span in line.phases]
    assert [goal for goal, _ in groupby(goals)] == [Goal.PICK, Goal.PLACE, Goal.PUSH, Goal.PICK, Goal.PLACE]
    contact = next(cut for cut in line.cuts if cut.kind is BoundaryKind.CONTACT)
    assert contact.confidence == pytest.approx(0.8 * PRIORS[BoundaryKind.CONTACT].confidence, abs=1e-4)
    assert contact.detectors == ("resistance",)
    assert [cut.t_ns for cut in line.cuts] == sorted(cut.t_ns for cut in line.cuts)


def test_stops_are_motions_of_their_weight_with_everybody_who_saw_them() -> None:
    track = as_action_track(make_trajectory([0, 5], {Arm.RIGHT: (Variant.PLAIN,)}), "ep-test")
    (signals,) = arm_signals(track, calibration_of(), SPEC)
    line = arm_timeline(signals, [], FreeMotion(stops=(Proposal(40, 0.5, ("awe_knot", "turn")),)))
    assert names(line) == [Phase.MOTION]
    (motion,) = line.motions
    assert motion.kind is BoundaryKind.MOTION
    assert motion.confidence == pytest.approx(0.15)
    assert motion.detectors == ("awe_knot", "turn")
