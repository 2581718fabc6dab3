"""Where the statistics of a motion change: exact kernel change points (Arlot et al. 2019) and steps (CUSUM, Page 1954).

Both are proposals of K5 (events.md). The kernel search is quadratic in the samples, so it runs window by window, and
callers who need speed thin the signal first: with one sample per 0.1 s it costs a hundredth of what 50 Hz costs.
"""

import numpy as np

from annotators.kinematic.signals import ArmSignals
from schemas.array import Floats

LEAST_S = 0.2
WINDOW_S = 120.0
_GAMMA = 1.0
_SLACK = 0.5
_ALARM = 8.0
_SPREAD_OF_MAD = 1.4826


def motion_features(signals: ArmSignals) -> Floats:
    """Position, speed and opening, as many as there are, float64 [N, D].

    Of the channels and scales tried on synthetic grasps the strongest (docs/score.md).
    """
    parts = [part for part in (signals.position, signals.speed, signals.opening) if part is not None]
    found: Floats = np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)
    return found


def kernel_change_points(values: Floats, rate_hz: float, penalty: float) -> list[int]:
    """First samples of new regimes of ``values`` [N, D], RBF kernel with γ = 1 on standardised columns."""
    import ruptures  # noqa: PLC0415 - brings scipy.stats, a quarter of what Joinery's imports took together

    values = _standardised(values)
    least, most = max(1, round(LEAST_S * rate_hz)), max(1, round(WINDOW_S * rate_hz))
    found: list[int] = []
    for first in range(0, len(values), most):
        window = values[first : first + most]
        if len(window) >= 2 * least and window.shape[1]:
            search = ruptures.KernelCPD(kernel="rbf", min_size=least, params={"gamma": _GAMMA})
            found += [first + int(end) for end in search.fit(window).predict(pen=penalty)[:-1]]
    return found


def steps(values: Floats, noise: float, settle: int) -> list[int]:
    """Where ``values`` [N] begin to leave their level: a two-sided CUSUM that starts anew after every alarm.

    The level is the median of the first ``settle`` samples after an alarm; half a ``noise`` is slack, eight make an
    alarm. The onset, not the alarm, is what is returned.
    """
    found, first, n = [], 0, len(values)
    while first + settle < n and noise > 0:
        level = float(np.median(values[first : first + settle]))
        drift = (values[first:] - level) / noise
        alarms = [_alarm(side * drift) for side in (1.0, -1.0)]
        onset, alarm = min((each for each in alarms if each is not None), key=lambda each: each[1], default=(0, n))
        if alarm == n:
            break
        if first + onset > 0:
            found.append(first + onset)
        first += alarm + 1
    return found


def _alarm(drift: Floats) -> tuple[int, int] | None:
    """(onset, alarm) of the first upward step."""
    total = np.cumsum(drift - _SLACK)
    lowest = np.minimum.accumulate(np.minimum(total, 0.0))
    over = np.flatnonzero(total - lowest > _ALARM)
    if not over.size:
        return None
    alarm = int(over[0])
    low = np.flatnonzero(total[: alarm + 1] <= lowest[alarm])
    return (int(low[-1]) + 1 if low.size else 0), alarm


def spread(values: Floats) -> float:
    """Standard deviation of the bulk of ``values``, from the median absolute deviation."""
    return _SPREAD_OF_MAD * float(np.median(np.abs(values - np.median(values)))) if len(values) else 0.0


def _standardised(values: Floats) -> Floats:
    """Zero mean and unit variance per column; constant columns are left out."""
    scale = values.std(axis=0)
    found: Floats = (values - values.mean(axis=0))[:, scale > 1e-9] / scale[scale > 1e-9]
    return found
