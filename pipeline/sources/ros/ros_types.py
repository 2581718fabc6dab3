"""Reading ROS messages as their definitions say, without making code of them.

The usual libraries turn a definition into Python source and execute it, and definitions come with the file. Here a
definition is parsed into a tree (by rosbags' parser, which only parses) and the tree reads the bytes. Types that a
bag does not define, as db3 bags before ROS 2 Iron do, are those of the ROS release. A message becomes a dict of
numbers, texts, dicts, lists, and NumPy arrays that look into the message's bytes.
"""

import re
import struct
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from rosbags.interfaces import Nodetype
from rosbags.typesys.base import TypesysError
from rosbags.typesys.msg import get_types_from_msg
from rosbags.typesys.stores import ros1_noetic, ros2_humble

from pipeline.errors import SourceError
from pipeline.sources.ros.ros_channel import Channel

Decoded = dict[str, Any]
_Read = Callable[[memoryview, int], tuple[Any, int]]
"""Takes bytes and a place in them; gives the value and the place after it."""
_Part = tuple[_Read, int]
"""And how many bytes it takes at least, so that claimed counts can be checked."""

_MAX_DEFINITION_BYTES = 256 << 10
_MAX_DEPTH = 32
_SEPARATOR = "=" * 80
_CODES = {
    "bool": "?", "byte": "B", "char": "B", "int8": "b", "uint8": "B", "int16": "h", "uint16": "H", "int32": "i",
    "uint32": "I", "int64": "q", "uint64": "Q", "float32": "f", "float64": "d",
}  # fmt: skip
_DEFAULT_TYPES = {"ros1": ros1_noetic.FIELDDEFS, "cdr": ros2_humble.FIELDDEFS}


class MessageError(ValueError):
    """Bytes that are not what their type says."""


class RosType:
    """How the messages of one channel are read."""

    def __init__(self, channel: Channel, where: str) -> None:
        self._where = f"{where}: {channel.topic} ({channel.type})"
        self._aligned = channel.encoding == "cdr"
        self._name = _full_name(channel.type)
        self._types = {**_DEFAULT_TYPES[channel.encoding], **_defined(channel, self._where)}
        self._readers: dict[str, list[tuple[str, _Part]]] = {}

    def decode(self, data: memoryview) -> Decoded:
        """The whole message. Raises SourceError when its bytes are not what the type says."""
        return self._read(data, None)

    def first(self, data: memoryview) -> Decoded:
        """Its first field only, which is where stamps are; pictures behind it are not touched."""
        return self._read(data, 1)

    def _read(self, data: memoryview, n_fields: int | None) -> Decoded:
        order = "<"
        if self._aligned:
            order, data = self._body(data)
        if order not in self._readers:
            self._readers[order] = self._fields(self._name, order, ())
        try:
            at, message = 0, {}
            for name, (read, _) in self._readers[order][:n_fields]:
                message[name], at = read(data, at)
        except (MessageError, struct.error) as error:
            raise SourceError(f"{self._where}: a message of {len(data)} bytes is damaged: {error}") from error
        return message

    def _body(self, data: memoryview) -> tuple[str, memoryview]:
        """What follows the four bytes that say how CDR is written down."""
        if len(data) < 4 or data[0] != 0 or data[1] not in (0, 1):
            raise SourceError(f"{self._where}: a message starts with {bytes(data[:4]).hex()}, expected plain CDR")
        return "<" if data[1] else ">", data[4:]

    def _fields(self, name: str, order: str, open_types: tuple[str, ...]) -> list[tuple[str, _Part]]:
        if name not in self._types:
            raise SourceError(f"{self._where}: the type {name} is defined neither in the bag nor by ROS")
        if name in open_types or len(open_types) > _MAX_DEPTH:
            raise SourceError(f"{self._where}: the type {name} contains itself; the definition is damaged")
        fields = self._types[name][1]
        if not fields and self._aligned:
            return [("structure_needs_at_least_one_member", _number("uint8", order, aligned=True))]
        return [(field, self._part(kind, order, (*open_types, name))) for field, kind in fields]

    def _part(self, kind: Any, order: str, open_types: tuple[str, ...]) -> _Part:
        node, inner = kind
        if node == Nodetype.BASE:
            return _text(order, self._aligned) if inner[0] == "string" else _number(inner[0], order, self._aligned)
        if node == Nodetype.NAME:
            return _record(self._fields(inner, order, open_types))
        element, count = inner
        count = count if node == Nodetype.ARRAY else None
        if element[0] == Nodetype.BASE and element[1][0] != "string":
            return _numbers(element[1][0], order, self._aligned, count)
        return _several(self._part(element, order, open_types), order, self._aligned, count)


def _full_name(name: str) -> str:
    package, _, rest = name.partition("/")
    return f"{package}/msg/{rest}" if rest and not rest.startswith(("msg/", "action/", "srv/")) else name


def _defined(channel: Channel, where: str) -> Mapping[str, Any]:
    """The types a channel's definition declares."""
    if channel.schema not in ("ros1msg", "ros2msg") or (channel.schema == "ros2msg" and not channel.definition):
        return {}
    if len(channel.definition) > _MAX_DEFINITION_BYTES:
        raise SourceError(f"{where}: its definition has {len(channel.definition)} bytes; the file is damaged")
    return _parsed(channel.definition, channel.type, where)


@lru_cache(maxsize=256)
def _parsed(definition: bytes, name: str, where: str) -> Mapping[str, Any]:
    text = definition.decode("utf-8", "replace").replace("\r\n", "\n")
    text = re.sub(r"^={20,}[ \t]*$", _SEPARATOR, text, flags=re.MULTILINE)
    try:
        types: Mapping[str, Any] = get_types_from_msg(f"{text}\n", name)
    except (TypesysError, ValueError, AssertionError, RecursionError) as error:
        problem = " ".join(str(error).split())[-200:]
        raise SourceError(f"{where}: its definition cannot be parsed ({problem}); fetch the file again") from error
    return types


def _left(data: memoryview, at: int, n_bytes: int) -> None:
    if at + n_bytes > len(data):
        raise MessageError(f"byte {at}: {n_bytes} bytes are claimed, {max(len(data) - at, 0)} are left")


def _number(kind: str, order: str, aligned: bool) -> _Part:
    unpack, size = struct.Struct(order + _CODES[kind]).unpack_from, struct.calcsize(_CODES[kind])

    def read(data: memoryview, at: int) -> tuple[Any, int]:
        at += -at % size if aligned else 0
        return unpack(data, at)[0], at + size

    return read, size


def _text(order: str, aligned: bool) -> _Part:
    length, _ = _number("uint32", order, aligned)

    def read(data: memoryview, at: int) -> tuple[str, int]:
        n_bytes, at = length(data, at)
        _left(data, at, n_bytes)
        text = str(data[at : at + n_bytes], "utf-8", "replace")
        return text.removesuffix("\0") if aligned else text, at + n_bytes

    return read, 4


def _numbers(kind: str, order: str, aligned: bool, count: int | None) -> _Part:
    """An array of ``count`` numbers, or of as many as stand before it."""
    length, _ = _number("uint32", order, aligned)
    dtype = np.dtype(np.bool_ if kind == "bool" else order + _CODES[kind])

    def read(data: memoryview, at: int) -> tuple[Any, int]:
        n, at = (count, at) if count is not None else length(data, at)
        at += -at % dtype.itemsize if aligned and n else 0
        _left(data, at, n * dtype.itemsize)
        return np.frombuffer(data, dtype, n, at), at + n * dtype.itemsize

    return read, 4 if count is None else count * dtype.itemsize


def _several(element: _Part, order: str, aligned: bool, count: int | None) -> _Part:
    """A list of texts or messages. Each takes a byte or more, so what is claimed is bounded by what is there."""
    length, _ = _number("uint32", order, aligned)
    read_one, least = element

    def read(data: memoryview, at: int) -> tuple[list[Any], int]:
        n, at = (count, at) if count is not None else length(data, at)
        _left(data, at, n * max(least, 1))
        values = []
        for _ in range(n):
            value, at = read_one(data, at)
            values.append(value)
        return values, at

    return read, 4 if count is None else count * least


def _record(fields: list[tuple[str, _Part]]) -> _Part:
    def read(data: memoryview, at: int) -> tuple[Decoded, int]:
        message = {}
        for name, (read_one, _) in fields:
            message[name], at = read_one(data, at)
        return message, at

    return read, sum(least for _, (_, least) in fields)
