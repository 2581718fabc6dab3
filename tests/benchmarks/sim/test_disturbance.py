"""Imperfections stay within the bounds of events.md and follow from the seed."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.sim.disturbance import DROP_STEPS, PERSISTENCE, Dropper, draw


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1))
def test_every_draw_is_within_its_bounds(seed: int) -> None:
    drawn, again = draw(np.random.default_rng(seed), 200), draw(np.random.default_rng(seed), 200)
    assert 0.75 <= drawn.scale <= 1.0
    assert np.array_equal(drawn.noise, again.noise)
    assert (drawn.paused, drawn.drops) == (again.paused, again.drops)
    assert len(drawn.paused) <= 2 * 20


def test_noise_drifts_with_the_persistence_and_the_size_it_should() -> None:
    noise = np.concatenate([draw(np.random.default_rng(seed), 2000).noise[100:] for seed in range(40)])
    assert abs(np.corrcoef(noise[:-1].ravel(), noise[1:].ravel())[0, 1] - PERSISTENCE) < 0.02
    assert 0.02 < noise.std() < 0.05


def test_two_episodes_in_five_drop() -> None:
    assert 340 < sum(draw(np.random.default_rng(seed), 5).drops for seed in range(1000)) < 460


def test_the_gripper_is_forced_open_once_for_ten_steps_after_twelve_held_ones() -> None:
    dropper = Dropper(armed=True)
    held = [True] * 5 + [False] + [True] * 40
    opened = [dropper.opens(one) for one in held]
    assert np.flatnonzero(opened).tolist() == list(range(6 + 11, 6 + 11 + DROP_STEPS))
    unarmed = Dropper(armed=False)
    assert not any(unarmed.opens(True) for _ in range(40))
