"""Closed fingers with nothing between them."""

import numpy as np
import pytest

from annotators.kinematic.empty_hand import is_fist, is_squeezed
from annotators.kinematic.gripper import SHUT, Hold
from annotators.kinematic.signals import ArmSignals, arm_signals
from schemas.array import Floats
from schemas.recipe import SegmentSpec
from tests.annotators.recordings import calibration_of, even_times, make_arm, make_track

FPS = 50
CLOSED, OPENED = 100, 300


def signals_of(height: Floats, x: Floats | None = None) -> ArmSignals:
    x = np.zeros_like(height) if x is None else x
    position = np.stack([x, np.zeros_like(height), height], axis=1).astype(np.float32)
    arm = make_arm(position, np.linspace(1, 0, len(height)).astype(np.float32))
    (signals,) = arm_signals(make_track(even_times(len(height), FPS), arm), calibration_of(), SegmentSpec())
    return signals


def hold(plateau: float = 0.0, closed: int | None = CLOSED) -> Hold:
    return Hold(closed, OPENED, plateau, 0.9)


def path(*corners: tuple[float, float]) -> Floats:
    return np.interp(np.arange(400) / FPS, *zip(*corners, strict=True))


LIFTED = path((0, 0.1), (2.5, 0.1), (3.5, 0.2))
LOWERED = path((0, 0.2), (2.5, 0.2), (3.5, 0.1))
CARRIED_DOWN = path((0, 0.1), (2.5, 0.1), (3.0, 0.2), (4.0, 0.0))


def test_a_hand_that_sinks_after_closing_on_nothing_is_a_fist() -> None:
    assert is_fist(signals_of(LOWERED), hold())


@pytest.mark.parametrize("height", [LIFTED, CARRIED_DOWN])
def test_one_that_rises_first_may_hold_something_thin(height: Floats) -> None:
    assert not is_fist(signals_of(height), hold())


def test_a_hand_that_closes_at_a_run_is_a_fist() -> None:
    running = np.linspace(0, 2.4, 400)  # 0.3 m/s
    assert is_fist(signals_of(np.full(400, 0.1), running), hold())
    assert not is_fist(signals_of(np.full(400, 0.1), running / 10), hold())


def test_fingers_with_something_between_them_are_no_fist_whatever_the_hand_does() -> None:
    assert not is_fist(signals_of(LOWERED), hold(plateau=SHUT + 0.01))
    assert not is_fist(signals_of(LOWERED), hold(closed=None))


def test_fingers_that_close_without_being_told_to_were_squeezed() -> None:
    signals = signals_of(LIFTED)
    assert is_squeezed(signals, hold(0.6), np.full(400, 0.5))
    told_before = np.where(np.arange(400) < CLOSED - 20, 1.0, 0.0)
    assert not is_squeezed(signals, hold(0.6), told_before)
    told_to_open = np.where(np.arange(400) < CLOSED - 20, 0.5, 1.0)
    assert is_squeezed(signals, hold(0.6), told_to_open)


def test_closed_fingers_that_catch_something_do_so_by_the_command_that_closed_them() -> None:
    told_long_before = np.where(np.arange(400) < 10, 1.0, 0.0)
    assert not is_squeezed(signals_of(LIFTED), hold(0.6), told_long_before)


def test_without_a_command_nobody_knows() -> None:
    assert not is_squeezed(signals_of(LIFTED), hold(0.6), None)
    assert not is_squeezed(signals_of(LIFTED), hold(0.6, closed=None), np.full(400, 0.5))
