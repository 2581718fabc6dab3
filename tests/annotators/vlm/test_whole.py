"""The tree of an episode after its conversations, and the events in it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from annotators.segment import segment
from annotators.vlm.conversation import Accepted, Pictures, Rejected, Verdict, conversation, converse, terms
from annotators.vlm.request import Answer, Call, Request, Stop
from annotators.vlm.revise import MAX_SEGMENT_S, duration_phrase, manner_of, unrevised
from annotators.vlm.whole import whole_tree
from annotators.vlm.window import Window, windows_of
from pipeline.synthetic.trajectory import Variant, make_trajectory
from schemas.episode import Arm, SourceSpan, SpanMeaning
from schemas.event import Event, Level, Motion, Provenance
from schemas.recipe import SegmentSpec
from schemas.tree import violations
from tests.annotators.recordings import all_kept
from tests.annotators.vlm.oracle import Oracle, Scene, by_window, recording_of, scenes, thumbnails

MIXED = (Variant.PLAIN, Variant.SLIP, Variant.MISS)


@cache
def parts() -> tuple[Scene, ...]:
    """A long episode in short windows."""
    return tuple(scenes(5, (*MIXED, *MIXED), longest_s=12.0))


@cache
def verdicts() -> dict[str, Verdict]:
    oracle = Oracle(by_window(*parts()))
    return converse({s.window.window_id: conversation(s.window, s.pictures, terms("m")) for s in parts()}, oracle)


def windows(*found: Scene) -> list[Window]:
    return [s.window for s in found or parts()]


def problems(tree: Sequence[Event]) -> list[str]:
    clock = parts()[0].window.clock
    return violations(tree, clock, [(0, len(clock))], parts()[0].window.action_kind)


def some_rejected(every: int) -> dict[str, Verdict]:
    found = dict(verdicts())
    for name in list(found)[::every]:
        found[name] = Rejected(name, ("for a test",))
    return found


@pytest.mark.parametrize("every", [1, 2, 3, 100])
def test_the_tree_is_valid_whichever_windows_were_rejected(every: int) -> None:
    assert len(parts()) >= 3
    tree = whole_tree(parts()[0].tree, windows(), some_rejected(every))
    assert problems(tree) == []
    assert len({event.event_id for event in tree}) == len(tree)


def test_without_verdicts_nothing_changes_but_where_windows_cut_a_subtask() -> None:
    tree = whole_tree(parts()[0].tree, windows(), {})
    before = {event.event_id: event for event in parts()[0].tree}
    assert problems(tree) == []
    assert [event for event in tree if event.level is Level.SEGMENT and event.event_id not in before] == []
    kept = [event for event in tree if event.event_id in before]
    same = [event for event in kept if replace(event, parent_id="") == replace(before[event.event_id], parent_id="")]
    assert len(same) == len(kept) > 0.9 * len(tree)


def test_a_rejected_window_keeps_its_words_and_the_others_do_not() -> None:
    tree = {event.event_id: event for event in whole_tree(parts()[0].tree, windows(), some_rejected(2))}
    for number, s in enumerate(parts()):
        verdict = verdicts()[s.window.window_id]
        assert isinstance(verdict, Accepted)
        wanted = verdict.events if number % 2 else unrevised(s.window)
        assert all(tree[event.event_id] == event for event in wanted)


def test_what_a_window_cuts_off_a_subtask_is_called_like_the_subtask() -> None:
    """A rejected window keeps the detector's words: a part of "Place it" is no "Move" because it mostly moves."""
    worded = [replace(e, caption=f"{e.level} at {e.span.frame_start}") for e in parts()[0].tree]
    found = scenes_in(worded, longest_s=4.0)
    tree = whole_tree(worded, [s.window for s in found], {})
    before = {event.event_id: event for event in worded}
    subtasks = [event for event in tree if event.level is Level.SUBTASK]
    parts_of = [event for event in subtasks if event.event_id not in before]
    assert parts_of, "no window cuts a subtask: nothing is shown"
    for part in parts_of:
        whole = next(e for e in worded if e.level is Level.SUBTASK and e.span.contains(part.span))
        assert (part.verb, part.caption, part.recovery) == (whole.verb, whole.caption, whole.recovery)


def test_a_task_without_an_instruction_is_called_what_the_models_saw() -> None:
    nameless = [replace(window, instruction="") for window in windows()]
    (task,) = [e for e in whole_tree(parts()[0].tree, nameless, verdicts()) if e.level is Level.TASK]
    assert task.caption == "Tidy up the table"
    (named,) = [e for e in whole_tree(parts()[0].tree, windows(), verdicts()) if e.level is Level.TASK]
    assert named.caption == parts()[0].tree[0].caption


def settled_tree(seed: int) -> tuple[list[Event], set[str]]:
    """The long episode's tree in which somebody has spoken in a subtask, an action and a segment."""
    rng, tree = np.random.default_rng(seed), list(parts()[0].tree)
    ids = set()
    for level in (Level.SUBTASK, Level.ACTION, Level.SEGMENT):
        mine = [event for event in tree if event.level is level]
        event = mine[int(rng.integers(len(mine)))]
        by = Provenance("human" if level is Level.ACTION else "source")
        tree[tree.index(event)] = replace(event, caption="As somebody said", caption_by=by)
        ids.add(event.event_id)
    return tree, ids


@pytest.mark.parametrize("seed", range(6))
def test_what_people_or_the_source_said_stays_where_and_as_it_is(seed: int) -> None:
    """However wrong a model is: 40 % of the cuts lost, 40 % of the verbs wrong, in windows that cut everywhere."""
    tree, ids = settled_tree(seed)
    found = scenes_in(tree, longest_s=(6.0, 12.0, 90.0)[seed % 3])
    oracle = Oracle(by_window(*found), merges=0.4, verbs=0.4, seed=seed)
    talks = {s.window.window_id: conversation(s.window, s.pictures, terms("m")) for s in found}
    verdicts = converse(talks, oracle)
    after = {event.event_id: event for event in whole_tree(tree, [s.window for s in found], verdicts)}
    assert any(isinstance(verdict, Accepted) for verdict in verdicts.values())
    assert problems(list(after.values())) == []
    before = {event.event_id: event for event in tree}
    assert {key: after.get(key) for key in ids} == {key: before[key] for key in ids}


def scenes_in(tree: list[Event], longest_s: float) -> list[Scene]:
    """The same episode's scenes by another tree."""
    one = recording_of(make_trajectory(5, {Arm.RIGHT: (*MIXED, *MIXED)}, rate_hz=20), 5)
    marks, phases = sorted({m for s in parts() for m in s.true}), sorted({p for s in parts() for p in s.phases})
    pictures = tuple({t.frame: t for s in parts() for t in s.pictures.master}.values())
    found = []
    for window in windows_of(tree, one.episode, one.actions.times_ns, longest_s=longest_s):
        start, end = window.start_ns, window.end_ns
        shown = tuple(picture for picture in pictures if start <= picture.t_ns < end)
        true = tuple(mark for mark in marks if start < mark.t_ns < end)
        inside = tuple(phase for phase in phases if phase[1] > start and phase[0] < end)
        found.append(Scene(window, Pictures(shown), tuple(tree), true, inside))
    return found


class Lumper:
    """Groups as much as it may: one row from one obligatory end to the next, all of one action and one subtask."""

    def __init__(self, window: Window) -> None:
        self.window = window

    def ask(self, requests: Sequence[Request]) -> Iterator[Answer]:
        for request in requests:
            said = self._tree() if request.call is Call.TREE else self._verify(request.text)
            yield Answer(request.key, json.dumps(said), Stop.DONE, 1, 1, cached=False)

    def _tree(self) -> dict[str, Any]:
        row = {"l2": 1, "l1": 1, "verb": "adjust", "text": "Adjust things"}
        return {
            "observations": ["things"],
            "rows": [row | {"end": piece.candidate} for piece in self.window.pieces if piece.obligatory],
            "subtasks": [{"l2": 1, "verb": "adjust", "text": "Adjust things"}],
            "task": "Adjust all things",
            "dropped": [{"id": piece.candidate, "why": "nothing is held"} for piece in self.window.pieces][:32],
        }

    def _verify(self, text: str) -> dict[str, Any]:
        names = [line.partition(" ")[0] for line in text.splitlines() if line.startswith("E")]
        return {"events": [{"id": name, "pick": "a", "held": "unclear", "reached": "unclear"} for name in names]}


def test_no_event_reaches_across_two_tasks_of_the_source_whatever_a_model_groups() -> None:
    one = recording_of(make_trajectory(3, {Arm.RIGHT: (Variant.PLAIN, Variant.PLAIN)}, rate_hz=20), 3)
    end_ns = one.episode.master.end_ns
    marked = [("Tidy up", 0, end_ns // 2), ("Leave", end_ns // 2, end_ns)]
    spans = tuple(SourceSpan("task", start, end, text, SpanMeaning.TASK) for text, start, end in marked)
    episode = replace(one.episode, annotations=spans)
    tree = segment(episode, one.actions, (), all_kept(episode), one.calibration, spec=SegmentSpec())
    (window,) = windows_of(tree, episode, one.actions.times_ns)
    shown = Pictures(tuple(thumbnails(end_ns, 20)))
    verdicts = converse({window.window_id: conversation(window, shown, terms("m"))}, Lumper(window))
    assert isinstance(verdicts[window.window_id], Accepted)
    after = whole_tree(tree, [window], verdicts)
    clock = episode.master.clock
    assert violations(after, clock, [(0, len(clock))], episode.action_kind) == []
    assert [event.caption for event in after if event.level is Level.TASK] == ["Tidy up", "Leave"]


def test_events_say_how_where_and_how_long() -> None:
    verdict = verdicts()[parts()[0].window.window_id]
    assert isinstance(verdict, Accepted)
    for event in verdict.events:
        assert event.aspects is not None
        assert event.aspects.duration == duration_phrase(event.span.duration_s)
        assert event.aspects.manner in ("", "slowly", "quickly")


def test_long_rows_are_divided_into_segments() -> None:
    segments = [e for v in verdicts().values() if isinstance(v, Accepted) for e in v.events if e.level is Level.SEGMENT]
    before = max(piece.segment.span.duration_s for window in windows() for piece in window.pieces)
    assert max(event.span.duration_s for event in segments) <= max(before, MAX_SEGMENT_S)
    assert all(a.span.end_ns == b.span.start_ns for a, b in pairwise(sorted(segments, key=lambda e: e.span.start_ns)))


@pytest.mark.parametrize(
    ("path_m", "seconds", "manner"), [(0.02, 1.0, "slowly"), (0.1, 1.0, ""), (0.6, 1.0, "quickly"), (None, 1.0, "")]
)
def test_the_manner_is_the_mean_speed_in_words(path_m: float | None, seconds: float, manner: str) -> None:
    assert manner_of(Motion(None, None, None, path_m, None, None, None), seconds) == manner


def test_durations_are_said_to_a_tenth_below_ten_seconds() -> None:
    assert (duration_phrase(1.24), duration_phrase(12.4)) == ("in 1.2 s", "in 12 s")
