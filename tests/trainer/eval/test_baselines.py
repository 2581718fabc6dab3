"""Baselines say in displacements what they mean in poses."""

import numpy as np
import pytest

from schemas.array import Floats
from schemas.displacement import absolute_from
from tests.trainer.policies import Reaching, observation
from trainer.eval.baselines import Idle, Repeat


def test_who_is_idle_stays_where_it_is() -> None:
    seen = observation()
    chunk = Idle().act(seen, 1.5, seed=0)
    (told,) = absolute_from(chunk.actions_20, seen.state_20, chunk.known_20)
    assert told[seen.state_known_20] == pytest.approx(seen.state_20[seen.state_known_20], abs=1e-5)
    assert chunk.duration_s == 1.5


def test_a_demonstration_is_repeated_piece_by_piece_wherever_it_is_seen_from() -> None:
    scene = Reaching()
    seen = scene.reset(0)
    poses = [np.nan_to_num(seen.state_20) + np.float32(0.01 * row) * seen.state_known_20 for row in range(5)]
    asked: list[int] = []

    def demonstration() -> list[Floats]:
        asked.append(1)
        return poses

    policy = Repeat(demonstration, control_hz=2.0)
    told = []
    for _ in range(3):
        chunk = policy.act(seen, 1.0, seed=0)
        told += list(absolute_from(chunk.actions_20, seen.state_20, chunk.known_20))
        seen = scene.step(np.nan_to_num(told[-1]))
    expected = np.array([*poses, poses[-1]])[:, seen.state_known_20]
    assert np.array(told)[:, seen.state_known_20] == pytest.approx(expected, abs=1e-6)
    assert asked == [1]
