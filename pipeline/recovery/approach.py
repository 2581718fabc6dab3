"""How an arm gets from one pose to another: straight, with a minimum-jerk profile (Flash & Hogan 1985)."""

from collections.abc import Iterator

import numpy as np
from scipy.spatial.transform import Rotation

from pipeline.recovery.demonstration import Pose
from pipeline.recovery.geodesic_ball import angle_between

SPEED_M_S = 0.08
TURN_RAD_S = 0.6
LEAST_S = 0.4
"""A correction of a few millimetres is no jerk either."""
_PEAK = 1.875
"""Largest speed of a minimum-jerk profile, relative to the mean one."""


def approach(start: Pose, end: Pose, rate_hz: float) -> Iterator[Pose]:
    """Setpoints after ``start`` up to and with ``end``; the opening is the end's all the way."""
    n_steps = max(1, round(duration_s(start, end) * rate_hz))
    turn = Rotation.from_matrix(end.rotation @ start.rotation.T).as_rotvec()
    for step in range(1, n_steps + 1):
        u = step / n_steps
        share = u**3 * (10.0 - 15.0 * u + 6.0 * u * u)
        position = start.position + share * (end.position - start.position)
        yield Pose(position, Rotation.from_rotvec(share * turn).as_matrix() @ start.rotation, end.opening)


def duration_s(start: Pose, end: Pose) -> float:
    """Long enough for both the way and the turn."""
    distance, angle = apart(start, end)
    return max(LEAST_S, _PEAK * distance / SPEED_M_S, _PEAK * angle / TURN_RAD_S)


def apart(first: Pose, second: Pose) -> tuple[float, float]:
    """Metres and radians between two poses."""
    distance = float(np.linalg.norm(second.position - first.position))
    return distance, angle_between(first.rotation, second.rotation)
