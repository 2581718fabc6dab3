"""What a recipe asks of one message: poses of every type ROS has, joints by name, numbers by path."""

from typing import Any

import numpy as np
import pytest

from pipeline.sources.ros.ros_values import (
    JointsOf,
    NumberOf,
    PoseOf,
    Value,
    children_of,
    is_planar,
    reordered,
    text_of,
)

POSITION, ORIENTATION = {"x": 1.0, "y": 2.0, "z": 3.0}, {"x": 0.0, "y": 0.0, "z": 0.6, "w": 0.8}
POSE = {"position": POSITION, "orientation": ORIENTATION}
TRANSFORM = {"translation": POSITION, "rotation": ORIENTATION}
STAMP = {"sec": 4, "nanosec": 5}
HEADER = {"stamp": STAMP, "frame_id": "base"}
NUMBERS = (1.0, 2.0, 3.0, 0.0, 0.0, 0.6, 0.8)


def linked(child: str, parent: str = "base") -> dict[str, Any]:
    return {"header": {**HEADER, "frame_id": parent}, "child_frame_id": child, "transform": TRANSFORM}


@pytest.mark.parametrize(
    ("message", "stamp_ns", "frame"),
    [
        ({"header": HEADER, "pose": POSE}, 4_000_000_005, "base"),
        ({"header": HEADER, "child_frame_id": "tool", "pose": {"pose": POSE, "covariance": []}}, 4_000_000_005, "base"),
        (linked("tool"), 4_000_000_005, "base"),
        ({"timestamp": STAMP, "frame_id": "base", "pose": POSE}, 4_000_000_005, "base"),
        ({"timestamp": STAMP, "parent_frame_id": "base", "child_frame_id": "tool", **TRANSFORM}, 4_000_000_005, "base"),
        (POSE, None, ""),
    ],
)
def test_a_pose_is_found_in_every_type(message: dict[str, Any], stamp_ns: int | None, frame: str) -> None:
    assert PoseOf("/t").take(message) == Value(NUMBERS, stamp_ns, frame)


def test_a_transform_is_chosen_by_child_and_parent() -> None:
    message = {"transforms": [linked("camera"), linked("tool", "world"), linked("tool")]}
    assert PoseOf("/tf", "tool").take(message) == Value(NUMBERS, 4_000_000_005, "world")
    assert PoseOf("/tf", "tool", "base").take(message) == Value(NUMBERS, 4_000_000_005, "base")
    assert PoseOf("/tf", "elbow").take(message) is None


def test_a_message_may_say_where_several_frames_are() -> None:
    assert children_of({"transforms": [linked("camera"), linked("tool", "world"), linked("tool")]}) == {
        "camera",
        "tool",
    }
    assert children_of(linked("tool")) == {"tool"}
    assert children_of({"header": HEADER, "pose": POSE}) == set()


def test_a_planar_pose_turns_about_z() -> None:
    message = {"x": 1.0, "y": 2.0, "theta": np.pi / 2}
    value = PoseOf("/t").take(message)
    assert value is not None
    assert value.numbers == pytest.approx((1, 2, 0, 0, 0, np.sqrt(0.5), np.sqrt(0.5)))
    assert is_planar(message)


def test_what_is_no_pose_is_none_and_a_missing_number_is_nan() -> None:
    assert PoseOf("/t").take({"data": 1.0}) is None
    value = PoseOf("/t").take({"position": {"x": 1.0, "y": "two"}, "orientation": ORIENTATION})
    assert value is not None
    assert np.isnan(value.numbers[1:3]).all()


def test_joints_are_named_and_put_in_order() -> None:
    value = JointsOf("/joints").take({"header": HEADER, "name": ["b", "a"], "position": np.array([2.0, 1.0])})
    assert value == Value((2.0, 1.0), 4_000_000_005, names=("b", "a"))
    assert reordered(value, ("a", "b")) == (1.0, 2.0)
    assert reordered(value, ("a",)) == (1.0,)
    assert reordered(value, ("a", "c")) is None


def test_joints_without_positions_are_nan() -> None:
    value = JointsOf("/joints").take({"name": ["a", "b"], "position": np.zeros(0)})
    assert value is not None
    assert np.isnan(value.numbers).all()


def test_numbers_of_other_messages_are_named_by_their_path() -> None:
    twist = {"header": HEADER, "twist": {"linear": {"x": 1.0, "y": 2.0}, "angular": {"z": 3.0}}}
    value = JointsOf("/cmd").take(twist)
    assert value is not None
    assert value.names == ("twist.linear.x", "twist.linear.y", "twist.angular.z")
    array = JointsOf("/cmd").take({"layout": {"data_offset": 0}, "data": np.array([5.0, 6.0])})
    assert array is not None
    assert array.names == ("data.0", "data.1")
    assert reordered(array, ("elbow", "wrist")) == (5.0, 6.0)
    assert reordered(value, ("a", "b", "c")) is None, "numbers that have names are not renamed"


def test_a_point_cloud_is_no_joints() -> None:
    assert JointsOf("/cloud").take({"data": np.zeros(1000)}) is None


def test_a_gripper_is_a_joint_or_a_field() -> None:
    state = {"name": ["a", "finger"], "position": np.array([1.0, 0.04])}
    assert NumberOf("/t", joint="finger").take(state) == Value((0.04,), None)
    assert NumberOf("/t", joint="thumb").take(state) is None
    assert NumberOf("/t", field="position.1").take(state) == Value((0.04,), None)
    assert NumberOf("/t").take({"data": 7}) == Value((7.0,), None)


def test_texts_are_said_in_data_text_or_value() -> None:
    assert text_of({"data": " lift "}) == text_of({"text": "lift"}) == text_of({"value": "lift"}) == "lift"
    assert text_of({"x": 1}) == ""
