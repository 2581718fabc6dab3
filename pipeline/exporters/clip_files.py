"""Many clips in one mp4, picture for picture as they are: packets are copied, only their times are new.

LeRobot v3 keeps the episodes of a camera one after the other in files of a few hundred megabytes and finds a frame by
the time at which its episode starts. Clips of a set are encoded alike (one thread, no B-frames, closed GOPs), so they
can stand in one track as long as the decoder's header is the same; where it is not, a new file begins.
"""

import io
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer
from av.video.stream import VideoStream

from pipeline.errors import JoineryError
from pipeline.repeatable_x264 import CONTAINER_OPTIONS

MAX_BYTES = 200 << 20
FILES_PER_CHUNK = 1000
_TICKS_PER_FRAME = 512


@dataclass(frozen=True)
class ClipPlace:
    """Where a clip's frames stand."""

    chunk: int
    file: int
    start: int
    """Frame number in the file."""
    n_frames: int


@dataclass(frozen=True)
class _Stream:
    """Everything a decoder is told before the first packet."""

    width: int
    height: int
    extradata: bytes


class ClipFiles:
    """``chunk-000/file-000.mp4`` … of one camera, at a fixed whole number of frames a second."""

    def __init__(self, folder: Path, fps: int, max_bytes: int = MAX_BYTES) -> None:
        self._folder, self._fps, self._max_bytes = folder, fps, max_bytes
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._described: _Stream | None = None
        self._number = -1
        self._n_frames = self._n_bytes = 0

    def add(self, mp4: bytes, name: str) -> ClipPlace:
        """Append a clip's frames, one every 1/fps s. Raises JoineryError naming the clip when they cannot be copied."""
        with av.open(io.BytesIO(mp4)) as source:
            template = source.streams.video[0]
            context = template.codec_context
            described = _Stream(context.width, context.height, bytes(context.extradata or b""))
            packets = [packet for packet in source.demux(template) if packet.size]
            _check(packets, name)
            if described != self._described or self._n_bytes + len(mp4) > self._max_bytes:
                self._next_file(template, described)
            start = self._n_frames
            for packet in packets:
                packet.stream = self._stream
                packet.time_base = Fraction(1, self._fps)
                packet.pts = packet.dts = self._n_frames
                packet.duration = 1
                self._n_frames += 1
                assert self._container is not None
                self._container.mux_one(packet)
        self._n_bytes += len(mp4)
        return ClipPlace(*divmod(self._number, FILES_PER_CHUNK), start, len(packets))

    def close(self) -> None:
        """Write the index of the last file."""
        if self._container is not None:
            self._container.close()
            self._container = None

    def _next_file(self, template: VideoStream, described: _Stream) -> None:
        self.close()
        self._number += 1
        self._n_frames = self._n_bytes = 0
        self._described = described
        path = self._folder / clip_path(*divmod(self._number, FILES_PER_CHUNK))
        path.parent.mkdir(parents=True, exist_ok=True)
        options = {**CONTAINER_OPTIONS, "video_track_timescale": str(self._fps * _TICKS_PER_FRAME)}
        self._container = av.open(str(path), "w", format="mp4", options=options)
        self._stream = self._container.add_stream_from_template(template)
        self._stream.time_base = Fraction(1, self._fps * _TICKS_PER_FRAME)


def clip_path(chunk: int, file: int) -> str:
    """Of a file below its camera's folder."""
    return f"chunk-{chunk:03d}/file-{file:03d}.mp4"


def _check(packets: list[av.Packet], name: str) -> None:
    shown = [packet.pts for packet in packets]
    if not packets or not packets[0].is_keyframe or shown != sorted(shown, key=lambda pts: pts or 0):
        raise JoineryError(
            f"{name}: its {len(packets)} packets do not start with a key frame and stand in the order shown; expected "
            "a clip that `cut` wrote; run `joinery verify`"
        )
