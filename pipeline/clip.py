"""Encoding a cut: H.264 whose bytes depend on the pictures, their times and the `ClipSpec`, and on nothing else.

One encoder thread, no B-frames (decode order is display order, and every clip starts at PTS 0), short GOPs for
random access inside an event. The mp4 counts nanoseconds, so a variable frame rate survives exactly (microseconds
when a frame stays for more than two seconds: mp4 holds durations in 31 bits); no encoder tag, no date. Downscaling
averages areas with bit-exact rounding; nothing is ever enlarged.
"""

import hashlib
import io
from dataclasses import dataclass
from fractions import Fraction

import av
from av.container import OutputContainer
from av.video.frame import PictureType
from av.video.reformatter import ColorRange, Colorspace, Interpolation

from pipeline.repeatable_x264 import CONTAINER_OPTIONS, add_x264_stream
from schemas.recipe import ClipSpec
from schemas.time import NS_PER_S

TIME_BASE = Fraction(1, NS_PER_S)
_NOMINAL_RATE = 30
"""What the stream header says; the frame times say what is true."""
_SCALING = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
_LONGEST_TICKS = 2**31 - 1
_COARSE_PER_S = 1_000_000
_X264 = "force-cfr=0:scenecut=0:bframes=0:cabac=0:no-deblock=1"
"""No scene cuts: GOPs are exactly ``gop`` frames. No arithmetic coding and no deblocking: a clip is encoded once and
decoded every epoch, and these two are most of decoding (docs/peers.md, The encoding)."""


@dataclass(frozen=True)
class EncodedClip:
    """A finished clip."""

    mp4: bytes
    n_frames: int
    width: int
    height: int
    sha256: str


def clip_size(width: int, height: int, short_side: int) -> tuple[int, int]:
    """Even (width, height) with the short side at ``short_side``, the aspect kept to the nearest even pixel.

    Never larger than the picture, but for one odd row or column that 4:2:0 cannot hold and that is left out.
    Raises ValueError for pictures under 2 pixels.
    """
    if min(width, height) < 2:
        raise ValueError(f"picture of {width}×{height}: expected at least 2 pixels on each side")
    scale = min(Fraction(1), Fraction(short_side, min(width, height)))
    return _even(width * scale, width), _even(height * scale, height)


def _even(length: Fraction, limit: int) -> int:
    """The nearest even number ≥ 2 that does not pass ``limit``."""
    return max(2, min(2 * round(length / 2), limit - limit % 2))


class ClipEncoder:
    """Takes one event's frames in order and gives its mp4. Holds the encoder's state, nothing else."""

    def __init__(self, spec: ClipSpec) -> None:
        self._spec = spec
        self._buffer = io.BytesIO()
        self._container = av.open(self._buffer, "w", format="mp4", options=CONTAINER_OPTIONS)
        self._stream: av.VideoStream | None = None
        self._times_ns: list[int] = []
        self._size = (0, 0)
        self._packets: list[av.Packet] = []

    def add(self, t_ns: int, frame: av.VideoFrame) -> None:
        """The next frame, shown from ``t_ns`` on. Raises ValueError when times do not increase."""
        if self._times_ns and t_ns <= self._times_ns[-1]:
            raise ValueError(f"frame at {t_ns} ns after one at {self._times_ns[-1]} ns: times must increase")
        if self._stream is None:
            self._size = clip_size(frame.width, frame.height, self._spec.short_side)
        self._times_ns.append(t_ns)
        picture = picture_for(frame, self._size, t_ns - self._times_ns[0])
        if self._stream is None:
            self._stream = add_clip_stream(self._container, self._spec, picture)
        self._packets += self._stream.encode(picture)

    def finish(self, end_ns: int) -> EncodedClip:
        """The clip; its last frame shows until ``end_ns``. Raises ValueError without frames."""
        if self._stream is None:
            raise ValueError("no frames were added to the clip")
        self._packets += self._stream.encode(None)
        edges = [*self._times_ns[1:], end_ns]
        shown_ns = [max(1, end - start) for start, end in zip(self._times_ns, edges, strict=True)]
        # read when the first packet comes
        self._container.container_options["video_track_timescale"] = str(ticks_per_s(max(shown_ns)))
        for packet, duration in zip(self._packets, shown_ns, strict=True):
            packet.duration = duration  # the last one cannot be known from a next frame
            self._container.mux_one(packet)
        self._container.close()
        mp4 = self._buffer.getvalue()
        return EncodedClip(mp4, len(self._times_ns), *self._size, hashlib.sha256(mp4).hexdigest())


def ticks_per_s(longest_ns: int) -> int:
    """What an mp4 counts in when its longest frame shows for that long."""
    return NS_PER_S if longest_ns <= _LONGEST_TICKS else _COARSE_PER_S


def add_clip_stream(container: OutputContainer, spec: ClipSpec, picture: av.VideoFrame) -> av.VideoStream:
    """An encoder for pictures like this one, which comes from `picture_for`."""
    options = {"preset": spec.preset, "crf": str(spec.crf)}
    params = f"{_X264}:keyint={spec.gop}:min-keyint={spec.gop}"
    stream = add_x264_stream(container, _NOMINAL_RATE, options, params)
    stream.width, stream.height = picture.width, picture.height
    context = stream.codec_context
    context.time_base = TIME_BASE
    context.gop_size = spec.gop
    context.max_b_frames = 0
    context.color_range = ColorRange.MPEG
    context.colorspace = picture.colorspace
    context.color_primaries = picture.color_primaries
    context.color_trc = picture.color_trc
    return stream


def picture_for(frame: av.VideoFrame, size: tuple[int, int], pts_ns: int) -> av.VideoFrame:
    """A copy of the frame as the encoder takes it: of that (width, height), at that time of the clip."""
    picture = _scaled(frame, *size)
    picture.pict_type = PictureType.NONE  # else the encoder repeats the source's key frames
    picture.time_base = TIME_BASE
    picture.pts = pts_ns
    return picture


def _scaled(frame: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
    """The picture as limited-range yuv420p; RGB becomes BT.709, YUV keeps its matrix."""
    return frame.reformat(
        width,
        height,
        "yuv420p",
        dst_colorspace=Colorspace.ITU709 if frame.format.is_rgb else None,
        interpolation=_SCALING,
        dst_color_range=ColorRange.MPEG,
        threads=1,
    )
