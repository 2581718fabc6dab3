"""Films that say on every picture which one it is, in the encodings that make players name the wrong one.

Twelve bits and their parity as black and white cells, over a drifting texture that gives the decoder work.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import av
import numpy as np
from numpy.typing import NDArray

from tests.ordinary_priority import ordinary_priority
from tests.pipeline.films import texture

Picture = NDArray[np.uint8]

WIDTH, HEIGHT = 320, 240
CELL, LEFT, TOP, N_CELLS = 20, 30, 100, 13
"""Cells are squares in a row; `harness.js` reads them with the same numbers."""
N_PICTURES = 300
_LONG = {"preset": "veryfast", "g": "250", "bf": "3", "x264-params": "scenecut=0"}


@cache
def _background() -> Picture:
    return texture(HEIGHT, WIDTH, seed=6)


def barcode(number: int, height: int = HEIGHT, width: int = WIDTH) -> Picture:
    """uint8 [240, 320, 3]: picture ``number``, modulo 4096."""
    picture = np.roll(_background(), 3 * number, axis=1)
    bits = [number >> i & 1 for i in range(N_CELLS - 1)]
    for cell, bit in enumerate([*bits, sum(bits) % 2]):
        left = LEFT + cell * CELL
        picture[TOP : TOP + 2 * CELL, left : left + CELL] = 255 * bit
    return picture[:height, :width]


def number_on(picture: Picture) -> int:
    """What `barcode` wrote; −1 when the parity is wrong."""
    scale = picture.shape[0] / HEIGHT
    y = int((TOP + CELL) * scale)
    bits = [int(picture[y, int((LEFT + (i + 0.5) * CELL) * scale)].mean() > 128) for i in range(N_CELLS)]
    return sum(bit << i for i, bit in enumerate(bits[:-1])) if sum(bits[:-1]) % 2 == bits[-1] else -1


def encoded(
    codec: str = "libx264",
    container: str = "mp4",
    *,
    pts: Sequence[int] = range(N_PICTURES),
    time_base: Fraction = Fraction(1, 30),
    first: int = 0,
    picture: Callable[[int], Picture] = barcode,
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
) -> bytes:
    """A film of the pictures ``first``, ``first`` + 1, … at ``pts`` in ``time_base``."""
    sink = io.BytesIO()
    with ordinary_priority(), av.open(sink, "w", format=container) as out:
        stream = out.add_stream(codec, rate=30, options={**_LONG, **(options or {})} if codec == "libx264" else options)
        stream.height, stream.width = picture(first).shape[:2]
        stream.pix_fmt = pix_fmt
        stream.codec_context.time_base = time_base
        stream.codec_context.thread_count = 1
        for number, at in enumerate(pts, first):
            pixels = picture(number)
            layout = "gray16le" if pixels.dtype == np.uint16 else "rgb24"
            frame = av.VideoFrame.from_ndarray(pixels, format=layout).reformat(format=pix_fmt)
            frame.pts, frame.time_base = at, time_base
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return sink.getvalue()


def with_dropped(share: float = 0.15, seed: int = 0) -> list[int]:
    """Times on a grid of 30 Hz of `N_PICTURES` pictures, of which some have a gap before them."""
    gaps = np.random.default_rng(seed).random(N_PICTURES) < share
    return (np.arange(N_PICTURES) + np.cumsum(gaps) - gaps[0]).tolist()


def trimmed(data: bytes, start_s: float) -> bytes:
    """What copying streams from ``start_s`` on makes of a film: all from the key frame before, and an edit list."""
    sink = io.BytesIO()
    with (
        av.open(io.BytesIO(data)) as source,
        av.open(sink, "w", "mp4", options={"avoid_negative_ts": "disabled"}) as out,
    ):
        video = source.streams.video[0]
        copy = out.add_stream_from_template(video)
        start = int(start_s / video.time_base)
        source.seek(start, stream=video)
        for packet in source.demux(video):
            if packet.dts is None:
                continue
            packet.pts, packet.dts = packet.pts - start, packet.dts - start
            packet.stream = copy
            out.mux(packet)
    return sink.getvalue()


@dataclass(frozen=True)
class Film:
    """An encoding, and what its file is called."""

    name: str
    data: Callable[[], bytes]
    suffix: str = "mp4"
    first: int = 0
    """The number on the first picture that is shown."""
    fps: float = 30
    """What a header or a person would say."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", cache(self.data))  # encoded once, however many tests look at it


_NTSC = Film(
    "h264_2997",
    lambda: encoded(pts=range(0, 1001 * N_PICTURES, 1001), time_base=Fraction(1, 30_000)),
    fps=30_000 / 1001,
)
_SPARSE = Film("h264_vfr", lambda: encoded(pts=with_dropped()))
_PLAIN = Film("h264_gop250_b", encoded)
_AV1 = {"preset": "8", "crf": "30"}
"""Its faster presets leave cells of some pictures as they were in another."""
_VP9 = {"deadline": "realtime", "cpu-used": "8", "g": "128"}

FILMS = {
    film.name: film
    for film in (
        _PLAIN,
        _NTSC,
        _SPARSE,
        Film("h264_trimmed", lambda: trimmed(encoded(), 3.4), first=102),
        Film("h264_offset", lambda: encoded(pts=range(15, 15 + N_PICTURES))),
        Film("av1_g2", lambda: encoded("libsvtav1", options={**_AV1, "g": "2"})),
        Film("vp9", lambda: encoded("libvpx-vp9", "webm", options=_VP9), "webm"),
        Film(
            "hevc",
            lambda: encoded(
                "libx265", options={"preset": "superfast", "x265-params": "log-level=none:keyint=250:bframes=3"}
            ),
        ),
        Film("mpeg4", lambda: encoded("mpeg4", options={"g": "250", "bf": "2", "q:v": "4"})),
    )
}
"""As recordings come in."""

RAW_FILMS = {
    film.name: film
    for film in (
        _PLAIN,
        _NTSC,
        _SPARSE,
        Film("av1_g161", lambda: encoded("libsvtav1", options={**_AV1, "g": "161"})),
        Film("vp9_mp4", lambda: encoded("libvpx-vp9", options=_VP9)),
    )
}
"""What Chromium can play as it is, in long groups of pictures: nothing hides a player's mistakes."""
