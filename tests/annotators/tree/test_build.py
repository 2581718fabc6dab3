"""The four levels: what they are called and how they nest."""

from collections.abc import Sequence

import pytest

from annotators.tree.build import DOUBTFUL, subtask_label
from annotators.tree.evidence import Goal, Label, Phase
from pipeline.synthetic.trajectory import Variant, make_trajectory
from schemas.episode import Arm
from schemas.event import BoundaryKind, Event, Level, RecoveryKind, ReviewState, Verb
from schemas.recipe import SegmentSpec
from tests.annotators.recordings import synthetic


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
        (Goal.MOVE, [(Phase.MOTION, Verb.HOLD_STILL)], Verb.HOLD_STILL),
        (Goal.MOVE, [(Phase.MOTION, Verb.HOLD_STILL), (Phase.MOTION, Verb.MOVE)], Verb.MOVE),
        (Goal.UNKNOWN, [(Phase.UNSEEN, Verb.OTHER)], Verb.OTHER),
    ],
)
def test_a_pick_needs_a_grasp_and_a_placing_needs_a_release(
    goal: Goal, phases: list[tuple[Phase, Verb]], verb: Verb
) -> None:
    assert subtask_label(labels(goal, *phases)).verb is verb
