"""What of a message a recipe asks for: a pose, joints, one number, a flag, a text. Judged by structure, not by type.

Messages of one topic need not belong together: several nodes publish on ``/joint_states`` and on ``/tf``. So joints
are matched by name, never by position, and a transform by its child frame; messages that are about something else
are passed over and counted. A request's label says all that tells it from others of its topic, for clocks and columns
go by it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pipeline.sources.ros.ros_decode import as_number, number_at, stamp_of
from pipeline.sources.ros.ros_types import Decoded
from schemas.recipe_formats.ros_bag import ArmTopics

_NOT_NUMBERS = {"header", "stamp", "timestamp", "layout"}
_MAX_NUMBERS = 256
"""More numbers per message are a point cloud or a map, no joints."""


class Value(NamedTuple):
    """What one message gives."""

    numbers: tuple[float, ...]
    stamp_ns: int | None
    frame: str = ""
    """What a pose is given in."""
    names: tuple[str, ...] = ()
    """What each number is, for joints."""


@dataclass(frozen=True)
class PoseOf:
    """Seven numbers: position, quaternion x, y, z, w."""

    topic: str
    child: str | None = None
    parent: str | None = None

    @property
    def label(self) -> str:
        parent = None if self.parent is None else f"in {self.parent}"
        return " ".join(filter(None, (self.topic, self.child, parent)))

    def take(self, message: Decoded) -> Value | None:
        for candidate in _transforms(message):
            if self.child is not None and candidate.get("child_frame_id") != self.child:
                continue
            frame = _frame_of(candidate)
            if self.parent is None or frame == self.parent:
                numbers = _pose(candidate)
                if numbers is not None:
                    return Value(numbers, stamp_of(candidate), frame)
        return None


@dataclass(frozen=True)
class JointsOf:
    """Positions of joints; ``names`` says which, empty for those of the first message."""

    topic: str
    names: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return f"{self.topic} joints {', '.join(self.names)}".rstrip()

    def take(self, message: Decoded) -> Value | None:
        names, numbers = _named_numbers(message)
        if not names or len(numbers) > _MAX_NUMBERS:
            return None
        return Value(numbers, stamp_of(message), names=names)


@dataclass(frozen=True)
class NumberOf:
    """One number: a joint's position, or the value at a dotted path."""

    topic: str
    joint: str | None = None
    field: str = "data"

    @property
    def label(self) -> str:
        return f"{self.topic} {self.joint or self.field}"

    def take(self, message: Decoded) -> Value | None:
        if self.joint is None:
            return Value((number_at(message, self.field),), stamp_of(message))
        names, numbers = _named_numbers(message)
        if self.joint not in names:
            return None
        return Value((numbers[names.index(self.joint)],), stamp_of(message))


Request = PoseOf | JointsOf | NumberOf


def requests_of_arm(arm: ArmTopics) -> list[Request]:
    """What an arm of the recipe asks for, the one whose messages make the rows first."""
    found: list[Request] = []
    if arm.pose_topic is not None:
        found.append(PoseOf(arm.pose_topic, arm.child_frame, arm.parent_frame))
    if arm.joints_topic is not None:
        found.append(JointsOf(arm.joints_topic, tuple(arm.joint_names)))
    if arm.gripper is not None:
        found.append(NumberOf(arm.gripper.topic, arm.gripper.joint, arm.gripper.field))
    return found


def reordered(value: Value, wanted: tuple[str, ...]) -> tuple[float, ...] | None:
    """Joints in the wanted order. None when the message is about other joints.

    Numbers without names of their own (a Float64MultiArray) take the wanted names when they are as many.
    """
    if value.names == wanted or not wanted:
        return value.numbers
    at = {name: i for i, name in enumerate(value.names)}
    if all(name in at for name in wanted):
        return tuple(value.numbers[at[name]] for name in wanted)
    unnamed = all(name.rpartition(".")[2].isdigit() for name in value.names)
    return value.numbers if unnamed and len(value.numbers) == len(wanted) else None


def text_of(message: Mapping[str, Any]) -> str:
    """What a text message says."""
    return next((str(message[key]).strip() for key in ("data", "text", "value") if key in message), "")


def _transforms(message: Decoded) -> list[Decoded]:
    several = message.get("transforms")
    return [item for item in several if isinstance(item, dict)] if isinstance(several, list) else [message]


def _frame_of(message: Decoded) -> str:
    header = message.get("header")
    places = (header.get("frame_id") if isinstance(header, dict) else None, message.get("parent_frame_id"))
    return next((str(place) for place in (*places, message.get("frame_id")) if place), "")


def _pose(message: Decoded) -> tuple[float, ...] | None:
    """Of PoseStamped, Odometry, TransformStamped, Pose, PoseInFrame, FrameTransform, or a planar x, y, theta."""
    for key in ("pose", "transform"):
        inner = message.get(key)
        if isinstance(inner, dict):
            return _pose(inner)
    for where, turn in (("position", "orientation"), ("translation", "rotation")):
        place, rotation = message.get(where), message.get(turn)
        if isinstance(place, dict) and isinstance(rotation, dict):
            return (*_take(place, "xyz"), *_take(rotation, "xyzw"))
    if {"x", "y", "theta"} <= message.keys():
        x, y, theta = (as_number(message[key]) for key in ("x", "y", "theta"))
        return (x, y, 0.0, 0.0, 0.0, float(np.sin(theta / 2)), float(np.cos(theta / 2)))
    return None


def children_of(message: Decoded) -> set[str]:
    """The frames a message says where they are. Poses of two of them are no path."""
    found = (candidate.get("child_frame_id") for candidate in _transforms(message))
    return {child for child in found if isinstance(child, str) and child}


def is_planar(message: Decoded) -> bool:
    """Whether its pose has no height because it moves in a plane."""
    return {"x", "y", "theta"} <= message.keys()


def _take(numbers: Mapping[str, Any], keys: str) -> Iterator[float]:
    return (as_number(numbers.get(key)) for key in keys)


def _named_numbers(message: Decoded) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """JointState by its joints' names; of other messages every number, named by its path."""
    names, positions = message.get("name"), message.get("position")
    if isinstance(names, list) and isinstance(positions, list | np.ndarray):
        known = tuple(str(name) for name in names)
        values = tuple(as_number(value) for value in positions)
        return (known, values) if len(values) == len(known) else (known, (float("nan"),) * len(known))
    found = dict(_leaves(message, ""))
    return tuple(found), tuple(found.values())


def _leaves(value: Any, path: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key not in _NOT_NUMBERS:
                yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | np.ndarray):
        if len(value) <= _MAX_NUMBERS:
            for i, inner in enumerate(value):
                if not isinstance(inner, Mapping):
                    yield from _leaves(inner, f"{path}.{i}")
    elif isinstance(value, int | float | np.number) and not isinstance(value, bool):
        yield path, as_number(value)
