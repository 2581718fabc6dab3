"""What a detector has to beat, always printed beside it (events.md "Scores").

Each baseline reads the same smoothed signals as ours (`annotators.kinematic.signals`), so that rules are compared and
not filters. Those of several arms are united as ours are: proposals within ``merge_s`` are one. None knows what its cut
means, except that fingers which close grasp and which open release; everything else is MOTION.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from annotators.kinematic.change_points import kernel_change_points, motion_features
from annotators.kinematic.signals import ArmSignals, Grid, arm_signals
from annotators.kinematic.waypoints import awe_waypoints
from annotators.scores.marks import Mark, inside
from pipeline.mask_runs import runs_of
from schemas.calibration import Calibration
from schemas.episode import ActionTrack
from schemas.event import BoundaryKind
from schemas.recipe import SegmentSpec
from schemas.time import NS_PER_S

UNIFORM, SAME_COUNT, GRIPPER = "uniform 1 s", "uniform same n", "gripper flips"
UNIFORM_S = 1.0
FLIP_RANGE = 0.2
"""Fingers that open less than this in the whole episode never flip."""
VITRA_WINDOW_S = 0.5
"""A minimum is the smallest speed within this window around it (VITRA, 2025: hand speed, 0.5 s)."""
PAUSE_S = 0.2
"""A stop is this long at least; four frames at 20 Hz, the rule of key frames in C2F-ARM and its heirs."""
AWE_ERROR_M = 0.02
CPD_PENALTY = 20.0

Ranges = Sequence[tuple[int, int]]


def uniform(ranges_ns: Ranges, spacing_s: float = UNIFORM_S) -> list[Mark]:
    """A cut every so many seconds of each range, whatever happens."""
    step = round(spacing_s * NS_PER_S)
    return [Mark(t, BoundaryKind.MOTION) for start, end in ranges_ns for t in range(start + step, end, step)]


def same_count(ranges_ns: Ranges, marks: Sequence[Mark]) -> list[Mark]:
    """As many cuts in each range as ``marks`` has there, evenly spread: what knowing the number alone is worth."""
    found = []
    for start, end in ranges_ns:
        n = len(inside(marks, [(start, end)]))
        found += [Mark(start + (end - start) * (k + 1) // (n + 1), BoundaryKind.MOTION) for k in range(n)]
    return found


def signal_baselines(actions: ActionTrack, calibration: Calibration | None, spec: SegmentSpec) -> dict[str, list[Mark]]:
    """Every baseline that reads arms; ``actions`` are on the video clock. No proposals where the signal is missing."""
    arms = arm_signals(actions, calibration, spec)
    return {
        name: _united([mark for signals in arms for mark in rule(signals)], spec.merge_s)
        for name, rule in SIGNAL_RULES.items()
    }


def gripper_flips(signals: ArmSignals) -> list[Mark]:
    """Where the opening crosses the middle of its range in the episode."""
    if signals.opening is None or np.ptp(signals.opening) < FLIP_RANGE:
        return []
    open_now = signals.opening > (signals.opening.min() + signals.opening.max()) / 2
    flips = np.flatnonzero(np.diff(open_now.astype(np.int8))) + 1
    kinds = {True: BoundaryKind.RELEASE, False: BoundaryKind.GRASP}
    return [_mark(signals, int(i), kinds[bool(open_now[i])]) for i in flips]


def speed_minima(signals: ArmSignals) -> list[Mark]:
    """Samples slower than all others within the window: the rule VITRA cuts hand motion by. A plateau counts once."""
    if signals.speed is None:
        return []
    reach, speed = max(1, round(VITRA_WINDOW_S * signals.grid.rate_hz / 2)), signals.speed
    padded = np.pad(speed, reach, constant_values=np.inf)
    lowest = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).min(axis=1) == speed
    inner = [(first, last) for first, last in runs_of(lowest) if first > 0 and last < signals.grid.n]
    middles = [(first + last - 1) // 2 for first, last in inner]
    return [_mark(signals, i) for i in middles if reach <= i < signals.grid.n - reach]


def pauses_and_gripper(signals: ArmSignals) -> list[Mark]:
    """Where the tool comes to a stop, and where the gripper flips."""
    if signals.speed is None:
        return gripper_flips(signals)
    long = signals.grid.samples(PAUSE_S)
    stops = [first for first, last in runs_of(signals.speed <= signals.moving_above) if last - first >= long]
    return [_mark(signals, first) for first in stops if first > 0] + gripper_flips(signals)


def awe(signals: ArmSignals) -> list[Mark]:
    """Fewest waypoints between which straight lines stay within 2 cm of the path (AWE, Shi et al. 2023)."""
    if signals.position is None:
        return []
    return [_mark(signals, i) for i in awe_waypoints(signals.position, signals.grid.rate_hz, AWE_ERROR_M)]


def kernel_cpd(signals: ArmSignals) -> list[Mark]:
    """Exact kernel change points (Arlot et al. 2019) of position, speed and opening; RBF with γ = 1, penalty 20.

    Of the channels and scales tried on synthetic grasps the strongest: a baseline has to be one worth beating.
    """
    found = kernel_change_points(motion_features(signals), signals.grid.rate_hz, CPD_PENALTY)
    return [_mark(signals, sample) for sample in found]


def _mark(signals: ArmSignals, sample: int, kind: BoundaryKind = BoundaryKind.MOTION) -> Mark:
    grid: Grid = signals.grid
    return Mark(grid.time_ns(sample), kind, signals.arm)


def _united(marks: Sequence[Mark], merge_s: float) -> list[Mark]:
    """In time order; of marks closer than ``merge_s`` to the one before, the one that knows its kind stays."""
    found: list[Mark] = []
    for mark in sorted(marks):
        if not found or mark.t_ns - found[-1].t_ns >= merge_s * NS_PER_S:
            found.append(mark)
        elif found[-1].kind is BoundaryKind.MOTION:
            found[-1] = mark
    return found


SIGNAL_RULES: Mapping[str, Callable[[ArmSignals], list[Mark]]] = MappingProxyType(
    {
        GRIPPER: gripper_flips,
        "speed minima": speed_minima,
        "pause + gripper": pauses_and_gripper,
        "AWE 2 cm": awe,
        "KernelCPD 20": kernel_cpd,
    }
)
