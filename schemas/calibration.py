"""What is measured once per dataset and embodiment, never per episode.

An episode in which the gripper never closes would otherwise be stretched to a full open-close range
(events.md K2). Values are rounded to a few significant digits so that one more episode rarely changes them,
and with them the work keys of everything downstream.
"""

from dataclasses import dataclass
from typing import Annotated

from schemas.array import ArraySpec, Floats
from schemas.episode import Arm


@dataclass(frozen=True, eq=False)
class OpeningScale:
    """How one arm's raw opening becomes 0 closed … 1 open: ``clip((raw - closed) / (open - closed), 0, 1)``."""

    arm: Arm
    signal: str
    """``opening`` or ``fingers`` (first principal component of the finger joints)."""
    closed: float
    open: float
    informative: bool
    """False when the signal hardly moves in the whole dataset; the detector then ignores it."""
    finger_mean: Annotated[Floats, ArraySpec("float32", "F")]
    finger_axis: Annotated[Floats, ArraySpec("float32", "F")]
    """Unit vector oriented so that larger means more open; empty for ``signal='opening'``."""
    switch: bool = False
    """Two values in the whole dataset: suction, or a gripper of which only open and closed are told."""


@dataclass(frozen=True, eq=False)
class HomePose:
    """A pose that many structured episodes of a group start from, or end at."""

    signal: str
    """``left`` or ``right``: the tool's position; ``joints``: all measured joints of robots without poses."""
    at_end: bool
    centre: Annotated[Floats, ArraySpec("float32", "D")]
    """Median of the group's values times ``weights``."""
    weights: Annotated[Floats, ArraySpec("float32", "D")]
    """1 for metres; one over its range for a joint, 0 for a joint that says nothing."""
    limit: float
    """Values farther from ``centre`` in any coordinate belong elsewhere."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """Per (dataset, embodiment): opening scales and home poses.

    No counts, which every added episode would change, and keys too.
    """

    group: str
    """``calibration_group(dataset, embodiment)``."""
    dataset: str
    embodiment: str
    openings: tuple[OpeningScale, ...]
    homes: tuple[HomePose, ...] = ()
    """Empty when the group has too few structured episodes, or starts anywhere."""

    def opening(self, arm: Arm) -> OpeningScale | None:
        return next((scale for scale in self.openings if scale.arm is arm), None)


def calibration_group(dataset: str, embodiment: str) -> str:
    """The name of the group of episodes that share a calibration."""
    return f"{dataset}/{embodiment}"
