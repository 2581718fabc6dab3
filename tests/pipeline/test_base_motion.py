"""How a base moves, told by the names readers keep: AgiBot, Mobile ALOHA, LeKiwi."""

import dataclasses

import numpy as np
import pytest

from pipeline.base_motion import BaseMotion, base_columns, base_motion
from schemas.array import Floats
from tests.annotators.recordings import even_times, make_track

N, FPS = 60, 20
T = np.arange(N) / FPS
NOTHING = np.zeros(N)


def moving(state: dict[str, Floats] | None = None, target: dict[str, Floats] | None = None) -> BaseMotion | None:
    """What a track with these native columns tells, measured or commanded."""
    names = tuple(state or target or {})
    values = np.stack(list((state or target or {}).values()), axis=1).astype(np.float32)
    track = make_track(even_times(N, FPS), joints=values, joint_names=names)
    if state is None:
        track = dataclasses.replace(track, joint_state=None, joint_target=values.reshape(-1))
    return base_motion(track)


@pytest.mark.parametrize(
    ("columns", "speed", "turning"),
    [
        ({"base.linear.vel": NOTHING + 0.3, "base.angular.vel": NOTHING - 0.2}, 0.3, 0.2),
        (
            {"state.x.vel": NOTHING + 0.3, "state.y.vel": NOTHING + 0.4, "state.theta.vel": NOTHING + 90.0},
            0.5,
            np.pi / 2,
        ),
        ({"base_velocity": NOTHING + 0.1, "base_yaw_rate": NOTHING}, 0.1, 0.0),
        ({"base_x": 0.3 * T, "base_y": 0.4 * T, "base_z": NOTHING}, 0.5, 0.0),
        ({"base_yaw": (3.0 + 0.5 * T + np.pi) % (2 * np.pi) - np.pi}, 0.0, 0.5),
        (
            {"base_qx": NOTHING, "base_qy": NOTHING, "base_qz": np.sin(0.25 * T), "base_qw": np.cos(0.25 * T)},
            0.0,
            0.5,
        ),
    ],
)
def test_velocities_are_read_and_poses_differentiated(columns: dict[str, Floats], speed: float, turning: float) -> None:
    found = moving(columns)
    assert found is not None
    np.testing.assert_allclose(found.speed, speed, atol=1e-4)
    np.testing.assert_allclose(found.turning, turning, atol=1e-4)


def test_a_command_stands_in_where_nothing_was_measured() -> None:
    found = moving(target={"base.linear.vel": NOTHING + 0.3})
    assert found is not None
    np.testing.assert_allclose(found.speed, 0.3, atol=1e-6)


def test_columns_of_another_meaning_are_no_base() -> None:
    names = ("base_x", "left_joint_0", "database_x", "shoulder_pan.vel", "main.base.linear.vel", "base", "base.pos")
    assert base_columns(names).tolist() == [True, False, False, False, True, False, False]
    assert moving({"left_joint_0": T, "state.x": T}) is None


def test_columns_that_hold_no_number_tell_nothing() -> None:
    assert moving({"base.linear.vel": NOTHING * np.nan}) is None
