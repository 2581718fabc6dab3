"""A release that another arm has taken over is no slip."""

import dataclasses

import numpy as np
import pytest

from annotators.kinematic.contact import Contact
from annotators.kinematic.evidence import kinematic_evidence
from annotators.kinematic.hand_over import hand_overs
from annotators.kinematic.signals import ArmSignals, arm_signals
from annotators.scores.boundaries import Tally, pooled, tolerance_ns, typed
from annotators.scores.marks import marks_of
from pipeline.synthetic.hand_over import make_hand_over
from pipeline.synthetic.trajectory import Trajectory, Variant, make_trajectory
from schemas.episode import Arm
from schemas.event import BoundaryKind, Level, Verb
from schemas.recipe import SegmentSpec
from schemas.time import NS_PER_S
from schemas.truth import PHYSICAL_KINDS
from tests.annotators.recordings import calibration_of, even_times, make_arm, make_track, synthetic

SPEC = SegmentSpec()
SLIPPED = Contact(closed=50, opened=200, plateau=0.4, depth=0.6, lifted=80, slipped=True)


def arm_at(x: float, arm: Arm) -> ArmSignals:
    position = np.tile([x, 0.0, 0.2], (100, 1)).astype(np.float32)
    track = make_track(even_times(100, 10), make_arm(position, np.ones(100, np.float32), arm))
    (signals,) = arm_signals(track, calibration_of(), SPEC)
    return signals


def judged(taker: Contact, apart_m: float = 0.05) -> bool:
    """Whether the giver's release still counts as a slip."""
    arms = [(arm_at(0.0, Arm.LEFT), [SLIPPED]), (arm_at(apart_m, Arm.RIGHT), [taker])]
    (_, (given,), spans), _ = hand_overs(arms, SPEC)
    assert bool(spans) is not given.slipped
    return given.slipped


def holding(closed: int | None, opened: int | None) -> Contact:
    return Contact(closed=closed, opened=opened, plateau=0.4, depth=0.6)


def test_what_another_arm_took_and_still_holds_has_not_slipped() -> None:
    assert not judged(holding(150, 300))
    assert not judged(holding(150, None))


@pytest.mark.parametrize(
    "taker",
    [
        holding(210, 400),  # it came too late
        holding(20, 400),  # it held something before: that is another object
        holding(150, 201),  # it lost it as well
        dataclasses.replace(holding(150, 300), missed=True),
    ],
)
def test_an_arm_that_did_not_take_it_over_changes_nothing(taker: Contact) -> None:
    assert judged(taker)


def test_an_arm_far_off_holds_something_else() -> None:
    assert judged(holding(150, 300), apart_m=0.5)


def test_one_arm_alone_can_slip() -> None:
    ((_, (given,), _),) = hand_overs([(arm_at(0.0, Arm.LEFT), [SLIPPED])], SPEC)
    assert given.slipped


def test_what_was_put_down_was_not_handed_over() -> None:
    placed = dataclasses.replace(SLIPPED, slipped=False, touched_down=190)
    arms = [(arm_at(0.0, Arm.LEFT), [placed]), (arm_at(0.05, Arm.RIGHT), [holding(150, 300)])]
    assert [spans for _, _, spans in hand_overs(arms, SPEC)] == [[], []]


@pytest.mark.parametrize("giver", list(Arm))
def test_the_giver_hands_over_and_the_taker_places(giver: Arm) -> None:
    for seed in range(3):
        events = synthetic(make_hand_over([seed, 7], giver)).tree()
        subtasks = [(event.verb, event.arm) for event in events if event.level is Level.SUBTASK]
        assert (Verb.HAND_OVER, giver) in subtasks
        assert (Verb.PLACE, giver) not in subtasks
        assert any(verb is Verb.PLACE and arm is not giver for verb, arm in subtasks)
        actions = [event for event in events if event.level is Level.ACTION and event.verb is Verb.HAND_OVER]
        assert [(event.start.kind, event.end.kind) for event in actions] == [(BoundaryKind.GRASP, BoundaryKind.RELEASE)]


# -- two arms against exact truth, each on its own track ---------------------------------------------------------


def scored(trajectory: Trajectory, tolerance_s: float = 0.1) -> Tally:
    recording = synthetic(trajectory)
    clock = recording.episode.master.clock
    found = kinematic_evidence(recording.actions, recording.calibration, clock, SPEC)
    assert found is not None
    total = Tally()
    for line in found.timelines:
        true = marks_of([(b.kind, b.t_ns / NS_PER_S) for b in trajectory.boundaries if b.arm is line.signals.arm])
        cuts = marks_of([(cut.kind, cut.t_ns / NS_PER_S) for cut in line.cuts if cut.kind in PHYSICAL_KINDS])
        total += pooled(typed(cuts, true, tolerance_ns(tolerance_s), PHYSICAL_KINDS).values())
    return total


def test_two_arms_that_work_at_once_are_read_as_if_each_were_alone() -> None:
    variants = (Variant.PLAIN, Variant.PAUSE, Variant.MISS, Variant.SLIP, Variant.DROP, Variant.ABANDON)
    trajectories = [
        make_trajectory([seed, 4], {Arm.LEFT: (variants[seed],), Arm.RIGHT: (variants[-seed],)}) for seed in range(6)
    ]
    assert sum(map(scored, trajectories), Tally()).f1 >= 0.98


@pytest.mark.parametrize("given_back", [False, True])
def test_hand_overs_are_found_and_nothing_slips(given_back: bool) -> None:
    trajectories = [make_hand_over([seed, 1], list(Arm)[seed % 2], given_back=given_back) for seed in range(4)]
    assert sum(map(scored, trajectories), Tally()).f1 >= 0.95
    for trajectory in trajectories:
        kinds = {event.start.kind for event in synthetic(trajectory).tree()}
        assert BoundaryKind.SLIP not in kinds
