"""A robot's geometry in a recipe: joints to poses, poses to joints, and hands in pictures (docs/kinematics.md).

``urdf`` is a path in the recipe file. `schemas.robot_files` reads the file while the recipe is loaded and puts the
chain between the two links in its place, so that everything here can be checked before any process starts.
"""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from schemas.episode import Arm
from schemas.recipe_section import Fraction, Positive, Section, Text, impossible
from schemas.robot_chain import Chain, JointMotion, Placement


class RobotArm(Section):
    """One arm of a robot description, and where the robot stands."""

    arm: Arm
    urdf: Annotated[Chain, WithJsonSchema({"type": "string", "minLength": 1})] = Field(
        description="A URDF file, relative to the recipe file."
    )
    base_link: Text | None = Field(default=None, description="Where the chain starts. Default: the robot's root.")
    tip_link: Text = Field(description="Where it ends.")
    tcp_offset: Placement = Field(default_factory=Placement, description="The tool centre point in the tip link.")

    def unknown_joints(self, named: Sequence[str]) -> str | None:
        """What is wrong with the joints a recipe names, or None."""
        known = [joint.name for joint in self.urdf.moving]
        unknown = [name for name in named if name not in known]
        if not known or not unknown:  # without joints the file could not be read, which is said already
            return None
        return f"no moving joint {unknown[0]!r} between the links, there are {', '.join(known)}"


class JointColumn(Section):
    """The native column of a joint: value = scale · column + offset, in radians or metres."""

    column: Text | Annotated[int, Field(ge=0)]
    scale: float = 1.0
    offset: float = 0.0

    @model_validator(mode="after")
    def _says_something(self) -> "JointColumn":
        if self.scale == 0.0:
            raise impossible("scale", "found 0, expected another number; -1 turns a joint round")
        return self


def _as_column(value: Any) -> Any:
    return {"column": value} if isinstance(value, str | int) and not isinstance(value, bool) else value


class KinematicsSpec(RobotArm):
    """Forward kinematics: an arm's poses from its joints."""

    joints: dict[str, Annotated[JointColumn, BeforeValidator(_as_column)]] = Field(
        description="Per joint of the chain, the native column's name or number."
    )
    degrees: bool = Field(default=False, description="Turning joints are recorded in degrees.")
    base_pose: Placement | None = Field(default=None, description="The base link in the recording's frame.")
    limit_tolerance: Positive = Field(
        default=0.05, description="Rows further outside a joint's limits, in rad or m, mean nothing."
    )

    @model_validator(mode="after")
    def _every_joint_has_a_column(self) -> "KinematicsSpec":
        if problem := self.unknown_joints(list(self.joints)):
            raise impossible("joints", problem)
        missing = [joint.name for joint in self.urdf.moving if joint.name not in self.joints]
        if missing:
            raise impossible("joints", f"no column for {', '.join(missing)}; every joint of the chain needs one")
        return self


class RetargetSpec(RobotArm):
    """Inverse kinematics: a robot's joints from an arm's poses."""

    base_pose: Placement = Field(description="Where the base link would stand in the recording's frame.")
    home: dict[str, float] = Field(
        default_factory=dict, description="Joints to start from, rad or m. Default: the middle of their limits."
    )
    max_position_error_m: Positive = Field(default=0.01, description="Further from the pose, a row is out of reach.")
    max_rotation_error_rad: Annotated[float, Field(gt=0, le=math.pi)] = Field(
        default=0.05, description="The same for the rotation; 3.1415 and more asks for the position alone."
    )
    min_singular_value: Positive = Field(
        default=0.01, description="Metres per radian that every motion of the tool must get from the joints."
    )

    @property
    def position_only(self) -> bool:
        """Whether the tool's rotation is free."""
        return self.max_rotation_error_rad >= 3.1415

    @model_validator(mode="after")
    def _home_is_possible(self) -> "RetargetSpec":
        if problem := self.unknown_joints(list(self.home)):
            raise impossible("home", problem)
        for joint in self.urdf.moving:
            value = self.home.get(joint.name, joint.lower)
            if joint.motion is not JointMotion.CONTINUOUS and not joint.lower <= value <= joint.upper:
                raise impossible(f"home.{joint.name}", f"found {value:g}, expected {joint.lower:g} to {joint.upper:g}")
        return self


class PseudoActionsSpec(Section):
    """Hands found in the pictures, for recordings without actions (docs/pseudo_actions.md)."""

    method: Literal["mediapipe_hands"]
    hz: Annotated[float, Field(gt=0, le=240)] = Field(default=10.0, description="Pictures looked at per second.")
    min_confidence: Fraction = Field(default=0.8, description="Of left against right; below it a hand is not counted.")


def check_each_arm_once(key: str, arms: Sequence[RobotArm]) -> None:
    """Raises the error of a recipe that describes an arm twice."""
    for index, spec in enumerate(arms):
        if any(other.arm is spec.arm for other in arms[:index]):
            raise impossible(f"{key}.{index}.arm", f"found {str(spec.arm)!r} twice, expected each arm once")
