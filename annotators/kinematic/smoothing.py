"""Savitzky-Golay, running median and the noise floor (events.md K1), in NumPy.

Written out rather than taken from a signal library because the edges matter here: the ends are continued by point
reflection, which keeps a straight line straight, so an episode that starts in motion has no false stop at its start.
"""

import numpy as np

from schemas.array import Floats


def savitzky_golay(values: Floats, window_s: float, rate_hz: float) -> tuple[Floats, Floats]:
    """Smoothed values and their derivative per second, both float64 [N, D]: a local parabola over ``window_s``.

    The window shrinks on short signals; below three samples the values come back with zero derivative.
    """
    values = np.asarray(values, np.float64)
    n = len(values)
    half = min(round(window_s * rate_hz / 2), (n - 1) // 2)
    if half < 1:
        return values.copy(), np.zeros_like(values)
    smooth, slope = _kernels(half)
    padded = np.concatenate([2 * values[:1] - values[half:0:-1], values, 2 * values[-1:] - values[-2 : -half - 2 : -1]])
    columns = [padded[:, i] for i in range(values.shape[1])]
    smoothed = np.stack([np.convolve(column, smooth[::-1], "valid") for column in columns], axis=1)
    velocity = np.stack([np.convolve(column, slope[::-1], "valid") for column in columns], axis=1) * rate_hz
    return smoothed, velocity


def _kernels(half: int) -> tuple[Floats, Floats]:
    """Weights of the value and of the slope of the least-squares parabola at the centre of 2·half + 1 samples.

    With three samples the parabola goes through all of them and smooths nothing, as it should.
    """
    offsets = np.arange(-half, half + 1, dtype=np.float64)
    solution = np.linalg.pinv(np.stack([np.ones_like(offsets), offsets, offsets**2], axis=1))
    return solution[0], solution[1]


def median_smoothed(values: Floats, window: int) -> Floats:
    """Running median over an odd ``window`` (an even one is made one smaller), ends repeated, float64 [N]."""
    half = (window - 1) // 2
    if half < 1 or len(values) == 0:
        return values
    padded = np.concatenate([np.repeat(values[:1], half), values, np.repeat(values[-1:], half)])
    smoothed: Floats = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1), axis=1)
    return smoothed


def slope_noise(row_noise: float, window_s: float, row_s: float) -> float:
    """Standard deviation of a straight line's slope fitted to rows of white noise over a window."""
    n = max(2.0, window_s / row_s + 1.0)
    return float(row_noise / (row_s * np.sqrt(n * (n * n - 1.0) / 12.0)))


def noise_floor(velocity: Floats) -> float:
    """Median absolute deviation of the velocity [N, D] in its slowest decile, the largest over the axes.

    Of a recording that never rests this is motion, not noise: bound it by what the rows' noise explains.
    """
    if len(velocity) == 0:
        return 0.0
    speed = np.linalg.norm(velocity, axis=1)
    slow = velocity[speed <= np.percentile(speed, 10)]
    return float(np.max(np.median(np.abs(slow - np.median(slow, axis=0)), axis=0)))
