"""Making a view fit for exact seeking: one H.264 file of the whole recording, with the very pictures ingest numbered.

Browsers cannot play every source, seek slowly in long groups of pictures, and know nothing of HDF5 or bags. So a view
is decoded once, the way ingest and cut decode it, and encoded with a key frame every ten pictures, no B-frames and
every picture at its own time. Nothing is resampled: a picture more or less would move every label after it. Packets go
to the disk as they come, so an hour takes no more memory than a minute.

A proxy is not believed but verified: as many pictures, at the same times, and samples that look like the source's own
pictures and no neighbour's. One that fails is never shown to anyone.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkstemp

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from annotators.review.exact_picture import SAME_NS, exact_picture, opened_proxy
from annotators.review.false_colour import FalseColour
from annotators.review.frame_table import FrameTable, frame_table_of
from pipeline.clip import add_clip_stream, clip_size, picture_for, ticks_per_s
from pipeline.cut import Frames, numbered
from pipeline.errors import JoineryError, SourceError
from pipeline.repeatable_x264 import CONTAINER_OPTIONS
from pipeline.video import to_ns
from schemas.episode import Camera, Episode
from schemas.recipe import ClipSpec
from schemas.time import NS_PER_S

PROXY = ClipSpec(short_side=480, gop=10, crf=24, preset="veryfast")
"""Ten pictures to a group: a step back costs 11 ms and a random seek 14, at half the bytes of all key frames."""
_MP4 = {**CONTAINER_OPTIONS, "movflags": "+faststart"}
_LONGEST_NS = (2**31 - 1) * 1_000
"""An mp4 holds durations in 31 bits, of microseconds at the coarsest here."""
_N_SAMPLES = 12
_LEAST_PSNR = 25.0
"""dB of luma. Noise, the worst there is, comes out of this encoder at 30; two neighbouring pictures of it at 9."""
_NEIGHBOUR_PSNR = 1.0
"""A neighbour may look better by that much: in a still scene it is the same picture with other noise."""
_ABANDONED_S = 24 * 3600

_Plane = NDArray[np.uint8]
_Samples = dict[int, _Plane]
"""Picture number → luma as it went into the encoder."""


class ProxyError(JoineryError):
    """A proxy does not show what its source shows; nobody may set a boundary on it."""


@dataclass(frozen=True)
class Proxy:
    """A finished one: ``<sha256>.mp4`` and ``<sha256>.times`` in the media folder."""

    sha256: str
    n_frames: int
    width: int
    height: int
    start_ns: int
    """When its first picture is shown on the episode's clock."""


def make_proxy(episode: Episode, camera: Camera, frames: Frames, folder: Path, spec: ClipSpec = PROXY) -> Proxy:
    """Encode one view into the media folder. The same pictures at the same times give the same file.

    ``frames`` are the view's, from `pipeline.cut.view_frames`. Raises SourceError when they are not those ingest saw,
    and ProxyError when what was encoded is not what went in; the folder is then as it was.
    """
    name = f"{episode.locator}, view {camera.name}"
    table = frame_table_of(camera)
    if table.longest_ns > _LONGEST_NS:
        raise ProxyError(f"{name}: a picture shows for {table.longest_ns / NS_PER_S:.0f} s, expected at most 2147 s")
    folder.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(folder)
    with _scratch(folder) as path:
        samples = _encoded(name, table, numbered(episode, camera, frames), path, spec)
        verify(name, path, table, samples, spec.gop)
        sha256 = _digest(path)
        _place(folder, path, table, sha256)
    height, width = samples[0].shape
    return Proxy(sha256, len(table), width, height, int(camera.times_ns[0]))


def _encoded(
    name: str, table: FrameTable, pictures: Iterator[tuple[int, av.VideoFrame]], path: Path, spec: ClipSpec
) -> _Samples:
    """Write the mp4; what comes back is held against it."""
    samples: _Samples = {}
    wanted = _sampled(len(table))
    shown_ns = np.diff(table.edges_ns).tolist()
    colour, stream, n_encoded, n_muxed = FalseColour(), None, 0, 0
    options = {**_MP4, "video_track_timescale": str(ticks_per_s(table.longest_ns))}
    with av.open(str(path), "w", format="mp4", options=options) as container:

        def mux(packets: list[av.Packet]) -> int:
            for number, packet in enumerate(packets, n_muxed):
                packet.duration = shown_ns[number]  # the last one cannot be known from a next picture
                container.mux_one(packet)
            return n_muxed + len(packets)

        for number, frame in pictures:
            shown = colour.shown(frame)
            size = clip_size(shown.width, shown.height, spec.short_side)
            picture = picture_for(shown, size, int(table.edges_ns[number]))
            if stream is None:
                stream = add_clip_stream(container, spec, picture)
            if number in wanted:
                samples[number] = _luma(picture)
            n_encoded += 1
            n_muxed = mux(stream.encode(picture))
        if stream is None or n_encoded != len(table):
            raise SourceError(
                f"{name}: the video ends before frame {n_encoded}, ingest saw {len(table)}; the file has changed: run "
                "again, so that it is listed and ingested afresh"
            )
        mux(stream.encode(None))
    return samples


def _sampled(n: int) -> set[int]:
    """Numbers of the pictures that are compared, each with its neighbours."""
    middles = np.linspace(0, n - 1, min(n, _N_SAMPLES)).round().astype(int).tolist()
    return {near for k in middles for near in (k - 1, k, k + 1) if 0 <= near < n}


def verify(name: str, path: Path, table: FrameTable, samples: _Samples, gop: int) -> None:
    """Raises ProxyError when the file's pictures are not as many, not when, or not those the table and samples say."""
    with opened_proxy(path) as container:
        _check_times(name, container, table, gop)
    with opened_proxy(path) as container:
        for number in sorted(samples):
            here = {near: samples[near] for near in (number - 1, number, number + 1) if near in samples}
            _check_picture(name, _luma(exact_picture(container, table, number)), number, here)


def _check_times(name: str, container: av.container.InputContainer, table: FrameTable, gop: int) -> None:
    stream = container.streams.video[0]
    times_ns: list[int] = []
    n_since_key = gop
    for packet in container.demux(stream):
        if packet.pts is None:  # the end
            continue
        n_since_key = 1 if packet.is_keyframe else n_since_key + 1
        if packet.pts != packet.dts or n_since_key > gop:
            raise ProxyError(f"{name}: proxy picture {len(times_ns)} is out of order or {n_since_key} from a key frame")
        times_ns.append(to_ns(packet.pts, stream.time_base))
    if len(times_ns) != len(table):
        raise ProxyError(f"{name}: the proxy has {len(times_ns)} pictures, the source {len(table)}")
    times_ns.append(to_ns(stream.duration or 0, stream.time_base))
    apart_ns = np.abs(np.array(times_ns) - table.edges_ns)
    if np.max(apart_ns[:-1]) > SAME_NS or apart_ns[-1] > len(table) * SAME_NS:
        worst = int(np.argmax(apart_ns))
        raise ProxyError(
            f"{name}: the proxy has edge {worst} at {times_ns[worst]} ns, the source at {table.edges_ns[worst]} ns"
        )


def _check_picture(name: str, found: _Plane, number: int, near: _Samples) -> None:
    alike = {k: cv2.PSNR(found, plane) if found.shape == plane.shape else 0.0 for k, plane in near.items()}
    best = max(alike, key=lambda k: alike[k])
    if alike[number] < _LEAST_PSNR or alike[best] > alike[number] + _NEIGHBOUR_PSNR:
        raise ProxyError(
            f"{name}: picture {number} of the proxy is {alike[number]:.1f} dB from the source's picture {number} and "
            f"{alike[best]:.1f} dB from its picture {best}, expected at least {_LEAST_PSNR:.0f} dB from its own"
        )


def _luma(picture: av.VideoFrame) -> _Plane:
    """A copy of the Y plane."""
    plane = picture.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, : plane.width].copy()


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _place(folder: Path, path: Path, table: FrameTable, sha256: str) -> None:
    """The frame table first: an mp4 under its own name has one."""
    with _scratch(folder) as times:
        times.write_bytes(table.to_bytes())
        _moved(times, folder / f"{sha256}.times")
    _moved(path, folder / f"{sha256}.mp4")


def _moved(source: Path, target: Path) -> None:
    """Rename onto the name, after the bytes are on the disk."""
    handle = os.open(source, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    source.chmod(0o644)
    source.replace(target)


_SCRATCH = ".making-"


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A file of our own in the same folder, so that renaming is atomic; gone when the work ends, however it does."""
    handle, name = mkstemp(prefix=_SCRATCH, suffix=".mp4", dir=folder)
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _remove_abandoned(folder: Path) -> None:
    """Half-made files of processes that were killed."""
    for path in folder.glob(f"{_SCRATCH}*"):
        with suppress(FileNotFoundError):  # whoever made it has finished meanwhile
            if time.time() - path.stat().st_mtime > _ABANDONED_S:
                path.unlink()
