"""From the bytes of a message to a dict, whatever the encoding: ROS 1, CDR, JSON or Protobuf.

All come out alike, so that nothing behind this cares: nested dicts with the field names of the definition; stamps in
nanoseconds, whether they are called ``header.stamp``, ``timestamp`` or ``stamp``, in seconds and nanoseconds.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2  # type: ignore[import-untyped]
from google.protobuf.descriptor_pool import DescriptorPool  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from google.protobuf.message_factory import GetMessageClass  # type: ignore[import-untyped]

from pipeline.errors import SourceError
from pipeline.sources.ros.ros_channel import Channel
from pipeline.sources.ros.ros_types import Decoded, RosType
from pipeline.sources.storage.json_file import parsed
from schemas.time import NS_PER_S

_SECONDS = ("sec", "secs", "seconds")
_NANOSECONDS = ("nanosec", "nsec", "nsecs", "nanos", "nanoseconds")


class Decoder:
    """Reads the messages of one channel."""

    def __init__(self, channel: Channel, where: str) -> None:
        """Raises SourceError when the definition cannot be used."""
        self.channel = channel
        self._ros = RosType(channel, where) if channel.encoding in ("ros1", "cdr") else None
        self.decode: Callable[[memoryview], Decoded] = self._ros.decode if self._ros else _other(channel, where)

    def stamp_ns(self, data: memoryview) -> int | None:
        """The message's own time; None when its type has none. Reads no more than it must."""
        return stamp_of(self._ros.first(data) if self._ros else self.decode(data))


def stamp_of(message: Mapping[str, Any]) -> int | None:
    """The time a message says it is about; None when it says none."""
    header = message.get("header")
    places = [header.get("stamp")] if isinstance(header, dict) else []
    for stamp in (*places, message.get("timestamp"), message.get("stamp")):
        if isinstance(stamp, dict):
            seconds = next((stamp[key] for key in _SECONDS if key in stamp), 0)
            nanoseconds = next((stamp[key] for key in _NANOSECONDS if key in stamp), 0)
            if isinstance(seconds, int) and isinstance(nanoseconds, int):
                total = seconds * NS_PER_S + nanoseconds
                return total if 0 <= total < 2**63 else 0
    return None


def _other(channel: Channel, where: str) -> Callable[[memoryview], Decoded]:
    name = f"{where}: {channel.topic} ({channel.type})"
    if channel.encoding == "json":
        return lambda data: _json(data, name)
    if channel.encoding == "protobuf":
        return _protobuf(channel, name)
    raise SourceError(f"{name}: is encoded as {channel.encoding!r}; read are ros1, cdr, protobuf and json")


def _json(data: memoryview, name: str) -> Decoded:
    try:
        message = parsed(bytes(data).decode())
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{name}: a message is no JSON ({error}); fetch the file again") from error
    if not isinstance(message, dict):
        raise SourceError(f"{name}: a message is a JSON {type(message).__name__}, expected an object")
    return message


def _protobuf(channel: Channel, name: str) -> Callable[[memoryview], Decoded]:
    """The definition is a serialised FileDescriptorSet that holds all it needs."""
    pool = DescriptorPool()
    try:
        for file in descriptor_pb2.FileDescriptorSet.FromString(channel.definition).file:
            pool.Add(file)
        kind = GetMessageClass(pool.FindMessageTypeByName(channel.type))
    except (DecodeError, TypeError, KeyError, ValueError, RecursionError) as error:
        problem = " ".join(str(error).split())[:200]
        raise SourceError(f"{name}: its definition cannot be used ({problem}); fetch the file again") from error

    def decode(data: memoryview) -> Decoded:
        try:
            return _as_dict(kind.FromString(bytes(data)))
        except (DecodeError, RecursionError) as error:
            raise SourceError(f"{name}: a message of {len(data)} bytes is damaged ({error})") from error

    return decode


def _as_dict(message: Any) -> Decoded:
    """All fields, defaults included; messages that are not there are left out."""
    values: Decoded = {}
    for field in message.DESCRIPTOR.fields:
        value, is_message = getattr(message, field.name), field.message_type is not None
        if field.is_repeated:
            if is_message:
                values[field.name] = [] if field.message_type.GetOptions().map_entry else [_as_dict(v) for v in value]
            else:
                values[field.name] = list(value)
        elif not is_message:
            values[field.name] = value
        elif message.HasField(field.name):
            values[field.name] = _as_dict(value)
    return values


def bytes_of(value: object, name: str) -> bytes:
    """A field of bytes: an array in ROS, bytes in Protobuf, base64 text in JSON. Raises SourceError for others."""
    if isinstance(value, np.ndarray) and value.dtype.itemsize == 1:
        return value.tobytes()
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except binascii.Error as error:
            raise SourceError(f"{name}: its data is no base64 ({error}); fetch the file again") from error
    raise SourceError(f"{name}: its data is {type(value).__name__}, expected bytes")


def number_at(message: Mapping[str, Any], path: str) -> float:
    """The number at a dotted path such as ``position.0``; NaN when there is none."""
    value: Any = message
    for step in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list | np.ndarray) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return float("nan")
    return as_number(value)


def as_number(value: object) -> float:
    """A float; NaN for what is no number, JSON's integers beyond all floats among them."""
    try:
        return float(value) if isinstance(value, int | float | np.number | np.bool_) else float("nan")
    except OverflowError:
        return float("nan")
