"""ROS 1 bags, format 2.0: records with a header of fields, messages packed into chunks.

The records are walked from the first to the last. The index at the end is used only to pass over chunks, and when a
bag is read as a whole it is compared with what the chunks hold. The format has no check sums.
"""

import struct
from collections import Counter
from collections.abc import Iterator

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.sources.ros.ros_channel import Channel, Message, Wanted, plain_type
from pipeline.sources.ros.ros_unpack import Records, unpack

_MAGIC = b"#ROSBAG V2.0\n"
_MESSAGE, _BAG, _INDEX, _CHUNK, _CHUNK_INFO, _CONNECTION = 2, 3, 4, 5, 6, 7
_U32, _U64 = struct.Struct("<I"), struct.Struct("<Q")
_MAX_HEADER_BYTES = 1 << 20
_Fields = dict[bytes, bytes]
_Counts = dict[int, int]
"""Messages of a chunk by connection."""


def bag1_messages(files: SourceFiles, path: str, wanted: Wanted, *, skipping: bool) -> Iterator[Message]:
    """See `ros_container.Reader`."""
    with Records(files, path) as records:
        index_at = _start(records)
        index = _index(records, index_at)
        records.seek(len(_MAGIC))
        bag = _Bag(records.name, wanted)
        while records.at < index_at:
            at, fields = records.at, _header(records)
            op = _u8(fields, b"op", records.name)
            n_bytes = _U32.unpack(records.take(4, "a record"))[0]
            if op == _CHUNK:
                counts = index.get(at)
                if skipping and counts is not None and not bag.needs(counts):
                    records.skip(n_bytes, "a chunk")
                    continue
                packed = records.take(n_bytes, "a chunk")
                where = f"{records.name}: the chunk at byte {at}"
                content = unpack(packed, _text(fields, b"compression"), _u32(fields, b"size", where), where)
                yield from bag.chunk(content, where, counts)
            elif op in (_MESSAGE, _CONNECTION):
                message = bag.record(op, fields, memoryview(records.take(n_bytes, "a record")), records.name)
                if message is not None:
                    yield message
            elif op in (_BAG, _INDEX, _CHUNK_INFO):
                records.skip(n_bytes, "a record")
            else:
                raise records.error(f"found a record of kind {op}, which bags do not have; the file is damaged")


class _Bag:
    """The connections seen so far and whether they are wanted."""

    def __init__(self, name: str, wanted: Wanted) -> None:
        self._name = name
        self._wanted = wanted
        self._channels: dict[int, Channel | None] = {}
        """None for those not wanted."""

    def needs(self, counts: _Counts) -> bool:
        """Whether a chunk may hold a wanted message: a connection not seen before stands first in its chunk."""
        return any(n and self._channels.get(connection, True) for connection, n in counts.items())

    def chunk(self, content: bytes, where: str, claimed: _Counts | None) -> Iterator[Message]:
        view, at = memoryview(content), 0
        found: Counter[int] = Counter()
        while at < len(view):
            header, at = _sized(view, at, where)
            data, at = _sized(view, at, where)
            fields = _fields(header, where)
            op = _u8(fields, b"op", where)
            if op == _MESSAGE:
                found[_u32(fields, b"conn", where)] += 1
            message = self.record(op, fields, data, where)
            if message is not None:
                yield message
        if claimed is not None and {k: n for k, n in claimed.items() if n} != dict(found):
            raise SourceError(f"{where} holds other messages than the index says; rebuild it with `rosbag reindex`")

    def record(self, op: int, fields: _Fields, data: memoryview, where: str) -> Message | None:
        connection = _u32(fields, b"conn", where) if op in (_MESSAGE, _CONNECTION) else -1
        if op == _CONNECTION:
            channel = _channel(fields, data, where)
            before = self._channels.setdefault(connection, channel if self._wanted(channel) else None)
            if before is not None and before != channel:
                raise SourceError(f"{where} declares connection {connection} twice, differently; the file is damaged")
            return None
        if op != _MESSAGE:
            raise SourceError(f"{where} holds a record of kind {op} among messages; the file is damaged")
        if connection not in self._channels:
            raise SourceError(f"{where} has a message of connection {connection}, which is declared nowhere before it")
        found = self._channels[connection]
        return None if found is None else Message(found, _time_ns(fields, where), data)


def _start(records: Records) -> int:
    """Where the index starts, which is where the messages end. The bag header is the first record."""
    if records.size == 0 or records.take(min(len(_MAGIC), records.size), "the magic") != _MAGIC:
        raise SourceError(f"{records.name}: does not start with {_MAGIC.decode().strip()!r}; it is no ROS 1 bag")
    fields = _header(records)
    if _u8(fields, b"op", records.name) != _BAG:
        raise records.error("found no bag header; the file is damaged: fetch it again")
    if fields.get(b"encryptor"):
        raise SourceError(f"{records.name}: is encrypted; decrypt it with `rosbag decrypt` first")
    index_at = _U64.unpack(_exactly(fields, b"index_pos", 8, records.name))[0]
    if index_at == 0:
        raise SourceError(f"{records.name}: has no index, its recording was cut short; run `rosbag reindex` on a copy")
    if index_at > records.size:
        raise SourceError(
            f"{records.name}: its index should start at byte {index_at}, the file has {records.size}; it is cut short: "
            "fetch it again"
        )
    return int(index_at)


def _index(records: Records, index_at: int) -> dict[int, _Counts]:
    """Messages per connection of each chunk, by the chunk's place in the file."""
    records.seek(index_at)
    index: dict[int, _Counts] = {}
    while records.at < records.size:
        fields = _header(records)
        data = records.take(_U32.unpack(records.take(4, "an index record"))[0], "an index record")
        if _u8(fields, b"op", records.name) != _CHUNK_INFO:
            continue
        if len(data) % 8:
            raise records.error(f"the index of a chunk has {len(data)} bytes, expected pairs of 4; rebuild the index")
        index[_U64.unpack(_exactly(fields, b"chunk_pos", 8, records.name))[0]] = dict(struct.iter_unpack("<II", data))
    return index


def _channel(fields: _Fields, data: memoryview, where: str) -> Channel:
    """A connection record: the topic stands in its header, the type in its data."""
    about = _fields(data, where)
    definition = about.get(b"message_definition", b"")
    return Channel(_text(fields, b"topic"), plain_type(_text(about, b"type")), "ros1", "ros1msg", definition)


def _header(records: Records) -> _Fields:
    n_bytes = _U32.unpack(records.take(4, "a record's header"))[0]
    if n_bytes > _MAX_HEADER_BYTES:
        raise records.error(f"a record's header claims {n_bytes} bytes; the file is damaged: fetch it again")
    return _fields(memoryview(records.take(n_bytes, "a record's header")), records.name)


def _fields(data: memoryview, where: str) -> _Fields:
    fields, at = {}, 0
    while at < len(data):
        field, at = _sized(data, at, where)
        key, found, value = bytes(field).partition(b"=")
        if not found:
            raise SourceError(f"{where}: a header field {key[:40]!r} has no value; the file is damaged: fetch it again")
        fields[key] = value
    return fields


def _sized(data: memoryview, at: int, where: str) -> tuple[memoryview, int]:
    """A piece that starts with its length, and where the next one begins."""
    if at + 4 <= len(data):
        end = at + 4 + int(_U32.unpack_from(data, at)[0])
        if end <= len(data):
            return data[at + 4 : end], end
    raise SourceError(f"{where}: a record runs over the end of its chunk; the file is damaged: fetch it again")


def _exactly(fields: _Fields, key: bytes, n_bytes: int, where: str) -> bytes:
    value = fields.get(key, b"")
    if len(value) != n_bytes:
        raise SourceError(f"{where}: the header field {key.decode()} has {len(value)} bytes, expected {n_bytes}")
    return value


def _u8(fields: _Fields, key: bytes, where: str) -> int:
    return _exactly(fields, key, 1, where)[0]


def _u32(fields: _Fields, key: bytes, where: str) -> int:
    return int(_U32.unpack(_exactly(fields, key, 4, where))[0])


def _time_ns(fields: _Fields, where: str) -> int:
    seconds, nanoseconds = struct.unpack("<II", _exactly(fields, b"time", 8, where))
    return int(seconds) * 1_000_000_000 + int(nanoseconds)


def _text(fields: _Fields, key: bytes) -> str:
    return fields.get(key, b"").decode("utf-8", "replace")
