"""A valid event tree has no violations; each invariant, broken once, is named."""

import dataclasses
from itertools import pairwise
from typing import Any

import numpy as np

from schemas.episode import ActionKind, Arm
from schemas.event import (
    Boundary,
    BoundaryKind,
    Event,
    Level,
    Provenance,
    RecoveryKind,
    ReviewState,
    Verb,
    make_event_id,
)
from schemas.time import FrameClock
from schemas.tree import ancestors, violations

CLOCK = FrameClock(np.arange(60, dtype=np.int64) * 100, 6000)
ACTIONS = np.arange(60, dtype=np.int64) * 100
KEPT = [(0, 20), (30, 60)]


def event(level: Level, first: int, last: int, parent: Event | None = None) -> Event:
    span = CLOCK.span(first, last, ACTIONS)
    edges = [
        Boundary(BoundaryKind.RANGE_EDGE, frame, CLOCK.edge_ns(frame), 1.0, 0.0, ("test",), Arm.LEFT)
        for frame in (first, last)
    ]
    return Event(
        event_id=make_event_id("ep-1", level, span, 1),
        episode_id="ep-1",
        level=level,
        parent_id=parent.event_id if parent else "",
        span=span,
        start=edges[0],
        end=edges[1],
        verb=Verb.OTHER,
        caption="",
        objects=(),
        arm=None,
        recovery=RecoveryKind.NONE,
        static_fraction=0.0,
        motion=None,
        needs_vlm=False,
        boundaries_by=Provenance("kinematic"),
        caption_by=None,
        review=ReviewState.PROPOSED,
        revision=1,
    )


def tree() -> list[Event]:
    """Two kept ranges; the second task has two subtasks, the last of which has two segments."""
    first = event(Level.TASK, 0, 20)
    second = event(Level.TASK, 30, 60)
    events = [first, second]
    for parent, edges in ((first, [0, 20]), (second, [30, 40, 60])):
        for start, end in pairwise(edges):
            subtask = event(Level.SUBTASK, start, end, parent)
            action = event(Level.ACTION, start, end, subtask)
            cuts = [40, 50, 60] if start == 40 else [start, end]
            segments = [event(Level.SEGMENT, a, b, action) for a, b in pairwise(cuts)]
            events += [subtask, action, *segments]
    return events


def found(events: list[Event], kind: ActionKind = ActionKind.MEASURED) -> list[str]:
    return violations(events, CLOCK, KEPT, kind)


def with_last(**changes: Any) -> list[Event]:
    """The tree with its last segment, frames 50 to 60, changed."""
    events = tree()
    return [*events[:-1], dataclasses.replace(events[-1], **changes)]


def respanned(first: int, last: int) -> list[Event]:
    """The tree with its last segment moved, consistent in itself."""
    events = tree()
    moved = event(Level.SEGMENT, first, last)
    return [*events[:-1], dataclasses.replace(moved, parent_id=events[-1].parent_id)]


def test_a_valid_tree_has_no_violations() -> None:
    assert found(tree()) == []


def test_an_episode_of_which_nothing_is_kept_has_an_empty_tree() -> None:
    assert violations([], CLOCK, [], ActionKind.MEASURED) == []


def test_a_level_with_a_gap_is_named() -> None:
    problems = found(respanned(55, 60))
    assert "segment: covers [(0, 20), (30, 50), (55, 60)], expected [(0, 20), (30, 60)]" in problems


def test_a_level_with_an_overlap_is_named() -> None:
    problems = found(respanned(45, 60))
    assert "segment: [40, 50) and [45, 60) overlap" in problems


def test_an_event_across_a_dropped_part_is_named() -> None:
    assert any(problem.startswith("segment: covers") for problem in found(respanned(10, 40)))


def test_a_child_that_leaves_its_parent_is_named() -> None:
    events = tree()
    strayed = dataclasses.replace(events[-1], parent_id=events[6].event_id)
    problems = found([*events[:-1], strayed])
    assert any(problem.startswith(f"children of {events[6].event_id}: ") for problem in problems)


def test_a_parent_without_children_is_named() -> None:
    problems = found(tree()[:-2])
    assert any(problem.startswith("children of") and "covers []" in problem for problem in problems)


def test_a_parent_two_levels_up_is_named() -> None:
    events = tree()
    (problem,) = [line for line in found(with_last(parent_id=events[1].event_id)) if "level up" in line]
    assert problem == f"segment {events[-1].event_id}: its parent is not an event one level up"


def test_a_task_with_a_parent_is_named() -> None:
    first, *others = tree()
    problems = found([dataclasses.replace(first, parent_id=others[0].event_id), *others])
    assert problems == [f"task {first.event_id}: a task has no parent"]


def test_events_below_five_frames_are_named() -> None:
    events = tree()
    split = [
        dataclasses.replace(event(Level.SEGMENT, a, b), parent_id=events[-1].parent_id) for a, b in ((50, 56), (56, 60))
    ]
    assert found([*events[:-1], *split]) == [f"segment {split[1].event_id}: 4 frames, expected at least 5"]


def test_times_that_are_no_frame_times_are_named() -> None:
    span = dataclasses.replace(tree()[-1].span, end_ns=5999)
    boundary = dataclasses.replace(tree()[-1].end, t_ns=5999)
    (problem,) = found(with_last(span=span, end=boundary))
    assert problem.endswith("nanoseconds are not the times of its frames")


def test_boundaries_elsewhere_than_the_span_are_named() -> None:
    (problem,) = found(with_last(start=dataclasses.replace(tree()[-1].start, frame=51)))
    assert problem.endswith("its boundaries are not its span's edges")
    (problem,) = found(with_last(start=dataclasses.replace(tree()[-1].start, t_ns=5001)))
    assert problem.endswith("its boundaries' times are not its span's")


def test_frames_outside_the_recording_are_named() -> None:
    span = dataclasses.replace(tree()[-1].span, frame_end=61)
    assert any("lie outside the recording of 60" in problem for problem in found(with_last(span=span)))


def test_a_null_action_span_where_there_are_actions_is_named() -> None:
    span = dataclasses.replace(tree()[-1].span, action_start=0, action_end=0)
    (problem,) = found(with_last(span=span))
    assert problem.endswith("no action rows although the episode has measured actions")


def test_action_rows_where_there_are_no_actions_are_named() -> None:
    problems = found(tree(), ActionKind.NONE)
    assert len(problems) == len(tree())
    assert all(problem.endswith("action rows although the episode has none") for problem in problems)


def test_an_event_twice_is_named() -> None:
    events = tree()
    assert "two events share an id" in found([*events, events[-1]])


def test_events_of_two_episodes_are_named() -> None:
    assert found(with_last(episode_id="ep-2")) == ["events of several episodes in one tree"]


def test_ancestors_are_nearest_first_up_to_the_task() -> None:
    events = tree()
    by_id = {one.event_id: one for one in events}
    assert [one.level for one in ancestors(events[-1], by_id)] == [Level.ACTION, Level.SUBTASK, Level.TASK]
