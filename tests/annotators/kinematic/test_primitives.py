"""Candidates for where one motion ends."""

import numpy as np
import pytest

from annotators.kinematic.primitives import candidates, dips
from annotators.kinematic.signals import ArmSignals, arm_signals
from schemas.array import Floats
from schemas.recipe import SegmentSpec
from tests.annotators.recordings import calibration_of, even_times, make_arm, make_track

FPS = 50


def signals_of(velocity: Floats, opening: Floats | None = None) -> ArmSignals:
    """An arm with the given velocity [T, 3] in m/s."""
    position = np.cumsum(velocity, axis=0).astype(np.float32) / FPS
    arm = make_arm(position, None if opening is None else opening.astype(np.float32))
    (signals,) = arm_signals(make_track(even_times(len(position), FPS), arm), calibration_of(), SegmentSpec())
    return signals


def along_x(speed: Floats) -> Floats:
    return np.stack([speed, np.zeros_like(speed), np.zeros_like(speed)], axis=1)


def found(signals: ArmSignals, detector: str) -> list[float]:
    return [c.sample / signals.grid.rate_hz for c in candidates(signals) if c.detector == detector]


def test_a_dip_between_two_strokes_is_found_and_a_ripple_is_not() -> None:
    t = np.arange(4 * FPS) / FPS
    stroke = 0.2 * np.abs(np.sin(np.pi * t / 2)) * (1 + 0.1 * np.sin(20 * t))
    signals = signals_of(along_x(stroke))
    assert found(signals, "speed_dip") == [pytest.approx(2.0, abs=0.1)]


def test_a_slowdown_to_half_speed_is_no_dip() -> None:
    speed = np.concatenate([np.full(100, 0.2), np.full(50, 0.1), np.full(100, 0.2)])
    assert found(signals_of(along_x(speed)), "speed_dip") == []


def test_dips_outside_the_asked_range_do_not_count() -> None:
    t = np.arange(4 * FPS) / FPS
    signals = signals_of(along_x(0.2 * np.abs(np.sin(np.pi * t / 2))))
    assert dips(signals, 0, 90) == []
    assert dips(signals, 10, 12) == []


def test_a_right_angle_at_speed_is_a_turn() -> None:
    half = np.full(100, 0.2)
    zero = np.zeros(100)
    velocity = np.stack([np.r_[half, zero], np.r_[zero, half], np.r_[zero, zero]], axis=1)
    assert found(signals_of(velocity), "turn") == [pytest.approx(2.0, abs=0.1)]


def test_a_rest_of_half_a_second_has_a_start_and_an_end() -> None:
    speed = np.concatenate([np.full(100, 0.2), np.zeros(80), np.full(100, 0.2)])
    signals = signals_of(along_x(speed))
    assert found(signals, "rest_start") == [pytest.approx(2.0, abs=0.2)]
    assert found(signals, "rest_end") == [pytest.approx(3.6, abs=0.2)]


def test_closing_fingers_mark_their_start_and_end() -> None:
    opening = np.concatenate([np.ones(100), np.linspace(1, 0.3, 25), np.full(100, 0.3)])
    signals = signals_of(along_x(np.full(225, 0.1)), opening)
    assert found(signals, "fingers_start") == [pytest.approx(2.0, abs=0.1)]
    assert found(signals, "fingers_end") == [pytest.approx(2.5, abs=0.1)]


def test_an_arm_at_rest_has_no_candidates() -> None:
    assert candidates(signals_of(np.zeros((100, 3)))) == []
