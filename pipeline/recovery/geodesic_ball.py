"""Starts near a contact pose: uniform in a ball of positions and in a geodesic ball of rotations.

p̃(q, e) = (1 − α)·p_nominal(q, e) + α·E_e[p(q | e)] (wall_wm.md §2.6). p(q | e) is uniform by volume: the radius of a
position has the density r², and the angle of a rotation the density 1 − cos θ of the Haar measure of SO(3). A uniform
angle would instead crowd rotations around the contact pose.

Everything about start ``index`` of an event follows from the two and a seed, so that a plan with more starts, other
events or another α keeps the poses it had.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from schemas.array import Floats
from schemas.identity import digest

_SMALL_RAD = 1e-2
"""Below, θ − sin θ is θ³/6 to 1 part in 10⁵, and the difference itself would lose its digits."""
_HALVINGS = 60


@dataclass(frozen=True)
class GeodesicBall:
    """Poses at most ``radius_m`` and ``angle_rad`` away."""

    radius_m: float
    angle_rad: float


@dataclass(frozen=True, eq=False)
class Displacement:
    """From one pose to another: metres and a rotation vector, both in the frame the poses are in."""

    offset: Floats
    turn: Floats

    @property
    def distance_m(self) -> float:
        return float(np.linalg.norm(self.offset))

    @property
    def angle_rad(self) -> float:
        return float(np.linalg.norm(self.turn))


NOWHERE = Displacement(np.zeros(3), np.zeros(3))


def displacement(ball: GeodesicBall, seed: int) -> Displacement:
    """The displacement that belongs to a seed."""
    rng = np.random.default_rng(seed)
    radius = ball.radius_m * float(rng.random()) ** (1 / 3)
    angle = haar_angle(float(rng.random()), ball.angle_rad)
    return Displacement(radius * _direction(rng), angle * _direction(rng))


def haar_angle(share: float, largest_rad: float) -> float:
    """The angle below which ``share`` of all rotations within ``largest_rad`` of a rotation lie."""
    if largest_rad < _SMALL_RAD:
        return float(largest_rad * share ** (1 / 3))
    goal = share * (largest_rad - np.sin(largest_rad))
    low, high = 0.0, largest_rad
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if middle - np.sin(middle) < goal:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def moved(position: Floats, rotation: Floats, by: Displacement) -> tuple[Floats, Floats]:
    """A pose, position [3] and matrix [3, 3], moved."""
    turned: Floats = Rotation.from_rotvec(by.turn).as_matrix() @ rotation
    return position + by.offset, turned


def angle_between(first: Floats, second: Floats) -> float:
    """Angle in radians of the rotation that takes one matrix [3, 3] to another."""
    return float(Rotation.from_matrix(second @ first.T).magnitude())


def start_seed(event_id: str, index: int, seed: int) -> int:
    """The seed of one start: 63 bits, which JSON readers of every kind keep whole."""
    return int(digest("recovery start", event_id, str(index), str(seed))[:16], 16) >> 1


def is_perturbed(event_id: str, index: int, alpha: float, seed: int) -> bool:
    """Whether start ``index`` of an event is one of the share ``alpha`` that is perturbed.

    Systematic sampling: over all events the share is ``alpha`` for every index, and of the first n starts of an event
    it is right to within one start.
    """
    phase = start_seed(event_id, -1, seed) / 2.0**63
    return bool(np.floor((index + 1) * alpha + phase) > np.floor(index * alpha + phase))


def _direction(rng: np.random.Generator) -> Floats:
    direction = rng.standard_normal(3)
    unit: Floats = direction / np.linalg.norm(direction)
    return unit
