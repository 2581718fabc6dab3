"""Small films for tests: what is on each picture and when it is shown is known exactly."""

import io
from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

from schemas.episode import VideoWindow

Picture = NDArray[np.uint8]
WHOLE = VideoWindow("video/main", 0, 0, -1)


def texture(height: int = 96, width: int = 128, seed: int = 0) -> Picture:
    """A smooth random pattern, uint8 [H, W, 3], that optical flow can follow."""
    coarse = np.random.default_rng(seed).integers(40, 216, (height // 8, width // 8, 3))
    return np.kron(coarse, np.ones((8, 8, 1))).astype(np.uint8)


def grey(level: int, height: int = 96, width: int = 128) -> Picture:
    return np.full((height, width, 3), level, np.uint8)


def drifting(n_frames: int, step: int = 2) -> list[Picture]:
    """A texture that moves ``step`` pixels to the right per frame, wrapping around."""
    return [np.roll(texture(), step * i, axis=1) for i in range(n_frames)]


def film(
    pictures: Sequence[Picture],
    *,
    pts: Sequence[int] | None = None,
    rate: int = 20,
    time_base: Fraction | None = None,
    container: str = "mp4",
    options: dict[str, str] | None = None,
    rotation: float | None = None,
    sizes: Sequence[tuple[int, int]] = (),
) -> bytes:
    """An H.264 film; ``pts`` count in ``time_base`` (one frame period by default). ``sizes`` adds more streams."""
    sink = io.BytesIO()
    with av.open(sink, "w", format="matroska" if container == "mkv" else container) as out:
        streams = []
        for width, height in [pictures[0].shape[1::-1], *sizes]:
            stream = out.add_stream(
                "libx264", rate=rate, options={"crf": "12", "preset": "veryfast", **(options or {})}
            )
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.codec_context.time_base = time_base or Fraction(1, rate)
            stream.codec_context.thread_count = 1
            if rotation is not None:
                stream.set_display_rotation(rotation)
            streams.append(stream)
        for stream in streams:
            for i, picture in enumerate(pictures):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame = frame.reformat(width=stream.width, height=stream.height, format="yuv420p")
                frame.pts, frame.time_base = (pts[i] if pts else i), time_base or Fraction(1, rate)
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
    return sink.getvalue()
