"""The tree of an episode after its conversations, and the events in it."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest

from annotators.vlm.conversation import Accepted, Rejected, Verdict, conversation, converse, terms
from annotators.vlm.revise import MAX_SEGMENT_S, duration_phrase, manner_of, unrevised
from annotators.vlm.whole import whole_tree
from annotators.vlm.window import Window
from pipeline.synthetic.trajectory import Variant
from schemas.event import Event, Level, Motion, Provenance, ReviewState
from schemas.tree import violations
from tests.annotators.vlm.oracle import Oracle, Scene, by_window, scenes

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


def test_a_task_without_an_instruction_is_called_what_the_models_saw() -> None:
    nameless = [replace(window, instruction="") for window in windows()]
    (task,) = [e for e in whole_tree(parts()[0].tree, nameless, verdicts()) if e.level is Level.TASK]
    assert task.caption == "Tidy up the table"
    (named,) = [e for e in whole_tree(parts()[0].tree, windows(), verdicts()) if e.level is Level.TASK]
    assert named.caption == parts()[0].tree[0].caption


def test_what_people_or_the_source_said_stays() -> None:
    s = parts()[0]
    by_hand = replace(s.window.pieces[0].action, caption="As I say", caption_by=Provenance("human"))
    seen = replace(s.window.pieces[-1].action, review=ReviewState.ACCEPTED, caption="As seen")
    changed = {by_hand.event_id: by_hand, seen.event_id: seen}
    pieces = tuple(replace(p, action=changed.get(p.action.event_id, p.action)) for p in s.window.pieces)
    one = replace(s, window=replace(s.window, pieces=pieces))
    verdict = converse({"w": conversation(one.window, one.pictures, terms("m"))}, Oracle(by_window(one)))["w"]
    assert isinstance(verdict, Accepted)
    after = {event.event_id: event for event in verdict.events}
    assert after[by_hand.event_id].caption == "As I say"
    assert after[seen.event_id].caption == "As seen"


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
