"""What crosses the border between a worker and the process that decodes for it: JSON heads and Arrow tables.

No pickle: whoever has taken over the decoder may send what it likes, and all that comes of it is records of the types
the stage declares, every one validated, or an error. Arrow's reader is made for untrusted streams when what it gave is
validated in full.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from multiprocessing.connection import Connection
from typing import Any

import pyarrow as pa

from schemas import arrow

HEAD_BYTES = 16 << 20
"""A message and its traceback, a finding's text; no head is larger."""
PAYLOAD_BYTES = 1 << 30
"""The largest table: one view's filmstrip, one event's clip."""
TABLE_BYTES = 16 << 20
"""Records are put into one table up to about here."""


class MisbehavedError(Exception):
    """The other side sent what no decoder of ours sends."""


def send(pipe: Connection, head: Mapping[str, Any], payload: Any = None) -> None:
    """Send a head, and bytes with it."""
    n = 0 if payload is None else memoryview(payload).nbytes
    pipe.send_bytes(json.dumps({**head, "payload": n}).encode())
    if n:
        pipe.send_bytes(memoryview(payload).cast("B"))


def receive(pipe: Connection) -> tuple[dict[str, Any], bytes]:
    """A head and its bytes. Raises EOFError when the other side is gone, MisbehavedError when it says what is none."""
    try:
        head = json.loads(pipe.recv_bytes(HEAD_BYTES))
        if not isinstance(head, dict) or not isinstance(head.get("payload"), int):
            raise MisbehavedError("a head that is none")
        payload = pipe.recv_bytes(PAYLOAD_BYTES) if head["payload"] else b""
    except ConnectionError as error:
        raise EOFError from error
    except (ValueError, RecursionError, OSError) as error:
        raise MisbehavedError(f"{type(error).__name__}: {error}") from error
    return head, payload


def tables_of(records: Iterable[object]) -> Iterator[tuple[str, pa.Buffer]]:
    """Records as tables of one type each, in order: the type's name, and the table as an Arrow stream."""
    for kind, group in groupby(records, type):
        part: list[object] = []
        n_bytes = 0
        for record in group:
            part.append(record)
            n_bytes += size_of(record)
            if n_bytes > TABLE_BYTES:
                yield kind.__name__, packed(kind, part)
                part, n_bytes = [], 0
        if part:
            yield kind.__name__, packed(kind, part)


def size_of(record: object) -> int:
    """About how many bytes a record's large fields have."""
    values = vars(record).values() if hasattr(record, "__dict__") else ()
    return sum(len(value) if isinstance(value, bytes | str) else getattr(value, "nbytes", 64) for value in values)


def packed(kind: type, records: Iterable[object]) -> pa.Buffer:
    """Records of one type as an Arrow stream."""
    table = arrow.to_table(kind, records)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue()


def unpacked(kinds: Mapping[str, type], name: object, payload: bytes) -> list[Any]:
    """The records of a table. Raises MisbehavedError for another type, another schema, or values that break it."""
    kind = kinds.get(name) if isinstance(name, str) else None
    if kind is None:
        raise MisbehavedError(f"records of type {str(name)[:64]!r}")
    try:
        table = pa.ipc.open_stream(payload).read_all()
        if not table.schema.equals(arrow.schema_of(kind)):
            raise MisbehavedError(f"a table that is no {name}")
        table.validate(full=True)
        return arrow.from_table(kind, table)
    except (pa.ArrowException, ValueError, TypeError, OverflowError, OSError) as error:
        raise MisbehavedError(f"a table of {name} that does not hold: {type(error).__name__}: {error}") from error
