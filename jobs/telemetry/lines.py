"""Where the lines of a run's log go: a file that grows, or where files cannot grow, blobs one after the other.

An object store takes whole objects only, so there a log is cut into parts: what has come together is written as the
next part when it is large or has waited long enough (`flush`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, TextIO

from pipeline.blobs import Blobs, is_local

LOGS = "logs"
NAME = "run"
PART_BYTES = 1 << 20


class Lines(Protocol):
    """Takes lines."""

    def write(self, line: str) -> None:
        """Take one line, without its end."""

    def flush(self) -> None:
        """Let others read what has been taken. Raises OSError and keeps it when that fails."""

    def close(self) -> None:
        """Flush, and let go of what is open."""


class FileLines:
    """A local file that grows."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: TextIO = path.open("a", encoding="utf-8")

    def write(self, line: str) -> None:
        self._file.write(line + "\n")

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class BlobLines:
    """Blobs with increasing numbers."""

    def __init__(self, blobs: Blobs, folder: str) -> None:
        self._blobs, self._folder = blobs, folder
        self._waiting: list[bytes] = []
        self._n_bytes = self._n_parts = 0

    def write(self, line: str) -> None:
        self._waiting.append(line.encode() + b"\n")
        self._n_bytes += len(self._waiting[-1])
        if self._n_bytes > PART_BYTES:
            self.flush()

    def flush(self) -> None:
        if self._waiting:
            self._blobs.put_bytes(f"{self._folder}/{NAME}-{self._n_parts + 1:06}.jsonl", b"".join(self._waiting))
            self._waiting, self._n_bytes, self._n_parts = [], 0, self._n_parts + 1

    def close(self) -> None:
        self.flush()


def lines_of(blobs: Blobs, run_id: str) -> Lines:
    """Where the log of a run is written."""
    if is_local(blobs.url):
        return FileLines(Path(blobs.url.removeprefix("file://")) / LOGS / run_id / f"{NAME}.jsonl")
    return BlobLines(blobs, f"{LOGS}/{run_id}")


def log_place(blobs: Blobs, run_id: str) -> str:
    """The same, for people."""
    return f"{blobs.url}/{LOGS}/{run_id}/{NAME}{'' if is_local(blobs.url) else '-*'}.jsonl"


def read_lines(blobs: Blobs, run_id: str) -> Iterator[str]:
    """The lines of a run's log in the order written; none for a run that kept no log."""
    for path in blobs.list(f"{LOGS}/{run_id}"):
        if path.endswith(".jsonl"):
            yield from blobs.read(path).decode("utf-8", "replace").splitlines()
