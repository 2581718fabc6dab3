"""A robot arm as pinocchio sees it, built joint by joint from the recipe's chain.

Pinocchio because it is maintained, is the reference implementation most control stacks share, and gives poses and
Jacobians in microseconds per row. Its own URDF parser is not used: the file was read when the recipe was loaded
(`schemas.urdf`), and nothing but checked numbers reaches compiled code. Base and tool offsets are part of the model,
so that what comes out is the tool centre point in the recording's frame. Continuous joints are plain angles.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from pipeline.errors import JoineryError
from schemas.array import Floats
from schemas.recipe_extras import PINOCCHIO
from schemas.robot_chain import Chain, ChainJoint, JointMotion, Placement


@dataclass(frozen=True, eq=False)
class Robot:
    """One arm; its joints are numbered as in the chain, fixed ones left out."""

    joints: tuple[ChainJoint, ...]
    lower: Floats
    """float64 [J]: rad or m; −inf for continuous joints."""
    upper: Floats
    reach: float
    """No pose of the tool is further from ``shoulder``, metres; inf where a joint slides without end."""
    shoulder: Floats
    """float64 [3]: where the first joint is, in the recording's frame."""
    model: Any
    data: Any
    tool: int
    """Frame of the tool centre point."""

    def pose(self, q_J: Floats) -> tuple[Floats, Floats]:
        """Position [3] and rotation matrix [3, 3] of the tool, float64; a copy."""
        pin = pinocchio()
        pin.forwardKinematics(self.model, self.data, q_J)
        placement = pin.updateFramePlacement(self.model, self.data, self.tool)
        return placement.translation.copy(), placement.rotation.copy()

    def poses(self, q_TJ: Floats) -> tuple[Floats, Floats]:
        """Positions [T, 3] and rotation matrices [T, 3, 3], float64; NaN where a joint is not finite."""
        position, rotation = np.full((len(q_TJ), 3), np.nan), np.full((len(q_TJ), 3, 3), np.nan)
        for row in np.flatnonzero(np.isfinite(q_TJ).all(axis=1)):
            position[row], rotation[row] = self.pose(q_TJ[row])
        return position, rotation

    def jacobian(self, q_J: Floats) -> Floats:
        """Linear over angular velocity of the tool per joint velocity, in the recording's axes, float64 [6, J]."""
        pin = pinocchio()
        jacobian: Floats = pin.computeFrameJacobian(
            self.model, self.data, q_J, self.tool, pin.ReferenceFrame.LOCAL_WORLD_ALIGNED
        )
        return jacobian

    def outside(self, q_TJ: Floats) -> Floats:
        """How far each joint is outside its limits, float64 [T, J]; 0 inside, NaN where it is not finite."""
        beyond: Floats = np.maximum(np.maximum(self.lower - q_TJ, q_TJ - self.upper), 0.0)
        return beyond


@lru_cache(maxsize=64)
def robot_of(chain: Chain, base: Placement, tool: Placement) -> Robot:
    """The arm with its base at ``base`` of the recording's frame and the tool at ``tool`` of the tip link.

    Raises JoineryError without pinocchio.
    """
    pin = pinocchio()
    model = pin.Model()
    place, parent, reach, shoulder = _placed(pin, base), 0, 0.0, None
    for joint in chain.joints:
        place = place * _placed(pin, joint.origin)
        if joint.motion is JointMotion.FIXED:
            continue
        if shoulder is None:
            shoulder = place.translation.copy()
        else:
            reach += float(np.linalg.norm(place.translation))
        axis = np.array(joint.axis) / np.linalg.norm(joint.axis)
        slides = joint.motion is JointMotion.PRISMATIC
        kind = pin.JointModelPrismaticUnaligned(axis) if slides else pin.JointModelRevoluteUnaligned(axis)
        parent = model.addJoint(parent, kind, place, joint.name)
        reach += max(abs(joint.lower), abs(joint.upper)) if slides else 0.0
        place = pin.SE3.Identity()
    place = place * _placed(pin, tool)
    reach += float(np.linalg.norm(place.translation))
    frame = model.addFrame(pin.Frame("tool", parent, place, pin.FrameType.OP_FRAME))
    limits = [_limits(joint) for joint in chain.moving]
    return Robot(
        joints=chain.moving,
        lower=np.array([lower for lower, _ in limits]),
        upper=np.array([upper for _, upper in limits]),
        reach=reach,
        shoulder=np.zeros(3) if shoulder is None else shoulder,
        model=model,
        data=model.createData(),
        tool=frame,
    )


def pinocchio() -> Any:
    """The library. Raises JoineryError where it is not installed."""
    try:
        import pinocchio as pin  # noqa: PLC0415 - an extra; only sources that ask for kinematics need it
    except ImportError as error:
        raise JoineryError(f"kinematics need pinocchio, which is not on this machine; {PINOCCHIO}") from error
    return pin


def _placed(pin: Any, placement: Placement) -> Any:
    return pin.SE3(pin.rpy.rpyToMatrix(*placement.rpy), np.array(placement.xyz))


def _limits(joint: ChainJoint) -> tuple[float, float]:
    return (-math.inf, math.inf) if joint.motion is JointMotion.CONTINUOUS else (joint.lower, joint.upper)
