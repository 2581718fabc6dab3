"""What is seen in each frame."""

from dataclasses import replace

import numpy as np
import pytest

from annotators.visual.live import live_frames
from annotators.visual.rows import DIRECTIONS, seen, shots_of
from schemas.array import Floats
from schemas.filmstrip import DESCRIPTOR_SIZE, FLOW_GRID, Filmstrip, FrameFlag
from schemas.time import NS_PER_S, FrameClock
from tests.annotators.recordings import blank_strip, even_times

N, FPS = 60, 20
CLOCK = FrameClock(even_times(N, FPS), N * NS_PER_S // FPS)


def moving(*, camera: float = 0.0, arm: tuple[float, float] = (0.01, 0.0)) -> Floats:
    flow = np.full((N, FLOW_GRID, FLOW_GRID, 2), (camera, 0.0))
    flow[N // 2 :, :3, :3] += arm
    return flow


def rows_of(strip: Filmstrip) -> Floats:
    return seen(strip, CLOCK, live_frames(strip, CLOCK))


def changed(strip: Filmstrip) -> Floats:
    rows = rows_of(strip)
    return np.asarray(rows[40:].mean(axis=0) - rows[:20].mean(axis=0))


def test_an_arm_that_starts_to_move_changes_the_rows() -> None:
    difference = np.where(np.arange(N) < N // 2, 0.5, 4.0).astype(np.float32)
    strip = replace(blank_strip(N, flow=moving()), difference=difference)
    assert changed(strip)[0] > 0.5, "more moves"
    assert np.argmax(changed(strip)[1 : 1 + DIRECTIONS]) == 0, "to the right"


def test_turning_round_changes_the_direction_and_nothing_else() -> None:
    flow = moving(arm=(-0.02, 0.0))
    flow[:, :3, :3] += (0.01, 0.0)
    change = changed(blank_strip(N, flow=flow))
    assert change[0] == pytest.approx(0.0, abs=0.05)
    assert np.argmin(change[1 : 1 + DIRECTIONS]) == 0
    assert np.argmax(change[1 : 1 + DIRECTIONS]) == DIRECTIONS // 2


def test_a_camera_that_starts_to_pan_changes_nothing() -> None:
    flow = np.where(np.arange(N)[:, None, None, None] < N // 2, 0.0, 0.02) * np.ones((1, FLOW_GRID, FLOW_GRID, 2))
    difference = np.where(np.arange(N) < N // 2, 0.0, 20.0).astype(np.float32)
    strip = replace(blank_strip(N, flow=flow), difference=difference)
    assert np.abs(changed(strip)).max() < 0.01


def test_the_look_counts_in_shares_of_black_to_white() -> None:
    look = np.zeros((N, DESCRIPTOR_SIZE), np.uint8)
    look[N // 2 :] = 255
    change = changed(replace(blank_strip(N), descriptor=look))
    assert change[1 + DIRECTIONS :] == pytest.approx(np.full(DESCRIPTOR_SIZE, 2.0))


def test_shots_tile_the_live_frames() -> None:
    flags = np.zeros(N, np.uint8)
    flags[[10, 11, 50]] = FrameFlag.HARD_CUT
    assert shots_of(live_frames(blank_strip(N, flags), CLOCK)) == [(0, 10), (10, 11), (11, 50), (50, 60)]
