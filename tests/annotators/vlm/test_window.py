"""A window is a whole episode when it fits, and else a part that ends where something ends."""

from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest

from annotators.segment import segment
from annotators.vlm.window import Window, windows_of
from pipeline.synthetic.trajectory import Variant, make_trajectory
from schemas.episode import Arm
from schemas.event import Level
from schemas.recipe import SegmentSpec
from tests.annotators.recordings import Recording, all_kept, even_times, make_episode, synthetic


@cache
def recording() -> Recording:
    return synthetic(
        make_trajectory(4, {Arm.RIGHT: (Variant.PLAIN, Variant.SLIP, Variant.MISS, Variant.PLAIN)}, rate_hz=20)
    )


def windows(longest_s: float) -> list[Window]:
    one = recording()
    return windows_of(one.tree(), one.episode, one.actions.times_ns, longest_s=longest_s)


def test_a_whole_episode_is_one_window_when_it_fits() -> None:
    (window,) = windows(90.0)
    assert window.duration_s == pytest.approx(recording().episode.master.end_ns / 1e9)
    assert [piece.obligatory for piece in window.pieces] == [False] * (len(window.pieces) - 1) + [True]


def test_candidates_are_the_ends_of_the_finest_events_in_order() -> None:
    (window,) = windows(90.0)
    segments = [event for event in recording().tree() if event.level is Level.SEGMENT]
    assert [piece.segment for piece in window.pieces] == segments
    assert [piece.candidate for piece in window.pieces[:2]] == ["C001", "C002"]
    assert list(window.by_candidate) == sorted(window.by_candidate)


@pytest.mark.parametrize("longest_s", [6.0, 9.0, 14.0, 20.0])
def test_windows_tile_the_episode_and_none_is_too_long(longest_s: float) -> None:
    found = windows(longest_s)
    assert all(a.end_ns == b.start_ns for a, b in pairwise(found))
    assert (found[0].start_ns, found[-1].end_ns) == (0, recording().episode.master.end_ns)
    assert all(window.duration_s <= longest_s for window in found)


def test_windows_of_a_divided_episode_are_of_about_even_length() -> None:
    lengths = [window.duration_s for window in windows(14.0)]
    assert len(lengths) >= 3
    assert max(lengths) < 2 * min(lengths)


def test_windows_end_where_a_subtask_ends_if_one_does_near_enough() -> None:
    subtasks = {event.span.end_ns for event in recording().tree() if event.level is Level.SUBTASK}
    assert all(window.end_ns in subtasks for window in windows(14.0))


def test_a_window_is_not_cut_short_for_a_subtask_that_ends_early() -> None:
    """The first subtask ends after a second or two, the second is all the rest."""
    one = recording()
    tree = one.tree()
    first, second, *others = [event for event in tree if event.level is Level.SUBTASK]
    rest = replace(second, span=replace(second.span, frame_end=others[-1].span.frame_end))
    gone = {event.event_id for event in others}
    events = [rest if event is second else event for event in tree if event.event_id not in gone]
    events = [replace(event, parent_id=rest.event_id) if event.parent_id in gone else event for event in events]
    longest_s = one.episode.master.end_ns / 1e9 * 0.6
    early, _ = windows_of(events, one.episode, one.actions.times_ns, longest_s=longest_s)
    assert first.span.duration_s < 0.25 * longest_s
    assert early.duration_s > 0.5 * longest_s
    assert early.pieces[-1].ends_action


def test_windows_have_names_of_their_own_that_a_second_reading_gives_again() -> None:
    names = [window.window_id for window in windows(9.0)]
    assert len(set(names)) == len(names)
    assert names == [window.window_id for window in windows(9.0)]


def test_a_window_over_two_kept_ranges_has_an_obligatory_end_at_the_hole() -> None:
    one = recording()
    end_ns = one.episode.master.end_ns
    kept = all_kept(one.episode, (0, 6_000_000_000), (9_000_000_000, end_ns))
    tree = segment(one.episode, one.actions, (), kept, one.calibration, spec=SegmentSpec())
    (window,) = windows_of(tree, one.episode, one.actions.times_ns)
    assert [(start.t_ns, end.t_ns) for start, end in window.ranges] == [(0, 6_000_000_000), (9_000_000_000, end_ns)]
    assert sum(piece.obligatory for piece in window.pieces) == 2
    assert window.duration_s == pytest.approx(end_ns / 1e9 - 3.0)


def test_an_empty_tree_has_no_windows() -> None:
    assert windows_of([], make_episode(even_times(10, 10), 10**9), None) == []


def test_contacts_are_looked_for_by_kind_and_arm() -> None:
    (window,) = windows(90.0)
    grasp = next(edge for edge in window.edges if edge.kind.value == "grasp")
    assert window.touching(grasp, grasp, frozenset({grasp.kind}), Arm.RIGHT)
    assert not window.touching(grasp, grasp, frozenset({grasp.kind}), Arm.LEFT)
    other = replace(grasp, frame=grasp.frame + 1)
    assert not window.touching(other, other, frozenset({grasp.kind}), None)
