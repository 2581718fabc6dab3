"""What the samples of a set must agree on about their trees."""

import copy
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from pipeline.shards.verify_tree import TreeCheck, json_problems, overlap_problems
from pipeline.synthetic.trajectory import Variant, make_trajectory
from schemas.arrow import to_row
from schemas.episode import Arm
from schemas.event import Event, Level
from schemas.tree import ancestors
from tests.annotators.recordings import synthetic

TREE = synthetic(make_trajectory(3, {Arm.RIGHT: (Variant.PLAIN,)})).tree()
BY_ID = {event.event_id: event for event in TREE}


def record(event: Event) -> dict[str, Any]:
    """The part of event.json that is about the tree."""
    chain = [*reversed(ancestors(event, BY_ID)), event]
    made = {
        "event": to_row(event),
        "captions": {str(node.level): node.caption for node in chain},
        "verbs": {str(node.level): str(node.verb) for node in chain},
        "ancestors": [node.event_id for node in chain[:-1]],
        "action_kind": "measured",
    }
    return copy.deepcopy(made)


def test_whole_records_of_every_level_are_in_order() -> None:
    check = TreeCheck()
    assert [problem for event in TREE for problem in check.problems("here", record(event))] == []


ACTION = next(event for event in TREE if event.level is Level.ACTION)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda r: r["event"].pop("verb"), "its event is not one"),
        (lambda r: r["event"].update(verb="fly"), "its event is not one"),
        (lambda r: r["event"]["span"].update(frame_end=r["event"]["span"]["frame_start"] + 3), "expected at least 5"),
        (lambda r: r["event"]["start"].update(frame=0, t_ns=1), "boundaries"),
        (lambda r: r["event"]["end"].update(confidence=1.5), "confidence 1.5"),
        (lambda r: r["event"].update(level="segment"), "its level and span make it"),
        (lambda r: r["captions"].pop("task"), "expected ['task', 'subtask', 'action'] and 2"),
        (lambda r: r["ancestors"].pop(), "1 ancestors, expected"),
        (lambda r: r["event"].update(parent_id="ev-1"), "its parent is 'ev-1'"),
        (lambda r: r["event"].update(caption="Another"), "its caption or verb is not the one of its own level"),
        (lambda r: r.update(action_kind="none"), "action rows although the episode has none"),
    ],
)
def test_a_broken_record_is_named_with_what_was_expected(spoil: Callable[[dict[str, Any]], Any], said: str) -> None:
    spoiled = record(ACTION)
    spoil(spoiled)
    found = list(TreeCheck().problems("train-000000.tar, sample k", spoiled))
    assert any(said in problem for problem in found), found
    assert all(problem.startswith("train-000000.tar, sample k: ") for problem in found)


def test_two_samples_that_tell_different_stories_of_one_ancestor_are_named() -> None:
    check = TreeCheck()
    assert list(check.problems("first", record(ACTION))) == []
    other = record(next(event for event in TREE if event.level is Level.ACTION and event is not ACTION))
    other["captions"]["task"] = "Something else"
    (found,) = check.problems("second", other)
    assert found.startswith(f"second: task {ACTION_TASK} is")


ACTION_TASK = ancestors(ACTION, BY_ID)[-1].event_id


@pytest.mark.parametrize(
    ("data", "said"),
    [(b'{"a":NaN}', "NaN"), (b'{"a":1,"a":2}', "'a' stands twice"), (b"{", "Expecting"), (b'"\xff"', "utf-8")],
)
def test_json_that_only_python_reads_is_named(data: bytes, said: str) -> None:
    (found,) = json_problems("here", [("k.event.json", data), ("k.action.npz", b"no json")])
    assert found.startswith("here: event.json is not strict JSON")
    assert said in found


def manifest(*rows: tuple[str, str, int, int]) -> pa.Table:
    columns = {
        "event_id": [row[0] for row in rows],
        "episode_id": [row[1] for row in rows],
        "start_ns": [row[2] for row in rows],
        "end_ns": [row[3] for row in rows],
        "shard": ["train-000000"] * len(rows),
        "key": [f"k{i}" for i in range(len(rows))],
    }
    return pa.table(columns)


def test_repeats_and_neighbours_do_not_overlap() -> None:
    assert (
        list(overlap_problems(manifest(("b", "x", 5, 9), ("a", "x", 0, 5), ("b", "x", 5, 9), ("c", "y", 2, 7)))) == []
    )
    assert list(overlap_problems(manifest())) == []


def test_two_events_of_one_episode_that_claim_the_same_moment_are_named_with_their_samples() -> None:
    found = list(overlap_problems(manifest(("a", "x", 0, 10), ("b", "x", 2, 3), ("c", "x", 9, 12), ("d", "y", 0, 9))))
    assert found == [
        "train-000000.tar, sample k1: b [2, 3) ns overlaps a of train-000000.tar, sample k0",
        "train-000000.tar, sample k2: c [9, 12) ns overlaps a of train-000000.tar, sample k0",
    ]
