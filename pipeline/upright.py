"""Pictures as a container asks to show them: turned, mirrored and, where wanted, with square pixels.

Phones keep pictures as the sensor lies and write a display matrix beside them; front cameras mirror. A right hand that
stays mirrored is a left hand to whoever learns from it.
"""

import struct
from fractions import Fraction

import av
import av.filter

TURNS = {90: ("transpose=cclock",), -90: ("transpose=clock",), 180: ("hflip", "vflip"), -180: ("hflip", "vflip")}
"""Filters that make a picture upright, by the display matrix's counter-clockwise angle."""
_MIRRORED_TURNS = {
    0: ("vflip",),
    90: ("transpose=clock_flip",),
    -90: ("transpose=cclock_flip",),
    180: ("hflip",),
    -180: ("hflip",),
}
"""The same where the matrix mirrors as well."""
_MATRIX = struct.Struct("=9i")
"""A display matrix: fixed-point numbers in the machine's own byte order."""
_MOST_STRETCHED = 4
"""Pixels that claim to be more than so many times as wide as high, or as high as wide, are taken for square."""


class Upright:
    """Makes the frames of one stream upright, one after the other; ``square`` also makes their pixels square."""

    def __init__(self, stream: av.VideoStream, *, square: bool) -> None:
        self._stream = stream
        self._pixel = pixel_aspect(stream) if square else Fraction(1)
        self._graph: av.filter.Graph | None = None
        self._made_for: tuple[int, int, str, int] | None = None
        self._mirrored = False

    def __call__(self, frame: av.VideoFrame) -> tuple[av.VideoFrame, int, bool]:
        """The frame, the angle its matrix turns it by, and whether it was mirrored back."""
        angle = frame.rotation
        form = (frame.width, frame.height, frame.format.name, angle)
        if self._made_for != form:
            turns, self._mirrored = _turns_of(frame)
            steps = (*_stretch(frame, self._pixel), *turns)
            self._graph, self._made_for = _filters(self._stream, frame, steps) if steps else None, form
        if self._graph is None:
            return frame, angle, self._mirrored
        self._graph.vpush(frame)
        return self._graph.vpull(), angle, self._mirrored


def pixel_aspect(stream: av.VideoStream) -> Fraction:
    """Width of a pixel by its height, as the container or the codec says it."""
    return Fraction(stream.sample_aspect_ratio or 1)


def is_stretched(pixel: Fraction) -> bool:
    """Whether pixels of this shape are made square where that is wanted."""
    return pixel != 1 and Fraction(1, _MOST_STRETCHED) <= pixel <= _MOST_STRETCHED


def _turns_of(frame: av.VideoFrame) -> tuple[tuple[str, ...], bool]:
    """Filters that make a frame upright, and whether they mirror it. Other than quarter turns are left alone."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    content = b"" if matrix is None else bytes(matrix)
    if len(content) == _MATRIX.size:
        a, b, _, c, d, *_ = _MATRIX.unpack(content)
        if a * d - b * c < 0 and frame.rotation in _MIRRORED_TURNS:
            return _MIRRORED_TURNS[frame.rotation], True
    return TURNS.get(frame.rotation, ()), False


def _stretch(frame: av.VideoFrame, pixel: Fraction) -> tuple[str, ...]:
    """The filter that makes pixels square; no detail is lost, the shorter side grows."""
    if not is_stretched(pixel):
        return ()
    width, height = (frame.width * pixel, frame.height) if pixel > 1 else (frame.width, frame.height / pixel)
    return (f"scale={round(width)}:{round(height)}",)


def _filters(stream: av.VideoStream, frame: av.VideoFrame, steps: tuple[str, ...]) -> av.filter.Graph:
    graph = av.filter.Graph()
    graph.threads = 1
    nodes = [graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=stream.time_base)]
    for step in steps:
        kind, _, option = step.partition("=")
        nodes.append(graph.add(kind, option or None))
    nodes.append(graph.add("buffersink"))
    graph.link_nodes(*nodes).configure()
    return graph
