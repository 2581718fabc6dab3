"""What pushes back: force where it is recorded, else how far the arm stays behind its command.

Under position and impedance control the force on the tool shows as distance between commanded and measured position.
An arm that moves freely stays behind too, by a constant lag in time; what is left after that is resistance. It says
contact where the fingers say nothing: something heavy, a spring, a drawer's end stop.
"""

import re

import numpy as np

from annotators.kinematic.change_points import spread
from annotators.kinematic.signals import ArmSignals
from annotators.kinematic.smoothing import median_smoothed
from pipeline.action_layout import opening_of
from pipeline.motion import usable_rows
from schemas.array import Floats
from schemas.calibration import Calibration
from schemas.episode import ActionTrack, Arm, ArmTrack
from schemas.time import NS_PER_S

_FORCE = re.compile(r"effort|torque|force|wrench|current", re.IGNORECASE)
_MOVING = 3.0
"""Multiples of the noise threshold from which on a motion shows the arm's lag."""
_LEAST_MOVING = 10
_NOISE_FACTOR = 6.0
_CALM_S = 0.1
_FORCE_NOISES = 25.0
"""Deviation of a recorded force, in spreads of its bulk, that counts as full resistance."""


def resistance(actions: ActionTrack, signals: ArmSignals, full_m: float) -> Floats | None:
    """0 free … 1 and more blocked, float64 [N]; None where neither command nor force is recorded.

    ``full_m`` is the distance from the command that leaves no doubt; noisier arms need more.
    """
    found = [part for part in (_behind(actions, signals, full_m), _force(actions, signals)) if part is not None]
    return np.max(found, axis=0) if found else None


def commanded_opening(actions: ActionTrack, signals: ArmSignals, calibration: Calibration | None) -> Floats | None:
    """What the fingers were told, float64 [N]; None where no command beside a measurement is recorded."""
    target = _track(actions.target, signals.arm)
    if target is None or signals.arm is None or signals.commanded or signals.opening is None:
        return None
    told = opening_of(target, None if calibration is None else calibration.opening(signals.arm))
    rows = None if told is None else _on_grid(actions, signals, told[:, None])
    return None if rows is None else rows[:, 0]


def _behind(actions: ActionTrack, signals: ArmSignals, full_m: float) -> Floats | None:
    state, target = _track(actions.state, signals.arm), _track(actions.target, signals.arm)
    if state is None or target is None or signals.velocity is None or signals.speed is None:
        return None
    if state.position is None or target.position is None:
        return None
    gap = _on_grid(actions, signals, target.position.astype(np.float64) - state.position)
    velocity, speed = signals.velocity, signals.speed
    free = speed > _MOVING * signals.moving_above
    if gap is None or not np.any(gap) or np.count_nonzero(free) < _LEAST_MOVING:
        return None
    lag_s = max(0.0, float(np.median(np.sum(gap * velocity, axis=1)[free] / speed[free] ** 2)))
    rest = gap - lag_s * velocity
    rest -= np.median(rest[free], axis=0)  # gravity, or a command that is for another point of the tool
    noise = max(spread(rest[free, axis]) for axis in range(3))
    found: Floats = np.linalg.norm(rest, axis=1) / max(full_m, _NOISE_FACTOR * noise)
    return found


def _force(actions: ActionTrack, signals: ArmSignals) -> Floats | None:
    """Columns named after a force; those of another arm left out. Each in spreads of its own bulk."""
    if actions.joint_state is None:
        return None
    others = [arm.value for arm in Arm if arm is not signals.arm]
    columns = [
        i
        for i, name in enumerate(actions.joint_names)
        if _FORCE.search(name) and not any(other in name.lower() for other in others)
    ]
    if not columns:
        return None
    rows = actions.joint_state.reshape(-1, len(actions.joint_names))[:, columns].astype(np.float64)
    columns_on_grid = _on_grid(actions, signals, rows[:, ~np.all(np.isnan(rows), axis=0)])
    if columns_on_grid is None:
        return None
    calm = [median_smoothed(column - np.median(column), signals.grid.samples(_CALM_S)) for column in columns_on_grid.T]
    pushed = [np.abs(column) / (_FORCE_NOISES * noise) for column in calm if (noise := spread(column)) > 0]
    found: Floats | None = np.max(pushed, axis=0) if pushed else None
    return found


def _track(tracks: tuple[ArmTrack, ...], arm: Arm | None) -> ArmTrack | None:
    return next((track for track in tracks if track.arm is arm), None)


def _on_grid(actions: ActionTrack, signals: ArmSignals, rows: Floats) -> Floats | None:
    """Rows [T, D] interpolated to the grid, float64 [N, D]; None when less than half of them say anything."""
    usable = usable_rows(actions) & np.all(np.isfinite(rows), axis=1)
    if not rows.shape[1] or 2 * np.count_nonzero(usable) < len(rows):
        return None
    from_s = (actions.times_ns[usable] - signals.grid.start_ns) / NS_PER_S
    to_s = np.arange(signals.grid.n) / signals.grid.rate_hz
    return np.stack([np.interp(to_s, from_s, column[usable]) for column in rows.T], axis=1)
