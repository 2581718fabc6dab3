"""What lies on the table: items that can be held or pushed, and supports they are put on.

The frame is the robot's base: x forward, y left, z up, table top at z = 0, metres. Openings are fractions of
`MAX_WIDTH_M`, 0 closed … 1 open, so that an item's width and a gripper's opening are the same kind of number.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from schemas.array import Floats

MAX_WIDTH_M = 0.08
"""Distance between the pads of an open gripper (Franka Hand)."""

Point: TypeAlias = tuple[float, float, float]


def opening_m(opening: Floats) -> Floats:
    """Distance between the pads in metres."""
    return opening * MAX_WIDTH_M


@dataclass(frozen=True)
class Item:
    """A loose thing. ``size_m`` is its extent across the fingers, along them, and up; ``start`` its centre."""

    name: str
    colour: str
    size_m: Point
    start: Point
    yaw: float

    @property
    def label(self) -> str:
        return f"{self.colour} {self.name}"

    @property
    def opening(self) -> float:
        """The opening at which both pads touch it."""
        return self.size_m[0] / MAX_WIDTH_M


@dataclass(frozen=True)
class Support:
    """A fixed flat thing to put items on: a square of ``2·half_m`` around ``centre``, its top at ``height_m``."""

    name: str
    colour: str
    centre: tuple[float, float]
    half_m: float
    height_m: float

    @property
    def label(self) -> str:
        return f"{self.colour} {self.name}"


def support_height(supports: tuple[Support, ...], x: float, y: float) -> float:
    """Height of whatever is under (x, y): the highest support there, else the table at 0."""
    heights = [s.height_m for s in supports if abs(x - s.centre[0]) < s.half_m and abs(y - s.centre[1]) < s.half_m]
    return max(heights, default=0.0)


COLOURS = ("red", "green", "blue", "yellow", "orange", "purple", "white", "teal")
_ITEMS: tuple[tuple[str, Point], ...] = (
    ("cube", (0.040, 0.040, 0.040)),
    ("can", (0.050, 0.050, 0.090)),
    ("bottle", (0.046, 0.046, 0.110)),
    ("sponge", (0.034, 0.070, 0.034)),
    ("marker", (0.020, 0.090, 0.020)),
    ("cup", (0.056, 0.056, 0.070)),
)
_SUPPORTS: tuple[tuple[str, float], ...] = (("plate", 0.010), ("tray", 0.020), ("box", 0.040), ("mat", 0.004))


@dataclass(frozen=True)
class Region:
    """The part of the table one arm works in."""

    x: tuple[float, float]
    y: tuple[float, float]


def place_apart(rng: np.random.Generator, region: Region, n: int, distance_m: float) -> list[tuple[float, float]]:
    """``n`` points at least ``distance_m`` apart; the distance shrinks by a tenth whenever 200 draws find no room."""
    points: list[tuple[float, float]] = []
    while len(points) < n:
        for _ in range(200):
            point = (float(rng.uniform(*region.x)), float(rng.uniform(*region.y)))
            if all(np.hypot(point[0] - q[0], point[1] - q[1]) >= distance_m for q in points):
                points.append(point)
                break
        else:
            distance_m *= 0.9
            points = []
    return points


def furnish(rng: np.random.Generator, region: Region, n_tasks: int) -> tuple[list[Item], list[Support]]:
    """One item and one support per task, apart from each other, no two items of the same colour in a region."""
    points = place_apart(rng, region, 2 * n_tasks, 0.15)
    colours = rng.permutation(len(COLOURS))
    items, supports = [], []
    for task in range(n_tasks):
        name, size = _ITEMS[int(rng.integers(len(_ITEMS)))]
        x, y = points[2 * task]
        colour = COLOURS[colours[task % len(COLOURS)]]
        items.append(Item(name, colour, size, (x, y, size[2] / 2), float(rng.uniform(-0.6, 0.6))))
        kind, height = _SUPPORTS[int(rng.integers(len(_SUPPORTS)))]
        colour = COLOURS[colours[(task + len(COLOURS) // 2) % len(COLOURS)]]
        supports.append(Support(kind, colour, points[2 * task + 1], 0.06, height))
    return items, supports
