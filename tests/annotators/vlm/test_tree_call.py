"""TREE: what is asked, that the schema is bounded, and how rows become nested groups."""

import json
from functools import cache
from typing import Any

import jsonschema
import numpy as np
import pytest

from annotators.vlm.draft import Draft, Fault, Problem
from annotators.vlm.insert import REACH_S, refiner
from annotators.vlm.request import Answer, Request, Stop
from annotators.vlm.sheet import sampled
from annotators.vlm.tree_call import frame_ids, read_tree, tree_request, tree_schema
from pipeline.synthetic.trajectory import Variant
from schemas.array import Floats
from schemas.event import BoundaryKind, Outcome, RecoveryKind, Verb
from tests.annotators.vlm.oracle import Oracle, Scene, by_window, scenes


@cache
def scene() -> Scene:
    return scenes(1, (Variant.PLAIN, Variant.MISS))[0]


def frames() -> list[int]:
    return [thumbnail.frame for thumbnail in sampled(scene().window, scene().pictures.master, 2.0)]


def question(*faults: str) -> Request:
    return tree_request(scene().window, (b"jpeg",), frames(), model="m@1", system="You look.", faults=faults)


def row(end: str, l2: int, l1: int, verb: str = "move", **more: Any) -> dict[str, Any]:
    return {"end": end, "l2": l2, "l1": l1, "verb": verb, "text": "Move the object", **more}


def last() -> str:
    return scene().window.pieces[-1].candidate


def said(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"observations": ["x"], "rows": list(rows), "subtasks": [], "task": "Tidy up", **more}


def read(value: dict[str, Any], score: Floats | None = None) -> Draft | list[Problem]:
    refine = refiner(scene().window.clock, scene().window.fits, score)
    return read_tree(scene().window, frames(), Answer("", json.dumps(value), Stop.DONE, 1, 1, cached=False), refine)


def draft(value: dict[str, Any], score: Floats | None = None) -> Draft:
    found = read(value, score)
    assert isinstance(found, Draft), found
    return found


def faults(value: dict[str, Any]) -> set[Fault]:
    found = read(value)
    assert isinstance(found, list)
    return {problem.fault for problem in found}


def bounds(schema: Any, where: str = "") -> list[str]:
    """Places of a schema where an answer could go on for ever."""
    found = []
    if schema.get("type") == "string" and "enum" not in schema and "maxLength" not in schema:
        found.append(f"{where}: text")
    if schema.get("type") == "array":
        found += ([] if "maxItems" in schema else [f"{where}: list"]) + bounds(schema["items"], f"{where}[]")
    if schema.get("type") == "integer" and not {"minimum", "maximum"} <= set(schema):
        found.append(f"{where}: number")
    if schema.get("type") == "object":
        found += [] if schema.get("additionalProperties") is False else [f"{where}: keys"]
        for name, part in schema["properties"].items():
            found += bounds(part, f"{where}.{name}")
    return found


def test_everything_an_answer_may_hold_is_bounded() -> None:
    schema = json.loads(tree_schema(scene().window, frames()))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert bounds(schema) == []
    assert bounds({"type": "object", "properties": {"a": {"type": "string"}}}) == [": keys", ".a: text"]


def test_the_schema_takes_what_the_oracle_says_and_no_time() -> None:
    s = scene()
    value = json.loads(next(Oracle(by_window(s)).ask([question_of(s)])).text)
    schema = json.loads(tree_schema(s.window, frames()))
    jsonschema.validate(value, schema)
    value["rows"][0]["end"] = "12.5"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(value, schema)


def question_of(s: Scene) -> Request:
    return tree_request(s.window, (), frames(), model="m", system="")


def test_observations_come_first_so_that_a_model_looks_before_it_divides() -> None:
    assert next(iter(json.loads(tree_schema(scene().window, frames()))["properties"])) == "observations"


def test_what_changes_between_windows_stands_after_what_does_not() -> None:
    first, again = question(), question("row 3: no such thing")
    assert again.text.startswith(first.text)
    assert "row 3: no such thing" in again.text
    assert (first.attempt, again.attempt) == (0, 1)
    assert first.key != again.key
    assert first.subject == scene().window.window_id


def test_frames_on_candidates_and_at_the_edges_cannot_be_inserted() -> None:
    taken = {edge.frame for edge in scene().window.edges}
    ids = frame_ids(scene().window, [*frames(), *taken, 10**6])
    assert ids
    assert not taken & set(ids.values())
    assert all(0 < frame < len(scene().window.clock) for frame in ids.values())


def test_rows_that_share_l1_and_l2_are_one_action_and_those_that_share_l2_one_subtask() -> None:
    found = draft(said(row("C002", 1, 1), row("C003", 1, 1), row("C005", 1, 2), row("C007", 2, 2), row(last(), 2, 3)))
    assert [[len(action.rows) for action in subtask.actions] for subtask in found.subtasks] == [[2, 1], [1, 1]]
    assert [action.end.frame for action in found.actions()] == [
        scene().window.by_candidate[name].end.frame for name in ("C003", "C005", "C007", last())
    ]


def test_an_action_is_called_what_its_longest_row_is_called() -> None:
    short = min(scene().window.pieces[1:-1], key=lambda piece: piece.segment.span.duration_s).candidate
    before = f"C{int(short[1:]) - 1:03d}"
    found = draft(said(row(before, 1, 1, "reach"), row(short, 1, 2, "pour"), row(last(), 1, 2, "stir")))
    assert [action.label.verb for action in found.actions()] == [Verb.REACH, Verb.STIR]


def test_outcomes_become_outcome_and_recovery() -> None:
    found = draft(said(row("C003", 1, 1, outcome="retry"), row(last(), 1, 2, outcome="failure")))
    labels = [action.label for action in found.actions()]
    assert [(label.outcome, label.recovery) for label in labels] == [
        (Outcome.SUCCESS, RecoveryKind.RETRY),
        (Outcome.FAILURE, RecoveryKind.NONE),
    ]


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (said(row("C999", 1, 1)), Fault.UNKNOWN_END),
        (said(row("C005", 1, 1), row("C003", 1, 2), row("C007", 1, 3)), Fault.ORDER),
        (said(row("C003", 1, 1), row("C003", 1, 2)), Fault.ORDER),
        (said(row("C003", 1, 2), row("C005", 1, 1)), Fault.ORDER),
        (said(row("C003", 2, 1), row("C005", 1, 2)), Fault.ORDER),
        (said(row("C003", 1, 1)), Fault.COVER),
        (said(row("C003", 1, 1, arm="third")), Fault.UNREADABLE),
        (said(row("C003", 1, 1, outcome="splendid")), Fault.UNREADABLE),
        (said(row("C003", 1, 1, verb="juggle")), Fault.UNREADABLE),
        (said(row("C003", 1, 1, t=1.25)), Fault.UNREADABLE),
    ],
)
def test_what_cannot_be_a_cover_is_refused_with_its_fault(value: dict[str, Any], fault: Fault) -> None:
    assert fault in faults(value)


def test_a_frame_used_as_an_end_needs_a_reason_and_moves_to_where_the_pictures_change() -> None:
    clock = scene().window.clock
    name, frame = next(
        (name, frame)
        for name, frame in frame_ids(scene().window, frames()).items()
        if min(abs(frame - edge.frame) for edge in scene().window.edges) > 10  # 0.5 s
    )
    rows = (row(name, 1, 1), row(last(), 1, 2))
    assert Fault.INSERT in faults(said(*rows))
    reasons = [{"id": name, "why": "the lid comes off"}]
    score = np.zeros(len(clock))
    score[frame + 5], score[frame - 5], score[frame + 10] = 3.0, 2.0, 9.0
    found = draft(said(*rows, inserted=reasons), score)
    edge = next(found.actions()).end
    assert edge.frame == frame + 5, "the best within 0.4 s, not the best of all"
    assert (edge.kind, edge.detectors) == (BoundaryKind.VISUAL_CHANGE, ("vlm",))
    assert edge.confidence <= 0.3
    assert abs(edge.t_ns - clock.edge_ns(frame)) <= REACH_S * 1e9
    assert next(draft(said(*rows, inserted=reasons)).actions()).end.frame == frame, "without a score it stays"


def test_an_insert_that_leaves_no_room_for_an_event_is_refused() -> None:
    window = scene().window
    refine = refiner(window.clock, window.fits, None)
    assert refine(7, 0, 9) is None
    assert refine(7, 0, 10) == 5
