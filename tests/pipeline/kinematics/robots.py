"""Robots for tests, written as URDF text: one whose truth is school geometry, and one with seven joints."""

import math
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from schemas.array import Floats
from schemas.episode import ActionKind, ActionTrack, ArmTrack
from schemas.recipe_kinematics import KinematicsSpec, RetargetSpec
from schemas.robot_chain import Chain
from schemas.time import NS_PER_S
from schemas.urdf import chain_of

UPPER_M, FORE_M = 0.3, 0.2

PLANAR = f"""<?xml version="1.0"?>
<robot name="planar">
  <link name="base"><visual><geometry><mesh filename="package://no/such/mesh.stl"/></geometry></visual></link>
  <link name="upper"/><link name="fore"/><link name="tool"/>
  <joint name="shoulder" type="revolute"><parent link="base"/><child link="upper"/>
    <axis xyz="0 0 2"/><limit lower="-3" upper="3" velocity="2" effort="1"/></joint>
  <joint name="elbow" type="revolute"><parent link="upper"/><child link="fore"/><origin xyz="{UPPER_M} 0 0"/>
    <axis xyz="0 0 1"/><limit lower="-2.5" upper="2.5" velocity="2" effort="1"/></joint>
  <joint name="flange" type="fixed"><parent link="fore"/><child link="tool"/><origin xyz="{FORE_M} 0 0"/></joint>
</robot>"""
"""Two links in a plane: x = 0.3 cos a + 0.2 cos(a + b), y likewise with sines."""

_TURN = math.pi / 2
SEVEN_ORIGINS = (
    ((0.0, 0.0, 0.333), (0.0, 0.0, 0.0)),
    ((0.0, 0.0, 0.0), (-_TURN, 0.0, 0.0)),
    ((0.0, -0.316, 0.0), (_TURN, 0.0, 0.0)),
    ((0.0825, 0.0, 0.0), (_TURN, 0.0, 0.0)),
    ((-0.0825, 0.384, 0.0), (-_TURN, 0.0, 0.0)),
    ((0.0, 0.0, 0.0), (_TURN, 0.0, 0.0)),
    ((0.088, 0.0, 0.0), (_TURN, 0.0, 0.0)),
)
"""Published dimensions of the Franka Emika Panda (modified Denavit-Hartenberg), the flange is 0.107 m further on."""
SEVEN_LIMITS = (
    (-2.8973, 2.8973),
    (-1.7628, 1.7628),
    (-2.8973, 2.8973),
    (-3.0718, -0.0698),
    (-2.8973, 2.8973),
    (-0.0175, 3.7525),
    (-2.8973, 2.8973),
)
FLANGE_M = 0.107


def seven() -> str:
    """The seven-joint arm as URDF."""
    parts = ['<robot name="seven">', *(f'<link name="link{i}"/>' for i in range(9))]
    for i, ((xyz, rpy), (lower, upper)) in enumerate(zip(SEVEN_ORIGINS, SEVEN_LIMITS, strict=True)):
        parts.append(
            f'<joint name="joint{i + 1}" type="revolute"><parent link="link{i}"/><child link="link{i + 1}"/>'
            f'<origin xyz="{_words(xyz)}" rpy="{_words(rpy)}"/><axis xyz="0 0 1"/>'
            f'<limit lower="{lower}" upper="{upper}" velocity="2.175" effort="87"/></joint>'
        )
    parts.append(
        '<joint name="joint8" type="fixed"><parent link="link7"/><child link="link8"/>'
        f'<origin xyz="0 0 {FLANGE_M}"/></joint></robot>'
    )
    return "".join(parts)


def _words(numbers: tuple[float, ...]) -> str:
    return " ".join(repr(number) for number in numbers)


def seven_pose(q: Floats) -> Floats:
    """The flange of the seven-joint arm, [4, 4], without any kinematics library."""
    pose = np.eye(4)
    for (xyz, rpy), angle in zip(SEVEN_ORIGINS, q, strict=True):
        pose = pose @ matrix(xyz, rpy) @ matrix((0.0, 0.0, 0.0), (0.0, 0.0, float(angle)))
    return pose @ matrix((0.0, 0.0, FLANGE_M), (0.0, 0.0, 0.0))


def matrix(xyz: tuple[float, ...], rpy: tuple[float, ...]) -> Floats:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = Rotation.from_euler("xyz", rpy).as_matrix(), xyz
    return pose


def planar_point(a: Floats, b: Floats) -> Floats:
    """The tool of the planar arm, [T, 3]."""
    x = UPPER_M * np.cos(a) + FORE_M * np.cos(a + b)
    y = UPPER_M * np.sin(a) + FORE_M * np.sin(a + b)
    return np.stack([x, y, np.zeros_like(x)], axis=1)


def seven_joints(n_rows: int, reach: float = 0.25) -> Floats:
    """A smooth motion around the middle of the limits, [T, 7]."""
    low, high = np.array(SEVEN_LIMITS).T
    phase = np.linspace(0, 2, n_rows)[:, None] * np.linspace(0.5, 1.5, 7) + np.arange(7)
    return (low + high) / 2 + reach * np.sin(phase) * (high - low) / 2


def chain(text: str, tip: str) -> Chain:
    return chain_of(text, None, tip)


SIMULATED = "sim/robosuite_pickplacecan_seed0_normal.npz"
"""A simulated Panda with its joints and the position of its gripper, by another library."""
SIMULATED_BASE = {"xyz": [-0.5, -0.1, 0.912]}
SIMULATED_TOOL = {"xyz": [0, 0, 0.097]}


def seven_spec(**more: Any) -> KinematicsSpec:
    joints = {f"joint{i + 1}": i for i in range(7)}
    stated = {"arm": "right", "urdf": chain(seven(), "link8"), "tip_link": "link8", "joints": joints}
    return KinematicsSpec.model_validate({**stated, **more})


def planar_spec(**more: Any) -> KinematicsSpec:
    stated = {"arm": "right", "urdf": chain(PLANAR, "tool"), "tip_link": "tool", "joints": {"shoulder": 0, "elbow": 1}}
    return KinematicsSpec.model_validate({**stated, **more})


def seven_retarget(**more: Any) -> RetargetSpec:
    stated = {"arm": "right", "urdf": chain(seven(), "link8"), "tip_link": "link8", "base_pose": {}}
    return RetargetSpec.model_validate({**stated, **more})


def joint_track(values: Floats, hz: float = 20.0) -> ActionTrack:
    """A recording of joints only, named j0, j1, …"""
    names = tuple(f"j{i}" for i in range(values.shape[1]))
    return _track(len(values), hz, joint_names=names, joint_state=values.astype(np.float32).reshape(-1))


def pose_track(arm: ArmTrack, hz: float = 20.0) -> ActionTrack:
    """A recording of one arm's poses only."""
    assert arm.position is not None
    return _track(len(arm.position), hz, state=(arm,))


def _track(n_rows: int, hz: float, **recorded: Any) -> ActionTrack:
    nothing: dict[str, Any] = {"state": (), "target": (), "joint_names": (), "joint_state": None, "joint_target": None}
    return ActionTrack(
        episode_id="ep-1",
        kind=ActionKind.MEASURED,
        provenance="made up",
        times_ns=np.round(np.arange(n_rows) * NS_PER_S / hz).astype(np.int64),
        valid=np.ones(n_rows, np.bool_),
        **{**nothing, **recorded},
    )
