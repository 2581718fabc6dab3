"""TFRecord files: every record is found where it lies, and none is believed whose checksum is wrong."""

import hashlib
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import SourceError
from pipeline.sources.storage.tfrecord import length_at, masked_crc, record_at, sha256_at
from tests.pipeline.sources.written import rlds as written

NAME = "made.tfrecord"


def lengths(data: bytes) -> list[tuple[int, int]]:
    """(offset, length) of every record."""
    found, offset = [], 0
    while offset < len(data):
        length = length_at(io.BytesIO(data), offset, len(data), NAME)
        found.append((offset, length))
        offset += length + 16
    return found


@settings(deadline=None, derandomize=True)
@given(st.lists(st.binary(max_size=40), min_size=1, max_size=6))
def test_every_record_is_found_with_its_bytes_and_its_digest(records: list[bytes]) -> None:
    data = b"".join(map(written.framed, records))
    file = io.BytesIO(data)
    places = lengths(data)
    assert [record_at(file, *place, NAME) for place in places] == records
    assert [sha256_at(file, *place, NAME) for place in places] == [hashlib.sha256(r).hexdigest() for r in records]


def test_checksums_are_masked_as_tensorflow_does(real: Path) -> None:
    path = real / written.BRIDGE / "1.0.0/bridge_dataset-train.tfrecord-00000-of-00001"
    data = path.read_bytes()
    assert len(lengths(data)) == 25
    assert masked_crc(data[:8]).to_bytes(4, "little") == data[8:12] == written.crc(data[:8])


@pytest.mark.parametrize("at", [12, 20, -5], ids=["first byte", "in the middle", "last byte"])
def test_a_flipped_bit_in_the_data_is_an_error_that_names_the_record(at: int) -> None:
    data = bytearray(written.framed(b"whole") + written.framed(b"sixteen letters."))
    data[at if at < 0 else 21 + at] ^= 4
    for read in (record_at, sha256_at):
        with pytest.raises(
            SourceError, match=r"^made\.tfrecord: the checksum of the record at byte 21 is wrong; it is"
        ):
            read(io.BytesIO(bytes(data)), 21, 16, NAME)


def test_a_flipped_bit_in_a_length_is_an_error_before_anything_is_read() -> None:
    data = bytearray(written.framed(b"whole"))
    data[6] ^= 1
    with pytest.raises(SourceError, match=r"no record starts at byte 0, the checksum of its length is wrong; .* fetch"):
        length_at(io.BytesIO(bytes(data)), 0, len(data), NAME)


@pytest.mark.parametrize("kept", [3, 11, 13, 18, 20])
def test_a_file_that_ends_inside_a_record_is_truncated(kept: int) -> None:
    data = written.framed(b"whole")[:kept]
    with pytest.raises(SourceError, match=r"the file is truncated: fetch it again"):
        length_at(io.BytesIO(data), 0, len(data), NAME)
    with pytest.raises(SourceError, match=r"the file is truncated: fetch it again"):
        sha256_at(io.BytesIO(data), 0, 5, NAME)


@pytest.mark.parametrize("claimed", [1 << 40, (1 << 64) - 1])
def test_a_claimed_length_is_compared_with_the_file_before_memory_is_taken(claimed: int) -> None:
    header = claimed.to_bytes(8, "little")
    data = header + written.crc(header) + b"data"
    with pytest.raises(SourceError, match=rf"the record at byte 0 takes {claimed} bytes, the file ends 16 bytes after"):
        record_at(io.BytesIO(data), 0, claimed, NAME)


def test_a_record_larger_than_an_episode_is_refused() -> None:
    header = (1 << 31).to_bytes(8, "little")
    with pytest.raises(SourceError, match=r"takes 2147483648 bytes, expected at most 1073741824; write shorter"):
        length_at(io.BytesIO(header + written.crc(header)), 0, 1 << 40, NAME)


def test_a_record_that_is_not_the_listed_one_is_an_error() -> None:
    data = written.framed(b"whole")
    with pytest.raises(
        SourceError, match=r"the record at byte 0 is not the one listed; the file has changed: run again"
    ):
        record_at(io.BytesIO(data), 0, 6, NAME)
