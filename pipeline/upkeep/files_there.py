"""Every file of a workspace with its size and time, those too that a kill left half written."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Sequence

from pipeline.blobs import Blobs, is_local
from pipeline.files import FileStat, SourceFiles

NS_PER_S = 1_000_000_000


def files_there(blobs: Blobs, folder: str = "") -> list[FileStat]:
    """All files below a folder of a workspace, sorted by path; empty when there is no such folder."""
    return SourceFiles(blobs.url, blobs.storage).list(folder)


def clock_of_store(blobs: Blobs) -> int:
    """What the storage takes for now, in nanoseconds: the time it gives a file that is written this moment.

    Ages of files are differences of its own times, so that a machine whose clock is wrong removes nothing too early.
    """
    path = f"at_work/clock-{uuid.uuid4().hex}.tmp"
    blobs.put_bytes(path, b"")
    try:
        noted = SourceFiles(blobs.url, blobs.storage).stat(path)
    finally:
        blobs.remove(path)
    return noted.mtime_ns if noted is not None and noted.mtime_ns else time.time_ns()


def given_back(blobs: Blobs, files: Sequence[FileStat]) -> list[int]:
    """The bytes that removing all these files gives back, file by file: none where another name of it stays.

    A set's tars are second names (hard links) of those beside it, on a local disk.
    """
    if not is_local(blobs.url):
        return [file.size for file in files]
    names_gone = Counter[tuple[int, int]]()
    found = []
    for file in files:
        try:
            about = blobs.local(file.path).stat()
        except FileNotFoundError:
            found.append(0)
            continue
        node = (about.st_dev, about.st_ino)
        names_gone[node] += 1
        found.append(file.size if names_gone[node] == about.st_nlink else 0)
    return found
