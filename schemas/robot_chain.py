"""The moving part of a robot between two of its links: what poses and joints are computed with.

A recipe names a URDF file; what is kept of it is this chain. It is small, it travels with every episode's metadata,
and its numbers are part of the episode's fingerprint: a changed link length re-runs what it touches, a moved file, a
repainted mesh or a new gripper behind the tip re-runs nothing, and no worker opens the file again.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, WithJsonSchema

from schemas.identity import canonical_json, digest
from schemas.recipe_section import Section, Text

_THREE_NUMBERS = {"type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 3}
Vector = Annotated[tuple[float, float, float], WithJsonSchema(_THREE_NUMBERS)]

MAX_JOINTS = 64
"""In one chain; no arm has more, and the work per row grows with it."""


class JointMotion(StrEnum):
    """How a joint moves."""

    REVOLUTE = "revolute"
    CONTINUOUS = "continuous"
    """Turns without end: no limits."""
    PRISMATIC = "prismatic"
    FIXED = "fixed"


class Placement(Section):
    """A pose as URDF writes it: metres, and extrinsic x-y-z angles in radians (R = Rz·Ry·Rx)."""

    xyz: Vector = (0.0, 0.0, 0.0)
    rpy: Vector = (0.0, 0.0, 0.0)


class ChainJoint(Section):
    """One joint, placed in the link before it."""

    name: Text
    motion: JointMotion
    origin: Placement = Field(default_factory=Placement)
    axis: Vector = (1.0, 0.0, 0.0)
    """Of any length but zero."""
    lower: float = 0.0
    upper: float = 0.0
    """rad or m; mean nothing for continuous and fixed joints."""
    speed: float = 0.0
    """Fastest, rad/s or m/s; 0 when the robot's description does not say."""


class Chain(Section):
    """The joints from ``base`` to ``tip``, in this order."""

    robot: str
    base: str
    tip: str
    joints: Annotated[tuple[ChainJoint, ...], Field(max_length=MAX_JOINTS)]

    @property
    def moving(self) -> tuple[ChainJoint, ...]:
        """The joints that have a value."""
        return tuple(joint for joint in self.joints if joint.motion is not JointMotion.FIXED)

    @property
    def text(self) -> str:
        """For provenance: what robot, from where to where, and which version of it."""
        return f"{self.robot} {self.base} to {self.tip} ({digest(canonical_json(self.model_dump(mode='json')))[:12]})"
