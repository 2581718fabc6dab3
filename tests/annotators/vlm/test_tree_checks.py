"""Code checks: each rule of events.md on a window whose motion is known, and what becomes of a draft that breaks it."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest

from annotators.vlm.draft import Draft, DraftAction, DraftRow, DraftSubtask, Fault, Label
from annotators.vlm.spans import held_at, kinematic_action, motion_between, static_between, sums
from annotators.vlm.tree_checks import plain_text, repaired, tree_problems, wording_fault
from annotators.vlm.window import Window
from pipeline.synthetic.trajectory import Variant
from schemas.episode import Arm
from schemas.event import Boundary, BoundaryKind, Doubt, Verb
from tests.annotators.vlm.oracle import scenes


@cache
def window() -> Window:
    return scenes(0, (Variant.PLAIN, Variant.SLIP))[0].window


def ends() -> list[Boundary]:
    """The ends of the detector's actions."""
    return [piece.end for piece in window().pieces if piece.ends_action]


def at(kind: BoundaryKind, n: int = 0) -> int:
    """Which of `ends` is the n-th of a kind."""
    return [i for i, end in enumerate(ends()) if end.kind is kind][n]


def action(
    first: int, end: int, verb: Verb, *, text: str = "Do the thing", thing: str = "", arm: Arm | None = None
) -> DraftAction:
    """From after the ``first`` end (-1: the start) to another."""
    start = window().pieces[0].start if first < 0 else ends()[first]
    label = Label(verb, text, thing)
    return DraftAction((DraftRow(start, ends()[end], verb, text),), label)


def draft(actions: Sequence[DraftAction], dropped: dict[str, str] | None = None) -> Draft:
    return Draft((DraftSubtask(tuple(actions), Verb.MOVE, "Do it"),), "Do all", dropped or {})


def agreeing() -> list[DraftAction]:
    """The detector's own actions."""
    found = []
    for number, end in enumerate(ends()):
        start = window().pieces[0].start if number == 0 else ends()[number - 1]
        event = kinematic_action(window(), start, end)
        found.append(action(number - 1, number, event.verb, text=plain_text(Label(event.verb, ""))))
    return found


def faults_of(actions: Sequence[DraftAction], dropped: dict[str, str] | None = None) -> set[Fault]:
    return {problem.fault for problem in tree_problems(window(), draft(actions, dropped))}


def with_verb(number: int, verb: Verb, **more: str) -> list[DraftAction]:
    found = agreeing()
    label = replace(found[number].label, verb=verb, **more)
    found[number] = replace(found[number], label=label)
    return found


def test_the_detector_agrees_with_itself() -> None:
    assert tree_problems(window(), draft(agreeing())) == []


@pytest.mark.parametrize(
    ("kind", "verb"),
    [
        (BoundaryKind.LIFT, Verb.RELEASE),  # grasp → lift: nothing is let go of
        (BoundaryKind.TRANSPORT, Verb.GRASP),  # lift → transport: nothing is grasped
        (BoundaryKind.SUPPORT, Verb.LIFT),  # transport → support: it goes down
        (BoundaryKind.TRANSPORT, Verb.HOLD_STILL),  # it travels
        (BoundaryKind.LIFT, Verb.MOVE),  # closing fingers do not travel
    ],
)
def test_a_verb_that_the_motion_does_not_bear_out_is_a_fault(kind: BoundaryKind, verb: Verb) -> None:
    assert Fault.VERB in faults_of(with_verb(at(kind), verb))


def test_what_the_detector_itself_calls_so_is_not_questioned() -> None:
    """A driving base moves although no arm does."""
    number = at(BoundaryKind.LIFT)
    assert Fault.VERB in faults_of(with_verb(number, Verb.MOVE))
    frame = ends()[number].frame
    driving = tuple(
        replace(p, action=replace(p.action, verb=Verb.MOVE)) if p.action.span.frame_end == frame else p
        for p in window().pieces
    )
    moved = draft(with_verb(number, Verb.MOVE))
    assert tree_problems(replace(window(), pieces=driving), moved) == []


def test_without_fingers_and_poses_no_verb_is_questioned() -> None:
    blind = replace(
        window(),
        pieces=tuple(replace(p, segment=replace(p.segment, motion=None)) for p in window().pieces),
    )
    actions = with_verb(at(BoundaryKind.SUPPORT), Verb.LIFT)
    assert [p.fault for p in tree_problems(blind, draft(actions)) if p.fault is Fault.VERB] == []


@pytest.mark.parametrize("kind", [BoundaryKind.GRASP, BoundaryKind.RELEASE, BoundaryKind.SLIP])
def test_dropping_a_contact_needs_a_reason(kind: BoundaryKind) -> None:
    number = at(kind)
    merged = agreeing()
    merged[number : number + 2] = [action(number - 1, number + 1, merged[number + 1].label.verb, text="Grasp it")]
    name = next(piece.candidate for piece in window().pieces if piece.end.frame == ends()[number].frame)
    assert Fault.CONTACT in faults_of(merged)
    assert Fault.CONTACT not in faults_of(merged, {name: "the hand stays open"})


def test_dropping_another_cut_needs_none() -> None:
    number = at(BoundaryKind.TRANSPORT)
    merged = agreeing()
    merged[number : number + 2] = [action(number - 1, number + 1, Verb.MOVE, text="Move it")]
    assert faults_of(merged) == set()


def test_the_wrong_arm_is_a_fault_and_no_arm_is_none() -> None:
    found = agreeing()
    found[1] = replace(found[1], label=replace(found[1].label, arm=Arm.LEFT))
    assert Fault.ARM in faults_of(found)
    found[1] = replace(found[1], label=replace(found[1].label, arm=Arm.RIGHT))
    assert faults_of(found) == set()


def test_an_object_keeps_its_name_from_grasp_to_release() -> None:
    def named(*names: str) -> set[Fault]:
        found = agreeing()
        for number, name in zip((at(BoundaryKind.LIFT), at(BoundaryKind.TRANSPORT)), names, strict=True):
            found[number] = replace(found[number], label=replace(found[number].label, object=name))
        return faults_of(found)

    assert named("cup", "spoon") == {Fault.OBJECT}
    assert named("red cup", "the cup") == set()
    assert named("cup", "") == set()


def test_after_the_release_another_object_may_come() -> None:
    found = agreeing()
    for kind, n, name in ((BoundaryKind.LIFT, 0, "cup"), (BoundaryKind.LIFT, 1, "spoon")):
        number = at(kind, n)
        found[number] = replace(found[number], label=replace(found[number].label, object=name))
    assert faults_of(found) == set()


@pytest.mark.parametrize(
    "text",
    [
        "", "The robot grasps the cup", "Grasping the cup", "It moves", "gripper closes",
        "Move the cup to the left and then to the right and then back to where it once stood",
    ],
)  # fmt: skip
def test_a_caption_is_an_imperative_of_at_most_fifteen_words(text: str) -> None:
    assert wording_fault(text)


@pytest.mark.parametrize("text", ["Grasp the cup", "Bring it", "Hand over the cup", "String the beads"])
def test_imperatives_pass(text: str) -> None:
    assert wording_fault(text) == ""


def test_a_long_action_with_candidates_inside_is_a_fault() -> None:
    whole = [action(-1, len(ends()) - 1, Verb.MOVE, text="Move it")]
    reasons = {piece.candidate: "no" for piece in window().pieces}
    assert Fault.LENGTH in faults_of(whole, reasons)


def test_dropped_contacts_come_back_in_doubt_and_bad_wording_is_replaced() -> None:
    number = at(BoundaryKind.GRASP)
    merged = agreeing()
    wordy = action(number - 1, number + 1, Verb.GRASP, text="The robot grasps", thing="the blue cup")
    merged[number : number + 2] = [wordy]
    before = draft(merged)
    after = repaired(window(), before, tree_problems(window(), before))
    parts = list(after.actions())[number : number + 2]
    assert parts[0].end.frame == ends()[number].frame
    assert [part.label.verb for part in parts] == [Verb.REACH, Verb.GRASP], (
        "the kinematics name what the label does not fit"
    )
    assert all(Doubt.CUT in part.doubts for part in parts)
    assert parts[1].label.text == "Grasp the blue cup"
    assert len(list(after.actions())) == len(agreeing())


def test_motion_of_a_stretch_is_what_its_pieces_add_up_to() -> None:
    pieces = window().pieces[2:5]
    whole = motion_between(window(), pieces[0].start, pieces[-1].end)
    total = sums(pieces)
    assert whole is not None
    assert total is not None
    assert whole.displacement_z_m == pytest.approx(total.dz_m, abs=1e-4)
    inner = replace(pieces[0].start, frame=pieces[0].start.frame + 3)
    assert motion_between(window(), inner, pieces[-1].end) is None, "nobody measured from there"
    assert 0 <= static_between(window(), inner, pieces[-1].end) <= 1


def test_what_is_held_follows_from_the_contacts() -> None:
    edges = {edge.kind: edge for edge in reversed(window().edges)}
    grasp, lift = edges[BoundaryKind.GRASP], edges[BoundaryKind.LIFT]
    assert held_at(window(), grasp.frame - 1, Arm.RIGHT) is None
    assert held_at(window(), grasp.frame, Arm.RIGHT) is None, "the fingers are just closing"
    assert held_at(window(), lift.frame, Arm.RIGHT) is True
    assert held_at(window(), edges[BoundaryKind.RETREAT].frame, Arm.RIGHT) is False
