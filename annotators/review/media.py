"""One exact picture of a proxy, as JPEG."""

from __future__ import annotations

import io
from pathlib import Path

import av

from schemas.array import Ints
from schemas.time import NS_PER_S


def frame_jpeg(path: Path, edges_ns: Ints, frame: int, height: int) -> bytes:
    """Picture ``frame`` of the file, at most ``height`` high. Raises ValueError when the file does not have it."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        middle_ns = (int(edges_ns[frame]) + int(edges_ns[frame + 1])) // 2
        container.seek(int(middle_ns / NS_PER_S / stream.time_base), stream=stream)
        for picture in container.decode(stream):
            assert picture.pts is not None
            start_ns = round(picture.pts * stream.time_base * NS_PER_S)
            if abs(start_ns - int(edges_ns[frame])) <= 1000:
                image = picture.to_image()
                image.thumbnail((100_000, height))
                buffer = io.BytesIO()
                image.save(buffer, "JPEG", quality=85)
                return buffer.getvalue()
    raise ValueError(f"{path.name}: no picture {frame}")
