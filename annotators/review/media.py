"""The media folder: proxies and their frame tables by content, and single pictures out of them, exactly.

Whoever serves this decides who may see what; here a name is a SHA-256 and nothing else, so no request leads elsewhere.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import av
import cv2

from annotators.review.exact_picture import exact_picture, opened_proxy
from annotators.review.frame_table import FrameTable, frame_table_from

_SHA256 = re.compile(r"[0-9a-f]{64}")
_QUALITY = 85
_CACHE_BYTES = 32 << 20
_LEAST_HEIGHT = 16


@dataclass
class Media:
    """Proxies in one folder. Holds a small cache of pictures that were asked for last; threads may share it."""

    folder: Path
    cache_bytes: int = _CACHE_BYTES
    _cached: OrderedDict[tuple[str, int, int], bytes] = field(default_factory=OrderedDict)
    _n_cached_bytes: int = 0
    _lock: Lock = field(default_factory=Lock)

    def mp4(self, sha256: str) -> Path:
        """Where a proxy lies. Raises KeyError when there is none."""
        return self._path(sha256, "mp4")

    def times(self, sha256: str) -> Path:
        """Where its frame table lies. Raises KeyError when there is none."""
        return self._path(sha256, "times")

    def table(self, sha256: str) -> FrameTable:
        return frame_table_from(self.times(sha256).read_bytes())

    def picture(self, sha256: str, number: int, height: int = 0) -> bytes:
        """Picture ``number`` as JPEG, never enlarged; height 0 leaves it as it is.

        Raises KeyError when there is no such proxy or picture, StoreError when it cannot be decoded.
        """
        path, table = self.mp4(sha256), self.table(sha256)
        if not 0 <= number < len(table):
            raise KeyError(f"{sha256}: no picture {number}, found {len(table)}")
        key = (sha256, number, max(height, _LEAST_HEIGHT) if height > 0 else 0)
        with self._lock:
            if key in self._cached:
                self._cached.move_to_end(key)
                return self._cached[key]
        with opened_proxy(path) as container:
            jpeg = _jpeg(exact_picture(container, table, number), key[2])
        self._keep(key, jpeg)
        return jpeg

    def _keep(self, key: tuple[str, int, int], jpeg: bytes) -> None:
        with self._lock:
            if key not in self._cached:
                self._cached[key] = jpeg
                self._n_cached_bytes += len(jpeg)
            while self._n_cached_bytes > self.cache_bytes:
                _, oldest = self._cached.popitem(last=False)
                self._n_cached_bytes -= len(oldest)

    def _path(self, sha256: str, kind: str) -> Path:
        path = self.folder / f"{sha256}.{kind}"
        if not _SHA256.fullmatch(sha256) or not path.is_file():
            raise KeyError(f"{sha256[:80]}: no such media")
        return path


def _jpeg(frame: av.VideoFrame, height: int) -> bytes:
    picture = frame.to_ndarray(format="bgr24", threads=1)
    if 0 < height < frame.height:
        width = max(1, round(frame.width * height / frame.height))
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1])
