"""Writing mp4 files: H.264 from RGB pictures at a constant rate, one thread, the same bytes every time."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np

from pipeline.repeatable_x264 import CONTAINER_OPTIONS, add_x264_stream
from pipeline.synthetic.scene import Picture
from pipeline.synthetic.view import PictureSize
from schemas.array import Floats

_EVERY = 10
"""Picture statistics look at every tenth frame, as LeRobot's do on a sample."""


class Mp4Writer:
    """One file being written. Keeps the picture statistics LeRobot's metadata asks for."""

    def __init__(self, path: Path, size: PictureSize, fps: int, *, crf: int = 22, gop: int = 12) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._container = av.open(str(path), "w", format="mp4", options=CONTAINER_OPTIONS)
        self._stream = add_x264_stream(self._container, fps, {"preset": "veryfast", "crf": str(crf)})
        self._stream.width, self._stream.height = size.width, size.height
        self._stream.codec_context.gop_size = gop
        self.n_frames = 0

    def add(self, pictures: Iterable[Picture]) -> Floats:
        """Append pictures; returns a float64 sample of their values in 0 … 1, [S, 3], for statistics."""
        sample = []
        for index, picture in enumerate(pictures):
            if index % _EVERY == 0:
                sample.append(picture[::4, ::4].reshape(-1, 3))
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = self.n_frames
            self.n_frames += 1
            self._container.mux(self._stream.encode(frame))
        return np.concatenate(sample).astype(np.float64) / 255.0 if sample else np.empty((0, 3))

    def close(self) -> None:
        """Flush the encoder and write the index."""
        self._container.mux(self._stream.encode(None))
        self._container.close()


def write_mp4(path: Path, pictures: Iterable[Picture], size: PictureSize, fps: int) -> int:
    """A whole file at once; returns the number of frames."""
    writer = Mp4Writer(path, size, fps)
    writer.add(pictures)
    writer.close()
    return writer.n_frames
