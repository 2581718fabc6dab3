"""MCAP files: opcode and length before every record, messages mostly in chunks, an index in the summary at the end.

The records are walked from the first to the last and every chunk is compared with its check sum, if it has one; what
lies outside of chunks has none that recorders write. Chunk indexes are used only to pass over chunks, and only when
the summary's own check sum holds. Times above 2^63 ns are refused.
"""

import struct
import zlib
from collections.abc import Iterator

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.sources.ros.ros_channel import Channel, Message, Wanted, plain_type
from pipeline.sources.ros.ros_unpack import Records, unpack

_MAGIC = b"\x89MCAP0\r\n"
_FOOTER, _SCHEMA, _CHANNEL, _MESSAGE, _CHUNK, _CHUNK_INDEX, _DATA_END = 0x02, 0x03, 0x04, 0x05, 0x06, 0x08, 0x0F
_HEAD = struct.Struct("<BQ")
_FOOTER_BODY = struct.Struct("<QQI")
_MESSAGE_HEAD = struct.Struct("<HIQQ")
_CHUNK_HEAD = struct.Struct("<QQQII")
_END_BYTES = _HEAD.size + _FOOTER_BODY.size + len(_MAGIC)


def mcap_messages(files: SourceFiles, path: str, wanted: Wanted, *, skipping: bool) -> Iterator[Message]:
    """See `ros_container.Reader`."""
    with Records(files, path) as records:
        index = _summary(records) if skipping else {}
        _check_magic(records)
        channels = _Channels(records.name, wanted)
        while records.at < records.size:
            at = records.at
            op, n_bytes = _HEAD.unpack(records.take(_HEAD.size, "a record"))
            if op in (_DATA_END, _FOOTER):
                return
            if op == _CHUNK:
                if at in index and not channels.need(index[at]):
                    records.skip(n_bytes, "a chunk")
                    continue
                body = records.take(n_bytes, "a chunk")
                yield from _chunk(body, f"{records.name}: the chunk at byte {at}", channels)
            elif op in (_SCHEMA, _CHANNEL, _MESSAGE):
                message = channels.record(op, memoryview(records.take(n_bytes, "a record")), records.name)
                if message is not None:
                    yield message
            else:
                records.skip(n_bytes, "a record")
        raise records.error("the records end without a footer; the file is cut short: repair it with `mcap recover`")


class _Channels:
    """Schemas and channels seen so far, and whether they are wanted."""

    def __init__(self, name: str, wanted: Wanted) -> None:
        self._name = name
        self._wanted = wanted
        self._schemas: dict[int, tuple[str, str, bytes]] = {}
        self._channels: dict[int, Channel | None] = {}
        """None for those not wanted."""

    def need(self, ids: frozenset[int]) -> bool:
        """Whether a chunk may hold a wanted message; channels not seen before may be declared in it."""
        return any(self._channels.get(number, True) for number in ids)

    def record(self, op: int, body: memoryview, where: str) -> Message | None:
        try:
            if op == _MESSAGE:
                return self._message(body)
            if op == _SCHEMA:
                self._schema(_Fields(body))
            else:
                self._channel(_Fields(body), where)
        except (struct.error, _ShortError) as error:
            raise SourceError(f"{where}: a record is shorter than its kind; fetch the file again") from error
        except KeyError as error:
            raise SourceError(f"{where}: names {error.args[0]}, which is declared nowhere before it") from error
        return None

    def _message(self, body: memoryview) -> Message | None:
        number, _, log_ns, _ = _MESSAGE_HEAD.unpack_from(body)
        if number not in self._channels:
            raise KeyError(f"channel {number}")
        channel = self._channels[number]
        if channel is None:
            return None
        if log_ns >= 2**63:
            raise SourceError(f"{self._name}: a message of {channel.topic} was logged at {log_ns} ns; it is damaged")
        return Message(channel, log_ns, body[_MESSAGE_HEAD.size :])

    def _schema(self, fields: "_Fields") -> None:
        number = fields.number("<H")
        self._schemas[number] = (fields.text(), fields.text(), fields.sized())

    def _channel(self, fields: "_Fields", where: str) -> None:
        number, schema = fields.number("<H"), fields.number("<H")
        topic, encoding = fields.text(), fields.text()
        if schema and schema not in self._schemas:
            raise KeyError(f"schema {schema}")
        name, schema_encoding, definition = self._schemas.get(schema, ("", "", b""))
        channel = Channel(topic, plain_type(name), encoding, schema_encoding, definition)
        if number in self._channels:
            before = self._channels[number]
            if before is not None and before != channel:
                raise SourceError(f"{where} declares channel {number} twice, differently; the file is damaged")
            return
        self._channels[number] = channel if self._wanted(channel) else None


def _chunk(body: bytes, where: str, channels: _Channels) -> Iterator[Message]:
    try:
        _, _, size, check_sum, name_bytes = _CHUNK_HEAD.unpack_from(body)
        packed_at = _CHUNK_HEAD.size + name_bytes + 8
        compression = body[_CHUNK_HEAD.size : packed_at - 8].decode("utf-8", "replace")
        n_bytes = struct.unpack_from("<Q", body, packed_at - 8)[0]
    except struct.error as error:
        raise SourceError(f"{where} is shorter than a chunk's header; fetch the file again") from error
    if packed_at + n_bytes > len(body):
        raise SourceError(f"{where} claims {n_bytes} bytes where {len(body) - packed_at} are; fetch the file again")
    content = unpack(body[packed_at : packed_at + n_bytes], compression, size, where)
    if check_sum and zlib.crc32(content) != check_sum:
        raise SourceError(f"{where} does not match its check sum; the file is damaged: fetch it again")
    view, at = memoryview(content), 0
    while at < len(view):
        if at + _HEAD.size > len(view):
            raise SourceError(f"{where}: a record runs over its end; the file is damaged: fetch it again")
        op, n_bytes = _HEAD.unpack_from(view, at)
        at += _HEAD.size
        if at + n_bytes > len(view):
            raise SourceError(f"{where}: a record runs over its end; the file is damaged: fetch it again")
        if op in (_SCHEMA, _CHANNEL, _MESSAGE):
            message = channels.record(op, view[at : at + n_bytes], where)
            if message is not None:
                yield message
        at += n_bytes


def _summary(records: Records) -> dict[int, frozenset[int]]:
    """Channels by place of the chunk; empty when there is no summary or nothing vouches for it."""
    _check_magic(records)
    records.seek(records.size - _END_BYTES)
    op, n_bytes = _HEAD.unpack(records.take(_HEAD.size, "the footer"))
    footer = records.take(_FOOTER_BODY.size, "the footer")
    start, _, check_sum = _FOOTER_BODY.unpack(footer)
    end = records.size - _END_BYTES
    if op != _FOOTER or n_bytes != _FOOTER_BODY.size or not (start and check_sum and start <= end):
        return {}
    records.seek(start)
    summary = records.take(end - start, "the summary")
    if zlib.crc32(summary + _HEAD.pack(op, n_bytes) + footer[:16]) != check_sum:
        return {}
    return _chunk_indexes(memoryview(summary), records.name)


def _chunk_indexes(summary: memoryview, name: str) -> dict[int, frozenset[int]]:
    index: dict[int, frozenset[int]] = {}
    at = 0
    while at + _HEAD.size <= len(summary):
        op, n_bytes = _HEAD.unpack_from(summary, at)
        fields = _Fields(summary[at + _HEAD.size : at + _HEAD.size + n_bytes])
        at += _HEAD.size + n_bytes
        if op != _CHUNK_INDEX:
            continue
        try:
            fields.number("<Q"), fields.number("<Q")  # times of its first and last message
            chunk_at, _ = fields.number("<Q"), fields.number("<Q")
            ids = frozenset(number for number, _ in struct.iter_unpack("<HQ", fields.sized()))
        except (struct.error, _ShortError) as error:
            raise SourceError(f"{name}: a chunk's index is shorter than its kind; fetch the file again") from error
        if ids:
            index[chunk_at] = ids
    return index


def _check_magic(records: Records) -> None:
    """Both ends. A recorder that was stopped leaves no end; what it lost is not known, so such a file is refused."""
    records.seek(0)
    if records.size < len(_MAGIC) or records.take(len(_MAGIC), "the magic") != _MAGIC:
        raise SourceError(f"{records.name}: does not start as an MCAP file does; it is another file or damaged")
    records.seek(max(records.size - len(_MAGIC), 0))
    if records.size < 2 * len(_MAGIC) + _END_BYTES or records.take(len(_MAGIC), "the magic") != _MAGIC:
        raise SourceError(
            f"{records.name}: does not end as an MCAP file does; it is cut short: fetch it again, or run "
            "`mcap recover` on a copy if its recorder was stopped"
        )
    records.seek(len(_MAGIC))


class _ShortError(ValueError):
    """A record ends inside a field."""


class _Fields:
    """The fields of one record, taken in order."""

    def __init__(self, body: memoryview) -> None:
        self._body = body
        self._at = 0

    def number(self, code: str) -> int:
        value = struct.unpack_from(code, self._body, self._at)[0]
        self._at += struct.calcsize(code)
        return int(value)

    def sized(self) -> bytes:
        n_bytes = self.number("<I")
        self._at += n_bytes
        if self._at > len(self._body):
            raise _ShortError
        return bytes(self._body[self._at - n_bytes : self._at])

    def text(self) -> str:
        return self.sized().decode("utf-8", "replace")
