"""Repeated pictures and freezes."""

import numpy as np
import pytest

from annotators.visual.live import live_frames, per_second
from schemas.array import Ints
from schemas.filmstrip import FrameFlag
from schemas.time import NS_PER_S, FrameClock
from tests.annotators.recordings import blank_strip, even_times

FPS = 20


def flags(n: int, **runs: list[int]) -> Ints:
    found = np.zeros(n, np.uint8)
    for name, frames in runs.items():
        found[frames] |= np.uint8(FrameFlag[name])
    return found


def clock(n: int) -> FrameClock:
    return FrameClock(even_times(n, FPS), n * NS_PER_S // FPS)


def test_film_at_a_higher_rate_moves_as_fast_as_without_its_repeats() -> None:
    n, repeats = 20, [4, 9, 14, 19]
    step = np.full(n, 1.0)
    step[repeats] = 0.0
    step[[5, 10, 15]] = 2.0  # the next new picture has moved for two frames
    live = live_frames(blank_strip(n, flags(n, DUPLICATE=repeats)), clock(n))
    np.testing.assert_allclose(per_second(step, live), FPS)


def test_a_freeze_that_ends_in_a_jump_is_a_hole() -> None:
    n, freeze = 40, list(range(10, 25))
    strip = blank_strip(n, flags(n, DUPLICATE=freeze, FROZEN=freeze))
    strip.difference[freeze], strip.difference[25] = 0.0, 30.0
    live = live_frames(strip, clock(n))
    assert not set(live.frames.tolist()) & set(freeze)
    assert not live.known[live.frames.tolist().index(25)], "the jump across it took nobody knows how long"
    step = np.ones(n)
    step[freeze], step[25] = 0.0, 9.0
    np.testing.assert_allclose(per_second(step, live), FPS)


def test_a_freeze_that_goes_on_as_it_began_is_a_scene_at_rest() -> None:
    n, freeze = 40, list(range(10, 25))
    strip = blank_strip(n, flags(n, DUPLICATE=freeze, FROZEN=freeze))
    strip.difference[freeze] = 0.0
    live = live_frames(strip, clock(n))
    assert live.frames.tolist() == list(range(n))
    step = np.ones(n)
    step[freeze] = 0.0
    rates = per_second(step, live)
    assert not rates[freeze].any()
    np.testing.assert_allclose(np.delete(rates, freeze), FPS)


def test_the_flow_across_a_hard_cut_is_nobodys() -> None:
    n = 20
    step = np.ones(n)
    step[7] = 50.0
    live = live_frames(blank_strip(n, flags(n, HARD_CUT=[7])), clock(n))
    assert live.shot.tolist() == [0] * 7 + [1] * 13
    np.testing.assert_allclose(per_second(step, live), FPS)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_nothing_but_repeats_is_no_motion(n: int) -> None:
    live = live_frames(blank_strip(n, flags(n, DUPLICATE=list(range(n)))), clock(n))
    assert not per_second(np.ones((n, 2)), live).any()
