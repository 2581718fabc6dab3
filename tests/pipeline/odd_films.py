"""Films as the internet has them: every codec and container PyAV can write, edit lists, covers, odd pixels."""

import io
import struct
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from av.codec.codec import UnknownCodecError

from tests.ordinary_priority import ordinary_priority
from tests.pipeline.films import Picture, drifting, film

RATE = 20
_QUIET = {"libx265": {"x265-params": "log-level=none:keyint=12:bframes=3"}, "libsvtav1": {"preset": "12", "crf": "20"}}
_FAST = {"libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"}, "libvpx": {"deadline": "realtime"}}


def encoded(
    codec: str,
    container: str,
    pictures: Sequence[Picture] = (),
    *,
    pix_fmt: str = "yuv420p",
    rate: int = RATE,
    b_frames: int = 0,
    options: dict[str, str] | None = None,
    aspect: Fraction | None = None,
    transfer: int | None = None,
    matrix: Sequence[int] | None = None,
) -> bytes:
    """A film in another codec; skips where this PyAV cannot write it. ``transfer`` is libav's number, 16 for PQ."""
    try:
        av.codec.Codec(codec, "w")
    except UnknownCodecError:
        pytest.skip(f"this PyAV has no encoder {codec}")
    sink = io.BytesIO()
    with ordinary_priority(), av.open(sink, "w", format=container) as out:
        chosen = {**_QUIET.get(codec, {}), **_FAST.get(codec, {}), **(options or {})}
        stream: Any = out.add_stream(codec, rate=rate, options=chosen)
        stream.height, stream.width = (pictures or drifting(1))[0].shape[:2]
        stream.pix_fmt = pix_fmt
        context = stream.codec_context
        context.time_base, context.max_b_frames, context.gop_size = Fraction(1, rate), b_frames, 12
        context.thread_count = 1
        if aspect is not None:
            context.sample_aspect_ratio = aspect
        if transfer is not None:
            context.color_trc = transfer
        if matrix is not None:
            stream.set_display_matrix(list(matrix))
        for number, picture in enumerate(pictures or drifting(30)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pix_fmt)
            frame.pts, frame.time_base = number, Fraction(1, rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return sink.getvalue()


def with_sound(container: str = "mp4", *, seconds: int = 1, pictures: Sequence[Picture] = ()) -> bytes:
    """Sound, with pictures where there are some."""
    sink = io.BytesIO()
    with av.open(sink, "w", format=container) as out:
        sound: Any = out.add_stream("aac", rate=48_000, layout="mono")
        video: Any = out.add_stream("libx264", rate=RATE) if pictures else None
        if video is not None:
            video.height, video.width = pictures[0].shape[:2]
            video.pix_fmt = "yuv420p"
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 48_000 * seconds), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 48_000
        out.mux(sound.encode(silence))
        out.mux(sound.encode(None))
        for picture in pictures:
            out.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        if video is not None:
            out.mux(video.encode(None))
    return sink.getvalue()


def tuned_into(data: bytes, share: float) -> bytes:
    """A transport stream of which the beginning was missed; its tables are kept."""
    return data[: 188 * 3] + data[int(len(data) // 188 * share) * 188 :]


NOTHING = -1.0
"""As ``first`` of an edit: nothing is shown for a while."""


def with_edits(data: bytes, edits: Sequence[tuple[float, float, int]]) -> bytes:
    """An mp4 of `RATE` with another edit list: how many frames long, from which frame on, at what speed (16.16)."""
    per_s = _int(data, _box(data, b"moov", b"mvhd")[0] + 20)
    ticks = _int(data, _box(data, b"moov", b"trak", b"mdia", b"mdhd")[0] + 20)
    old, length = _box(data, b"moov", b"trak", b"edts")
    delay = _int(data, old + 28)
    entries = b"".join(
        struct.pack(
            ">IiI",
            round(n_frames * per_s / RATE),
            -1 if first == NOTHING else delay + round(first * ticks / RATE),
            speed,
        )
        for n_frames, first, speed in edits
    )
    elst = struct.pack(">I4sII", len(entries) + 16, b"elst", 0, len(edits)) + entries
    edts = struct.pack(">I4s", len(elst) + 8, b"edts") + elst
    changed = bytearray(data[:old] + edts + data[old + length :])
    for path in ((b"moov",), (b"moov", b"trak")):
        start, size = _box(data, *path)
        changed[start : start + 4] = struct.pack(">I", size + len(edts) - length)
    return bytes(changed)


def edited(edits: Sequence[tuple[float, float, int]], n_frames: int = 40) -> tuple[bytes, bytes]:
    """A film with B-frames as it was and with an edit list."""
    options = {"bf": "3", "g": "12", "x264-params": "scenecut=0:b-adapt=0"}
    whole = film(drifting(n_frames), rate=RATE, options=options)
    return whole, with_edits(whole, edits)


def _int(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")


def _box(data: bytes, *path: bytes) -> tuple[int, int]:
    """Where a box begins, and its size."""
    start, stop = 0, len(data)
    for depth, kind in enumerate(path, 1):
        start, size = next((at, size) for at, size, found in _boxes(data, start, stop) if found == kind)
        if depth == len(path):
            return start, size
        start, stop = start + 8, start + size
    raise AssertionError(path)


def _boxes(data: bytes, start: int, stop: int) -> Iterator[tuple[int, int, bytes]]:
    while start < stop:
        yield start, _int(data, start), data[start + 4 : start + 8]
        start += _int(data, start)
