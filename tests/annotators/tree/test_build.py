"""The four levels: what they are called and how they nest."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from annotators.tree.build import DOUBTFUL, TreeBuilder, subtask_label
from annotators.tree.claim import Cut, make_cut
from annotators.tree.evidence import Goal, Label, Phase
from annotators.tree.ranges import fits_event
from pipeline.synthetic.trajectory import Variant, make_trajectory
from schemas.array import Floats
from schemas.episode import Arm
from schemas.event import Boundary, BoundaryKind, Event, Level, Motion, RecoveryKind, ReviewState, Verb
from schemas.recipe import SegmentSpec
from schemas.time import NS_PER_S
from tests.annotators.recordings import even_times, make_episode, synthetic


def tree(*variants: Variant, seed: int = 1, spec: SegmentSpec | None = None) -> list[Event]:
    return synthetic(make_trajectory([seed, 8], {Arm.RIGHT: variants})).tree(spec)


def verbs(events: Sequence[Event], level: Level) -> list[Verb]:
    return [event.verb for event in events if event.level is level]


def test_picking_and_placing_are_two_subtasks() -> None:
    assert verbs(tree(Variant.PLAIN), Level.SUBTASK) == [Verb.PICK_UP, Verb.PLACE]


def test_every_object_has_its_own_subtasks() -> None:
    assert verbs(tree(Variant.PLAIN, Variant.PLAIN), Level.SUBTASK) == [Verb.PICK_UP, Verb.PLACE] * 2


def test_actions_are_the_verb_events() -> None:
    assert verbs(tree(Variant.PLAIN), Level.ACTION) == [
        Verb.REACH, Verb.GRASP, Verb.LIFT, Verb.MOVE, Verb.PLACE, Verb.RELEASE, Verb.RETREAT,
    ]  # fmt: skip


def test_two_arms_never_share_a_pick_or_a_placing() -> None:
    events = synthetic(make_trajectory(2, dict.fromkeys(Arm, (Variant.PLAIN,)), stagger_s=0.9)).tree()
    arms_of: dict[str, set[Arm | None]] = {}
    for event in events:
        if event.level is Level.ACTION:
            arms_of.setdefault(event.parent_id, set()).add(event.arm)
    assert all(len(arms) == 1 for arms in arms_of.values())
    assert set().union(*arms_of.values()) >= set(Arm)


def test_a_lost_object_marks_its_subtask_and_the_next_fetches_it() -> None:
    subtasks = [event for event in tree(Variant.SLIP) if event.level is Level.SUBTASK]
    assert [(event.verb, event.recovery) for event in subtasks] == [
        (Verb.PICK_UP, RecoveryKind.NONE),
        (Verb.MOVE, RecoveryKind.SLIP),
        (Verb.PICK_UP, RecoveryKind.REGRASP),
        (Verb.PLACE, RecoveryKind.NONE),
    ]


def test_the_action_that_ends_in_a_slip_is_one() -> None:
    actions = [event for event in tree(Variant.SLIP) if event.level is Level.ACTION]
    (lost,) = [event for event in actions if event.end.kind is BoundaryKind.SLIP]
    assert lost.recovery is RecoveryKind.SLIP
    assert all(event.recovery is RecoveryKind.NONE for event in actions[: actions.index(lost)])


def test_a_miss_has_an_action_of_its_own_inside_the_pick() -> None:
    events = tree(Variant.MISS)
    missed = [event for event in events if event.level is Level.ACTION and event.recovery is RecoveryKind.MISS]
    assert len(missed) == 1
    assert missed[0].end.kind is BoundaryKind.MISS
    assert verbs(events, Level.SUBTASK) == [Verb.PICK_UP, Verb.PLACE]
    assert {e.recovery for e in events if e.level is Level.TASK} == {RecoveryKind.NONE}


def test_segments_are_at_most_two_seconds_and_actions_at_most_the_cap() -> None:
    events = tree(Variant.PAUSE, Variant.PLAIN, spec=SegmentSpec(max_action_s=1.5, max_segment_s=0.7))
    assert max(e.span.duration_s for e in events if e.level is Level.ACTION) <= 1.5
    assert max(e.span.duration_s for e in events if e.level is Level.SEGMENT) <= 0.7
    assert any(e.start.kind is BoundaryKind.DURATION_CAP for e in events if e.level is Level.ACTION)


def test_a_segment_that_is_its_whole_action_keeps_its_name() -> None:
    events = tree(Variant.PLAIN)
    actions = {event.span: event for event in events if event.level is Level.ACTION}
    whole = [event for event in events if event.level is Level.SEGMENT and event.span in actions]
    assert whole
    assert all(event.verb is actions[event.span].verb for event in whole)


def test_doubtful_edges_ask_for_a_second_look_and_certain_ones_do_not() -> None:
    for event in tree(Variant.SLIP, Variant.PLAIN):
        assert event.needs_vlm == (event.confidence < DOUBTFUL)


def test_events_start_uncaptioned_and_proposed_by_the_detector() -> None:
    for event in tree(Variant.PLAIN):
        assert (event.caption, event.objects, event.caption_by) == ("", (), None)
        assert event.boundaries_by.proposer == "kinematic"
        assert (event.review, event.revision) == (ReviewState.PROPOSED, 0)
        assert 0.0 <= event.static_fraction <= 1.0
        assert event.motion is not None


@dataclasses.dataclass(frozen=True, eq=False)
class Scripted:
    """Evidence that says what it is told: one label per second, a cut between each two."""

    told: tuple[Label, ...]
    proposer: str = "kinematic"

    def cuts(self) -> list[Cut]:
        return [make_cut(i * NS_PER_S, BoundaryKind.MOTION, "told") for i in range(1, len(self.told))]

    def primitive_cuts(self) -> list[Cut]:
        return []

    def starts_goal(self, boundary: Boundary) -> bool:
        return False

    def label(self, start: Boundary, end: Boundary) -> Label:
        return self.told[(start.t_ns + end.t_ns) // 2 // NS_PER_S]

    def segment_label(self, parent: Label, start: Boundary, end: Boundary) -> Label:
        return parent

    def unrest(self) -> tuple[Floats, str]:
        return np.zeros(30 * len(self.told)), "told"

    def motion(self, arm: Arm | None, start: Boundary, end: Boundary) -> Motion | None:
        return None

    def static_fraction(self, start: Boundary, end: Boundary) -> float:
        return 0.0


def test_driving_interrupts_no_placing_and_joins_no_two_arms() -> None:
    def placing(arm: Arm | None, phase: Phase = Phase.TRANSPORT) -> Label:
        return Label(Verb.MOVE, arm, phase, Goal.PLACE, RecoveryKind.NONE)

    drive = placing(None, Phase.DRIVE)
    told = (placing(Arm.LEFT), drive, placing(Arm.LEFT), drive, placing(Arm.RIGHT))
    episode = make_episode(even_times(150, 30), 5 * NS_PER_S)
    clock = episode.master.clock
    builder = TreeBuilder(episode, clock, None, Scripted(told), fits_event(clock, None), SegmentSpec())
    subtasks = [event for event in builder.tree([(0, 150)]) if event.level is Level.SUBTASK]
    assert [(event.span.frame_start, event.arm) for event in subtasks] == [(0, Arm.LEFT), (120, Arm.RIGHT)]


def labels(goal: Goal, *phases: tuple[Phase, Verb]) -> list[Label]:
    return [Label(verb, Arm.LEFT, phase, goal, RecoveryKind.NONE) for phase, verb in phases]


@pytest.mark.parametrize(
    ("goal", "phases", "verb"),
    [
        (Goal.PICK, [(Phase.REACH, Verb.REACH)], Verb.REACH),
        (Goal.PICK, [(Phase.REACH, Verb.REACH), (Phase.MISS, Verb.GRASP)], Verb.GRASP),
        (Goal.PICK, [(Phase.REACH, Verb.REACH), (Phase.GRASP, Verb.GRASP)], Verb.PICK_UP),
        (Goal.PLACE, [(Phase.TRANSPORT, Verb.MOVE)], Verb.MOVE),
        (Goal.PLACE, [(Phase.TRANSPORT, Verb.MOVE), (Phase.RETREAT, Verb.RETREAT)], Verb.PLACE),
        (Goal.PLACE, [(Phase.RELEASE, Verb.RELEASE), (Phase.RETREAT, Verb.RETREAT)], Verb.RELEASE),
        (Goal.PLACE, [(Phase.HAND_OVER, Verb.HAND_OVER), (Phase.RELEASE, Verb.RELEASE)], Verb.HAND_OVER),
        (Goal.MOVE, [(Phase.MOTION, Verb.HOLD_STILL)], Verb.HOLD_STILL),
        (Goal.MOVE, [(Phase.MOTION, Verb.HOLD_STILL), (Phase.MOTION, Verb.MOVE)], Verb.MOVE),
        (Goal.UNKNOWN, [(Phase.UNSEEN, Verb.OTHER)], Verb.OTHER),
    ],
)
def test_a_pick_needs_a_grasp_and_a_placing_needs_a_release(
    goal: Goal, phases: list[tuple[Phase, Verb]], verb: Verb
) -> None:
    assert subtask_label(labels(goal, *phases)).verb is verb
