"""Gripper signals that are no plain measurement: switches, and commands that only say what changes.

Both follow Octo's conversion of the Open X-Embodiment datasets (octo/data/utils/data_utils.py), with one difference:
where a recording never says whether the gripper is open, so do we not.
"""

import numpy as np

from schemas.array import Floats

_OPEN, _CLOSED = 0.95, 0.05
"""Beyond these a gripper has arrived; in between it is on its way."""
_COMMAND = 0.05
"""How far from half-way a relative value must be to be a command: Octo's 0.1 on its scale of -1 … 1."""


def switched(opening: Floats) -> Floats:
    """0 or 1 for each row of an opening [T]; rows on the way take the value that is reached after them.

    A recording that ends on the way ends with the nearer end. Rows without a number stay without one.
    """
    opening = np.asarray(opening, np.float64)
    arrived = np.where(opening > _OPEN, 1.0, np.where(opening < _CLOSED, 0.0, np.nan))
    filled = _filled(arrived[::-1])[::-1]
    last = np.flatnonzero(np.isfinite(opening))
    if len(last):
        filled = np.where(np.isnan(filled), np.rint(opening[last[-1]]), filled)
    return np.where(np.isfinite(opening), filled, np.nan)


def held(command: Floats) -> Floats | None:
    """The opening [T] that relative commands leave, from 0 (close), 0.5 (no command) and 1 (open); None without any.

    The first command is taken to change something: before a first "close" the gripper was open.
    """
    command = np.asarray(command, np.float64)
    given = np.where(command > 0.5 + _COMMAND, 1.0, np.where(command < 0.5 - _COMMAND, 0.0, np.nan))
    commands = np.flatnonzero(np.isfinite(given))
    if not len(commands):
        return None
    opening = _filled(given)
    opening[: commands[0]] = 1.0 - given[commands[0]]
    opening[~np.isfinite(command)] = np.nan
    return opening


def _filled(values: Floats) -> Floats:
    """Each NaN replaced by the last number before it; NaN where there is none."""
    rows = np.where(np.isfinite(values), np.arange(len(values)), -1)
    latest = np.maximum.accumulate(rows) if len(rows) else rows
    return np.where(latest >= 0, values[np.maximum(latest, 0)], np.nan)
