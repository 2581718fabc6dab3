"""What a demonstration did from a moment on: the setpoints that a rollout repeats after a recovery.

What was commanded where the source says so, else what was measured. A measured gripper that holds something shows the
thing's width, and fingers that are told to go exactly there do not hold it: they are told to close a little further.
"""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from pipeline.shards.npz import write_npz
from schemas.array import Floats, Ints
from schemas.episode import ActionTrack, Arm, ArmTrack
from schemas.pose import matrix_of, orthonormalise
from schemas.time import NS_PER_S

_LONGEST_NS = 3600 * NS_PER_S
"""Longer than any plan's `recover.max_replay_s` needs to be; a damaged clock must not run for ever."""

SQUEEZE = 0.1
"""Of the whole opening."""


@dataclass(frozen=True, eq=False)
class Pose:
    """One arm at one moment: position [3] in metres, matrix [3, 3], opening 0 closed … 1 open."""

    position: Floats
    rotation: Floats
    opening: float


@dataclass(frozen=True, eq=False)
class ArmPath:
    """One arm over T rows: position [T, 3], rotation 6-D [T, 6], opening [T]."""

    position: Floats
    rotation: Floats
    opening: Floats


@dataclass(frozen=True, eq=False)
class Demonstration:
    """Setpoints of every arm; ``times_ns`` [T] from 0 on."""

    times_ns: Ints
    arms: Mapping[Arm, ArmPath]

    @property
    def duration_s(self) -> float:
        return int(self.times_ns[-1]) / NS_PER_S

    def at(self, t_ns: int) -> dict[Arm, Pose]:
        """Where the arms shall be at a time; before the first row and after the last as in those."""
        return {arm: path_at(self.times_ns, path, t_ns) for arm, path in self.arms.items()}


def path_at(times_ns: Ints, path: ArmPath, t_ns: int) -> Pose:
    """A path between its rows: positions and openings straight, rotations along the shortest arc."""
    after = int(np.clip(np.searchsorted(times_ns, t_ns), 1, max(len(times_ns) - 1, 1)))
    rows = [after - 1, min(after, len(times_ns) - 1)]
    length = int(times_ns[rows[1]] - times_ns[rows[0]])
    share = float(np.clip((t_ns - int(times_ns[rows[0]])) / length, 0.0, 1.0)) if length else 0.0
    matrices = Rotation.from_matrix(matrix_of(path.rotation[rows]))
    position = (1 - share) * path.position[rows[0]] + share * path.position[rows[1]]
    opening = (1 - share) * path.opening[rows[0]] + share * path.opening[rows[1]]
    return Pose(np.asarray(position, np.float64), Slerp([0.0, 1.0], matrices)(share).as_matrix(), float(opening))


def demonstration_of(actions: ActionTrack, start_ns: int, end_ns: int) -> Demonstration | None:
    """The valid rows of aligned actions in a half-open time; None where an arm has no pose or opening, or no rows."""
    inside = (actions.times_ns >= start_ns) & (actions.times_ns < end_ns) & actions.valid
    arms = {}
    for state in actions.state:
        target = next((track for track in actions.target if track.arm is state.arm), None)
        path = _path(state, target)
        if path is None:
            return None
        arms[state.arm] = path
        inside &= np.isfinite(np.column_stack([path.position, path.rotation, path.opening])).all(axis=1)
    rows = np.flatnonzero(inside)
    if len(rows) < 2 or not arms:
        return None
    times_ns: Ints = actions.times_ns[rows] - actions.times_ns[rows[0]]
    return Demonstration(times_ns, {arm: _rows(path, rows) for arm, path in arms.items()})


def _path(state: ArmTrack, target: ArmTrack | None) -> ArmPath | None:
    if state.position is None or state.rotation is None or state.opening is None:
        return None
    position, rotation, opening = state.position, state.rotation, state.opening - SQUEEZE
    if target is not None and target.position is not None and target.rotation is not None:
        told = np.isfinite(np.column_stack([target.position, target.rotation])).all(axis=1)[:, None]
        position, rotation = np.where(told, target.position, position), np.where(told, target.rotation, rotation)
    if target is not None and target.opening is not None:
        opening = np.where(np.isfinite(target.opening), target.opening, opening)
    return ArmPath(position, rotation, np.clip(opening, 0.0, 1.0))


def _rows(path: ArmPath, rows: Ints) -> ArmPath:
    rotation = orthonormalise(path.rotation[rows])
    return ArmPath(path.position[rows].astype(np.float32), rotation, path.opening[rows].astype(np.float32))


def to_npz(demonstration: Demonstration) -> bytes:
    """As a file: ``times_ns`` and, per arm, ``<arm>.position``, ``<arm>.rotation_6d`` and ``<arm>.opening``."""
    arrays: dict[str, NDArray[Any]] = {"times_ns": np.asarray(demonstration.times_ns, np.int64)}
    for arm, path in sorted(demonstration.arms.items()):
        arrays |= {
            f"{arm}.position": path.position,
            f"{arm}.rotation_6d": path.rotation,
            f"{arm}.opening": path.opening,
        }
    return write_npz(arrays)


def from_npz(data: bytes) -> Demonstration:
    """The inverse of `to_npz`. Raises ValueError when the file is something else."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as members:
            arrays = {name: members[name] for name in members.files}
    except (EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"not an npz ({error}); make the plan again") from error
    try:
        times_ns = arrays["times_ns"]
        arms = {
            arm: ArmPath(arrays[f"{arm}.position"], arrays[f"{arm}.rotation_6d"], arrays[f"{arm}.opening"])
            for arm in Arm
            if f"{arm}.position" in arrays
        }
    except KeyError as error:
        raise ValueError(f"no array {error} in the demonstration; make the plan again") from error
    n = len(times_ns)
    shapes = [(path.position.shape, path.rotation.shape, path.opening.shape) for path in arms.values()]
    if n < 2 or not arms or any(shape != ((n, 3), (n, 6), (n,)) for shape in shapes):
        raise ValueError(f"a demonstration of {n} rows whose arrays do not fit: {shapes}; make the plan again")
    finite = all(np.isfinite(part).all() for path in arms.values() for part in (path.position, path.rotation))
    if times_ns.dtype != np.int64 or not np.all(np.diff(times_ns) > 0) or not finite:
        raise ValueError("its times do not increase or its poses are not finite; make the plan again")
    if times_ns[-1] - times_ns[0] > _LONGEST_NS:
        raise ValueError(f"a demonstration of {(times_ns[-1] - times_ns[0]) / NS_PER_S:.0f} s; make the plan again")
    return Demonstration(times_ns, arms)
