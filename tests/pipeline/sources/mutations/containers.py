"""Changes to containers of records and packets: TFRecord, MCAP, ROS 1 bags and MP4, with checksums made right again."""

import random
import re
import struct
from pathlib import Path
from typing import Any

from mcap.reader import make_reader
from mcap.writer import CompressionType, Writer

from tests.pipeline.sources.mutations import bombs
from tests.pipeline.sources.mutations.damage import canary, names
from tests.pipeline.sources.mutations.raw_bytes import BYTES, bits_flipped, lying_length
from tests.pipeline.sources.written.rlds import Example, framed, records_in

# -- TFRecord --------------------------------------------------------------------------------------------------------


def tfrecord_changed(path: Path, rng: random.Random) -> str | None:
    """One record is another one, in a frame whose checksums are right."""
    records = list(records_in(path))
    at = rng.randrange(len(records))
    offset = sum(len(record) + 16 for record in records[:at])
    how = rng.random()
    if how < 0.7:
        records[at] = _example_changed(records[at], rng)
    elif how < 0.9:
        records[at] = rng.choice(BYTES)(records[at], rng)
    else:
        records[at:at] = rng.choice(([b""] * 300, [records[at]] * 20, [b"\xff" * 1000]))
        offset = -1
    path.write_bytes(b"".join(framed(record) for record in records))
    return f"#{offset}" if offset >= 0 else None


def _example_changed(record: bytes, rng: random.Random) -> bytes:
    """A feature of another kind, length or value."""
    example = Example()
    example.ParseFromString(record)
    key = rng.choice(sorted(example.features.feature))
    feature = example.features.feature[key]
    kind = feature.WhichOneof("kind")
    values = getattr(feature, kind).value if kind else []
    how = rng.random()
    if how < 0.1:
        del example.features.feature[key]
    elif how < 0.3:
        feature.Clear()
        getattr(feature, rng.choice(("bytes_list", "float_list", "int64_list"))).value.extend([])
    elif how < 0.5:
        kept = list(values)
        del values[:]
        values.extend(rng.choice((kept[:-1], kept * 2, kept[:1], kept * 300 if len(kept) < 5000 else kept[::-1])))
    elif kind == "float_list":
        for row in (
            rng.sample(range(len(values)), max(1, len(values) // rng.choice((1, 4, len(values) or 1))))
            if values
            else []
        ):
            values[row] = rng.choice((float("nan"), float("inf"), 3e38, -1e30, 0.0))
    elif kind == "int64_list":
        for row in range(len(values)):
            values[row] = rng.choice((-1, 2**63 - 1, -(2**63), 7))
    elif values:
        values[rng.randrange(len(values))] = rng.choice(
            (*(one() for one in bombs.PICTURES), b"", b"\xff\xfe", bits_flipped(values[0] or b"x", rng))
        )
    else:
        example.features.feature[f"steps/{names(rng)}".encode("utf-8", "replace").decode()].int64_list.value.extend(
            [0] * 1000
        )
    return bytes(example.SerializeToString(deterministic=True))


# -- MCAP ------------------------------------------------------------------------------------------------------------


def mcap_changed(path: Path, rng: random.Random) -> str | None:
    """The file written anew with messages, schemas or channels that are not what they say."""
    with path.open("rb") as stream:
        found = [(schema, channel, message) for schema, channel, message in make_reader(stream).iter_messages()]
    how = rng.choice(("data", "data", "data", "schema", "schema", "channel", "times", "names"))
    victim = rng.choice(found)[1].topic
    packing = rng.choice((CompressionType.NONE, CompressionType.LZ4, CompressionType.ZSTD))
    with path.open("wb") as stream:
        writer = Writer(stream, chunk_size=1 << 13, compression=packing)
        writer.start(profile=rng.choice(("ros2", "", "x")), library="x")
        known: dict[int, int] = {}
        for schema, channel, message in found:
            hit = channel.topic == victim
            if channel.id not in known:
                known[channel.id] = _channel(writer, schema, channel, rng, how if hit else "")
            data, times = message.data, (message.log_time, message.publish_time)
            if hit and how == "data" and rng.random() < 0.4 and data:
                data = rng.choice((lying_length, lying_length, *BYTES[:6]))(data, rng)
            if hit and how == "times" and rng.random() < 0.3:
                times = rng.choice(((0, 0), (2**64 - 1, 2**63), (1, 2**62)))
            writer.add_message(known[channel.id], times[0], data, times[1])
        writer.finish()
    return None


def _channel(writer: Writer, schema: Any, channel: Any, rng: random.Random, how: str) -> int:
    name, encoding, text = schema.name, schema.encoding, schema.data
    topic, packed = channel.topic, channel.message_encoding
    if how == "schema":
        text = rng.choice(
            (
                b"",
                b"float64[1000000000000] x\n",
                b"float64[<=99999999999] x",
                f"{name} again\n".encode(),
                b"uint8[] data\n" * 5000,
                b"a/B x\n" + b"=" * 80 + b"\nMSG: a/B\na/B x\n",
                b"\xff\xfe",
                text[: len(text) // 2],
                text.replace(b"float64", b"string"),
                b'string<=4 x = "' + b"y" * 100_000,
                b"wstring x\n",
                b"int32 X=999999999999999999999\n",
                b"uint8[0] x\n" * 100,
                bits_flipped(text or b"x", rng),
                b"MSG: " * 1000,
                _nested_types(),
                _arrays_of_arrays(),
            )
        )
    elif how == "channel":
        packed = rng.choice(("pickle", "", "json", "protobuf", "cdr", "ros1"))
        encoding = rng.choice(("", "jsonschema", "protobuf", "ros2idl", "ros2msg", "ros1msg", "flatbuffer"))
    elif how == "names":
        name, topic = rng.choice(
            (
                ("x" * 5000, topic),
                ("../../x", topic),
                (name, str(canary("a"))),
                (name, ""),
                ("", topic),
                (name, topic + "\n"),
            )
        )
    known = writer.register_schema(name, encoding, text)
    return writer.register_channel(topic, packed, known)


def _nested_types() -> bytes:
    """Types that hold each other two thousand deep."""
    parts = [b"a/T0 x\n"] + [b"=" * 80 + f"\nMSG: a/T{i}\na/T{i + 1} x\n".encode() for i in range(2000)]
    return b"".join(parts)


def _arrays_of_arrays() -> bytes:
    """Thirty types of which each holds a thousand of the next one: 10^90 values in no bytes at all."""
    parts = [b"a/T0[1000] x\n"] + [b"=" * 80 + f"\nMSG: a/T{i}\na/T{i + 1}[1000] x\n".encode() for i in range(30)]
    return b"".join([*parts, b"=" * 80 + b"\nMSG: a/T31\n"])


# -- ROS 1 -----------------------------------------------------------------------------------------------------------

_FIELDS = (
    b"size=",
    b"count=",
    b"conn_count=",
    b"chunk_count=",
    b"index_pos=",
    b"chunk_pos=",
    b"conn=",
    b"ver=",
    b"time=",
    b"start_time=",
)
_TEXTS = (b"compression=", b"topic=", b"type=", b"md5sum=", b"message_definition=")


def bag_changed(path: Path, rng: random.Random) -> str | None:
    """A header field of a ROS 1 bag lies; bags have no checksums."""
    data = bytearray(path.read_bytes())
    field = rng.choice((*_FIELDS, *_TEXTS))
    places = [found.end() for found in re.finditer(re.escape(field), data)]
    if not places:
        return None
    at = rng.choice(places)
    if field in _TEXTS:
        data[at : at + 4] = rng.choice((b"lz4\x00", b"bz2\x00", b"none", b"\xff\xff\xff\xff", b"../.", b"[[[["))
    else:
        stated = int.from_bytes(data[at : at + 4], "little")
        other = rng.choice((0, 1, stated + 1, stated - 1, 0x7FFFFFFF, 0xFFFFFFFF, len(data)))
        data[at : at + 4] = struct.pack("<I", other & 0xFFFFFFFF)
    path.write_bytes(bytes(data))
    return None


# -- MP4 -------------------------------------------------------------------------------------------------------------

_HOLDERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"dinf", b"udta", b"moof", b"traf", b"mvex")
_COUNTED = (b"stts", b"stsz", b"stco", b"co64", b"stsc", b"ctts", b"stss", b"elst", b"stsd", b"dref")
_TIMED = (b"mvhd", b"tkhd", b"mdhd")


def mp4_changed(path: Path, rng: random.Random) -> str | None:
    """A box whose size, kind, count or numbers lie; or one that is gone, there twice, or leads to another file."""
    data = path.read_bytes()
    boxes = list(_boxes(data, 0, len(data)))
    counted = [box for box in boxes if box[2] in _COUNTED + _TIMED]
    start, size, _ = rng.choice(counted if counted and rng.random() < 0.6 else boxes) if boxes else (0, len(data), b"")
    box, inside = data[start : start + size], start + 8
    how = rng.random()
    if how < 0.2:
        other = rng.choice((0, 1, 7, 8, size - 1, size + 1, 2 * size, 0x7FFFFFFF, 0xFFFFFFFF))
        data = data[:start] + struct.pack(">I", other & 0xFFFFFFFF) + data[start + 4 :]
    elif how < 0.3:
        data = data[:start] + data[start + size :]
    elif how < 0.4:
        data = data[:start] + box + data[start:]
    elif how < 0.5:
        data = (
            data[: start + 4]
            + rng.choice((b"free", b"moov", b"trak", b"uuid", b"cmov", rng.randbytes(4)))
            + data[start + 8 :]
        )
    elif how < 0.6:
        url = b"\x00\x00\x00\x00" + str(canary("a.mp4")).encode() + b"\x00"
        link = struct.pack(">I", len(url) + 8) + b"url " + url
        data = data.replace(b"\x00\x00\x00\x0curl \x00\x00\x00\x01", link)
    else:
        at = inside + 4 * rng.randrange(1, max(2, min(size // 4 - 1, 8)))
        number = rng.choice((0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x10000000, rng.getrandbits(32)))
        data = data[:at] + struct.pack(">I", number) + data[at + 4 :]
    path.write_bytes(data)
    return None


def _boxes(data: bytes, start: int, stop: int) -> Any:
    while start + 8 <= stop:
        size, kind = struct.unpack(">I4s", data[start : start + 8])
        if size < 8 or start + size > stop:
            return
        yield start, size, kind
        if kind in _HOLDERS:
            yield from _boxes(data, start + 8, start + size)
        start += size
