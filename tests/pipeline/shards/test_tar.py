"""Tars of a fixed form: every tool reads them, and they say nothing about who wrote them."""

import io
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.shards.tar import RECORD, TarStream, entry, members, sample_bytes

PARTS = [("front.mp4", b"\x00" * 700), ("event.json", b"{}"), ("empty.npz", b"")]


def whole(*samples: bytes) -> bytes:
    stream = io.BytesIO()
    writer = TarStream(stream)
    for sample in samples:
        writer.add(sample)
    writer.finish()
    return stream.getvalue()


def test_tarfile_and_gnu_tar_read_it(tmp_path: Path) -> None:
    data = whole(sample_bytes("0001-a", PARTS), sample_bytes("0002-b", PARTS))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = [(member.name, member.size) for member in archive]
    assert found == [(f"{key}.{name}", len(content)) for key in ("0001-a", "0002-b") for name, content in PARTS]
    (tmp_path / "x.tar").write_bytes(data)
    listed = subprocess.run(["tar", "tf", "x.tar"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert listed.stdout.split() == [name for name, _ in found]
    assert listed.stderr == ""


def test_owner_mode_and_time_are_fixed() -> None:
    with tarfile.open(fileobj=io.BytesIO(whole(sample_bytes("k", PARTS)))) as archive:
        member = archive.next()
    assert member is not None
    assert (member.mtime, member.uid, member.gid, member.uname, member.gname) == (0, 0, 0, "", "")
    assert member.mode == 0o644


def test_archives_are_whole_records() -> None:
    assert len(whole()) % RECORD == len(whole(sample_bytes("k", PARTS))) % RECORD == 0


def test_offsets_lead_to_samples() -> None:
    stream = io.BytesIO()
    writer, sample = TarStream(stream), sample_bytes("k", PARTS)
    assert [writer.add(sample), writer.add(sample)] == [0, len(sample)]


@given(st.lists(st.tuples(st.sampled_from(["a.mp4", "b.json", "c.npz"]), st.binary(max_size=1200)), max_size=4))
def test_reading_gives_what_was_written(parts: list[tuple[str, bytes]]) -> None:
    expected = [(f"key.{name}", content) for name, content in parts]
    assert list(members(sample_bytes("key", parts), "here")) == expected


@pytest.mark.parametrize("name", ["é.mp4", "x" * 101])
def test_a_name_no_plain_header_can_hold_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="at most 100 ASCII"):
        entry(name, b"")


def test_bytes_that_are_no_tar_are_refused_with_their_place() -> None:
    with pytest.raises(ValueError, match=r"x\.tar: no tar header at byte 0"):
        list(members(b"\x01" * 512, "x.tar"))
    with pytest.raises(ValueError, match=r"x\.tar: a member of 700 bytes reaches past"):
        list(members(sample_bytes("k", PARTS)[:600], "x.tar"))
