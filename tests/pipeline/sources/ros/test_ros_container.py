"""Containers: every message as rosbags and mcap wrote it, and no claim of a file believed before it is checked."""

import bz2
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import lz4.frame
import pytest
import zstandard
from mcap.writer import CompressionType
from rosbags.highlevel import AnyReader

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.sources.ros import ros_unpack
from pipeline.sources.ros.ros_channel import Message, plain_type
from pipeline.sources.ros.ros_container import messages_of
from pipeline.sources.ros.ros_unpack import Records, unpack
from tests.pipeline.sources.written import ros_bag as written
from tests.pipeline.sources.written.ros_bag import Said


def messages(path: Path, topics: set[str] | None = None, *, skipping: bool = False) -> list[Message]:
    files = SourceFiles(str(path.parent))
    wanted = (lambda _: True) if topics is None else (lambda channel: channel.topic in topics)
    return list(messages_of(files, (path.name,), wanted, packed=False, skipping=skipping))


def plain(found: list[Message]) -> list[tuple[str, int, bytes]]:
    return [(message.channel.topic, message.log_ns, bytes(message.data)) for message in found]


@pytest.fixture(scope="module")
def said(real: Path) -> list[Said]:
    return written.said_in(written.take(real, 16))


WRITE: dict[str, Callable[[Path, list[Said]], Path]] = {
    "bag": lambda folder, said: written.write_bag1(folder / "a.bag", said, chunk_bytes=4096) or folder / "a.bag",
    "mcap": lambda folder, said: written.write_bag2(folder / "a", said) or folder / "a" / "a.mcap",
    "db3": lambda folder, said: written.write_bag2(folder / "a", said, "sqlite3") or folder / "a" / "a.db3",
}


def test_the_real_bag_holds_what_rosbags_finds(real: Path) -> None:
    path = real / "teleop/rosbag1_fixture/example.bag"
    with AnyReader([path]) as reader:
        theirs = [(connection.topic, t_ns, bytes(data)) for connection, t_ns, data in reader.messages()]
    assert len(theirs) == 8647
    assert sorted(plain(messages(path))) == sorted(theirs)


@pytest.mark.parametrize("suffix", sorted(WRITE))
def test_messages_come_in_the_order_of_recording(suffix: str, tmp_path: Path, said: list[Said]) -> None:
    found = messages(WRITE[suffix](tmp_path, said))
    assert [(message.channel.topic, message.log_ns) for message in found] == [(one.topic, one.log_ns) for one in said]
    kinds = {message.channel.topic: message.channel.type for message in found}
    assert kinds == {one.topic: plain_type(one.kind) for one in said}


@pytest.mark.parametrize("suffix", sorted(WRITE))
def test_passing_over_chunks_loses_no_message(suffix: str, tmp_path: Path, said: list[Said]) -> None:
    path = WRITE[suffix](tmp_path, said)
    for topic in sorted({one.topic for one in said}):
        assert plain(messages(path, {topic}, skipping=True)) == plain(messages(path, {topic}))


def test_chunks_without_the_topic_are_not_unpacked(
    tmp_path: Path, said: list[Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = WRITE["bag"](tmp_path, said)
    unpacked: list[int] = []

    def counted(data: bytes, compression: str, size: int, name: str) -> bytes:
        unpacked.append(size)
        return unpack(data, compression, size, name)

    monkeypatch.setattr("pipeline.sources.ros.ros_bag1.unpack", counted)
    messages(path, {"/instruction"})
    everything = len(unpacked)
    messages(path, {"/instruction"}, skipping=True)
    assert len(unpacked) - everything < everything / 2


def test_an_index_that_disagrees_with_its_chunk_is_an_error(tmp_path: Path, said: list[Said]) -> None:
    path = WRITE["bag"](tmp_path, said)
    data = bytearray(path.read_bytes())
    data[-4:] = struct.pack("<I", 77)  # messages of the last connection in the last chunk
    path.write_bytes(data)
    with pytest.raises(SourceError, match=r"a\.bag: the chunk at byte \d+ holds other messages than the index says"):
        messages(path)


def test_a_flipped_bit_in_an_mcap_chunk_is_found_by_its_check_sum(tmp_path: Path, real: Path) -> None:
    path = tmp_path / "a.mcap"
    written.write_json(path, written.take(real, 6), CompressionType.NONE)
    data = path.read_bytes()
    at = data.index(b'"frame_id": "world"')
    path.write_bytes(data[:at] + b"'" + data[at + 1 :])
    with pytest.raises(SourceError, match=r"a\.mcap: the chunk at byte \d+ does not match its check sum"):
        messages(path)


def test_an_mcap_whose_recorder_was_stopped_is_refused(tmp_path: Path, real: Path) -> None:
    path = tmp_path / "a.mcap"
    written.write_json(path, written.take(real, 6))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(SourceError, match=r"a\.mcap: does not end as an MCAP file does; .*`mcap recover`"):
        messages(path)


def test_a_bag_without_an_index_is_refused(tmp_path: Path, said: list[Said]) -> None:
    path = WRITE["bag"](tmp_path, said)
    data = bytearray(path.read_bytes())
    at = data.index(b"index_pos=") + len(b"index_pos=")
    data[at : at + 8] = bytes(8)
    path.write_bytes(data)
    with pytest.raises(SourceError, match=r"a\.bag: has no index, .*`rosbag reindex`"):
        messages(path)


PACKED = {
    "lz4": lz4.frame.compress,
    "bz2": bz2.compress,
    "zstd": lambda data: zstandard.ZstdCompressor().compress(data),
    "none": lambda data: data,
}


@pytest.mark.parametrize("compression", sorted(PACKED))
def test_chunks_unpack_to_exactly_what_they_claim(compression: str) -> None:
    content = bytes(range(256)) * 40
    packed = PACKED[compression](content)
    assert unpack(packed, compression, len(content), "chunk") == content
    with pytest.raises(SourceError, match="chunk: claims 10239 bytes unpacked, found "):
        unpack(packed, compression, len(content) - 1, "chunk")
    with pytest.raises(SourceError, match="chunk: claims 10241 bytes unpacked, found 10240"):
        unpack(packed, compression, len(content) + 1, "chunk")


@pytest.mark.parametrize("compression", ["lz4", "bz2", "zstd"])
def test_a_bomb_is_not_unpacked(compression: str) -> None:
    bomb = PACKED[compression](bytes(40 << 20))
    tracemalloc.start()
    with pytest.raises(SourceError, match="claims 1000 bytes unpacked, found more than 1000"):
        unpack(bomb, compression, 1000, "chunk")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20
    with pytest.raises(SourceError, match="more than 256 MiB"):
        unpack(bomb, compression, 1 << 40, "chunk")
    with pytest.raises(SourceError, match=r"cannot be unpacked|found"):
        unpack(bomb[: len(bomb) // 2], compression, 40 << 20, "chunk")


def test_an_unknown_packing_is_refused() -> None:
    with pytest.raises(SourceError, match="packed with 'rar'; read are lz4, zstd and bz2"):
        unpack(b"", "rar", 0, "chunk")


def test_a_claimed_length_must_fit_into_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(bytes(100))
    with Records(SourceFiles(str(tmp_path)), "a") as records:
        assert records.take(40, "a part") == bytes(40)
        with pytest.raises(SourceError, match="at byte 40: a part claims 61 bytes where 60 are left"):
            records.take(61, "a part")
        with pytest.raises(SourceError, match="a part claims"):
            records.skip(1 << 60, "a part")
        monkeypatch.setattr(ros_unpack, "MAX_BYTES", 10)
        with pytest.raises(SourceError, match="a part claims 50 bytes, more than"):
            records.take(50, "a part")


def test_another_suffix_is_no_bag(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"")
    with pytest.raises(SourceError, match=r"a\.txt: is no bag, expected one of \.bag, \.db3, \.mcap"):
        messages(tmp_path / "a.txt")
