"""Messages are read as their definitions say, by a tree and not by generated code; counts are checked first."""

import struct
import time
from typing import Any

import numpy as np
import pytest
from rosbags.typesys import Stores, get_typestore

from pipeline.errors import SourceError
from pipeline.sources.ros.ros_channel import Channel
from pipeline.sources.ros.ros_types import RosType

SAMPLE = (
    "int8 a\nfloat64 b\nstring c\nuint16[] d\nbool[3] e\nInner[] f\nstring[2] g\nuint8 LIMIT=7\ntime h\n"
    f"{'=' * 80}\nMSG: made/Inner\nuint8 x\nfloat32[<=4] y\n"
)
INNER = struct.pack("<BIf", 9, 1, 0.5)
ROS1 = (
    struct.pack("<bd", -3, 1.5) + struct.pack("<I", 2) + b"hi" + struct.pack("<IHH", 2, 7, 8) + b"\1\0\1"
    + struct.pack("<I", 1) + INNER + struct.pack("<I", 1) + b"p" + struct.pack("<I", 0) + struct.pack("<II", 10, 20)
)  # fmt: skip


def ros_type(definition: str, encoding: str = "ros1", name: str = "made/Sample") -> RosType:
    schema = "ros1msg" if encoding == "ros1" else "ros2msg"
    return RosType(Channel("/t", name, encoding, schema, definition.encode()), "a.bag")


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return (
        value.tolist()
        if isinstance(value, np.ndarray)
        else [plain(v) for v in value]
        if isinstance(value, list)
        else value
    )


def test_ros1_messages_are_read_without_gaps() -> None:
    assert plain(ros_type(SAMPLE).decode(memoryview(ROS1))) == {
        "a": -3, "b": 1.5, "c": "hi", "d": [7, 8], "e": [True, False, True], "f": [{"x": 9, "y": [0.5]}],
        "g": ["p", ""], "h": {"sec": 10, "nanosec": 20},
    }  # fmt: skip


@pytest.mark.parametrize("endian", ["little", "big"])
def test_cdr_messages_are_read_with_their_gaps(endian: str) -> None:
    """rosbags' writer is the reference; in CDR every number starts at a multiple of its size."""
    store = get_typestore(Stores.ROS2_HUMBLE)
    header = store.types["std_msgs/msg/Header"](store.types["builtin_interfaces/msg/Time"](5, 6), "base")
    kind = "sensor_msgs/msg/JointState"
    message = store.types[kind](header, ["a", "bcd"], np.array([1.0, 2.0]), np.zeros(0), np.array([3.5]))
    data = store.serialize_cdr(message, kind, little_endian=endian == "little")
    channel = Channel("/t", "sensor_msgs/JointState", "cdr", "", b"")
    assert plain(RosType(channel, "a").decode(memoryview(data))) == {
        "header": {"stamp": {"sec": 5, "nanosec": 6}, "frame_id": "base"},
        "name": ["a", "bcd"], "position": [1.0, 2.0], "velocity": [], "effort": [3.5],
    }  # fmt: skip
    assert list(RosType(channel, "a").first(memoryview(data))) == ["header"]


def test_every_prefix_of_a_message_is_an_error() -> None:
    for n_bytes in range(len(ROS1)):
        with pytest.raises(SourceError, match=rf"a\.bag: /t \(made/Sample\): a message of {n_bytes} bytes is damaged"):
            ros_type(SAMPLE).decode(memoryview(ROS1[:n_bytes]))


@pytest.mark.parametrize(
    ("definition", "data"),
    [
        ("uint8[] a", struct.pack("<I", 2**32 - 1)),
        ("string[] a", struct.pack("<I", 2**32 - 1)),
        ("Empty[] a\n" + "=" * 80 + "\nMSG: made/Empty\n", struct.pack("<I", 2**32 - 1)),
        ("float64[4000000000] a", b""),
        ("Empty[4000000000] a\n" + "=" * 80 + "\nMSG: made/Empty\n", b""),
        ("string a", struct.pack("<I", 2**31)),
    ],
)
def test_claimed_counts_take_neither_time_nor_memory(definition: str, data: bytes) -> None:
    started = time.process_time()
    with pytest.raises(SourceError, match="is damaged: byte"):
        ros_type(definition).decode(memoryview(data))
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("definition", "problem"),
    [
        ("int32[ a", "cannot be parsed"),
        ("Nowhere a", "the type made/msg/Nowhere is defined neither in the bag nor by ROS"),
        ("Sample[] again", "the type made/msg/Sample contains itself"),
        ("int32 " + "a" * 300_000, "its definition has 300006 bytes"),
        ("int32 A=" + "9" * 5000, "cannot be parsed"),
    ],
)
def test_a_definition_that_means_nothing_is_an_error(definition: str, problem: str) -> None:
    with pytest.raises(SourceError, match=problem):
        ros_type(definition).decode(memoryview(bytes(100)))


def test_a_definition_is_never_executed(monkeypatch: pytest.MonkeyPatch) -> None:
    """rosbags would build Python source from it; names that could leave a string literal are not even parsed."""

    def forbidden(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("builtins.exec", forbidden)
    monkeypatch.setattr("builtins.eval", forbidden)
    assert plain(ros_type(SAMPLE).decode(memoryview(ROS1)))["c"] == "hi"
    with pytest.raises(SourceError, match="cannot be parsed"):
        ros_type('int32 a"); import os; ("').decode(memoryview(bytes(8)))


def test_windows_line_ends_and_short_separators_are_read() -> None:
    definition = SAMPLE.replace("\n", "\r\n").replace("=" * 80, "=" * 40 + " ")
    assert plain(ros_type(definition).decode(memoryview(ROS1)))["f"] == [{"x": 9, "y": [0.5]}]


def test_an_empty_message_takes_one_byte_in_ros2_and_none_in_ros1() -> None:
    assert ros_type("").decode(memoryview(b"")) == {}
    assert list(ros_type("# nothing", "cdr").decode(memoryview(b"\0\1\0\0\0"))) == [
        "structure_needs_at_least_one_member"
    ]


def test_cdr_of_another_kind_is_refused() -> None:
    with pytest.raises(SourceError, match="starts with 00030000, expected plain CDR"):
        ros_type("bool data", "cdr").decode(memoryview(b"\0\3\0\0\1"))
