"""The review folder: one review file, the pictures, the mirror, the snapshots, and who holds all that open.

One process writes. A second one would be told of nothing the first does, so it is refused, with the first one's number.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import StoreError


@dataclass(frozen=True)
class ReviewFolder:
    """Where its parts are."""

    root: Path

    @property
    def database(self) -> Path:
        return self.root / "review.sqlite"

    @property
    def media(self) -> Path:
        return self.root / "media"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def snapshots(self) -> Path:
        return self.root / "snapshots"

    def media_file(self, sha256: str) -> Path:
        """The file of registered pictures."""
        return self.media / f"{sha256}.mp4"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the one that writes. Raises StoreError while another process is; a killed one holds nothing."""
        self.root.mkdir(parents=True, exist_ok=True)
        path = self.root / "lock"
        with path.open("a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise StoreError(
                    f"{self.root}: process {file.read().strip() or 'unknown'} has these reviews open; use that one, or "
                    "stop it first"
                ) from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            try:
                yield
            finally:
                file.truncate(0)
