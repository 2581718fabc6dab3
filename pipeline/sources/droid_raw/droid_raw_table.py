"""DROID's ``trajectory.h5``: one dataset per quantity, one row per step of the control loop."""

from dataclasses import dataclass

from pipeline.errors import SourceError
from pipeline.sources.frame_times import checked_rows
from pipeline.sources.storage.hdf5 import Hdf5, first_of
from schemas.array import Floats
from schemas.source import EpisodeRef

STATE, ACTION = "/observation/robot_state", "/action"
_STEPS = (f"{STATE}/cartesian_position", f"{STATE}/joint_positions", f"{ACTION}/cartesian_position")
"""Any of them says how many steps there are."""


@dataclass(frozen=True)
class Trajectory:
    """An open trajectory."""

    ref: EpisodeRef
    table: Hdf5
    n_rows: int

    def has(self, path: str) -> bool:
        """Whether it has a dataset or group."""
        return self.table.has(path)

    def column(self, path: str, width: int | None = None) -> Floats:
        """A dataset of one row per step, float64 [T, W]. Raises SourceError when it has more or fewer."""
        values = self.table.numbers(path, width)
        if len(values) != self.n_rows:
            raise SourceError(
                f"{self.table.name}: {path} has {len(values)} rows, the robot's state {self.n_rows}; the file is "
                "damaged or cut short: fetch it again"
            )
        return values


def trajectory(ref: EpisodeRef, table: Hdf5) -> Trajectory:
    """A table as a trajectory. Raises SourceError when it has no steps."""
    path = first_of(_STEPS, table)
    if path is None:
        raise SourceError(f"{table.name}: found none of {', '.join(_STEPS)}; it is no DROID trajectory")
    shape = table.shape(path)
    if not shape or not shape[0]:
        raise SourceError(f"{table.name}: {path} has no rows; the recording was interrupted, leave it out")
    return Trajectory(ref, table, checked_rows(shape[0], f"{table.name}: {path}"))
