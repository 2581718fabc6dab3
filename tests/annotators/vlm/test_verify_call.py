"""VERIFY: three shuffled labels per event, and whose voice counts when they disagree."""

import json
from collections import Counter
from dataclasses import replace
from functools import cache

import jsonschema
import pytest

from annotators.vlm.draft import Draft, DraftAction, DraftRow, DraftSubtask, Label, Problem
from annotators.vlm.request import Answer, Call, Stop
from annotators.vlm.spans import kinematic_action
from annotators.vlm.tree_checks import plain_text
from annotators.vlm.verify_call import (
    CONFUSED,
    LETTERS,
    ItemAnswer,
    event_ids,
    judged,
    open_ids,
    options,
    read_verify,
    verify_request,
    verify_schema,
    verify_sheets,
)
from annotators.vlm.window import Piece, Window
from pipeline.synthetic.trajectory import Variant
from schemas.event import BoundaryKind, Doubt, Outcome, Verb
from tests.annotators.vlm.oracle import Scene, scenes


@cache
def scene() -> Scene:
    return scenes(0, (Variant.PLAIN, Variant.SLIP))[0]


def window() -> Window:
    return scene().window


def draft(merge: BoundaryKind | None = None, outcome: Outcome = Outcome.SUCCESS) -> Draft:
    """The detector's own actions, the first cut of a kind left out."""
    ends = [piece.end for piece in window().pieces if piece.ends_action]
    left_out = next((end for end in ends if end.kind is merge), None)
    actions, start = [], window().pieces[0].start
    for end in ends:
        if end is left_out:
            continue
        verb = kinematic_action(window(), start, end).verb
        label = Label(verb, plain_text(Label(verb, "", "cup")), "cup", outcome=outcome)
        actions.append(DraftAction((DraftRow(start, end, verb, label.text),), label))
        start = end
    return Draft((DraftSubtask(tuple(actions), Verb.MOVE, "Do it"),), "Do all", {})


def called(found: Draft, number: int, verb: Verb) -> Draft:
    action = list(found.actions())[number]
    label = replace(action.label, verb=verb, text=plain_text(Label(verb, "", "cup")))
    return found.with_actions({number: (replace(action, label=label, rows=(replace(action.rows[0], verb=verb),)),)})


def letter(found: Draft, number: int, verb: Verb) -> str:
    offers = options(window(), list(found.actions())[number])
    return LETTERS[[offer.verb for offer in offers].index(verb)]


def verdict(found: Draft, number: int, pick: str, *, reached: str = "yes", **more: object) -> DraftAction:
    """What becomes of one event; all others are confirmed."""
    name = event_ids(found)[number]
    item = ItemAnswer.model_validate({"id": name, "pick": pick, "held": "unclear", "reached": reached, **more})
    return list(judged(window(), found, {name: item}).actions())[number]


def test_only_what_is_not_of_one_mind_is_open() -> None:
    assert open_ids(window(), draft()) == frozenset()
    wrong = called(draft(), 2, Verb.POUR)
    assert open_ids(window(), wrong) == {event_ids(wrong)[2]}
    merged = draft(merge=BoundaryKind.LIFT)
    assert open_ids(window(), merged), "a cut was left out"


def test_what_is_not_asked_about_keeps_its_verb_and_has_no_outcome() -> None:
    wrong = called(draft(), 2, Verb.POUR)
    only = open_ids(window(), wrong)
    (line,) = [
        line
        for line in verify_request(window(), wrong, (), model="m", system="s", only=only).text.splitlines()
        if line.startswith("E")
    ]
    assert line.split()[0] in only
    after = list(judged(window(), wrong, {}, only).actions())
    assert [action.label.verb for action in after] == [action.label.verb for action in wrong.actions()]
    assert [bool(action.doubts) for action in after] == [number == 2 for number in range(len(after))]
    assert {action.label.outcome for number, action in enumerate(after) if number != 2} == {Outcome.UNKNOWN}


def test_each_event_offers_its_label_the_measured_one_and_a_wrong_one() -> None:
    wrong = called(draft(), 2, Verb.POUR)
    offers = options(window(), list(wrong.actions())[2])
    assert sorted(offer.by for offer in offers) == ["call", "distractor", "kinematic"]
    for action in draft().actions():
        agreed = options(window(), action)
        assert len({offer.verb for offer in agreed}) == 3
        assert Counter(offer.by for offer in agreed) == Counter({"call": 1, "distractor": 2})


def test_a_distractor_is_a_label_one_might_confuse() -> None:
    assert all(wrong is not verb for verb, wrong in CONFUSED.items())
    lift = next(action for action in draft().actions() if action.label.verb is Verb.LIFT)
    assert Verb.LOWER in {offer.verb for offer in options(window(), lift)}


def test_the_order_of_labels_says_nothing_and_is_always_the_same() -> None:
    places = Counter()
    for seed in range(4):
        one = scenes(seed, (Variant.PLAIN, Variant.SLIP))[0]
        for piece in one.window.pieces:
            label = Label(piece.action.verb, "")
            action = DraftAction((DraftRow(piece.start, piece.end, label.verb, ""),), label)
            offers = options(one.window, action)
            assert offers == options(one.window, action)
            places[[offer.by for offer in offers].index("call")] += 1
    assert min(places[i] for i in range(3)) > 0.2 * sum(places.values())


def test_one_request_asks_about_all_events_and_joins_by_id() -> None:
    found = draft(merge=BoundaryKind.TRANSPORT)
    request = verify_request(window(), found, (b"jpeg",), model="m", system="s")
    lines = request.text.splitlines()[1:]
    assert request.call is Call.VERIFY
    assert [line.split()[0] for line in lines] == event_ids(found)
    assert sum(" cuts C" in line for line in lines) == 1, "what was left out is listed"
    value = {"events": [{"id": name, "pick": "a", "held": "no", "reached": "yes"} for name in event_ids(found)]}
    jsonschema.validate(value, json.loads(verify_schema(window(), found)))


def test_three_tiles_an_event_two_events_a_row() -> None:
    found = draft()
    sheets = verify_sheets(found, scene().pictures.master, tile_px=128)
    n = len(event_ids(found))
    assert sheets.sizes[0][0] == 6 * 128
    assert len(sheets.jpegs) == -(-n // 16)


def test_answers_are_joined_by_id_whatever_their_order_and_strangers_are_left_out() -> None:
    names = event_ids(draft())
    items = [{"id": name, "pick": "a", "held": "no", "reached": "no"} for name in [*names[::-1], "E99"]]
    said = read_verify(draft(), Answer("", json.dumps({"events": items}), Stop.DONE, 1, 1, cached=False))
    assert not isinstance(said, Problem)
    assert set(said) == set(names)
    only = read_verify(draft(), Answer("", json.dumps({"events": items[-1:]}), Stop.DONE, 1, 1, cached=False))
    assert isinstance(only, Problem)


def test_two_voices_of_three_settle_the_verb() -> None:
    number = next(i for i, action in enumerate(draft().actions()) if action.label.verb is Verb.LIFT)
    wrong = called(draft(), number, Verb.REACH)
    agreed = verdict(draft(), number, letter(draft(), number, Verb.LIFT))
    assert (agreed.label.verb, agreed.doubts) == (Verb.LIFT, frozenset())
    corrected = verdict(wrong, number, letter(wrong, number, Verb.LIFT))
    assert (corrected.label.verb, corrected.rows[0].verb, corrected.doubts) == (Verb.LIFT, Verb.LIFT, frozenset())
    assert corrected.label.text == "Lift the cup"
    insisted = verdict(wrong, number, letter(wrong, number, Verb.REACH))
    assert insisted.label.verb is Verb.REACH
    lonely = verdict(draft(), number, "x", verb="pour", text="Pour the cup")
    assert (lonely.label.verb, lonely.doubts) == (Verb.LIFT, frozenset({Doubt.VERB}))
    three = verdict(wrong, number, "x", verb="pour", text="Pour the cup")
    assert (three.label.verb, three.doubts) == (Verb.LIFT, frozenset({Doubt.VERB})), "what was measured, in doubt"


def test_where_nothing_is_measured_the_second_call_renames_in_doubt() -> None:
    unnamed = replace(
        window(), pieces=tuple(replace(p, action=replace(p.action, verb=Verb.OTHER)) for p in window().pieces)
    )
    name = event_ids(draft())[0]
    item = ItemAnswer(id=name, pick="x", held="no", reached="yes", verb=Verb.WIPE, text="Wipe the table")
    action = next(judged(unnamed, draft(), {name: item}).actions())
    assert (action.label.verb, action.label.text) == (Verb.WIPE, "Wipe the table")
    assert action.doubts == {Doubt.VERB}


@pytest.mark.parametrize(
    ("first", "second", "outcome", "doubts"),
    [
        (Outcome.SUCCESS, "yes", Outcome.SUCCESS, set()),
        (Outcome.FAILURE, "no", Outcome.FAILURE, set()),
        (Outcome.SUCCESS, "no", Outcome.UNKNOWN, {Doubt.OUTCOME}),
        (Outcome.SUCCESS, "unclear", Outcome.UNKNOWN, set()),
        (Outcome.UNKNOWN, "yes", Outcome.UNKNOWN, set()),
    ],
)
def test_an_outcome_is_known_when_both_calls_say_it(
    first: Outcome, second: str, outcome: Outcome, doubts: set[Doubt]
) -> None:
    found = draft(outcome=first)
    action = verdict(found, 1, letter(found, 1, list(found.actions())[1].label.verb), reached=second)
    assert (action.label.outcome, set(action.doubts)) == (outcome, doubts)


@pytest.mark.parametrize(("held", "doubts"), [("yes", set()), ("no", {Doubt.HELD}), ("unclear", set())])
def test_pictures_and_fingers_must_agree_on_what_is_held(held: str, doubts: set[Doubt]) -> None:
    number = next(i for i, action in enumerate(draft().actions()) if action.label.verb is Verb.LIFT)
    action = verdict(draft(), number, letter(draft(), number, Verb.LIFT), held=held)
    assert set(action.doubts) == doubts


def test_a_cut_that_call_two_wants_back_comes_back_if_the_detector_is_sure() -> None:
    found = draft(merge=BoundaryKind.LIFT)
    number = next(i for i, action in enumerate(found.actions()) if action.start.kind is BoundaryKind.GRASP)
    cut = next(piece for piece in window().pieces if piece.end.kind is BoundaryKind.LIFT)
    name = event_ids(found)[number]
    item = ItemAnswer(id=name, pick="a", held="unclear", reached="yes", split=(cut.candidate, "C001"))
    after = list(judged(window(), found, {name: item}).actions())
    assert cut.end.confidence >= 0.5
    assert after[number].end.frame == cut.end.frame
    assert len(after) == len(event_ids(found)) + 1, "a cut of another event is not its business"
    unsure = replace(window(), pieces=tuple(_doubting(p, cut.candidate) for p in window().pieces))
    left = list(judged(unsure, found, {name: item}).actions())
    assert len(left) == len(event_ids(found))
    assert Doubt.CUT in left[number].doubts


def _doubting(piece: Piece, candidate: str) -> Piece:
    if piece.candidate != candidate:
        return piece
    return replace(piece, segment=replace(piece.segment, end=replace(piece.segment.end, confidence=0.3)))
