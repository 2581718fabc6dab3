"""Making a filmstrip: per-frame signals and sampled pictures of one view, while it is being decoded.

Written for the speed of decoding itself. Each frame's Y plane is halved by 2×2 means (one SIMD pass) until it is
small, and everything else works on that picture; only thumbnails are converted to RGB. Flow is DIS in its
"ultrafast" preset: on the real recordings its mean magnitude follows arm speed as well as the slower presets do
(correlation 0.67 on DROID, 0.65 with "medium" at ten times the cost). Memory is two small pictures and the signals.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.video import Picture
from schemas.array import Bools, Floats, Ints
from schemas.filmstrip import FLOW_GRID, Filmstrip, FrameFlag, Thumbnail
from schemas.recipe import IngestSpec
from schemas.time import NS_PER_S

_Plane = NDArray[np.uint8]

_PLANAR_420 = {"yuv420p": False, "yuvj420p": True}
"""Formats whose planes are read in place, and whether they are always full range; others are converted first."""
_FULL_RANGE = 2
"""libav's AVCOL_RANGE_JPEG."""
_BT709 = 1
"""libav's AVCOL_SPC_BT709."""
_CELLS = 4
"""The descriptor is the mean colour of a _CELLS × _CELLS grid."""
_FROZEN_NS = NS_PER_S // 2
_CUT_OVER_NEIGHBOURS = 2.0
"""A cut changes the picture once; motion, flashes and fades change it in neighbouring frames too."""

_FINEST_FLOW_SCALE = 1
"""DIS ends at half of what it is given, a quarter of the signal picture: one patch or more per flow cell."""
_STILL = np.zeros((FLOW_GRID, FLOW_GRID, 2), np.float32)

_EXPAND = np.clip(np.rint((np.arange(256) - 16.0) * 255.0 / 219.0), 0, 255).astype(np.uint8)
"""Limited-range luma (16 … 235) to grey (0 … 255)."""


@dataclass
class FilmstripMaker:
    """Collects one view. Feed it every picture once with `add`, then ask for the `strip`."""

    episode_id: str
    camera: str
    origin_ns: int
    """PTS of the picture that shows at episode time 0."""
    spec: IngestSpec
    times_ns: list[int] = field(default_factory=list)
    luma: list[float] = field(default_factory=list)
    spread: list[float] = field(default_factory=list)
    sharpness: list[float] = field(default_factory=list)
    difference: list[float] = field(default_factory=list)
    flow: list[Floats] = field(default_factory=list)
    cells: list[tuple[_Plane, _Plane, _Plane]] = field(default_factory=list)
    """Grey, U and V of the descriptor's grid."""

    def __post_init__(self) -> None:
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._dis.setFinestScale(_FINEST_FLOW_SCALE)
        self._before: _Plane | None = None
        self._half_before: _Plane | None = None
        self._colour = _Colour(full_range=False, bt709=False)
        self._next_thumbnail = 0

    def add(self, picture: Picture) -> Thumbnail | None:
        """Measure one picture; returns its thumbnail when one is due."""
        t_ns = picture.pts_ns - self.origin_ns
        self.times_ns.append(t_ns)
        self._colour, (y, u, v) = _planes(picture.frame)
        grey = _small(y, self.spec.signal_short_side)
        if not self._colour.full_range:
            grey = cv2.LUT(grey, _EXPAND)
        mean, deviation = cv2.meanStdDev(grey)
        self.luma.append(float(mean[0, 0]))
        self.spread.append(float(deviation[0, 0]))
        self.sharpness.append(float(cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))[1][0, 0]) ** 2)
        self.cells.append((_cells(grey), _cells(u), _cells(v)))
        self._compare(grey, picture.frame.height / picture.frame.width)
        return self._thumbnail(t_ns, picture.frame)

    def _compare(self, grey: _Plane, height_over_width: float) -> None:
        """Difference and flow since the picture before. Flow is taken at half size, from which DIS starts anyway."""
        height, width = grey.shape
        half = cv2.resize(grey, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        before, half_before = self._before, self._half_before
        self._before, self._half_before = grey, half
        changed = 0.0 if before is None else float(cv2.norm(before, grey, cv2.NORM_L1)) / grey.size
        self.difference.append(changed)
        if half_before is None or changed == 0.0:
            self.flow.append(_STILL)
            return
        flow = self._dis.calc(half_before, half, None)
        cells = cv2.resize(flow, (FLOW_GRID, FLOW_GRID), interpolation=cv2.INTER_AREA)
        self.flow.append(cells * np.array([2 / width, 2 * height_over_width / height], np.float32))

    def _thumbnail(self, t_ns: int, frame: av.VideoFrame) -> Thumbnail | None:
        """A JPEG of the first picture at or after each k / ``thumbnail_hz``; one for several k between two pictures."""
        if t_ns < _tick_ns(self._next_thumbnail, self.spec.thumbnail_hz):
            return None
        self._next_thumbnail = _ticks_until(t_ns, self.spec.thumbnail_hz)
        jpeg = _jpeg(frame, self.spec.thumbnail_short_side, self.spec.jpeg_quality)
        return Thumbnail(self.episode_id, self.camera, len(self.times_ns) - 1, t_ns, jpeg)

    def strip(self, end_ns: int) -> Filmstrip:
        """The signals of all pictures; ``end_ns`` is when the last one ends, on the episode clock."""
        luma, difference = np.array(self.luma, np.float32), np.array(self.difference, np.float32)
        brightest = luma + 2 * np.array(self.spread, np.float32)
        edges_ns = np.array([*self.times_ns, end_ns], np.int64)
        return Filmstrip(
            episode_id=self.episode_id,
            camera=self.camera,
            luma=luma,
            sharpness=np.array(self.sharpness, np.float32),
            difference=difference,
            flow=np.stack(self.flow),
            descriptor=self._colour.rgb(np.array(self.cells)),
            flags=frame_flags(brightest, difference, edges_ns, self.spec),
        )


def frame_flags(brightest: Floats, difference: Floats, edges_ns: Ints, spec: IngestSpec) -> Ints:
    """`FrameFlag` bits, uint8 [N], from grey mean plus two deviations [N], difference [N] and the N + 1 frame edges.

    A frame is black when nearly all of it is: a title or a night sky has a dark mean and bright parts.
    """
    duplicate = difference == 0.0
    duplicate[0] = False
    masks = {
        FrameFlag.DUPLICATE: duplicate,
        FrameFlag.BLACK: brightest < spec.black_luma,
        FrameFlag.FROZEN: _frozen(duplicate, edges_ns),
        FrameFlag.HARD_CUT: _hard_cuts(difference, spec.hard_cut_difference),
    }
    flags = np.zeros(len(difference), np.uint8)
    for flag, mask in masks.items():
        flags[mask] |= np.uint8(flag)
    return flags


def _frozen(duplicate: Bools, edges_ns: Ints) -> Bools:
    """Duplicates in runs that last at least half a second."""
    frozen = np.zeros(len(duplicate), np.bool_)
    steps = np.flatnonzero(np.diff(np.concatenate([[False], duplicate, [False]]).astype(np.int8)))
    for first, last in steps.reshape(-1, 2):
        frozen[first:last] = edges_ns[last] - edges_ns[first] >= _FROZEN_NS
    return frozen


def _hard_cuts(difference: Floats, threshold: float) -> Bools:
    """Frames that differ from the frame before by the threshold, and clearly more than their neighbours do."""
    padded = np.concatenate([[0.0], difference, [0.0]])
    neighbours = np.maximum(padded[:-2], padded[2:])
    cuts: Bools = (difference >= threshold) & (difference >= _CUT_OVER_NEIGHBOURS * neighbours)
    return cuts


@dataclass(frozen=True)
class _Colour:
    """How a stream's numbers mean colours."""

    full_range: bool
    bt709: bool

    def rgb(self, cells_N344: Ints) -> Ints:
        """Grey, U and V of 4×4 cells, [N, 3, 4, 4], to RGB cell by cell, uint8 [N, 48]."""
        grey = cells_N344[:, 0].astype(np.float32)
        u, v = (cells_N344[:, 1:].astype(np.float32) - 128.0).swapaxes(0, 1) * (1.0 if self.full_range else 255 / 224)
        if self.bt709:
            red, green, blue = grey + 1.5748 * v, grey - 0.1873 * u - 0.4681 * v, grey + 1.8556 * u
        else:
            red, green, blue = grey + 1.402 * v, grey - 0.3441 * u - 0.7141 * v, grey + 1.772 * u
        rgb = np.stack([red, green, blue], axis=-1).reshape(len(grey), -1)
        out: Ints = np.clip(np.rint(rgb), 0, 255).astype(np.uint8)
        return out


def _planes(frame: av.VideoFrame) -> tuple[_Colour, tuple[_Plane, _Plane, _Plane]]:
    """The frame's Y, U and V in place; valid as long as the frame is."""
    if frame.format.name not in _PLANAR_420:
        frame = frame.reformat(format="yuv420p", threads=1)
    full_range = _PLANAR_420[frame.format.name] or frame.color_range == _FULL_RANGE
    y, u, v = (
        np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
        for plane in frame.planes
    )
    return _Colour(full_range, frame.colorspace == _BT709), (y, u, v)


def _halved(picture: _Plane, short_side: int) -> _Plane:
    """2×2 means until another would make the short side smaller than asked; an odd last row or column is left out."""
    while min(picture.shape[:2]) // 2 >= short_side:
        height, width = picture.shape[0] // 2, picture.shape[1] // 2
        picture = cv2.resize(picture[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
    return picture


def _small(plane: _Plane, short_side: int) -> _Plane:
    """The picture the signals are measured on: about ``short_side`` high, sides a multiple of twice the flow grid."""
    scale, unit = short_side / min(plane.shape), 2 * FLOW_GRID
    height, width = (max(2 * unit, round(side * scale / unit) * unit) for side in plane.shape)
    small: _Plane = cv2.resize(_halved(plane, short_side), (width, height), interpolation=cv2.INTER_LINEAR)
    return small


def _cells(plane: _Plane) -> _Plane:
    """Means of a 4×4 grid, uint8 [4, 4]."""
    cells: _Plane = cv2.resize(_halved(plane, 4 * _CELLS), (_CELLS, _CELLS), interpolation=cv2.INTER_AREA)
    return cells


def _jpeg(frame: av.VideoFrame, short_side: int, quality: int) -> bytes:
    """The frame as JPEG with the given short side, never enlarged.

    Converted at full size and then shrunk: libswscale does the first twenty times faster than both at once.
    """
    scale = min(1.0, short_side / min(frame.width, frame.height))
    size = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
    picture = _halved(frame.to_ndarray(format="bgr24", threads=1), short_side)
    small = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
    _, encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return encoded.tobytes()


def _tick_ns(k: int, hz: float) -> int:
    """When the k-th thumbnail falls due, rounded as time stamps are."""
    return round(k * NS_PER_S / Fraction(hz))


def _ticks_until(t_ns: int, hz: float) -> int:
    """The first k that falls due after ``t_ns``."""
    k = int(t_ns * Fraction(hz) / NS_PER_S)
    while _tick_ns(k, hz) <= t_ns:
        k += 1
    return k
