"""What is known about the lag between the picture clock and the action clock: of an episode, and of its source.

The lag is what must be added to action times. `LagCurve` is an episode's evidence (stage ``lag``), `SourceLag` what
all episodes of a group say together (stage ``vote``); `Alignment` is the decision.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import numpy as np

from schemas.array import ArraySpec, Floats


class Evidence(StrEnum):
    """What kind of motion the pictures are compared with, best first."""

    POSITIONS = "measured tool positions"
    JOINTS = "measured joints"
    COMMANDS = "commands"


@dataclass(frozen=True)
class LagPeak:
    """The best lag of a curve."""

    lag_ns: int
    """Whole milliseconds."""
    correlation: float
    """Of the curve at its peak, rounded to 4 digits."""
    margin: float
    """Correlation minus the best one outside the peak, rounded to 4 digits."""
    inside: bool
    """Whether the peak is a real maximum within ``align.max_lag_s``."""


@dataclass(frozen=True)
class LagEstimate(LagPeak):
    """What an episode alone says."""

    sigma_ns: int
    """Jackknife standard error of the lag; whole milliseconds."""


@dataclass(frozen=True, eq=False)
class LagCurve:
    """How well an episode's recorded motion explains the motion its cameras saw, lag by lag."""

    episode_id: str
    source: str
    evidence: Evidence
    step_ns: int
    correlation: Annotated[Floats, ArraySpec("float32", "L")]
    """At lags 0, ± step, … around the middle; L is odd."""
    doubt: Annotated[Floats, ArraySpec("float32", "L")]
    """Standard error of (correlation at the peak − correlation here)."""
    estimate: LagEstimate
    halves: tuple[LagPeak, ...]
    """What the first and the second half of the episode say: they differ where a clock drifts."""

    def at(self, lag_ns: int) -> int:
        """Index of the sample nearest to a lag; the last one for lags beyond the curve."""
        middle = len(self.correlation) // 2
        return int(np.clip(middle + round(lag_ns / self.step_ns), 0, 2 * middle))


class SourceClock(StrEnum):
    """What the episodes of a group say together."""

    UNKNOWN = "unknown"
    """Too few, or too uncertain."""
    CONSTANT = "constant"
    """One lag in all of them."""
    VARYING = "varying"
    """They contradict one another: each has a lag of its own."""


@dataclass(frozen=True)
class SourceLag:
    """What the episodes of a group say about their clocks, by one kind of evidence; numbers only where CONSTANT.

    Rounded, because `align` is keyed by them: one more episode should rarely change them.
    """

    group: str
    """``calibration_group(dataset, embodiment)``."""
    evidence: Evidence
    clock: SourceClock
    lag_ns: int
    sigma_ns: int
    """Standard error of the common lag."""
    spread_ns: int
    """How far the lags of single episodes scatter around it."""
    correlation: float
    """Of the averaged curve at its peak."""
    voters: int
    """Episodes that speak for it, rounded down to a power of two."""
