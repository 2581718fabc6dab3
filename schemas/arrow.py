"""Records to Arrow and back, derived from the dataclass itself.

One generic codec instead of a hand-written schema per record: the dataclass is the only place a field
is declared, so the table and the record cannot drift apart. Arrays are stored as flat lists whose
trailing dimensions stand in the field's metadata; any Arrow tool can read them.
"""

import dataclasses
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from functools import cache, partial
from typing import Annotated, Any, TypeAlias, TypeVar, get_args, get_origin

import numpy as np
import pyarrow as pa

from schemas.array import ArraySpec

R = TypeVar("R")

_SCALARS: dict[type, pa.DataType] = {
    int: pa.int64(), float: pa.float64(), str: pa.string(), bool: pa.bool_(), bytes: pa.large_binary(),
}  # fmt: skip


def _unwrap(hint: Any) -> tuple[Any, bool]:
    """The hint without ``None`` and whether it allowed ``None``."""
    if get_origin(hint) in (typing.Union, types.UnionType):
        inner = [arg for arg in get_args(hint) if arg is not type(None)]
        if len(inner) != 1:
            raise TypeError(f"{hint}: a record field may be one type or that type or None")
        return inner[0], True
    return hint, False


def _array_spec(hint: Any) -> ArraySpec | None:
    if get_origin(hint) is Annotated:
        return next((meta for meta in get_args(hint)[1:] if isinstance(meta, ArraySpec)), None)
    return None


def _field(name: str, hint: Any) -> pa.Field:
    hint, nullable = _unwrap(hint)
    spec = _array_spec(hint)
    if spec is not None:
        item = pa.from_numpy_dtype(np.dtype(spec.dtype))
        shape = ",".join(str(dim) for dim in spec.dims)
        return pa.field(name, pa.large_list(pa.field("item", item)), nullable, metadata={"shape": shape})
    return pa.field(name, _type_of(hint), nullable)


def _type_of(hint: Any) -> pa.DataType:
    hint, _ = _unwrap(hint)
    if dataclasses.is_dataclass(hint):
        return pa.struct([_field(field.name, field_hint) for field, field_hint in _fields(hint)])
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return pa.string()
    if get_origin(hint) is tuple:
        return pa.list_(_field("item", get_args(hint)[0]))
    if hint in _SCALARS:
        return _SCALARS[hint]
    raise TypeError(f"{hint}: no Arrow type is declared for it in schemas/arrow.py")


@cache
def _hints(record: type) -> dict[str, Any]:
    return typing.get_type_hints(record, include_extras=True)


def _fields(record: Any) -> list[tuple[dataclasses.Field[Any], Any]]:
    hints = _hints(record)
    return [(field, hints[field.name]) for field in dataclasses.fields(record)]


@cache
def schema_of(record: type) -> pa.Schema:
    """The Arrow schema of a record dataclass. Raises TypeError for a field type with no Arrow form."""
    return pa.schema([_field(field.name, hint) for field, hint in _fields(record)])


Codec: TypeAlias = Callable[[Any], Any]
"""One field's value on its way to Arrow or back. Made once per field: looking at types costs more than converting."""


@cache
def _encoder(name: str, hint: Any) -> Codec:
    hint, nullable = _unwrap(hint)
    encode = _present_encoder(name, hint)

    def encode_or_none(value: Any) -> Any:
        if value is not None:
            return encode(value)
        if not nullable:
            raise ValueError(f"{name}: found None, expected {hint}")
        return None

    return encode_or_none


def _present_encoder(name: str, hint: Any) -> Codec:
    spec = _array_spec(hint)
    if spec is not None:
        return lambda value: spec.check(name, value).reshape(-1)
    if dataclasses.is_dataclass(hint):
        return to_row
    if get_origin(hint) is tuple:
        item = _encoder(name, get_args(hint)[0])
        return lambda value: [item(each) for each in value]
    return lambda value: str(value) if isinstance(value, StrEnum) else value


@cache
def _decoder(hint: Any) -> Codec | None:
    """What makes a field's value of Arrow's; None where it is that value already."""
    hint, _ = _unwrap(hint)
    decode = _present_decoder(hint)
    return None if decode is None else lambda value: None if value is None else decode(value)


def _present_decoder(hint: Any) -> Codec | None:
    spec = _array_spec(hint)
    if spec is not None:
        return lambda value: np.asarray(value, dtype=spec.dtype).reshape(spec.shape)
    if dataclasses.is_dataclass(hint):
        return partial(from_row, typing.cast(type, hint))
    if get_origin(hint) is tuple:
        item = _decoder(get_args(hint)[0])
        return tuple if item is None else lambda value: tuple(map(item, value))
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return hint
    return None


@cache
def _encoders(record: type) -> tuple[tuple[str, Codec], ...]:
    return tuple((field.name, _encoder(field.name, hint)) for field, hint in _fields(record))


@cache
def _decoders(record: type) -> tuple[tuple[str, Codec | None], ...]:
    return tuple((field.name, _decoder(hint)) for field, hint in _fields(record))


def to_row(record: Any) -> dict[str, Any]:
    """A record as a mapping Arrow accepts. Raises ValueError naming the field that breaks its declaration."""
    return {name: encode(getattr(record, name)) for name, encode in _encoders(typing.cast(type, type(record)))}


def from_row(record: type[R], row: Mapping[str, Any]) -> R:
    """The inverse of `to_row`; extra columns in the row (work key, attempt) are ignored."""
    decoders = _decoders(typing.cast(type, record))
    return record(*[row[name] if decode is None else decode(row[name]) for name, decode in decoders])


def to_table(record: type[R], records: Iterable[R]) -> pa.Table:
    """Records of one type as an Arrow table of `schema_of(record)`."""
    rows, schema = list(records), schema_of(typing.cast(type, record))
    columns = [
        pa.array([encode(getattr(row, name)) for row in rows], schema.field(name).type)
        for name, encode in _encoders(typing.cast(type, record))
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def from_table(record: type[R], table: pa.Table) -> list[R]:
    """All rows of a table as records; the record's own arrays come without a detour through Python lists."""
    decoders = _decoders(typing.cast(type, record))
    hints = _hints(typing.cast(type, record))
    columns = [_decoded(_column(hints[name], table.column(name)), decode) for name, decode in decoders]
    return [record(*values) for values in zip(*columns, strict=True)]


def _decoded(values: list[Any], decode: Codec | None) -> list[Any]:
    return values if decode is None else list(map(decode, values))


def _column(hint: Any, column: pa.ChunkedArray) -> list[Any]:
    hint, _ = _unwrap(hint)
    if _array_spec(hint) is not None:
        return [None if not scalar.is_valid else scalar.values.to_numpy(zero_copy_only=False) for scalar in column]
    values: list[Any] = column.to_pylist()
    return values
