"""A log grows as a file, or part by part where files cannot grow; whichever it is, it reads the same."""

from pathlib import Path

import pytest

from jobs.telemetry import lines
from jobs.telemetry.lines import BlobLines, lines_of, log_place, read_lines
from pipeline.blobs import Blobs


def test_a_local_log_can_be_read_while_it_grows(tmp_path: Path) -> None:
    blobs = Blobs(str(tmp_path))
    log = lines_of(blobs, "run-1")
    log.write("one")
    log.flush()
    assert list(read_lines(blobs, "run-1")) == ["one"]
    log.write("zwei ä")
    log.close()
    assert list(read_lines(blobs, "run-1")) == ["one", "zwei ä"]
    assert Path(log_place(blobs, "run-1")).is_file()
    assert list(read_lines(blobs, "run-2")) == []


def test_a_log_in_parts_keeps_its_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "PART_BYTES", 20)
    blobs = Blobs(str(tmp_path))
    log = BlobLines(blobs, "logs/run-1")
    for i in range(30):
        log.write(f"line {i}")
    log.close()
    assert len(blobs.list("logs/run-1")) == 10
    assert list(read_lines(blobs, "run-1")) == [f"line {i}" for i in range(30)]


class Down(Blobs):
    """A store that is gone for a while."""

    def put_bytes(self, path: str, data: bytes) -> None:
        raise OSError("connection refused")


def test_what_could_not_be_written_is_written_the_next_time(tmp_path: Path) -> None:
    log = BlobLines(Down(str(tmp_path)), "logs/run-1")
    log.write("one")
    with pytest.raises(OSError, match="refused"):
        log.flush()
    log._blobs = Blobs(str(tmp_path))
    log.write("two")
    log.close()
    assert list(read_lines(Blobs(str(tmp_path)), "run-1")) == ["one", "two"]
