"""Holds read off the opening (K3)."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotators.kinematic.gripper import find_holds, pivots
from schemas.array import Floats
from schemas.recipe import SegmentSpec

RATE = 50.0
SPEC = SegmentSpec()


def ramps(*points: tuple[float, float], end: float) -> Floats:
    """Linear between (second, opening) points, sampled at RATE up to ``end``."""
    t = np.arange(round(end * RATE)) / RATE
    return np.interp(t, [p[0] for p in points], [p[1] for p in points])


def test_a_grasp_begins_where_the_fingers_stop_and_ends_where_they_start() -> None:
    opening = ramps((0, 1), (1, 1), (1.5, 0.4), (4, 0.4), (4.3, 1), end=6)
    (hold,) = find_holds(opening, RATE, SPEC)
    assert hold.closed is not None
    assert hold.opened is not None
    assert hold.closed / RATE == pytest.approx(1.5, abs=0.05)
    assert hold.opened / RATE == pytest.approx(4.0, abs=0.05)
    assert hold.plateau == pytest.approx(0.4, abs=0.02)
    assert hold.depth == pytest.approx(0.6, abs=0.02)


@pytest.mark.parametrize("plateau", [0.0, 0.05, 0.5, 0.75])
def test_objects_of_any_thickness_count(plateau: float) -> None:
    opening = ramps((0, 1), (1, 1), (1.4, plateau), (3, plateau), (3.4, 1), end=5)
    assert len(find_holds(opening, RATE, SPEC)) == 1


def test_a_slow_close_counts() -> None:
    opening = ramps((0, 1), (1, 1), (6, 0.2), (8, 0.2), (8.5, 1), end=10)
    (hold,) = find_holds(opening, RATE, SPEC)
    assert hold.closed is not None
    assert 5.0 < hold.closed / RATE < 6.1


def test_finger_rebound_does_not_split_a_hold() -> None:
    opening = ramps((0, 1), (1, 1), (1.4, 0.4), (1.45, 0.5), (1.5, 0.4), (3, 0.4), (3.3, 1), end=5)
    assert len(find_holds(opening, RATE, SPEC)) == 1


def test_a_twitch_shorter_than_the_minimum_is_no_hold() -> None:
    opening = ramps((0, 1), (1, 1), (1.05, 0.3), (1.1, 1), end=3)
    assert find_holds(opening, RATE, SPEC) == []


def test_fingers_that_half_close_again_have_let_go_when_they_first_opened() -> None:
    opening = ramps((0, 1), (1, 1), (1.5, 0.4), (4, 0.4), (4.1, 0.65), (4.4, 0.65), (4.5, 0.5), (4.7, 1), end=6)
    (hold,) = find_holds(opening, RATE, SPEC)
    assert hold.opened is not None
    assert hold.opened / RATE == pytest.approx(4.0, abs=0.06)


def test_what_is_squeezed_out_was_held_from_the_resistance_to_the_hard_stop() -> None:
    opening = ramps((0, 1), (1, 1), (1.4, 0.4), (2.4, 0.0), end=5)
    (hold,) = find_holds(opening, RATE, SPEC)
    assert hold.closed is not None
    assert hold.opened is not None
    assert hold.closed / RATE == pytest.approx(1.4, abs=0.1)
    assert hold.opened / RATE == pytest.approx(2.3, abs=0.1)
    assert hold.plateau == pytest.approx(0.4, abs=0.05)
    (whole,) = find_holds(opening, RATE, SPEC, squeezes=False)
    assert whole.opened is None


LOST_TWICE = [(1.0, 1.0), (1.4, 0.3), (1.7, 0.0), (1.8, 0.0), (2.0, 0.15), (3.0, 0.15), (3.2, 0.0), (3.6, 0.0)]
CAUGHT = [(3.8, 0.12), (5.0, 0.12)]


def test_fingers_that_met_and_are_forced_apart_have_caught_again_what_they_lost() -> None:
    opening = ramps((0, 1), *LOST_TWICE, *CAUGHT, (5.2, 1), end=6)
    holds = find_holds(opening, RATE, SPEC)
    edges = [edge / RATE for hold in holds for edge in (hold.closed, hold.opened) if edge is not None]
    assert edges == pytest.approx([1.4, 1.67, 1.84, 3.16, 3.68, 5.0], abs=0.05)
    assert [hold.plateau > 0.1 for hold in holds] == [True] * 3
    assert len(find_holds(opening, RATE, SPEC, squeezes=False)) == 1


def test_fingers_that_meet_and_open_have_caught_nothing_again() -> None:
    opening = ramps((0, 1), *LOST_TWICE, (3.9, 1), end=6)
    assert [hold.closed is not None and hold.closed > 3.2 * RATE for hold in find_holds(opening, RATE, SPEC)] == [
        False,
        False,
    ]


@pytest.mark.parametrize(("width", "caught"), [(0.02, False), (0.05, True), (0.12, True)])
def test_what_forces_the_fingers_apart_is_held_however_thin(width: float, caught: bool) -> None:
    opening = ramps((0, 1), (1, 1), (1.4, 0.0), (2, 0.0), (2.2, width), (4, width), (4.5, 1), end=6)
    (hold,) = find_holds(opening, RATE, SPEC)
    assert hold.closed is not None
    assert hold.closed / RATE == pytest.approx(2.1 if caught else 1.4, abs=0.07)
    assert hold.caught is caught


def test_fingers_that_turn_round_at_once_were_not_stopped_by_anything() -> None:
    assert find_holds(ramps((0, 1), (1, 1), (2, 0.3), (3, 1), end=5), RATE, SPEC) == []
    assert len(find_holds(ramps((0, 1), (1, 1), (2, 0.3), (2.3, 0.3), (3.3, 1), end=5), RATE, SPEC)) == 1


@pytest.mark.parametrize("seconds", [0.4, 3.0])
def test_closing_on_nothing_meets_no_resistance(seconds: float) -> None:
    u = np.clip((np.arange(round(8 * RATE)) / RATE - 1.0) / seconds, 0, 1)
    (hold,) = find_holds(1.0 - u**3 * (10 - 15 * u + 6 * u * u), RATE, SPEC)
    assert hold.opened is None
    assert hold.plateau < 0.05


def test_a_track_that_ends_closed_has_no_release() -> None:
    (hold,) = find_holds(ramps((0, 1), (1, 1), (1.5, 0.3), end=4), RATE, SPEC)
    assert hold.closed is not None
    assert hold.opened is None


def test_a_track_that_starts_closed_has_no_grasp() -> None:
    (hold,) = find_holds(ramps((0, 0.3), (2, 0.3), (2.5, 1), end=4), RATE, SPEC)
    assert hold.closed is None
    assert hold.opened is not None


@pytest.mark.parametrize("opening", [[], [0.5], [0.5] * 100, [0.5, 0.55] * 100])
def test_an_opening_that_says_nothing_has_no_holds(opening: list[float]) -> None:
    assert find_holds(np.array(opening), RATE, SPEC) == []


@given(st.lists(st.floats(0, 1), max_size=60), st.floats(0.05, 0.9))
def test_pivots_alternate_and_differ_by_the_reversal(values: list[float], reversal: float) -> None:
    marks = pivots(np.array(values), reversal)
    for (i, first_high), (j, second_high) in pairwise(marks):
        assert i < j
        assert first_high != second_high
        assert abs(values[i] - values[j]) >= reversal
