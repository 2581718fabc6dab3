"""From an action chunk to what a controller is told at each of its ticks: absolute poses at the control rate.

The model sees at most so many actions of an event, evenly chosen (`trainer.configs.DataConfig.max_actions`), and the
controller's rate need not be the recordings'. Between two actions poses are interpolated; after the last one they stay.
"""

import numpy as np

from schemas.array import Floats
from schemas.displacement import absolute_from
from trainer.policy import ActionChunk


def tick_times(duration_s: float, control_hz: float) -> Floats:
    """When a controller is told something during an event, float64 [N], from 0 on; at least once."""
    return np.arange(max(1, round(duration_s * control_hz))) / control_hz


def poses_of(chunk: ActionChunk, anchor_20: Floats, times_s: Floats) -> Floats:
    """Absolute poses float32 [N, 20] at these times after the observation, whose pose was ``anchor_20``.

    Rotations between two actions are those of the interpolated 6-D rows made orthonormal: for the few degrees between
    neighbouring actions that is the shortest way to within rounding.
    """
    columns = [np.interp(times_s, chunk.times_s, column) for column in chunk.actions_20.T]
    return absolute_from(np.stack(columns, axis=1).astype(np.float32), anchor_20, chunk.known_20)
