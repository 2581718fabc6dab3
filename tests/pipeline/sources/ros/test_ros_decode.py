"""Whatever the encoding, a message becomes a dict; stamps are nanoseconds under any of their names."""

import json
from typing import Any

import numpy as np
import pytest

from pipeline.errors import SourceError
from pipeline.sources.ros.ros_channel import Channel
from pipeline.sources.ros.ros_decode import Decoder, bytes_of, number_at, stamp_of


def json_decoder() -> Decoder:
    return Decoder(Channel("/t", "made.Up", "json", "jsonschema", b"{}"), "a.mcap")


@pytest.mark.parametrize(
    ("message", "stamp_ns"),
    [
        ({"header": {"stamp": {"sec": 1, "nanosec": 2}}}, 1_000_000_002),
        ({"header": {"stamp": {"secs": 1, "nsecs": 2}}}, 1_000_000_002),
        ({"timestamp": {"seconds": 1, "nanos": 2}}, 1_000_000_002),
        ({"stamp": {"sec": 1, "nsec": 2}}, 1_000_000_002),
        ({"timestamp": {"sec": 10**30, "nsec": 2}}, 0),
        ({"timestamp": {"sec": -1, "nsec": 2}}, 0),
        ({"timestamp": "noon"}, None),
        ({"data": 1}, None),
    ],
)
def test_a_stamp_is_found_under_any_of_its_names(message: dict[str, Any], stamp_ns: int | None) -> None:
    assert stamp_of(message) == stamp_ns


def test_json_messages_are_objects() -> None:
    data = memoryview(json.dumps({"timestamp": {"sec": 3, "nsec": 0}, "x": 1}).encode())
    assert json_decoder().decode(data)["x"] == 1
    assert json_decoder().stamp_ns(data) == 3_000_000_000


@pytest.mark.parametrize("data", [b"", b"[1]", b"{", b"\xff", b"[" * 100_000, b'{"a":' * 100_000])
def test_json_that_is_no_object_is_an_error(data: bytes) -> None:
    with pytest.raises(SourceError, match=r"a\.mcap: /t \(made\.Up\): a message is (no|a) JSON"):
        json_decoder().decode(memoryview(data))


@pytest.mark.parametrize("definition", [b"", b"\xff\xff", b"\x0a\x03\x0a\x01a"])
def test_a_protobuf_definition_without_the_type_is_an_error(definition: bytes) -> None:
    with pytest.raises(SourceError, match="its definition cannot be used"):
        Decoder(Channel("/t", "made.Up", "protobuf", "protobuf", definition), "a.mcap")


def test_an_encoding_that_is_not_read_is_named() -> None:
    with pytest.raises(SourceError, match="is encoded as 'flatbuffer'; read are ros1, cdr, protobuf and json"):
        Decoder(Channel("/t", "made.Up", "flatbuffer", "flatbuffer", b""), "a.mcap")


def test_bytes_are_arrays_bytes_or_base64() -> None:
    assert bytes_of(np.array([104, 105], np.uint8), "t") == bytes_of(b"hi", "t") == bytes_of("aGk=", "t") == b"hi"
    with pytest.raises(SourceError, match="its data is no base64"):
        bytes_of("a!", "t")
    with pytest.raises(SourceError, match="its data is NoneType, expected bytes"):
        bytes_of(None, "t")


@pytest.mark.parametrize(
    ("path", "number"),
    [("a.b", 2.0), ("c.1", 5.0), ("d", 1.0), ("c.9", None), ("a.x", None), ("e", None), ("huge", None)],
)
def test_a_number_is_found_by_its_path(path: str, number: float | None) -> None:
    message = {"a": {"b": 2}, "c": np.array([4.0, 5.0]), "d": True, "e": "text", "huge": 10**400}
    found = number_at(message, path)
    assert np.isnan(found) if number is None else found == number
