"""From mp4 bytes to pixels: one seek and one sequential decode per window, the same bytes whichever library decodes.

A window needs the frames from its first to its last and, before them, those back to the nearest key frame: at most
``clip.gop`` − 1 (docs/cut.md). The packets tell where that is without decoding any, and exactly also where the frame
rate varies; of a long event seen at a low rate, groups of pictures that show nothing wanted are left out. torchcodec is
used where it is installed and passes `pipeline.loader.torchcodec_clip.usable`; it and PyAV turn 8-bit 4:2:0 pictures of
even size, which is what `cut` writes, into RGB by the same routine of libswscale. Other pictures they turn into
different RGB (measured: up to 97 of 255 for 10 bits), so those go to PyAV always.
"""

import io
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import islice, pairwise
from typing import Literal, TypeAlias

import av
import numpy as np
from av.container import InputContainer
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from pipeline.loader import torchcodec_clip

Pixels: TypeAlias = NDArray[np.uint8]
Decoder: TypeAlias = Literal["auto", "torchcodec", "pyav"]

_STRICT = {"err_detect": "explode"}
"""Told to fail at damage: a decoder left to itself paints over what it cannot read and says nothing."""
_LONG = 4
"""A file of so many times the span asked for is sought in by its index; in a shorter one packets tell all as fast."""
_CONVERSION = Interpolation.BILINEAR
"""libswscale's plain 4:2:0 conversion; its "accurate" ones give other values, and only PyAV offers them."""


def decode_clip(
    mp4: bytes,
    size: tuple[int, int] | None = None,
    frames: Sequence[int] | None = None,
    decoder: Decoder = "auto",
    *,
    n_frames: int | None = None,
) -> Pixels:
    """RGB uint8 [T, H, W, 3] of a clip's first video stream.

    ``size`` is (height, width); None keeps the clip's own. ``frames`` are indices in the order of showing, in any
    order, repeats allowed; None means all. ``auto`` takes torchcodec where it can be used, else PyAV. ``n_frames`` is
    how many the clip must have. Raises ValueError when it has others, ends before an index asked for, holds no picture
    at all or cannot be decoded.
    """
    if frames is not None and (not len(frames) or min(frames) < 0):
        raise ValueError(f"frames: expected indices ≥ 0 and at least one, found {list(frames)[:4]}")
    wanted = None if frames is None else sorted(set(frames))
    try:
        pixels = _decoded(mp4, wanted, decoder, n_frames)
    except (av.FFmpegError, IndexError) as error:
        raise ValueError(f"the clip cannot be decoded: {error}") from error
    if frames is not None and list(frames) != wanted:
        pixels = pixels[np.searchsorted(np.asarray(wanted), frames)]
    return pixels if size is None or pixels.shape[1:3] == size else _resized(pixels, *size)


def _decoded(mp4: bytes, frames: Sequence[int] | None, decoder: Decoder, n_frames: int | None) -> Pixels:
    """The frames asked for, which ascend."""
    with av.open(io.BytesIO(mp4), options=_STRICT) as container:
        if not container.streams.video:
            raise ValueError("the clip has no video stream")
        stream = container.streams.video[0]
        if frames is not None and n_frames is None and decoder != "torchcodec":
            run = _sought(container, stream, frames)
            if run is not None:
                return _decoded_by_pyav(stream, *run)
        packets = [packet for packet in container.demux(stream) if packet.pts is not None]
        shown = sorted(int(packet.pts) for packet in packets if packet.pts is not None)
        wanted = range(len(shown)) if frames is None else frames
        if not shown or wanted[-1] >= len(shown):
            expected = "at least 1" if frames is None else f"frame {wanted[-1]}"
            raise ValueError(f"clip has {len(shown)} frames, expected {expected}")
        if n_frames is not None and len(shown) != n_frames:
            raise ValueError(f"clip has {len(shown)} frames, expected {n_frames}")
        if decoder != "pyav" and torchcodec_clip.usable() and _convertible_alike(stream):
            pixels = torchcodec_clip.decode_frames(mp4, wanted)
            if pixels is not None:
                return pixels
        elif decoder == "torchcodec" and not torchcodec_clip.usable():
            raise ValueError("decoder: torchcodec is not installed, finds no FFmpeg, or differs from PyAV; take 'auto'")
        return _decoded_by_pyav(stream, packets, [shown[frame] for frame in wanted])


def _sought(
    container: InputContainer, stream: av.VideoStream, frames: Sequence[int]
) -> tuple[list[av.Packet], list[int]] | None:
    """Packets of a short span of a long file, from the key frame before it on, and the time stamps of ``frames``.

    The file's index says where frame i lies, so that nothing else is read. None where that does not pay, or where
    packets are not what the index has promised (pictures stored in another order than shown, a damaged file): then all
    packets must tell. The container is left at its start.
    """
    index, first, last = stream.index_entries, frames[0], frames[-1]
    if last >= len(index) or len(index) < _LONG * (last + 1 - first):
        return None
    while first and not index[first].is_keyframe:
        first -= 1
    expected = [index[i].timestamp for i in range(first, last + 1)]
    container.seek(expected[0], stream=stream)
    packets = list(islice(container.demux(stream), len(expected)))
    if [packet.pts for packet in packets] != expected or not packets[0].is_keyframe:
        container.seek(0, stream=stream)
        return None
    return packets, [expected[frame - first] for frame in frames]


def _convertible_alike(stream: av.VideoStream) -> bool:
    """Whether both libraries turn this stream's pictures into the same RGB."""
    context = stream.codec_context
    return bool(context.pix_fmt == "yuv420p" and context.width % 2 == 0 and context.height % 2 == 0)


def _decoded_by_pyav(stream: av.VideoStream, packets: Sequence[av.Packet], wanted: Sequence[int]) -> Pixels:
    """Frames with the time stamps ``wanted``, which ascend."""
    context = stream.codec_context
    context.thread_count = 1
    place = {pts: i for i, pts in enumerate(wanted)}
    reformatter = VideoReformatter()
    pixels: Pixels | None = None
    for run in _runs(packets, wanted):
        for packet in (*run, None):
            for frame in context.decode(packet):
                at = place.pop(int(frame.pts), None) if frame.pts is not None else None
                if at is None:
                    continue
                rgb = reformatter.reformat(frame, format="rgb24", interpolation=_CONVERSION, threads=1)
                if pixels is None:
                    pixels = np.empty((len(wanted), rgb.height, rgb.width, 3), np.uint8)
                if (rgb.height, rgb.width) != pixels.shape[1:3]:
                    raise ValueError(f"clip has a picture of {rgb.width}×{rgb.height} amid others of another size")
                pixels[at] = _picture(rgb)
        context.flush_buffers()
    if pixels is None or place:
        raise ValueError(f"clip: {len(place)} of {len(wanted)} frames were not decoded")
    return pixels


def _runs(packets: Sequence[av.Packet], wanted: Sequence[int]) -> list[Sequence[av.Packet]]:
    """The packets to feed, each run from a key frame on: no group of pictures is decoded that shows nothing wanted.

    Where pictures are stored in another order than they are shown in, groups lean on each other; then it is one run
    from the last key frame shown no later than the first picture wanted.
    """
    keys = [i for i, packet in enumerate(packets) if packet.is_keyframe]
    if any(after.pts <= before.pts for before, after in pairwise(packets)):
        return [packets[max((i for i in keys if packets[i].pts <= wanted[0]), default=0) :]]
    stamps = [packet.pts for packet in packets]
    runs: list[tuple[int, int]] = []
    for pts in wanted:
        last = bisect_left(stamps, pts)
        first = keys[bisect_right(keys, last) - 1] if keys and keys[0] <= last else 0
        if runs and first < runs[-1][1] + 1:
            runs[-1] = runs[-1][0], last + 1
        else:
            runs.append((first, last + 1))
    return [packets[first:stop] for first, stop in runs]


def _picture(rgb: av.VideoFrame) -> Pixels:
    """The frame's plane without the padding of its rows; a view of memory the frame owns."""
    plane = rgb.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(rgb.height, plane.line_size)
    return rows[:, : rgb.width * 3].reshape(rgb.height, rgb.width, 3)


def _resized(pixels: Pixels, height: int, width: int) -> Pixels:
    """Every picture at this size, by one routine whoever decoded it."""
    reformatter = VideoReformatter()
    resized = np.empty((len(pixels), height, width, 3), np.uint8)
    for out, picture in zip(resized, pixels, strict=True):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        out[:] = _picture(reformatter.reformat(frame, width, height, interpolation=_CONVERSION, threads=1))
    return resized
