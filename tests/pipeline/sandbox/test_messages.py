"""What crosses the border: records of the types that were asked for, whole and valid, or an error."""

import json
import os
import pickle
import struct
from multiprocessing import Pipe

import numpy as np
import pyarrow as pa
import pytest

from pipeline.sandbox.messages import MisbehavedError, packed, receive, send, tables_of, unpacked
from schemas.filmstrip import Thumbnail
from schemas.finding import Finding, Verdict

KINDS = {"Finding": Finding, "Thumbnail": Thumbnail}


def finding(text: str) -> Finding:
    return Finding("e", "s", "ingest", "c", Verdict.KEEP, text, 1.5)


def test_records_arrive_as_they_were_sent_in_their_order() -> None:
    records = [finding("a"), finding("b"), Thumbnail("e", "front", 3, 4, b"jpeg"), finding("c")]
    ours, theirs = Pipe()
    for name, table in tables_of(records):
        send(theirs, {"records": name}, table)
    theirs.close()
    found = []
    while True:
        try:
            head, payload = receive(ours)
        except EOFError:
            break
        found += unpacked(KINDS, head["records"], payload)
    assert found == records


def test_large_records_go_in_several_tables() -> None:
    assert len(list(tables_of([finding("x" * (9 << 20)) for _ in range(4)]))) == 2


def test_records_of_no_declared_type_are_refused() -> None:
    with pytest.raises(MisbehavedError, match="records of type 'Finding'"):
        unpacked({}, "Finding", bytes(packed(Finding, [finding("a")])))


def stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as out:
        out.write_table(table)
    return bytes(sink.getvalue())


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"not arrow",
        pickle.dumps(finding("a")),
        stream(pa.table({"subject": ["e"]})),
        stream(pa.table({name: [None] for name in Finding.__dataclass_fields__})),
    ],
    ids=["nothing", "noise", "pickle", "fewer columns", "other types"],
)
def test_what_is_no_table_of_the_type_is_refused(payload: bytes) -> None:
    with pytest.raises(MisbehavedError):
        unpacked(KINDS, "Finding", payload)


def test_offsets_that_lead_outside_are_refused() -> None:
    """Arrow takes them on trust until it is asked to validate: reading such a table would read other memory."""
    good = pa.Table.from_pylist([{"subject": "e" * 40}])
    data = bytearray(stream(good))
    at = bytes(data).rindex(struct.pack("<ii", 0, 40))
    data[at + 4 : at + 8] = struct.pack("<i", 1 << 30)
    with pytest.raises(pa.ArrowInvalid):
        pa.ipc.open_stream(bytes(data)).read_all().validate(full=True)
    whole = bytearray(bytes(packed(Finding, [finding("m" * 41)])))
    at = bytes(whole).rindex(struct.pack("<ii", 0, 41))
    whole[at + 4 : at + 8] = struct.pack("<i", 1 << 30)
    with pytest.raises(MisbehavedError, match="does not hold"):
        unpacked(KINDS, "Finding", bytes(whole))


def test_spoilt_bytes_give_records_or_a_refusal() -> None:
    whole, random = bytes(packed(Finding, [finding("abc"), finding("defg")])), np.random.default_rng(4)
    n_refused = 0
    for _ in range(300):
        spoilt = bytearray(whole)
        for at in random.integers(0, len(whole), 3):
            spoilt[at] = random.integers(256)
        try:
            assert all(isinstance(record, Finding) for record in unpacked(KINDS, "Finding", bytes(spoilt)))
        except MisbehavedError:
            n_refused += 1
    assert n_refused > 30


@pytest.mark.parametrize("head", [b"[]", b"{", b"{}", b'{"payload": "many"}', b"[" * 100_000, b"\xff"])
def test_a_head_that_is_none_is_refused(head: bytes) -> None:
    ours, theirs = Pipe()
    theirs.send_bytes(head)
    with pytest.raises(MisbehavedError):
        receive(ours)


def test_a_length_that_no_message_has_is_refused_before_memory_is_taken() -> None:
    ours, theirs = Pipe()
    theirs.send_bytes(json.dumps({"payload": 1}).encode())
    os.write(theirs.fileno(), struct.pack("!i", -1) + struct.pack("!Q", 1 << 60))
    with pytest.raises(MisbehavedError):
        receive(ours)
