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
from av.stream import Disposition

from pipeline.errors import SourceError
from pipeline.upright import Upright, pixel_aspect
from schemas.episode import VideoWindow
from schemas.time import NS_PER_S

TO_THE_END = -1
"""`VideoWindow.end_ns` of a window that ends with the stream."""
FROM_THE_START = -(1 << 62)
"""`VideoWindow.start_ns` of a window that begins with the stream: a broadcast whose counter wraps begins before 0."""

_BUFFER_BYTES = 1 << 20
"""What libav asks the file for at a time; object stores answer each request separately."""
_SEEK_BACK_S = (0, 2, 10)
"""How much earlier than asked to seek, until a frame not later than the window's start is found: with B-frames a
container's index may land on a key frame that is shown after the wanted frame."""
_LEAD_S = 10
"""Nobody decodes a picture longer than that before it is shown."""
_HEADER_SLACK_NS = NS_PER_S // 4
"""Headers may claim a little more than there is (a longer sound track, an edit list)."""
_STRICT = {"err_detect": "explode"}
"""A decoder left to itself paints over what it cannot read and says nothing: of 600 bytes overwritten in each of the
real H.264 files here it passed off up to 270 wrong pictures as good; told to fail, none in all but one."""
_CONTAINERS = (
    "3g2,3gp,asf,av1,avi,dv,flv,gif,gxf,h261,h263,h264,hevc,ivf,m4v,matroska,mj2,mjpeg,mov,mp4,mpeg,mpegts,"
    "mpegvideo,mxf,nut,obu,ogg,rm,vc1,webm,wtv,yuv4mpegpipe"
)
_CONTAINED = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "none"}
"""libav judges a file by its content: a concat script or a session description that is called ``.mp4`` makes it open
other files and even sockets. None of those is a container, and nothing but the file itself is ever opened."""
_NOT_VIEWS = Disposition.attached_pic | Disposition.timed_thumbnails
_HDR = {16: "PQ", 18: "HLG"}
"""Transfer functions of high dynamic range, by libav's number."""
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
    pixel_aspect: Fraction = Fraction(1)
    """Width of a pixel by its height."""
    dynamic_range: str = ""
    """``PQ`` or ``HLG`` where the pictures are of high dynamic range."""
    start_ns: int | None = None
    """When it begins on the file's clock."""

    @property
    def text(self) -> str:
        """For messages: ``video stream 1 (480x270, h264)``."""
        return f"video stream {self.index} ({self.width}x{self.height}, {self.codec})"


@dataclass(frozen=True)
class Contents:
    """What a container's header lists."""

    video: tuple[VideoStream, ...]
    others: tuple[str, ...]
    """What there is besides views, e.g. ``audio (aac)``."""
    start_ns: int
    """When the earliest of all streams begins; players call it 0."""
    length_ns: int | None
    chapters: tuple[tuple[int, int, str], ...]
    """Start, end and title, on the file's clock."""


def contents_of(file: BinaryIO, name: str) -> Contents:
    """All that the header lists. Raises SourceError when no view is among it."""
    with _opened(file, name) as container:
        views = {
            stream.index: _described(index, stream)
            for index, stream in enumerate(container.streams.video)
            if stream.codec_context is not None and not stream.disposition & _NOT_VIEWS
        }
        contents = Contents(
            tuple(views.values()),
            tuple(_other(stream) for stream in container.streams if stream.index not in views),
            1000 * (container.start_time or 0),
            None if container.duration is None else 1000 * container.duration,
            tuple(_chapters(container)),
        )
    if not contents.video:
        found = ", ".join(contents.others) or "nothing"
        raise SourceError(
            f"{name}: no video stream, found {found}, expected at least one; remove the file or name another"
        )
    return contents


def streams_of(file: BinaryIO, name: str) -> tuple[VideoStream, ...]:
    """The container's video streams, no covers, no unknown codecs. Raises SourceError when none is left."""
    return contents_of(file, name).video


def _described(index: int, stream: av.VideoStream) -> VideoStream:
    context = stream.codec_context
    return VideoStream(
        index,
        context.width,
        context.height,
        float(stream.average_rate) if stream.average_rate else None,
        context.name,
        stream.frames or None,
        pixel_aspect(stream),
        _HDR.get(int(context.color_trc), ""),
        None if stream.start_time is None else to_ns(stream.start_time, stream.time_base),
    )


def _other(stream: av.stream.Stream) -> str:
    if stream.disposition & _NOT_VIEWS:
        return "cover picture"
    context = getattr(stream, "codec_context", None)
    return f"{stream.type} ({context.name})" if context is not None else str(stream.type)


def _chapters(container: av.container.InputContainer) -> Iterator[tuple[int, int, str]]:
    for chapter in container.chapters():
        if time_base := chapter["time_base"]:
            start_ns, end_ns = (to_ns(chapter[edge], time_base) for edge in ("start", "end"))
            yield start_ns, end_ns, chapter["metadata"].get("title", "")


def choose_stream(streams: tuple[VideoStream, ...]) -> VideoStream:
    """The stream with the largest picture, the first among equals. Decoders' defaults differ, so none is asked.

    A stream of a single picture is a cover that nobody marked as one, unless there is nothing else.
    """
    return max(streams, key=lambda stream: (stream.n_frames != 1, stream.width * stream.height, -stream.index))


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
    mirrored: bool = False
    """The display matrix mirrors it too, as front cameras of phones have it; honoured."""


def frames(
    file: BinaryIO, window: VideoWindow, name: str, threads: Threads = ONE_THREAD, *, as_played: bool = False
) -> Iterator[Picture]:
    """The frames that start inside ``[window.start_ns, window.end_ns)``, in presentation order.

    PTS increase strictly. ``name`` is the file's name for messages. Raises SourceError for an unreadable or truncated
    file, for missing or repeated time stamps and for damage before the first good picture, without which nothing says
    when the view starts. Hold on to no picture longer than to the next one: the decoder reuses its memory only when
    they are let go.

    ``as_played`` is for footage that nobody numbered: pixels are made square, and pictures before the first whole one
    are left out, as players do. Where rows belong to frames, or a camera was calibrated, neither may happen.
    """
    with _opened(file, name) as container:
        if window.stream >= len(container.streams.video):
            raise SourceError(f"{name}: no video stream {window.stream}, found {len(container.streams.video)}")
        stream = container.streams.video[window.stream]
        stream.codec_context.options = _STRICT
        stream.codec_context.thread_count = threads.count
        stream.codec_context.thread_type = threads.kind
        last_ns, is_first = (0, 0), True
        decoded = _decoded(container, stream, window.start_ns, name)
        if as_played:
            decoded = _from_the_first_whole(decoded)
        upright = Upright(stream, square=as_played)
        for pts_ns, end_ns, frame, damaged in decoded:
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
            shown, turned, mirrored = upright(frame)
            yield Picture(pts_ns, end_ns, shown, turned, damaged, mirrored)
        _check_not_truncated(container, stream, last_ns[1], name)


@contextmanager
def _opened(file: BinaryIO, name: str) -> Iterator[av.container.InputContainer]:
    """An open container; libav's errors inside become SourceErrors that name the file."""
    try:
        with av.open(file, buffer_size=_BUFFER_BYTES, options=_CONTAINED) as container:
            yield container
    except (av.FFmpegError, UnicodeDecodeError, ValueError) as error:
        said = error.strerror if isinstance(error, av.FFmpegError) else str(error)
        said = "its content is no container that is read" if isinstance(error, av.ArgumentError) else said
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
        found = _reaching(_ordered(_pictures(container, stream), stream.time_base, name), start_ns)
        if found is not None:
            return found
    if start_ns > 0:
        _rewind(container, stream)
    return _ordered(_pictures(container, stream), stream.time_base, name)


def _rewind(container: av.container.InputContainer, stream: av.VideoStream) -> None:
    """To the first packet: in a transport stream a seek to when the first picture is shown lands after it."""
    start = stream.start_time or 0
    container.seek(start - int(_LEAD_S / stream.time_base), stream=stream)


def _reaching(decoded: Iterator[_Timed], start_ns: int) -> Iterator[_Timed] | None:
    """The frames from ``start_ns`` on; None when a seek landed too late for the first of them to be whole.

    In an open group of pictures the key frame that is found comes before others that are shown earlier than it.
    """
    before = None
    try:
        for timed in decoded:
            if timed[0] >= start_ns:
                is_first = before is not None or timed[0] == start_ns
                return chain([timed], decoded) if is_first and not timed[3] else None
            before = timed
    except av.InvalidDataError:  # nothing after the seek could be decoded without what is before it
        return None
    return None if before is None else iter([before])


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


def _from_the_first_whole(decoded: Iterator[_Timed]) -> Iterator[_Timed]:
    """A film cut out of another, or a broadcast tuned into, begins with pictures that refer to ones before."""
    for pts_ns, end_ns, frame, damaged in decoded:
        if not damaged or (frame.key_frame and not frame.is_corrupt):
            yield pts_ns, end_ns, frame, False
            break
    yield from decoded


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
