"""An arm's motion on an even grid, smoothed: what every kinematic rule reads (events.md K1, K2).

Rows come unevenly, with holes and NaNs; rules want derivatives. So the usable rows are interpolated linearly onto one
grid for all arms (6-D rotations linearly and then orthonormalised, which follows the slerp to second order at these
steps), smoothed by Savitzky-Golay, order 2, over 0.35 s. Holes of up to three rows are filled, longer ones are
interpolated too but marked, and cuts found inside them are trusted less. The opening comes on the dataset's scale from
`pipeline.action_layout.opening_of`; the measured one is preferred, a command leads the contact by 0.15-0.4 s.
"""

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np

from annotators.kinematic.smoothing import median_smoothed, noise_floor, savitzky_golay, slope_noise
from pipeline.action_layout import opening_of
from pipeline.base_motion import base_columns
from pipeline.motion import joint_speed, recorded, row_noise, usable_rows
from pipeline.pseudo.hand_actions import FRAME as IMAGE_FRAME
from schemas.array import Bools, Floats, Ints
from schemas.calibration import Calibration, OpeningScale
from schemas.episode import ActionKind, ActionTrack, Arm, ArmTrack
from schemas.pose import matrix_of
from schemas.recipe import SegmentSpec
from schemas.time import NS_PER_S

SEEN_TRUST = 0.5
"""Pseudo-actions: a cut of a hand that was only seen has this share of a measured hand's confidence, so that no event
between such cuts passes without a second look."""
_FORWARD_LEFT_UP = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], np.float32)
"""Turns rows of (right, away, up), as pseudo-actions have them, into (forward, left, up) of all other tracks."""
MIN_ROWS = 5
"""With fewer rows there is nothing to differentiate; the track then counts as having no signal."""
FILLED_ROWS = 3
_NOISE_FACTOR = 4.0
_MOST_NOISE = 3.0
"""The noise floor may exceed what white noise of the rows explains by this factor; beyond, it is motion."""
_MAX_OVERSAMPLING = 4.0
_MAX_GRID = 2_000_000
"""11 h at 50 Hz: a corrupt clock must not fill the memory, so the grid gets coarser instead."""
_STILL_TURNING_RAD_S = 0.05
_STILL_OPENING_PER_S = 0.10


class Effector(StrEnum):
    """What the opening is of, as calibration found it."""

    GRIPPER = "gripper"
    HAND = "hand"
    """Many joints, one number: fingers without a hard stop or a clean plateau."""
    SWITCH = "switch"
    """Two values and nothing between: suction, or a gripper of which only open and closed are told."""


@dataclass(frozen=True)
class Grid:
    """Even sample times shared by all arms of an episode."""

    start_ns: int
    rate_hz: float
    n: int
    row_s: float
    """Median spacing of the rows it was made from."""

    def times_ns(self) -> Ints:
        return self.start_ns + np.round(np.arange(self.n) * (NS_PER_S / self.rate_hz)).astype(np.int64)

    def time_ns(self, index: int) -> int:
        return self.start_ns + round(index * NS_PER_S / self.rate_hz)

    def index(self, t_ns: int) -> int:
        """The sample nearest to a time, clamped to the grid."""
        return max(0, min(self.n - 1, round((t_ns - self.start_ns) * self.rate_hz / NS_PER_S)))

    def samples(self, seconds: float) -> int:
        """How many samples a duration spans, at least 1."""
        return max(1, round(seconds * self.rate_hz))


@dataclass(frozen=True, eq=False)
class ArmSignals:
    """One arm on the grid; a quantity the source does not give is None."""

    arm: Arm | None
    """None for joints that belong to no named arm."""
    grid: Grid
    known: Bools
    """bool [N]; False inside holes longer than three rows."""
    position: Floats | None
    """float64 [N, 3] m, base frame, z up."""
    velocity: Floats | None
    """float64 [N, 3] m/s."""
    speed: Floats | None
    """float64 [N]: m/s with a position, else joint ranges per second."""
    moving_above: float
    """max(static_speed, 4 × noise floor), in the unit of ``speed``."""
    rotation: Floats | None
    """float64 [N, 3, 3]."""
    turning: Floats | None
    """float64 [N] rad/s."""
    opening: Floats | None
    """float64 [N], 0 closed … 1 open on the dataset's scale."""
    commanded: bool
    """The opening is the commanded one because none was measured."""
    effector: Effector = Effector.GRIPPER
    trust: float = 1.0
    """How far these numbers go at all, 0 … 1: hands that were only seen are not measured."""

    @cached_property
    def still(self) -> Bools:
        """Samples in which nothing of the arm moves: tool, wrist and fingers, bool [N]."""
        still = np.ones(self.grid.n, np.bool_)
        if self.speed is not None:
            still &= self.speed <= self.moving_above
        if self.turning is not None:
            still &= self.turning <= _STILL_TURNING_RAD_S
        if self.opening is not None:
            still &= np.abs(self.closing) <= _STILL_OPENING_PER_S
        return still

    @cached_property
    def closing(self) -> Floats:
        """Change of the opening per second, float64 [N]; zeros without an opening. Negative while closing."""
        if self.opening is None or self.grid.n < 2:
            return np.zeros(self.grid.n)
        rate: Floats = np.gradient(self.opening, 1.0 / self.grid.rate_hz)
        return rate


def arm_signals(actions: ActionTrack, calibration: Calibration | None, spec: SegmentSpec) -> list[ArmSignals]:
    """The signals of every arm that has any, sorted by arm, on one grid; empty when there is nothing to read."""
    sources = [_arm_rows(actions, arm, calibration) for arm in Arm if _has(actions, arm)] or [_joint_rows(actions)]
    sources = _comparable([rows for rows in sources if rows.has_any])
    usable = usable_rows(actions)
    for rows in sources:
        usable = usable & rows.finite()
    if not sources or np.count_nonzero(usable) < MIN_ROWS:
        return []
    times = actions.times_ns[usable]
    grid = _grid(times, spec.rate_hz)
    at = grid.times_ns()
    known = _known(times, at, grid.row_s)
    on_grid = _Resampler(usable, (times - grid.start_ns) / NS_PER_S, (at - grid.start_ns) / NS_PER_S)
    trust = SEEN_TRUST if actions.kind is ActionKind.PSEUDO else 1.0
    signals = [_signals_of(rows, on_grid, grid, known, spec) for rows in sources]
    return signals if trust == 1.0 else [dataclasses.replace(arm, trust=trust) for arm in signals]


@dataclass(frozen=True, eq=False)
class _Rows:
    """One arm's quantities in the source's rows."""

    arm: Arm | None
    position: Floats | None = None
    rotation: Floats | None = None
    joints: Floats | None = None
    """Joint speed [T] in ranges per second."""
    joint_reach: float = 0.0
    """The widest range of these joints in the episode, source units."""
    opening: Floats | None = None
    commanded: bool = False
    effector: Effector = Effector.GRIPPER

    @property
    def has_any(self) -> bool:
        return any(part is not None for part in (self.position, self.joints, self.opening))

    def finite(self) -> Bools:
        """Rows in which every quantity is finite, bool [T] (a scalar True when there is no quantity)."""
        finite: Bools = np.ones((), np.bool_)
        for part in (self.position, self.rotation, self.joints, self.opening):
            if part is not None:
                finite = finite & np.all(np.isfinite(part.reshape(len(part), -1)), axis=1)
        return finite


def _comparable(sources: list[_Rows]) -> list[_Rows]:
    """Joint speeds in ranges of the episode's busiest arm: in its own range, the tremor of a resting arm is motion."""
    widest = max((rows.joint_reach for rows in sources), default=0.0)
    return [
        rows if rows.joints is None else dataclasses.replace(rows, joints=rows.joints * (rows.joint_reach / widest))
        for rows in sources
    ]


def _has(actions: ActionTrack, arm: Arm) -> bool:
    return any(track.arm is arm for track in (*actions.state, *actions.target))


def _arm_rows(actions: ActionTrack, arm: Arm, calibration: Calibration | None) -> _Rows:
    """Measured quantities first; a commanded one only where nothing was measured."""
    state = next((track for track in actions.state if track.arm is arm), None)
    target = next((track for track in actions.target if track.arm is arm), None)
    tracks = [track for track in (state, target) if track is not None]
    position = next((track.position for track in tracks if _mostly_finite(track.position)), None)
    if position is not None and actions.frame == IMAGE_FRAME:
        position = position @ _FORWARD_LEFT_UP
    rotation = next((track.rotation for track in tracks if _mostly_finite(track.rotation)), None)
    scale = None if calibration is None else calibration.opening(arm)
    opening, commanded = _opening(state, target, scale)
    joints, reach = (None, 0.0) if position is not None else _joints_of(actions, arm)
    rotation = rotation if position is not None else None
    return _Rows(arm, position, rotation, joints, reach, opening, commanded, _effector(scale))


def _effector(scale: OpeningScale | None) -> Effector:
    if scale is not None and scale.switch:
        return Effector.SWITCH
    return Effector.HAND if scale is not None and scale.signal == "fingers" else Effector.GRIPPER


def _opening(state: ArmTrack | None, target: ArmTrack | None, scale: OpeningScale | None) -> tuple[Floats | None, bool]:
    measured = None if state is None else opening_of(state, scale)
    if measured is not None and _mostly_finite(measured) and np.nanmax(measured) > np.nanmin(measured):
        return measured, _same_signal(state, target)
    command = None if target is None else opening_of(target, scale)
    if _mostly_finite(command):
        return command, True
    return (measured if _mostly_finite(measured) else None), False


def _same_signal(state: ArmTrack | None, target: ArmTrack | None) -> bool:
    """Whether a source without a measured opening gives its command as the state too."""
    if state is None or target is None or state.opening is None or target.opening is None:
        return False
    return bool(np.array_equal(state.opening, target.opening, equal_nan=True))


def _mostly_finite(values: Floats | None) -> bool:
    """Whether a quantity is worth reading: given, and finite in at least half of the rows."""
    if values is None or len(values) == 0:
        return False
    return bool(np.mean(np.all(np.isfinite(values.reshape(len(values), -1)), axis=1)) >= 0.5)


def _joints_of(actions: ActionTrack, arm: Arm) -> tuple[Floats | None, float]:
    """Speed [T] and widest range of the joints whose names carry the arm's name; of all joints when none does."""
    joints = _arm_columns(actions)
    named = [i for i in joints if arm.value in actions.joint_names[i].lower()]
    others = [i for i in joints if any(other.value in actions.joint_names[i].lower() for other in Arm)]
    if not named and others:
        return None, 0.0
    return _joint_speed(actions, named or joints)


def _joint_rows(actions: ActionTrack) -> _Rows:
    joints, reach = _joint_speed(actions, _arm_columns(actions))
    return _Rows(None, joints=joints, joint_reach=reach)


def _arm_columns(actions: ActionTrack) -> list[int]:
    """The native columns of joints: a base that drives is no arm that moves."""
    return [int(i) for i in np.flatnonzero(~base_columns(actions.joint_names))]


def _joint_speed(actions: ActionTrack, columns: list[int]) -> tuple[Floats | None, float]:
    joints = actions.joint_state if actions.joint_state is not None else actions.joint_target
    if joints is None or not columns:
        return None, 0.0
    there = recorded(joints.reshape(-1, len(actions.joint_names)))
    columns = [column for column in columns if there[column]]
    if not columns:
        return None, 0.0
    chosen = joints.reshape(-1, len(actions.joint_names))[:, columns]
    part = dataclasses.replace(actions, joint_names=tuple(actions.joint_names[i] for i in columns))
    speed = joint_speed(part, chosen.reshape(-1))
    if not _mostly_finite(speed):
        return None, 0.0
    finite = chosen[np.all(np.isfinite(chosen), axis=1)]
    return speed, float(np.max(np.ptp(finite, axis=0)))


def _grid(times: Ints, rate_hz: float) -> Grid:
    row_s = float(np.median(np.diff(times))) / NS_PER_S
    duration_s = float(times[-1] - times[0]) / NS_PER_S
    rate = min(rate_hz, _MAX_OVERSAMPLING / row_s, _MAX_GRID / duration_s)
    return Grid(int(times[0]), rate, int(duration_s * rate) + 1, row_s)


def _known(times: Ints, at: Ints, row_s: float) -> Bools:
    """Samples between rows that are at most `FILLED_ROWS` missing rows apart (half a row of jitter allowed)."""
    after = np.clip(np.searchsorted(times, at, side="left"), 1, len(times) - 1)
    gap_s = (times[after] - times[after - 1]) / NS_PER_S
    known: Bools = gap_s <= (FILLED_ROWS + 1.5) * row_s
    return known


@dataclass(frozen=True, eq=False)
class _Resampler:
    """Linear interpolation from an episode's usable rows to its grid."""

    usable: Bools
    from_s: Floats
    to_s: Floats

    def __call__(self, rows_TD: Floats) -> Floats:
        """float64 [N, D] of rows [T, D]."""
        values = rows_TD[self.usable]
        columns = [np.interp(self.to_s, self.from_s, values[:, i]) for i in range(values.shape[1])]
        return np.stack(columns, axis=1)


def _signals_of(rows: _Rows, on_grid: _Resampler, grid: Grid, known: Bools, spec: SegmentSpec) -> ArmSignals:
    position = velocity = speed = rotation = turning = opening = None
    moving_above = spec.static_speed
    if rows.position is not None:
        position, velocity = savitzky_golay(on_grid(rows.position), spec.smooth_s, grid.rate_hz)
        speed = np.linalg.norm(velocity, axis=1)
        white = float(np.max(row_noise(rows.position[on_grid.usable])))
        floor = min(noise_floor(velocity), _MOST_NOISE * slope_noise(white, spec.smooth_s, grid.row_s))
        moving_above = max(spec.static_speed, _NOISE_FACTOR * floor)
    elif rows.joints is not None:
        speed = on_grid(rows.joints[:, None])[:, 0]
        # the speed is already a norm over joints and never rests at zero mean: its floor is the default
    if rows.rotation is not None:
        rotation, turning = _rotation(on_grid(rows.rotation), grid.rate_hz, spec)
    if rows.opening is not None:
        # commands and switches have no noise, and a median over five rows would swallow what lasts two
        exact = rows.commanded or rows.effector is Effector.SWITCH
        window = 1 if exact else max(1, min(5, int(spec.smooth_s / grid.row_s)))
        smoothed = median_smoothed(rows.opening[on_grid.usable].astype(np.float64), window)
        opening = np.interp(on_grid.to_s, on_grid.from_s, smoothed)
    return ArmSignals(
        arm=rows.arm,
        grid=grid,
        known=known,
        position=position,
        velocity=velocity,
        speed=speed,
        moving_above=moving_above,
        rotation=rotation,
        turning=turning,
        opening=opening,
        commanded=rows.commanded,
        effector=rows.effector,
    )


def _rotation(rows_N6: Floats, rate_hz: float, spec: SegmentSpec) -> tuple[Floats | None, Floats | None]:
    """Rotation matrices and turning speed, or neither where the rows stop being a rotation half-way between two."""
    smooth, _ = savitzky_golay(rows_N6, spec.smooth_s, rate_hz)
    first, second = smooth[:, :3], smooth[:, 3:]
    if np.any(np.linalg.norm(np.cross(first, second), axis=1) < 1e-3):
        return None, None
    first = first / np.linalg.norm(first, axis=1, keepdims=True)
    second = second - np.sum(first * second, axis=1, keepdims=True) * first
    second = second / np.linalg.norm(second, axis=1, keepdims=True)
    matrices = matrix_of(np.concatenate([first, second], axis=1))
    turning = np.zeros(len(matrices))
    if len(matrices) > 1:
        # |ΔR|_F = 2√2 sin(θ/2): stable at the small angles between samples, where arccos of the trace is not
        chord = np.linalg.norm(np.diff(matrices, axis=0), axis=(1, 2)) / np.sqrt(8.0)
        turning[1:] = 2.0 * np.arcsin(np.clip(chord, 0.0, 1.0)) * rate_hz
        turning[0] = turning[1]
    return matrices, turning
