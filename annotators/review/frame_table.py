"""When each picture of a view is shown: n + 1 edges in int64 nanoseconds, from the first picture = 0.

The table comes from ingest, which saw every picture, and not from a frame rate or from what the player says. It lies
beside the proxy as ``<sha256>.times`` (little endian), and the browser holds each presented picture's time against it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.errors import JoineryError
from schemas.array import Ints
from schemas.episode import Camera

_STORED = np.dtype("<i8")


@dataclass(frozen=True, eq=False)
class FrameTable:
    """``edges_ns`` int64 [N + 1]; the last is the end of the last picture."""

    edges_ns: Ints

    def __post_init__(self) -> None:
        if len(self.edges_ns) < 2 or self.edges_ns[0] != 0 or np.any(np.diff(self.edges_ns) <= 0):
            raise JoineryError(f"frame table of {len(self.edges_ns)} edges: expected at least 2, from 0 and increasing")

    def __len__(self) -> int:
        return len(self.edges_ns) - 1

    @property
    def longest_ns(self) -> int:
        return int(np.max(np.diff(self.edges_ns)))

    def to_bytes(self) -> bytes:
        return self.edges_ns.astype(_STORED).tobytes()


def frame_table_of(camera: Camera) -> FrameTable:
    """The whole recording of one view."""
    edges_ns = np.append(camera.times_ns, camera.end_ns)
    return FrameTable(edges_ns - edges_ns[0])


def frame_table_from(data: bytes) -> FrameTable:
    """What `FrameTable.to_bytes` wrote. Raises JoineryError for anything else."""
    if len(data) % _STORED.itemsize:
        raise JoineryError(f"frame table of {len(data)} bytes: expected a multiple of 8; make the proxy again")
    return FrameTable(np.frombuffer(data, _STORED).astype(np.int64))
