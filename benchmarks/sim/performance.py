"""What a simulator hands over of one episode, whichever simulator it was."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.sim.boundaries import HARD_STOP, ItemTrace, Trace, debounced
from benchmarks.sim.tasks import Task
from schemas.array import Bools, Floats

PUSH_GAP = 10
"""Frames without contact that do not end a push: what is pushed skips ahead."""


@dataclass(frozen=True)
class Debounce:
    """How contacts that flicker are read: gaps up to ``fill`` frames are none, runs below ``shortest`` neither."""

    fill: int
    shortest: int


@dataclass(frozen=True, eq=False)
class Step:
    """One frame: the state, and what is commanded in it. Positions in metres, robot base frame (x forward, z up)."""

    tool: Floats
    rotation: Floats
    """float64 [3, 3], base from tool; the tool's z axis points out of the gripper."""
    width_m: float
    joints: Floats
    item: Floats
    held: bool
    touched: bool
    supported: bool
    target: Floats
    target_width_m: float
    picture: NDArray[np.uint8] | None


@dataclass
class Performance:
    """One episode as it happened, exact and without noise."""

    task: Task
    seed: int
    rate_hz: float
    embodiment: str
    closed_m: float
    open_m: float
    """Distance of the fingers when closed on nothing and when open."""
    debounce: Debounce
    versions: str
    success: bool = False
    steps: list[Step] = field(default_factory=list)

    def column(self, name: str) -> NDArray[Any]:
        """One quantity of all steps."""
        return np.array([getattr(step, name) for step in self.steps])

    def trace(self) -> Trace:
        """What the bodies did, contacts debounced.

        Fingers at their hard stop hold nothing, even if both stand on the object.
        """
        opening = (self.column("width_m") - self.closed_m) / (self.open_m - self.closed_m)

        def contact(mask: Bools) -> Bools:
            return debounced(mask, self.debounce.fill, self.debounce.shortest)

        held = contact(self.column("held") & (opening > HARD_STOP))
        item = ItemTrace(
            self.task.item,
            self.column("item"),
            held,
            debounced(self.column("touched"), PUSH_GAP, self.debounce.shortest) | held,
            contact(self.column("supported")),
        )
        return Trace(self.rate_hz, self.column("tool"), opening, (item,))
