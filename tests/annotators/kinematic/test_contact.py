"""What holds turn out to be (B2-B6, X1, X2), on hand-made paths with one fault each."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from annotators.kinematic.contact import Contact, contacts_of
from annotators.kinematic.gripper import find_holds
from annotators.kinematic.signals import ArmSignals, arm_signals
from schemas.array import Floats
from schemas.recipe import SegmentSpec
from tests.annotators.recordings import calibration_of, even_times, make_arm, make_track

FPS = 30
SPEC = SegmentSpec()
Points = list[tuple[float, float]]


def course(points: Points, n: int) -> Floats:
    """Smooth motion through (second, value) points: rest, move, rest."""
    t = np.arange(n) / FPS
    value = np.full(n, points[0][1])
    for (start, a), (end, b) in pairwise(points):
        u = np.clip((t - start) / (end - start), 0, 1)
        value = value + (b - a) * u**3 * (10 - 15 * u + 6 * u * u)
    return value


def observed(z: Points, opening: Points, x: Points = [(0, 0)], seconds: float = 10) -> ArmSignals:  # noqa: B006 - read only
    n = round(seconds * FPS)
    position = np.stack([course(x, n), np.zeros(n), course(z, n)], axis=1).astype(np.float32)
    arm = make_arm(position, course(opening, n).astype(np.float32))
    (signals,) = arm_signals(make_track(even_times(n, FPS), arm), calibration_of(), SPEC)
    return signals


def contacts(signals: ArmSignals) -> list[Contact]:
    assert signals.opening is not None
    return contacts_of(signals, find_holds(signals.opening, signals.grid.rate_hz, SPEC), SPEC)


def seconds(signals: ArmSignals, sample: int | None) -> float:
    assert sample is not None
    return sample / signals.grid.rate_hz


CLOSE_THEN_OPEN = [(0.0, 1.0), (1.0, 1.0), (1.5, 0.4), (6.0, 0.4), (6.3, 1.0)]
UP_AND_DOWN = [(0.0, 0.0), (2.0, 0.0), (3.0, 0.1), (4.5, 0.1), (5.5, 0.0), (6.6, 0.0), (7.5, 0.1)]


def test_a_whole_pick_and_place_has_every_moment_in_order() -> None:
    signals = observed(UP_AND_DOWN, CLOSE_THEN_OPEN, x=[(0, 0), (3.0, 0), (4.5, 0.3)])
    (contact,) = contacts(signals)
    moments = (contact.closed, contact.lifted, contact.levelled, contact.touched_down, contact.opened, contact.left)
    times = [seconds(signals, moment) for moment in moments]
    np.testing.assert_allclose(times, [1.5, 2.25, 3.1, 5.4, 6.0, 7.0], atol=0.2)
    assert times == sorted(times)
    assert (contact.missed, contact.slipped, contact.sideways) == (False, False, False)


def test_an_object_dragged_along_the_table_lifts_sideways_and_never_travels() -> None:
    signals = observed([(0, 0)], CLOSE_THEN_OPEN, x=[(0, 0), (3.0, 0), (4.5, 0.3)])
    (contact,) = contacts(signals)
    assert contact.sideways
    assert contact.lifted is not None
    assert contact.levelled is None
    assert contact.touched_down is None


def test_a_miss_closes_to_the_hard_stop_and_reopens_on_the_spot() -> None:
    on_nothing = [(t, 0.0 if value == 0.4 else value) for t, value in CLOSE_THEN_OPEN]
    (contact,) = contacts(observed([(0, 0)], on_nothing))
    assert contact.missed


def test_a_thin_object_that_is_carried_away_is_no_miss() -> None:
    thin = [(t, 0.02 if value == 0.4 else value) for t, value in CLOSE_THEN_OPEN]
    (contact,) = contacts(observed(UP_AND_DOWN, thin))
    assert not contact.missed
    assert contact.lifted is not None


def test_what_is_lost_while_the_fingers_close_and_rise_is_lost_when_they_meet() -> None:
    def opened(rises_s: float, opens_s: float) -> float:
        fingers = [(0.0, 1.0), (1.0, 1.0), (1.6, 0.0), (opens_s, 0.0), (opens_s + 0.3, 1.0)]
        signals = observed([(0.0, 0.0), (rises_s, 0.0), (rises_s + 1.0, 0.6)], fingers)
        (contact,) = contacts(signals)
        assert contact.lifted is not None
        return seconds(signals, contact.opened)

    assert opened(rises_s=1.2, opens_s=2.2) == pytest.approx(1.5, abs=0.05)
    assert opened(rises_s=1.6, opens_s=2.4) == pytest.approx(2.45, abs=0.05), "something thin, taken and then lifted"
    assert opened(rises_s=1.2, opens_s=5.0) == pytest.approx(1.5, abs=0.05)


def test_fingers_that_are_forced_apart_hold_something_though_they_never_rise() -> None:
    closed = [(0.0, 1.0), (1.0, 1.0), (1.4, 0.0), (2.5, 0.0)]
    assert contacts(observed([(0, 0)], [*closed, (6.0, 0.0)], x=[(0, 0), (1.5, 0), (4.0, 0.3)])) == []
    (caught,) = contacts(observed([(0, 0)], [*closed, (2.8, 0.045), (4.0, 0.045), (4.3, 1.0)]))
    assert (caught.missed, caught.lost) == (False, False)
    assert seconds(observed([(0, 0)], closed), caught.closed) == pytest.approx(2.7, abs=0.1)


def test_fingers_closed_on_nothing_that_press_or_push_hold_nothing() -> None:
    closed = [(t, 0.0 if value == 0.4 else value) for t, value in CLOSE_THEN_OPEN]
    assert contacts(observed([(0, 0.1), (2, 0.1), (3, 0.0)], closed)) == []
    assert contacts(observed([(0, 0)], closed, x=[(0, 0), (2.0, 0), (4.0, 0.3)])) == []


def test_fingers_that_close_a_little_and_lift_nothing_took_on_a_posture() -> None:
    shallow = [(t, 0.7 if value == 0.4 else value) for t, value in CLOSE_THEN_OPEN]
    assert contacts(observed([(0, 0)], shallow, x=[(0, 0), (2.0, 0), (4.0, 0.3)])) == []
    (wide,) = contacts(observed(UP_AND_DOWN, shallow))
    assert wide.raised


def test_an_arm_that_holds_something_wide_has_nothing_when_its_fingers_meet() -> None:
    opening = [*CLOSE_THEN_OPEN, (7.0, 1.0), (7.4, 0.0), (9.0, 0.0), (9.3, 1.0)]
    path = [*UP_AND_DOWN[:6], (7.6, 0.0), (8.4, 0.1)]
    (only,) = contacts(observed(path, opening))
    assert only.plateau > 0.3


LOST_IN_THE_AIR = [(0.0, 1.0), (1.0, 1.0), (1.4, 0.4), (3.4, 0.4), (3.7, 1.0), (5.2, 1.0), (5.6, 0.4), (9.0, 0.4)]
UP_DOWN_UP = [(0.0, 0.0), (2.0, 0.0), (2.8, 0.12), (3.9, 0.12), (4.8, 0.0), (6.0, 0.0), (7.0, 0.12)]


def test_a_slip_is_a_release_without_descent_and_a_new_grasp_below() -> None:
    first, second = contacts(observed(UP_DOWN_UP, LOST_IN_THE_AIR))
    assert first.slipped
    assert first.touched_down is None
    assert not second.slipped


def test_a_release_in_the_air_with_the_next_grasp_elsewhere_is_a_drop_not_a_slip() -> None:
    first, _ = contacts(observed(UP_DOWN_UP, LOST_IN_THE_AIR, x=[(0, 0), (3.8, 0), (4.8, 0.2)]))
    assert not first.slipped


def test_putting_down_and_taking_up_again_is_no_slip() -> None:
    signals = observed(
        [(0.0, 0.0), (1.6, 0.0), (2.2, 0.1), (2.3, 0.1), (3.0, 0.0), (6.0, 0.0), (7.0, 0.1)], LOST_IN_THE_AIR
    )
    first, _ = contacts(signals)
    assert first.touched_down is not None
    assert not first.slipped


def test_an_object_put_back_long_before_the_release_did_not_slip() -> None:
    opening = [(0.0, 1.0), (1.0, 1.0), (1.4, 0.4), (6.0, 0.4), (6.3, 1.0), (7.2, 1.0), (7.6, 0.4)]
    first, _ = contacts(observed([(0, 0), (1.6, 0), (2.4, 0.1), (2.5, 0.1), (3.3, 0.0)], opening))
    assert first.touched_down is None
    assert not first.slipped


NEVER_UP = [(0.0, 0.0)]


def test_an_object_let_go_before_it_was_lifted_is_lost_but_has_not_slipped() -> None:
    first, second = contacts(observed(NEVER_UP, LOST_IN_THE_AIR))
    assert (first.lost, first.slipped) == (True, False)
    assert not second.lost


def test_what_is_let_go_in_motion_is_looked_for_farther_on() -> None:
    def lost(x: Points) -> bool:
        return contacts(observed(UP_DOWN_UP, LOST_IN_THE_AIR, x=x))[0].slipped

    assert not lost([(0, 0), (3.8, 0), (4.8, 0.09)])
    assert lost([(0, 0), (2.4, 0), (4.6, 0.21), (5.0, 0.21)])


def test_trying_in_vain_does_not_end_the_search_for_what_was_lost() -> None:
    vain = [*LOST_IN_THE_AIR[:6], (5.6, 0.0), (6.0, 0.0), (6.4, 1.0), (6.9, 1.0), (7.3, 0.4), (9.0, 0.4)]
    path = [*UP_DOWN_UP[:4], (4.8, 0.0), (7.6, 0.0), (8.6, 0.12)]
    slip, miss, again = contacts(observed(path, vain))
    assert (slip.slipped, miss.missed, again.missed) == (True, True, False)
    never = [(t, 0.0 if t > 5.5 and value == 0.4 else value) for t, value in vain]
    assert not any(contact.slipped for contact in contacts(observed(path, never)))


def test_a_commanded_opening_never_slips() -> None:
    signals = replace(observed(UP_DOWN_UP, LOST_IN_THE_AIR), commanded=True)
    assert not any(contact.slipped for contact in contacts(signals))


def sinking(knee_s: float, before_m_s: float, after_m_s: float) -> Floats:
    """Lifted at 2 s, then down with a knee."""
    t = np.arange(10 * FPS) / FPS
    down = np.interp(t, [4.0, knee_s, 10.0], [0.0, before_m_s * (knee_s - 4.0), 0.0])
    down = np.where(t > knee_s, before_m_s * (knee_s - 4.0) + after_m_s * (t - knee_s), down)
    height: Floats = course([(0.0, 0.0), (2.0, 0.0), (3.0, 0.3)], len(t)) - np.where(t > 4.0, down, 0.0)
    return height


def touchdown_s(z: Floats) -> float | None:
    position = np.stack([np.zeros(len(z)), np.zeros(len(z)), z], axis=1).astype(np.float32)
    arm = make_arm(position, course(CLOSE_THEN_OPEN, len(z)).astype(np.float32))
    (signals,) = arm_signals(make_track(even_times(len(z), FPS), arm), calibration_of(), SPEC)
    (contact,) = contacts(signals)
    return None if contact.touched_down is None else seconds(signals, contact.touched_down)


def test_a_hand_that_sinks_on_after_contact_shows_it_by_a_knee() -> None:
    assert touchdown_s(sinking(5.75, 0.12, 0.05)) == pytest.approx(5.75, abs=0.05)


def test_a_steady_descent_put_nothing_down() -> None:
    assert touchdown_s(sinking(5.75, 0.08, 0.08)) is None


def test_a_descent_that_goes_on_past_the_release_put_nothing_down() -> None:
    signals = observed([(0.0, 0.0), (2.0, 0.0), (3.0, 0.3), (5.0, 0.3), (7.0, 0.0)], CLOSE_THEN_OPEN)
    (contact,) = contacts(signals)
    assert contact.touched_down is None


def test_a_touchdown_long_before_the_release_is_not_its_support_contact() -> None:
    signals = observed([(0.0, 0.0), (2.0, 0.0), (2.8, 0.1), (3.0, 0.1), (3.8, 0.0)], CLOSE_THEN_OPEN)
    (contact,) = contacts(signals)
    assert contact.touched_down is None


def test_fingers_half_closed_at_the_start_hold_nothing() -> None:
    assert contacts(observed([(0, 0)], [(0.0, 0.4), (3.0, 0.4), (3.4, 1.0)])) == []


def test_a_recording_that_starts_with_the_object_in_hand_still_has_its_placing() -> None:
    signals = observed([(0, 0.2), (1.5, 0.2), (2.8, 0.0), (4, 0.0), (5, 0.2)], [(0.0, 0.4), (3.0, 0.4), (3.4, 1.0)])
    (contact,) = contacts(signals)
    assert contact.closed is None
    assert seconds(signals, contact.touched_down) < seconds(signals, contact.opened)


def test_without_a_pose_only_the_fingers_speak() -> None:
    n = 10 * FPS
    arm = make_arm(opening=course(CLOSE_THEN_OPEN, n).astype(np.float32))
    (signals,) = arm_signals(make_track(even_times(n, FPS), arm), calibration_of(), SPEC)
    (contact,) = contacts(signals)
    assert (contact.lifted, contact.levelled, contact.touched_down) == (None, None, None)
    assert 6.1 < seconds(signals, contact.left) < 6.5
