"""How far the action clock is from the picture clock: motion seen against motion recorded (wall_wm.md §2.2).

Each camera gives two signals of visual motion (flow magnitude and picture difference), the track one signal per arm
(tool speed) or, where there are no poses, one per joint. All go onto one int64-nanosecond grid, are compressed,
smoothed and freed of slow trends. For every lag and every visual signal the arms' signals are fitted to it with
weights that cannot be negative; the correlation of the fit is the evidence for that lag. A resting arm gets weight
zero by itself, an occluded camera is one curve of several whose median decides, and every lag is judged on the same
action samples. The uncertainty of the best lag is a jackknife over eight stretches of the episode: a peak that one
single grasp makes falls apart when that grasp is left out. The same jackknife says of every other lag how certainly
it is worse than the best one, which is what a source's vote is held against. The two halves are read on their own,
too: where they disagree clearly, a clock drifts and no lag is right.

Arithmetic is float64 in a fixed order. Sums over samples avoid BLAS, whose order depends on the thread count, and
the results are rounded to whole milliseconds and three or four digits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import nnls

from pipeline.motion import MotionChannel
from schemas.array import Bools, Floats, Ints
from schemas.episode import Camera
from schemas.filmstrip import Filmstrip, FrameFlag
from schemas.sync import LagEstimate, LagPeak
from schemas.time import NS_PER_S

GRID_NS = 20_000_000
"""50 Hz, finer than any camera here; the parabola through the peak resolves lags between grid points."""
MOTION_WINDOW_S = 0.2
"""Velocity window of the action signals: two frames at 10 fps, short enough to keep the peak sharp."""
_SMOOTH_S = 0.04
_TREND_S = 1.5
"""Slower changes (how close the arm is to the lens) are taken out: they correlate at any lag."""
_PEAK_S = 0.15
"""Lags nearer to the best one than this belong to its peak."""
BEYOND_S = 0.1
"""The sweep goes this far past ``max_lag_s`` so that a peak at the limit can be told from a slope."""
_MAX_GAP_S = 0.25
"""Longer holes in the action clock are left out of the comparison."""
_BLOCKS = 8
_RIDGE = 1e-3
"""Added to the variances (which are 1) so that joints moving as one do not make the fit singular."""
_MAX_SAMPLES = 500_000
"""2.8 h: a corrupt clock must not fill the memory, and nobody needs more to find a lag."""
MIN_OVERLAP_S = 3.0
"""Less common time than this and no lag is estimated."""


@dataclass(frozen=True, eq=False)
class Signal:
    """A motion signal over time: ``times_ns`` int64 [T] increasing, ``values`` float64 [T], finite."""

    name: str
    times_ns: Ints
    values: Floats


@dataclass(frozen=True, eq=False)
class Sweep:
    """Correlation at every lag, in steps of `GRID_NS` around 0, and what can be read from it (`LagCurve`)."""

    correlation: Floats
    doubt: Floats
    estimate: LagEstimate
    halves: tuple[LagPeak, LagPeak]


def visual_signals(camera: Camera, strip: Filmstrip) -> list[Signal]:
    """Flow magnitude and picture difference per second of one view.

    Row i of a filmstrip compares frames i-1 and i, so it is stamped halfway between them; stamping it at frame i
    would shift every estimate by half a frame. The first frame of a new shot compares nothing and is left out.
    """
    period_s = np.diff(camera.times_ns) / NS_PER_S
    halfway = camera.times_ns[:-1] + np.diff(camera.times_ns) // 2
    flow = np.mean(np.sqrt(np.sum(np.square(strip.flow[1:], dtype=np.float64), axis=3)), axis=(1, 2))
    difference = strip.difference[1:].astype(np.float64)
    usable = (strip.flags[1:] & FrameFlag.HARD_CUT) == 0
    return [
        Signal(f"{camera.name}/{name}", halfway[usable], (values / period_s)[usable])
        for name, values in (("flow", flow), ("difference", difference))
    ]


def motion_signals(times_ns: Ints, channels: Sequence[MotionChannel]) -> list[Signal]:
    """The known rows of motion channels as signals; channels with fewer than two known rows are left out."""
    known = [(channel, np.isfinite(channel.speed)) for channel in channels]
    return [
        Signal(channel.name, times_ns[rows], channel.speed[rows])
        for channel, rows in known
        if np.count_nonzero(rows) >= 2
    ]


def sweep_lags(visual: Sequence[Signal], motion: Sequence[Signal], max_lag_s: float) -> Sweep | None:
    """How well recorded motion explains seen motion, lag by lag, and the best lag.

    None when there is nothing to compare: no signals, less than 3 s in common at the largest lag, or nothing moves.
    """
    reach = int(np.ceil((max_lag_s + BEYOND_S) * NS_PER_S / GRID_NS))
    grid = _common_grid([*visual, *motion]) if visual and motion else None
    if grid is None or (len(grid) - reach) * GRID_NS < MIN_OVERLAP_S * NS_PER_S:
        return None
    seen = [series for signal in visual if np.any(series := _prepare(signal, grid))]
    moved = [series for signal in motion if np.any(series := _prepare(signal, grid))]
    sampled = _sampled(motion, grid)
    if not seen or not moved or np.count_nonzero(sampled) * GRID_NS < MIN_OVERLAP_S * NS_PER_S:
        return None
    action_TM = np.stack(moved, axis=1)
    curves_BVL = np.stack([_block_curves(series, action_TM, sampled, reach) for series in seen], axis=1)
    whole_L, *left_out, early_L, late_L = np.median(curves_BVL, axis=1)
    left_out_BL = np.stack(left_out)
    return Sweep(
        correlation=np.round(whole_L, 3).astype(np.float32),
        doubt=np.round(_doubt(whole_L, left_out_BL), 3).astype(np.float32),
        estimate=LagEstimate(**vars(_peak(whole_L, max_lag_s)), sigma_ns=_sigma_ns(left_out_BL)),
        halves=(_peak(early_L, max_lag_s), _peak(late_L, max_lag_s)),
    )


def _common_grid(signals: Sequence[Signal]) -> Ints | None:
    """The int64-nanosecond grid over the time all signals share; None when there is none."""
    if any(len(signal.times_ns) < 2 for signal in signals):
        return None
    start = max(int(signal.times_ns[0]) for signal in signals)
    end = min(int(signal.times_ns[-1]) for signal in signals)
    end = min(end, start + _MAX_SAMPLES * GRID_NS)
    return np.arange(start, end + 1, GRID_NS, dtype=np.int64) if end > start else None


def _prepare(signal: Signal, grid: Ints) -> Floats:
    """A signal on the grid: smoothed, square root (motion is heavy-tailed), trend removed, unit variance; or zeros."""
    origin = int(grid[0])
    values = np.interp(grid - origin, signal.times_ns - origin, signal.values)
    smooth = gaussian_filter1d(values, _SMOOTH_S * NS_PER_S / GRID_NS)
    root = np.sqrt(np.maximum(smooth, 0.0))
    detail: Floats = root - gaussian_filter1d(root, _TREND_S * NS_PER_S / GRID_NS)
    scale = float(np.std(detail))
    return detail / scale if scale > 1e-9 * max(float(np.max(root)), 1e-9) else np.zeros(len(grid))


def _sampled(motion: Sequence[Signal], grid: Ints) -> Bools:
    """Grid points that lie in no hole of any action signal."""
    inside = np.ones(len(grid), np.bool_)
    for signal in motion:
        after = np.clip(np.searchsorted(signal.times_ns, grid), 1, len(signal.times_ns) - 1)
        inside &= signal.times_ns[after] - signal.times_ns[after - 1] <= _MAX_GAP_S * NS_PER_S
    return inside


class _Moments(NamedTuple):
    """Sums over action samples a [M] and the pictures' values v some lag later, for every lag."""

    count_L: Floats
    a_LM: Floats
    aa_LMM: Floats
    v_L: Floats
    vv_L: Floats
    av_LM: Floats


def _block_curves(seen_T: Floats, action_TM: Floats, sampled: Bools, reach: int) -> Floats:
    """Correlation per lag, float64 [1 + blocks + 2, lags]: from all samples, without each stretch, from each half."""
    edges = np.linspace(0, len(seen_T), _BLOCKS + 1).astype(int)
    weight = sampled.astype(np.float64)
    blocks = [_moments(seen_T, action_TM, weight, (int(a), int(b)), reach) for a, b in pairwise(edges)]
    total = _Moments(*(np.sum(parts, axis=0) for parts in zip(*blocks, strict=True)))
    left_out = [_Moments(*(whole - part for whole, part in zip(total, block, strict=True))) for block in blocks]
    early = _Moments(*(np.sum(parts, axis=0) for parts in zip(*blocks[: _BLOCKS // 2], strict=True)))
    late = _Moments(*(whole - part for whole, part in zip(total, early, strict=True)))
    return np.stack([_correlations(sums) for sums in [total, *left_out, early, late]])


def _moments(seen_T: Floats, action_TM: Floats, weight_T: Floats, block: tuple[int, int], reach: int) -> _Moments:
    """The sums over the action samples of one stretch; ``weight_T`` is 0 in holes of the action clock, else 1."""
    n_lags, width = 2 * reach + 1, action_TM.shape[1]
    count_L, v_L, vv_L = np.zeros((3, n_lags))
    a_LM, av_LM = np.zeros((2, n_lags, width))
    aa_LMM = np.zeros((n_lags, width, width))
    before: tuple[int, int] | None = None
    for at in range(n_lags):
        lag = at - reach
        start = max(block[0], -lag)
        stop = max(start, min(block[1], len(seen_T) - lag))
        action, weight = action_TM[start:stop], weight_T[start:stop]
        seen = seen_T[start + lag : stop + lag] * weight
        if (start, stop) == before:  # the inner stretches are the same at every lag
            count_L[at], a_LM[at], aa_LMM[at] = count_L[at - 1], a_LM[at - 1], aa_LMM[at - 1]
        else:
            weighted = action * weight[:, None]
            count_L[at], a_LM[at] = np.sum(weight), np.sum(weighted, axis=0)
            aa_LMM[at] = np.einsum("ti,tj->ij", weighted, action, optimize=False)
        before = (start, stop)
        v_L[at], vv_L[at] = np.sum(seen), np.sum(seen * seen)
        av_LM[at] = np.einsum("ti,t->i", action, seen, optimize=False)
    return _Moments(count_L, a_LM, aa_LMM, v_L, vv_L, av_LM)


def _correlations(sums: _Moments) -> Floats:
    """Correlation of the best non-negative fit at each lag, float64 [lags]; 0 where nothing fits."""
    n_L = np.maximum(sums.count_L, 1.0)
    mean_a_LM, mean_v_L = sums.a_LM / n_L[:, None], sums.v_L / n_L
    covariance_LMM = sums.aa_LMM / n_L[:, None, None] - mean_a_LM[:, :, None] * mean_a_LM[:, None, :]
    cross_LM = sums.av_LM / n_L[:, None] - mean_a_LM * mean_v_L[:, None]
    variance_L = sums.vv_L / n_L - mean_v_L * mean_v_L
    weights_LM = _non_negative(covariance_LMM + _RIDGE * np.eye(cross_LM.shape[1]), cross_LM)
    explained_L = np.einsum("li,lij,lj->l", weights_LM, covariance_LMM, weights_LM) * variance_L
    curve, fits = np.zeros(len(n_L)), explained_L > 0.0
    curve[fits] = np.sum(weights_LM[fits] * cross_LM[fits], axis=1) / np.sqrt(explained_L[fits])
    return curve


def _non_negative(normal_LMM: Floats, cross_LM: Floats) -> Floats:
    """The weights ≥ 0 that minimise w'Nw/2 − c'w at each lag, float64 [lags, M]; N is positive definite.

    The stationary point where none of its weights is negative, zeros where no channel goes along with the pictures,
    and only between the two a search.
    """
    free_LM = np.linalg.solve(normal_LMM, cross_LM[:, :, None])[:, :, 0]
    is_free_L = np.all(free_LM >= 0.0, axis=1)
    weights_LM = np.where(is_free_L[:, None], free_LM, 0.0)
    for at in np.flatnonzero(~is_free_L & np.any(cross_LM > 0.0, axis=1)):
        # min |F'w - F⁻¹c|² has the same solution as the fit to the samples, with M equations instead of T.
        factor = np.linalg.cholesky(normal_LMM[at])
        weights_LM[at], _ = nnls(factor.T, np.linalg.solve(factor, cross_LM[at]))
    return weights_LM


def _doubt(whole_L: Floats, left_out_BL: Floats) -> Floats:
    """Jackknife standard error of (correlation at the peak − correlation at each lag), float64 [lags]."""
    best = int(np.argmax(whole_L))
    return _jackknife(left_out_BL[:, best : best + 1] - left_out_BL)


def _sigma_ns(left_out_BL: Floats) -> int:
    """Jackknife standard error of the best lag."""
    lags = np.array([[peak_position(curve)] for curve in left_out_BL])
    return round(float(_jackknife(lags)[0]) * GRID_NS / 1e6) * 1_000_000


def _jackknife(values_BX: Floats) -> Floats:
    """Standard error of each column of what is found when one stretch is left out."""
    off_BX = values_BX - np.mean(values_BX, axis=0)
    error: Floats = np.sqrt((_BLOCKS - 1) / _BLOCKS * np.sum(off_BX * off_BX, axis=0))
    return error


def _peak(curve: Floats, max_lag_s: float) -> LagPeak:
    """The best lag of a curve whose middle is lag 0."""
    best = int(np.argmax(curve))
    far = np.abs(np.arange(len(curve)) - best) * GRID_NS > _PEAK_S * NS_PER_S
    lag_s = (peak_position(curve) - len(curve) // 2) * GRID_NS / NS_PER_S
    return LagPeak(
        lag_ns=round(lag_s * 1e3) * 1_000_000,
        correlation=round(float(curve[best]), 4),
        margin=round(float(curve[best] - np.max(curve[far])), 4),
        inside=0 < best < len(curve) - 1 and abs(lag_s) <= max_lag_s,
    )


def peak_position(curve: Floats) -> float:
    """Position of the maximum, refined by the parabola through it and its neighbours."""
    best = int(np.argmax(curve))
    if not 0 < best < len(curve) - 1:
        return float(best)
    before, at, after = (float(value) for value in curve[best - 1 : best + 2])
    bend = before - 2.0 * at + after
    return best + (0.5 * (before - after) / bend if bend < 0.0 else 0.0)
