"""Decoding video: which stream, which frames, when each is shown. One sequential pass, no frame kept.

Everything that looks at pixels goes through `frames`, so that "frame i" means the same picture to the filmstrip and
to the clip cutter: presentation order, int64 nanoseconds from the container's own rational clock, upright pictures.
A container that cannot give an unambiguous order of frames raises instead of being repaired silently. Pictures that
are damaged amid good ones are marked, so that cleaning can leave out just them; whoever reads the same file again gets
the same pictures with the same marks.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import BinaryIO, Literal, NamedTuple, TypeAlias

import av
import av.filter
from av.stream import Disposition

from pipeline.errors import SourceError
from schemas.episode import VideoWindow
from schemas.time import NS_PER_S

TO_THE_END = -1
"""`VideoWindow.end_ns` of a window that ends with the stream."""

_BUFFER_BYTES = 1 << 20
"""What libav asks the file for at a time; object stores answer each request separately."""
_SEEK_BACK_S = (0, 2, 10)
"""How much earlier than asked to seek, until a frame not later than the window's start is found: with B-frames a
container's index may land on a key frame that is shown after the wanted frame."""
_HEADER_SLACK_NS = NS_PER_S // 4
"""Headers may claim a little more than there is (a longer sound track, an edit list)."""
_STRICT = {"err_detect": "explode"}
"""A decoder left to itself paints over what it cannot read and says nothing: of 600 bytes overwritten in each of the
real H.264 files here it passed off up to 270 wrong pictures as good; told to fail, none in all but one."""
TURNS = {90: ("transpose=cclock",), -90: ("transpose=clock",), 180: ("hflip", "vflip"), -180: ("hflip", "vflip")}
"""Filters that make a picture upright, by the display matrix's counter-clockwise angle."""

_Timed: TypeAlias = tuple[int, int, av.VideoFrame, bool]
"""Start and end in nanoseconds, the frame, and whether it or something just before it is damaged."""


@dataclass(frozen=True)
class Threads:
    """How many threads decode one video. The default leaves parallelism to whoever runs several episodes at once."""

    count: int = 1
    kind: Literal["NONE", "FRAME", "SLICE", "AUTO"] = "NONE"


ONE_THREAD = Threads()


@dataclass(frozen=True)
class VideoStream:
    """What a container's header says about one video stream; claims, not yet measured."""

    index: int
    """Among the container's video streams."""
    width: int
    height: int
    fps: float | None
    codec: str
    n_frames: int | None
    """How many samples the container's index lists; None where it keeps none."""

    @property
    def text(self) -> str:
        """For messages: ``video stream 1 (480x270, h264)``."""
        return f"video stream {self.index} ({self.width}x{self.height}, {self.codec})"


def streams_of(file: BinaryIO, name: str) -> tuple[VideoStream, ...]:
    """The container's video streams, no covers, no unknown codecs. Raises SourceError when none is left."""
    with _opened(file, name) as container:
        found = tuple(
            VideoStream(
                index,
                stream.codec_context.width,
                stream.codec_context.height,
                float(stream.average_rate) if stream.average_rate else None,
                stream.codec_context.name,
                stream.frames or None,
            )
            for index, stream in enumerate(container.streams.video)
            if stream.codec_context is not None and not stream.disposition & Disposition.attached_pic
        )
    if not found:
        raise SourceError(f"{name}: no video stream, expected at least one; remove the file or name another")
    return found


def choose_stream(streams: tuple[VideoStream, ...]) -> VideoStream:
    """The stream with the largest picture, the first among equals. Decoders' defaults differ, so none is asked."""
    return max(streams, key=lambda stream: (stream.width * stream.height, -stream.index))


def to_ns(pts: int, time_base: Fraction) -> int:
    """A container time stamp in nanoseconds, rounded half up in integer arithmetic."""
    numerator = pts * time_base.numerator * NS_PER_S
    return (2 * numerator + time_base.denominator) // (2 * time_base.denominator)


class Picture(NamedTuple):
    """One decoded frame and when it is shown."""

    pts_ns: int
    """On the file's clock."""
    end_ns: int
    """When it ends, as the container says; ``pts_ns`` when it does not."""
    frame: av.VideoFrame
    """Upright."""
    turned: int
    """Counter-clockwise degrees of the display matrix; `frames` honours quarter turns and leaves others alone."""
    damaged: bool = False
    """It, or what came between it and the picture before, could not be decoded whole."""


def frames(file: BinaryIO, window: VideoWindow, name: str, threads: Threads = ONE_THREAD) -> Iterator[Picture]:
    """The frames that start inside ``[window.start_ns, window.end_ns)``, in presentation order.

    PTS increase strictly. ``name`` is the file's name for messages. Raises SourceError for an unreadable or truncated
    file, for missing or repeated time stamps and for damage before the first good picture, without which nothing says
    when the view starts. Hold on to no picture longer than to the next one: the decoder reuses its memory only when
    they are let go.
    """
    with _opened(file, name) as container:
        if window.stream >= len(container.streams.video):
            raise SourceError(f"{name}: no video stream {window.stream}, found {len(container.streams.video)}")
        stream = container.streams.video[window.stream]
        stream.codec_context.options = _STRICT
        stream.codec_context.thread_count = threads.count
        stream.codec_context.thread_type = threads.kind
        last_ns, is_first = (0, 0), True
        for timed, turned in _upright(_decoded(container, stream, window.start_ns, name), stream):
            pts_ns, end_ns, frame, damaged = timed
            last_ns = (pts_ns, max(end_ns, 2 * pts_ns - last_ns[0]))
            if pts_ns < window.start_ns:
                continue
            if window.end_ns != TO_THE_END and pts_ns >= window.end_ns:
                return
            if is_first and damaged:
                raise SourceError(
                    f"{name}: the first frame, at {pts_ns / NS_PER_S:.3f} s, is damaged, so that nothing says when the "
                    "view starts; fetch the file again"
                )
            is_first = False
            yield Picture(pts_ns, end_ns, frame, turned, damaged)
        _check_not_truncated(container, stream, last_ns[1], name)


@contextmanager
def _opened(file: BinaryIO, name: str) -> Iterator[av.container.InputContainer]:
    """An open container; libav's errors inside become SourceErrors that name the file."""
    try:
        with av.open(file, buffer_size=_BUFFER_BYTES) as container:
            yield container
    except (av.FFmpegError, UnicodeDecodeError, ValueError) as error:
        said = error.strerror if isinstance(error, av.FFmpegError) else str(error)
        raise SourceError(
            f"{name}: cannot be decoded ({said}); it is truncated, damaged or not a video: fetch it again"
        ) from error
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise SourceError(f"{name}: leads the decoder outside itself; it is damaged: fetch it again") from error


def _decoded(
    container: av.container.InputContainer, stream: av.VideoStream, start_ns: int, name: str
) -> Iterator[_Timed]:
    """Frames from the key frame at or before ``start_ns`` (from the first frame when it is not positive)."""
    for back_s in _SEEK_BACK_S:
        target_ns = start_ns - back_s * NS_PER_S
        if target_ns <= 0:
            break
        container.seek(int(Fraction(target_ns, NS_PER_S) / stream.time_base), stream=stream)
        decoded = _ordered(_pictures(container, stream), stream.time_base, name)
        first = next(decoded, None)
        if first is not None and first[0] <= start_ns:
            return chain([first], decoded)
    if start_ns > 0:
        container.seek(stream.start_time or 0, stream=stream)
    return _ordered(_pictures(container, stream), stream.time_base, name)


def _pictures(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[tuple[av.VideoFrame, bool]]:
    """Frames in presentation order, and whether each is damaged or follows damage.

    After damage everything up to the next whole key frame refers to pictures that are not there. Raises the library's
    own error when nothing at all comes out.
    """
    broken: av.FFmpegError | None = None
    damaged, n_decoded = False, 0
    for packet in container.demux(stream):
        try:
            decoded = packet.decode()
        except av.InvalidDataError as error:
            broken, damaged = error, True
            continue
        for frame in decoded:
            n_decoded += 1
            damaged = damaged or frame.is_corrupt
            yield frame, damaged
            if frame.key_frame and not frame.is_corrupt:
                damaged = False
    if broken is not None and n_decoded == 0:
        raise broken


def _ordered(decoded: Iterator[tuple[av.VideoFrame, bool]], time_base: Fraction, name: str) -> Iterator[_Timed]:
    """The frames with their times, checked to increase strictly."""
    previous = None
    for frame, damaged in decoded:
        if frame.pts is None:
            raise SourceError(
                f"{name}: a frame has no time stamp; put the video into a container that has them, e.g. mp4"
            )
        pts_ns = to_ns(frame.pts, time_base)
        if previous is not None and pts_ns <= previous:
            raise SourceError(
                f"{name}: the frame after {previous} ns is stamped {pts_ns} ns, expected a later time; "
                "re-encode the file with a clean clock"
            )
        previous = pts_ns
        yield pts_ns, to_ns(frame.pts + (frame.duration or 0), time_base), frame, damaged


def _upright(decoded: Iterator[_Timed], stream: av.VideoStream) -> Iterator[tuple[_Timed, int]]:
    """The frames turned as the display matrix asks, with its angle. Other than quarter turns are left alone."""
    graph = None
    for pts_ns, end_ns, frame, damaged in decoded:
        angle = frame.rotation
        if angle in TURNS:
            graph = graph or _turning(stream, frame, TURNS[angle])
            graph.vpush(frame)
            yield (pts_ns, end_ns, graph.vpull(), damaged), angle
        else:
            yield (pts_ns, end_ns, frame, damaged), angle


def _turning(stream: av.VideoStream, frame: av.VideoFrame, steps: tuple[str, ...]) -> av.filter.Graph:
    graph = av.filter.Graph()
    graph.threads = 1
    nodes = [graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=stream.time_base)]
    for step in steps:
        kind, _, option = step.partition("=")
        nodes.append(graph.add(kind, option or None))
    nodes.append(graph.add("buffersink"))
    graph.link_nodes(*nodes).configure()
    return graph


def _check_not_truncated(
    container: av.container.InputContainer, stream: av.VideoStream, end_ns: int, name: str
) -> None:
    """Raises SourceError when the pictures end well before the header says they do."""
    if stream.duration is not None:
        claimed_ns = to_ns((stream.start_time or 0) + stream.duration, stream.time_base)
    elif container.duration is not None and len(container.streams) == 1:
        claimed_ns = to_ns(container.duration, Fraction(1, av.time_base))
    else:
        return
    if end_ns + _HEADER_SLACK_NS < claimed_ns:
        raise SourceError(
            f"{name}: the pictures end at {end_ns / NS_PER_S:.3f} s, the header says {claimed_ns / NS_PER_S:.3f} s; "
            "the file is truncated: fetch it again"
        )
