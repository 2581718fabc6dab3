"""Pruning what does not move: what goes, what stays beside it, and that the findings say exactly that."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from annotators.segment import STAGE, segment
from annotators.tree.ranges import usable_ranges
from annotators.tree.rests import covered_ranges, subtracted
from pipeline.stage import Bundle
from schemas.calibration import Calibration
from schemas.episode import ActionKind, ActionTrack, Alignment, Episode
from schemas.event import Event, Level
from schemas.filmstrip import Filmstrip
from schemas.finding import Finding, Verdict
from schemas.recipe import SegmentSpec
from schemas.time import NS_PER_S
from schemas.tree import violations
from tests.annotators.recordings import (
    Recording,
    all_kept,
    calibration_of,
    even_times,
    make_arm,
    make_episode,
    make_track,
)

TRIM = SegmentSpec(on_static="trim")


def walk_rest_walk() -> Recording:
    """3 s of motion, 4 s of rest, 3 s of motion at 30 Hz."""
    times = even_times(300, 30)
    speed = np.where((np.arange(300) < 90) | (np.arange(300) >= 210), 0.1, 0.0) / 30
    position = np.cumsum(np.stack([speed, speed * 0, speed * 0], axis=1), axis=0).astype(np.float32)
    track = make_track(times, make_arm(position, np.ones(300, np.float32)))
    return Recording(make_episode(times, 10 * NS_PER_S), track, calibration_of())


def tasks(events: list[Event]) -> list[tuple[int, int]]:
    return [(e.span.frame_start, e.span.frame_end) for e in events if e.level is Level.TASK]


def test_a_rest_is_kept_unless_the_recipe_says_otherwise() -> None:
    assert tasks(walk_rest_walk().tree()) == [(0, 300)]


def test_a_long_rest_is_pruned_but_for_half_a_second_beside_motion() -> None:
    (first, last), (second, end) = tasks(walk_rest_walk().tree(TRIM))
    assert (first, end) == (0, 300)
    assert 90 + 8 <= last <= 90 + 20  # half a second after the arm has come to rest, give or take the smoothing
    assert 210 - 20 <= second <= 210 - 8


def test_a_shorter_rest_than_asked_for_stays() -> None:
    assert tasks(walk_rest_walk().tree(SegmentSpec(on_static="trim", max_static_s=4.5))) == [(0, 300)]


def test_the_findings_say_what_was_pruned_and_what_the_tree_covers() -> None:
    made = walk_rest_walk()
    alignment = all_kept(made.episode)
    records = {
        Episode: [made.episode],
        ActionTrack: [made.actions],
        Filmstrip: [],
        Alignment: [alignment],
        Calibration: [made.calibration],
    }
    out = list(STAGE.run(Bundle(item="ep-test", records=records), TRIM))
    events = [record for record in out if isinstance(record, Event)]
    (finding,) = (record for record in out if isinstance(record, Finding))
    assert (finding.check, finding.verdict, finding.threshold) == ("static", Verdict.TRIM, 2.0)
    clock = made.episode.master.clock
    covered = covered_ranges(usable_ranges(alignment, clock, made.actions), [finding], clock)
    assert covered == tasks(events)
    assert violations(events, clock, covered, ActionKind.MEASURED) == []


def test_where_nothing_moves_at_all_nothing_is_left() -> None:
    times = even_times(300, 30)
    track = make_track(times, make_arm(np.zeros((300, 3), np.float32), np.ones(300, np.float32)))
    episode = make_episode(times, 10 * NS_PER_S)
    assert segment(episode, track, (), all_kept(episode), calibration_of(), spec=TRIM) == []


frames = st.lists(st.integers(0, 60), max_size=12, unique=True).map(
    lambda edges: list(zip(sorted(edges)[::2], sorted(edges)[1::2], strict=False))
)


@given(ranges=frames, holes=frames)
def test_subtraction_is_that_of_sets(ranges: list[tuple[int, int]], holes: list[tuple[int, int]]) -> None:
    left = subtracted(ranges, holes)
    wanted = {i for a, b in ranges for i in range(a, b)} - {i for a, b in holes for i in range(a, b)}
    assert sorted(i for a, b in left for i in range(a, b)) == sorted(wanted)
    assert all(a < b for a, b in left)
