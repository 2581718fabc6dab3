"""How fast things move, row by row: the motion signals that sync compares with pictures and detectors cut by.

Velocity is the slope of a least-squares line through the rows inside a time window around each row. On evenly
spaced rows that is the Savitzky-Golay derivative of order 1 or 2 (events.md K1); unlike the filter it needs no even
spacing, never reaches across a gap, and leaves out rows that are invalid instead of interpolating through them.
All arithmetic is float64 in a fixed order, so the same track gives the same bits on every run.
"""

from dataclasses import dataclass

import numpy as np

from schemas.array import Bools, Floats, Ints
from schemas.episode import ActionTrack, ArmTrack
from schemas.time import NS_PER_S

SMOOTH_S = 0.35
"""Default window (events.md K1)."""
_MAX_REACH = 512
"""Rows looked at on each side: bounds the work on clocks with absurdly dense rows."""
_RANGE_PERCENTILES = (1.0, 99.0)
_MIN_RANGE_OVER_NOISE = 8.0
_FLOAT32_STEPS = 1e-6
"""Relative size of a few float32 rounding steps."""


@dataclass(frozen=True, eq=False)
class MotionChannel:
    """One motion signal of a track; row i belongs to row i of the track."""

    name: str
    """``left``, ``right`` or a joint's name."""
    speed: Floats
    """float64 [T], not negative, NaN where it is unknown: m/s for arms, ranges/s for joints."""


def usable_rows(track: ActionTrack) -> Bools:
    """Rows that are valid and later than every valid row before them, bool [T]."""
    times = track.times_ns
    latest = np.maximum.accumulate(np.where(track.valid, times, np.iinfo(np.int64).min))
    later = np.ones(len(times), np.bool_)
    later[1:] = times[1:] > latest[:-1]
    return track.valid & later


def local_velocity(times_ns: Ints, values: Floats, usable: Bools, window_s: float = SMOOTH_S) -> Floats:
    """Velocity of ``values`` [T, D] per second, float64 [T, D]; NaN in rows that are not usable or have no neighbour.

    The window is at least wide enough for one neighbour on each side. Times of usable rows must increase.
    """
    values = np.asarray(values, np.float64)
    velocity = np.full(values.shape, np.nan)
    rows = np.flatnonzero(usable & np.all(np.isfinite(values), axis=1))
    if len(rows) < 2:
        return velocity
    t, x = times_ns[rows], values[rows]
    half_ns = max(int(window_s * NS_PER_S / 2), int(1.1 * np.median(np.diff(t))))
    reach = int(np.max(np.searchsorted(t, t + half_ns, side="right") - 1 - np.arange(len(t))))
    velocity[rows] = _slopes(t, x, half_ns, min(reach, _MAX_REACH))
    return velocity


def _slopes(t: Ints, x: Floats, half_ns: int, reach: int) -> Floats:
    """Least-squares slopes [T, D]; sums of differences from the centre row, which stay exact on long clocks."""
    n_rows = len(t)
    count, sum_t, sum_tt = np.zeros((3, n_rows, 1))
    sum_x, sum_tx = np.zeros((2, *x.shape))
    for step in range(-reach, reach + 1):
        first, last = max(0, -step), min(n_rows, n_rows - step)
        if first >= last:
            continue
        here, there = slice(first, last), slice(first + step, last + step)
        dt_ns = t[there] - t[here]
        inside = (np.abs(dt_ns) <= half_ns)[:, None]
        dt = np.where(inside, dt_ns[:, None] / NS_PER_S, 0.0)
        dx = np.where(inside, x[there] - x[here], 0.0)
        count[here] += inside
        sum_t[here] += dt
        sum_tt[here] += dt * dt
        sum_x[here] += dx
        sum_tx[here] += dt * dx
    spread = count * sum_tt - sum_t * sum_t
    known = (count >= 2) & (spread > 0)
    return np.where(known, (count * sum_tx - sum_t * sum_x) / np.where(known, spread, 1.0), np.nan)


def arm_speed(track: ActionTrack, arm: ArmTrack, window_s: float = SMOOTH_S) -> Floats | None:
    """Speed of an arm's tool centre point in m/s, float64 [T], NaN where unknown; None without a position."""
    if arm.position is None:
        return None
    velocity = local_velocity(track.times_ns, arm.position, usable_rows(track), window_s)
    speed: Floats = np.sqrt(np.sum(velocity * velocity, axis=1))
    return speed


def arm_channels(track: ActionTrack, arms: tuple[ArmTrack, ...], window_s: float = SMOOTH_S) -> list[MotionChannel]:
    """One channel per arm that has a position; ``arms`` is ``track.state`` or ``track.target``."""
    speeds = [(arm.arm.value, arm_speed(track, arm, window_s)) for arm in arms]
    return [MotionChannel(name, speed) for name, speed in speeds if speed is not None]


def joint_channels(track: ActionTrack, joints: Floats | None, window_s: float = SMOOTH_S) -> list[MotionChannel]:
    """One channel per joint that moves, in ranges per second; ``joints`` is ``track.joint_state`` or its target.

    Each joint is measured in its own range in this episode, because sources mix radians, metres and percent.
    """
    if joints is None or not track.joint_names:
        return []
    values = joints.astype(np.float64).reshape(-1, len(track.joint_names))
    there = np.flatnonzero(recorded(values))
    usable = usable_rows(track) & np.all(np.isfinite(values[:, there]), axis=1)
    moving = there[moves(values[usable][:, there])]
    if not len(moving):
        return []
    low, high = np.percentile(values[usable][:, moving], _RANGE_PERCENTILES, axis=0)
    speed = np.abs(local_velocity(track.times_ns, values[:, moving] / (high - low), usable, window_s))
    return [MotionChannel(track.joint_names[joint], speed[:, column]) for column, joint in enumerate(moving)]


def joint_speed(track: ActionTrack, joints: Floats | None, window_s: float = SMOOTH_S) -> Floats | None:
    """Root mean square speed of the joints that move, float64 [T] in ranges per second; None when none moves."""
    channels = joint_channels(track, joints, window_s)
    if not channels:
        return None
    speeds_TJ = np.stack([channel.speed for channel in channels], axis=1)
    speed: Floats = np.sqrt(np.mean(speeds_TJ * speeds_TJ, axis=1))
    return speed


def recorded(values: Floats) -> Bools:
    """Which columns of ``values`` [T, J] hold any number, bool [J]; a command without a state column has NaN there."""
    return np.asarray(np.isfinite(values).any(axis=0))


def moves(values: Floats) -> Bools:
    """Which columns of ``values`` [T, D] do more than their own noise, bool [D].

    A resting joint with Gaussian noise σ spans about 5 σ from the 1st to the 99th percentile; one that spans less
    than 8 σ would be stretched, by measuring it in its own range, until its noise looks like motion.
    """
    if len(values) < 3:
        return np.zeros(values.shape[1], np.bool_)
    low, high = np.percentile(np.asarray(values, np.float64), _RANGE_PERCENTILES, axis=0)
    smallest = _FLOAT32_STEPS * np.maximum(np.abs(low), np.abs(high))
    moving: Bools = high - low > np.maximum(_MIN_RANGE_OVER_NOISE * row_noise(values), smallest)
    return moving


def row_noise(values: Floats) -> Floats:
    """Standard deviation of the noise of each column of ``values`` [T, D], float64 [D]; 0 with fewer than 3 rows.

    From the median absolute second difference, which smooth motion hardly touches: white noise σ makes second
    differences of √6 σ, and the median absolute value of a Gaussian is σ / 1.4826.
    """
    if len(values) < 3:
        return np.zeros(values.shape[1])
    second = np.diff(np.asarray(values, np.float64), n=2, axis=0)
    noise: Floats = 1.4826 * np.median(np.abs(second), axis=0) / np.sqrt(6.0)
    return noise
