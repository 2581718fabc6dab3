"""What many files say about each of many recordings, put together by recording without holding it in memory.

Annotation files of large datasets list all recordings, each file in its own order and each hundreds of megabytes
long. They are read once, cut into slices, and kept in a temporary table on disk that vanishes with the process.
"""

import json
import sqlite3
from collections.abc import Iterator
from types import TracebackType
from typing import Any


class Slices:
    """Slices of JSON by the recording they are about. A context manager: closing throws the table away."""

    def __init__(self) -> None:
        # The empty name is SQLite's own for a private database in a temporary file that is already unlinked.
        self._table = sqlite3.connect("", check_same_thread=False)
        self._table.execute("CREATE TABLE slice (recording TEXT, content TEXT)")

    def __enter__(self) -> "Slices":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._table.close()

    def add(self, recording: str, content: dict[str, Any]) -> None:
        """Keep what one file says about one recording."""
        self._table.execute("INSERT INTO slice VALUES (?, ?)", (recording, json.dumps(content)))

    def by_recording(self) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        """Every recording in order of name, with its slices in the order they were added."""
        self._table.execute("CREATE INDEX IF NOT EXISTS by_recording ON slice (recording)")
        for (recording,) in self._table.execute("SELECT DISTINCT recording FROM slice ORDER BY recording"):
            found = self._table.execute("SELECT content FROM slice WHERE recording = ? ORDER BY rowid", (recording,))
            yield recording, [json.loads(content) for (content,) in found]
