"""Clips for decoders: as `cut` makes them, and of every kind it does not make."""

import io
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from pipeline.clip import ClipEncoder
from schemas.recipe import ClipSpec


def pictures(n: int, width: int, height: int) -> list[np.ndarray[Any, np.dtype[np.uint8]]]:
    """Noise in blocks of 8: every colour, and edges that chroma shows."""
    rng = np.random.default_rng(width * height + n)
    blocks = rng.integers(0, 256, (n, (height + 7) // 8, (width + 7) // 8, 3), np.uint8)
    return [np.ascontiguousarray(picture.repeat(8, 0).repeat(8, 1)[:height, :width]) for picture in blocks]


def times_ns(n: int) -> list[int]:
    """A rate that varies by the factor of four."""
    return np.concatenate([[0], np.cumsum(np.random.default_rng(n).integers(20, 80, n - 1))]).astype(int).tolist()


def cut_clip(width: int, height: int, n: int = 21) -> bytes:
    """As the product cuts: key frames every 8, no B-frames, a variable rate."""
    encoder = ClipEncoder(ClipSpec())
    for t_ms, picture in zip(times_ns(n), pictures(n, width, height), strict=True):
        encoder.add(t_ms * 1_000_000, av.VideoFrame.from_ndarray(picture, format="rgb24"))
    return encoder.finish((times_ns(n)[-1] + 40) * 1_000_000).mp4


def odd_clip(width: int, height: int, pix_fmt: str, n: int = 21, full_range: bool = False, **options: str) -> bytes:
    """H.264 of any kind x264 makes, at a variable rate."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4", options={"video_track_timescale": "1000"}) as container:
        stream = container.add_stream("libx264", rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.codec_context.time_base = Fraction(1, 1000)
        if full_range:
            stream.codec_context.color_range = ColorRange.JPEG
            stream.codec_context.colorspace = Colorspace.ITU709
        for t_ms, picture in zip(times_ns(n), pictures(n, width, height), strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = t_ms, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


CLIPS = {
    "as cut": lambda: cut_clip(66, 50),
    "as cut, of one cell": lambda: cut_clip(2, 2),
    "as cut, tall": lambda: cut_clip(34, 98),
    "as cut, of odd pictures": lambda: cut_clip(67, 51),
    "B-frames": lambda: odd_clip(66, 50, "yuv420p", bf="3", g="12"),
    "one key frame": lambda: odd_clip(66, 50, "yuv420p", g="250"),
    "open GOPs": lambda: odd_clip(66, 50, "yuv420p", bf="3", g="6", **{"x264-params": "open-gop=1:scenecut=0"}),
    "full range": lambda: odd_clip(66, 50, "yuv420p", full_range=True),
    "odd size": lambda: odd_clip(65, 49, "yuv444p"),
    "10 bits": lambda: odd_clip(66, 50, "yuv420p10le"),
    "4:2:2": lambda: odd_clip(66, 50, "yuv422p"),
}
