"""FastUMI's true times: of the recordings of one folder, only the latest one's lie beside it.

The collector overwrites ``csv/temp_trajectory.csv`` and ``csv/temp_video_timestamps.csv`` with every episode, then
takes every third frame and, for each, the pose sampled nearest to it. So the files belong to the episode whose poses
they hold, which is looked at: the times of another recording would be worse than a nominal clock.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.sources.frame_times import to_times
from pipeline.sources.storage import csv_file
from schemas.array import Floats, Ints
from schemas.time import NS_PER_S

TRAJECTORY, STAMPS = "csv/temp_trajectory.csv", "csv/temp_video_timestamps.csv"
_TIME = "Timestamp"
_POSITION = ("Pos X", "Pos Y", "Pos Z")
_EVERY = 3
"""The camera films at 60 Hz; every third frame is kept."""
_MAX_SAMPLES = 2_000_000
"""Nearly three hours of poses at 200 Hz."""
_SAME_M, _SAME_SHARE = 1e-4, 0.9


@dataclass(frozen=True, eq=False)
class Collected:
    """What the collector noted of the latest episode, in seconds of its clock."""

    filmed: Floats
    """float64 [T]: when each frame that was kept was filmed."""
    sampled: Floats
    """float64 [S, 4]: when each pose was sampled, and its position."""

    def times_of(self, positions: Floats) -> Ints | None:
        """When each row of an episode at ``positions`` [T, 3] was recorded, ns from the first; None for another one,
        and for rows that are no positions.
        """
        times_ns, _ = to_times(self.filmed, NS_PER_S)
        is_ordered = len(self.sampled) > 0 and bool(np.all(np.diff(self.sampled[:, 0]) >= 0))
        if positions.shape != (len(self.filmed), 3) or times_ns is None or not is_ordered:
            return None
        after = np.searchsorted(self.sampled[:, 0], self.filmed)
        nearest = np.clip(np.stack([after - 1, after]), 0, len(self.sampled) - 1)
        apart = np.abs(self.sampled[nearest, 1:] - positions).max(axis=2).min(axis=0)
        return times_ns - times_ns[0] if np.mean(apart <= _SAME_M) >= _SAME_SHARE else None


def collected(files: SourceFiles, trajectory: str, stamps: str) -> Collected:
    """The two tables. Raises SourceError when one is none."""
    return Collected(_table(files, stamps, (_TIME,))[:, 0][::_EVERY], _table(files, trajectory, (_TIME, *_POSITION)))


def _table(files: SourceFiles, path: str, columns: Sequence[str]) -> Floats:
    """Columns of a CSV file, float64 [N, C]."""
    found: list[list[float]] = []
    for row in csv_file.rows(files, path, columns):
        try:
            values = [float(row[column]) for column in columns]
        except ValueError:
            values = [math.nan]
        if not all(map(math.isfinite, values)):
            raise SourceError(f"{files.url_of(path)}: row {len(found) + 1} holds no number; fetch the file again")
        found.append(values)
        if len(found) > _MAX_SAMPLES:
            raise SourceError(f"{files.url_of(path)}: has more than {_MAX_SAMPLES} rows; it is no episode's")
    return np.array(found, np.float64).reshape(len(found), len(columns))
