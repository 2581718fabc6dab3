"""A serialized ``tf.train.Example`` without TensorFlow: named lists of bytes, floats or integers.

The message has three levels (Example, Features, a map of Feature), each a few protobuf fields, so they are walked here
instead of being unpacked into Python objects: names are found in one pass, values stay where they are until they are
asked for, and float lists, which hold nearly all numbers, are views of the record's bytes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pipeline.errors import SourceError
from schemas.array import Floats, Ints

MAX_VALUES = 1_000_000
"""In one list of byte strings; an episode has one per step."""
MAX_NUMBERS_BYTES = 64 << 20
"""Of one list of numbers; a thousand steps of an embedding of 512 are 2 MiB."""
_VARINT_BYTES = 10
_VARINT, _EIGHT, _COUNTED, _FOUR = 0, 1, 2, 5
_BYTES, _FLOATS, _INTS = 1, 2, 3
"""Fields of ``Feature``: which list it holds."""
_LIST_NAMES = {_BYTES: "byte strings", _FLOATS: "floats", _INTS: "integers"}


class _Field(NamedTuple):
    number: int
    wire: int
    value: int
    """Of a varint."""
    data: memoryview
    """Of anything else."""


@dataclass(frozen=True)
class _List:
    kind: int
    body: memoryview


@dataclass(frozen=True)
class Example:
    """One record. Every accessor raises SourceError when the feature is not there or holds something else."""

    lists: dict[str, _List]
    where: str
    """File and byte, for messages."""

    def __contains__(self, name: str) -> bool:
        return name in self.lists

    def bytes_of(self, name: str) -> list[memoryview]:
        """A list of byte strings."""
        body = self._body(name, _BYTES)
        found = []
        for field in _fields(body, self.where):
            if field.number == 1 and field.wire == _COUNTED:
                found.append(field.data)
                if len(found) > MAX_VALUES:
                    raise SourceError(f"{self.where}: {name} holds more than {MAX_VALUES} values; it is damaged")
        return found

    def floats_of(self, name: str) -> Floats:
        """A list of floats, float32."""
        parts = []
        for field in _fields(self._body(name, _FLOATS), self.where):
            if field.number == 1 and field.wire in (_COUNTED, _FOUR):
                if len(field.data) % 4:
                    raise SourceError(f"{self.where}: {name} ends inside a number; the record is damaged")
                parts.append(np.frombuffer(field.data, "<f4"))
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def integers_of(self, name: str) -> Ints:
        """A list of integers, int64."""
        parts = []
        for field in _fields(self._body(name, _INTS), self.where):
            if field.number == 1 and field.wire == _COUNTED:
                parts.append(_varints(field.data, f"{self.where}: {name}"))
            elif field.number == 1 and field.wire == _VARINT:
                parts.append(np.array([field.value], np.uint64).view(np.int64))
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    def numbers_of(self, name: str) -> Floats:
        """A list of floats or integers, float64."""
        found = self.lists.get(name)
        whole = found is not None and found.kind == _INTS
        return (self.integers_of(name) if whole else self.floats_of(name)).astype(np.float64)

    def _body(self, name: str, kind: int) -> memoryview:
        found = self.lists.get(name)
        if found is None:
            there = ", ".join(sorted(self.lists)[:12])
            raise SourceError(f"{self.where}: no feature {name!r}, found {there}; features.json is of another version")
        if found.kind != kind and len(found.body):
            raise SourceError(
                f"{self.where}: {name} holds {_LIST_NAMES[found.kind]}, expected {_LIST_NAMES[kind]}; features.json is "
                "of another version"
            )
        if kind != _BYTES and len(found.body) > MAX_NUMBERS_BYTES:
            raise SourceError(f"{self.where}: {name} holds {len(found.body)} bytes of numbers; it is damaged")
        return found.body


def parse_example(record: bytes, where: str) -> Example:
    """The lists of a record by name, their values untouched. Raises SourceError where it is no Example."""
    lists: dict[str, _List] = {}
    for features in _messages(memoryview(record), 1, where):
        for entry in _messages(features, 1, where):
            name, feature = _entry(entry, where)
            if name in lists:
                raise SourceError(f"{where}: the feature {name!r} stands there twice; the record is damaged")
            lists[name] = feature
    return Example(lists, where)


def _entry(entry: memoryview, where: str) -> tuple[str, _List]:
    """A name and its list; an entry without a list is an empty one."""
    name, kind, body = "", _BYTES, memoryview(b"")
    for field in _fields(entry, where):
        if field.wire != _COUNTED:
            continue
        if field.number == 1:
            try:
                name = str(field.data, "utf-8")
            except UnicodeDecodeError as error:
                raise SourceError(f"{where}: the name of a feature is no text; the record is damaged") from error
        elif field.number == 2:
            for part in _fields(field.data, where):
                if part.wire == _COUNTED and part.number in _LIST_NAMES:
                    kind, body = part.number, part.data
    return name, _List(kind, body)


def _messages(message: memoryview, number: int, where: str) -> Iterator[memoryview]:
    return (field.data for field in _fields(message, where) if field.number == number and field.wire == _COUNTED)


def _fields(message: memoryview, where: str) -> Iterator[_Field]:
    """The fields of a protobuf message, in order. Raises SourceError where one reaches beyond the message's end."""
    at, end, nothing = 0, len(message), memoryview(b"")
    while at < end:
        key, at = _varint(message, at, where)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = _varint(message, at, where)
            yield _Field(number, wire, value, nothing)
            continue
        if wire == _COUNTED:
            size, at = _varint(message, at, where)
        elif wire in (_FOUR, _EIGHT):
            size = 4 if wire == _FOUR else 8
        else:
            raise SourceError(f"{where}: byte {at} of a message is no protobuf field; this is no tf.train.Example")
        if size > end - at:
            raise SourceError(f"{where}: a field claims {size} bytes, {end - at} are left; this is no tf.train.Example")
        yield _Field(number, wire, 0, message[at : at + size])
        at += size


def _varint(message: memoryview, at: int, where: str) -> tuple[int, int]:
    """A variable-length integer and where the next byte is."""
    value = shift = 0
    for index in range(at, min(at + _VARINT_BYTES, len(message))):
        byte = message[index]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, index + 1
        shift += 7
    raise SourceError(f"{where}: a number of a message does not end; this is no tf.train.Example")


def _varints(packed: memoryview, where: str) -> Ints:
    """Many variable-length integers at once, int64."""
    raw = np.frombuffer(packed, np.uint8)
    if not len(raw):
        return np.zeros(0, np.int64)
    last = raw < 0x80
    ends = np.flatnonzero(last)
    starts = np.concatenate([[0], ends[:-1] + 1])
    if not last[-1] or int(np.max(ends - starts)) >= _VARINT_BYTES:
        raise SourceError(f"{where}: an integer does not end; the record is damaged")
    place = np.arange(len(raw)) - np.repeat(starts, ends - starts + 1)
    parts = (raw & 0x7F).astype(np.uint64) << (7 * place).astype(np.uint64)
    return np.add.reduceat(parts, starts).view(np.int64)
