"""From chunks to the poses a controller is told."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from schemas.array import Bools, Floats
from trainer.policy import ActionChunk
from trainer.trajectory import poses_of, tick_times


def known(*columns: int) -> Bools:
    mask = np.zeros(20, np.bool_)
    mask[list(columns)] = True
    return mask


def chunk(actions_20: Floats, times_s: list[float], known_20: Bools) -> ActionChunk:
    return ActionChunk(actions_20.astype(np.float32), known_20, np.array(times_s), times_s[-1])


def test_ticks_are_those_of_the_controller() -> None:
    np.testing.assert_allclose(tick_times(0.5, 10), [0, 0.1, 0.2, 0.3, 0.4])
    assert len(tick_times(0.01, 10)) == 1


def test_between_two_actions_the_tool_moves_evenly_and_after_the_last_it_stays() -> None:
    actions = np.zeros((2, 20))
    actions[1, 0], actions[1, 9] = 0.2, 1.0
    anchor = np.zeros(20, np.float32)
    anchor[:3] = 0.5, 0.1, 0.3
    poses = poses_of(chunk(actions, [0.0, 1.0], known(0, 1, 2, 9)), anchor, np.array([0.0, 0.25, 1.0, 2.0]))
    np.testing.assert_allclose(poses[:, 0], [0.5, 0.55, 0.7, 0.7], atol=1e-6)
    np.testing.assert_allclose(poses[:, 9], [0.0, 0.25, 1.0, 1.0], atol=1e-6)
    np.testing.assert_allclose(poses[:, 1:3], [[0.1, 0.3]] * 4, atol=1e-6)


@pytest.mark.parametrize("degrees", [2.0, 20.0])
def test_turns_are_the_shortest_way(degrees: float) -> None:
    axis = np.array([0.6, 0.0, 0.8])
    actions, anchor = np.zeros((2, 20)), np.zeros(20, np.float32)
    start = Rotation.from_euler("xyz", [30, 40, 50], degrees=True)
    for row, angle in zip(actions, (0.0, degrees), strict=True):
        row[3:9] = Rotation.from_rotvec(axis * angle, degrees=True).as_matrix()[:2].ravel()
    anchor[3:9] = start.as_matrix()[:2].ravel()
    middle = poses_of(chunk(actions, [0.0, 1.0], known(*range(9))), anchor, np.array([0.5]))[0, 3:9].reshape(2, 3)
    expected = (start * Rotation.from_rotvec(axis * degrees / 2, degrees=True)).as_matrix()[:2]
    assert np.degrees(np.abs(middle - expected).max()) < 0.02 * degrees
