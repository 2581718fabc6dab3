"""Who touches whom in a MuJoCo model. Needs the simulators' environment (docs/sim_truth.md)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

HELD_WITHIN_M = 0.001
_UPWARD = 0.5
"""A support is below: its normal points up by more than this. A wall that is grazed supports nothing."""


def geoms_below(model: Any, roots: Iterable[int]) -> frozenset[int]:
    """Geoms that can collide, of bodies and of everything attached to them."""
    bodies = set(roots)
    for body in range(model.nbody):  # parents come first
        if int(model.body_parentid[body]) in bodies and body:
            bodies.add(body)
    return frozenset(
        geom
        for geom in range(model.ngeom)
        if int(model.geom_bodyid[geom]) in bodies and (model.geom_contype[geom] or model.geom_conaffinity[geom])
    )


@dataclass(frozen=True)
class Contacts:
    """Reads contacts of one object with two fingers, the rest of the robot and everything else."""

    left: frozenset[int]
    right: frozenset[int]
    gripper: frozenset[int]
    """The fingers and the hand they sit in."""
    robot: frozenset[int]
    item: frozenset[int]
    carried_by_joint: bool
    """A drawer or a window rests on its rail all the time."""

    def held(self, model: Any, data: Any) -> bool:
        """Whether both fingers are within a millimetre of the object."""
        return self._near(model, data, self.left) and self._near(model, data, self.right)

    def touched(self, model: Any, data: Any) -> bool:
        """Whether any part of the gripper is within a millimetre of the object."""
        return self._near(model, data, self.gripper)

    def supported(self, data: Any) -> bool:
        """Whether something that is not the robot carries the object from below."""
        if self.carried_by_joint:
            return True
        mine = self.item
        return any(
            (other in mine and one not in mine and one not in self.robot and up > _UPWARD)
            or (one in mine and other not in mine and other not in self.robot and up < -_UPWARD)
            for one, other, up in _pairs(data)
        )

    def where(self, data: Any) -> Any:
        """The object's place, float64 [3]: the middle of its shapes; a body's origin may lie far away."""
        return np.mean([data.geom_xpos[geom] for geom in sorted(self.item)], axis=0)

    def _near(self, model: Any, data: Any, finger: frozenset[int]) -> bool:
        return any(
            mujoco.mj_geomDistance(model, data, one, other, 2 * HELD_WITHIN_M, None) <= HELD_WITHIN_M
            for one in sorted(finger)
            for other in sorted(self.item)
        )


def _pairs(data: Any) -> list[tuple[int, int, float]]:
    """Contacts as (geom, geom, how far the normal from the first to the second points up)."""
    touching = data.contact
    return [
        (int(touching.geom1[k]), int(touching.geom2[k]), float(touching.frame[k][2]))
        for k in range(data.ncon)
        if touching.dist[k] <= 0.0
    ]
