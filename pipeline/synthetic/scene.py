"""Drawing an episode: a textured table, boxes and strokes, seen by a view, frame by frame.

Plain painter's drawing with OpenCV: fast enough (several hundred frames per second on one core) to make a corpus
while one waits, and faithful in what matters here: frame i shows exactly row i of the trajectory. Sensor noise and
a slight flicker keep a resting scene from being a run of identical frames, as with any real camera.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.synthetic.solids import Box, Colour, Manipulator, Stroke, boxes_of, strokes_of
from pipeline.synthetic.trajectory import Trajectory
from pipeline.synthetic.view import PictureSize, View
from schemas.array import Bools, Floats

Picture = NDArray[np.uint8]
"""uint8 [H, W, 3], RGB."""

_PX_PER_M = 220
_TABLE = ((-0.5, 1.5), (-1.0, 1.0))
"""The textured part of the plane z = 0, x and y in metres; its edge colour continues outside."""
_SUBPIXEL_BITS = 3
_NEAR_M = 0.03
_CORNERS = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
_FACES = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
_NORMALS = np.array([[-1.0, 0, 0], [1, 0, 0], [0, -1, 0], [0, 1, 0], [0, 0, -1], [0, 0, 1]])
_SUN = np.array([0.35, 0.45, 0.82])


@dataclass(frozen=True)
class Look:
    """How a scene looks: who moves, the table's colour, noise in grey levels."""

    manipulator: Manipulator = Manipulator.ROBOT
    table: Colour = (150, 122, 92)
    noise: float = 2.5
    seed: int = 0


def render(trajectory: Trajectory, view: View, look: Look, frames: range | None = None) -> Iterator[Picture]:
    """The frames of an episode (or only some of them) as ``view`` sees them; frame i is at ``times_ns[i]``."""
    painter = Painter(view.size, look)
    things = _things(trajectory, view, look)
    still = _table(painter.texture, view, 0) if view.still else None
    for frame in range(trajectory.n_frames) if frames is None else frames:
        picture = _table(painter.texture, view, frame) if still is None else still.copy()
        yield painter.sensor.expose(things.draw(picture, frame))


class Painter:
    """Draws what is not known in advance, moment by moment: a table and a sensor that stay the same."""

    def __init__(self, size: PictureSize, look: Look) -> None:
        rng = np.random.default_rng([look.seed, 3])
        self.look = look
        self.texture = table_texture(rng, look.table)
        self.sensor = _Sensor(rng, look.noise, (size.height, size.width))

    def paint(self, moment: Trajectory, view: View, tick: int | None = None) -> Picture:
        """The only frame of a trajectory of one frame.

        With ``tick`` its noise is that of this tick, whatever else was painted before; without, the next in line.
        """
        things = _things(moment, view, self.look)
        picture = things.draw(_table(self.texture, view, 0), 0)
        sensor = self.sensor if tick is None else self.sensor.at(np.random.default_rng([self.look.seed, 4, tick]))
        return sensor.expose(picture)


def table_texture(rng: np.random.Generator, colour: Colour) -> Picture:
    """A wooden table: grain along x, stains, and a few specks that give corners to track."""
    height, width = (int((high - low) * _PX_PER_M) for low, high in reversed(_TABLE))
    grain = cv2.resize(rng.normal(size=(height // 2, 12)), (width, height), interpolation=cv2.INTER_LINEAR)
    stains = cv2.resize(rng.normal(size=(10, 10)), (width, height), interpolation=cv2.INTER_CUBIC)
    fine = rng.normal(size=(height, width))
    relief = 7.0 * grain + 9.0 * stains + 3.0 * fine
    texture: Picture = np.clip(np.asarray(colour, np.float64) + relief[..., None], 0, 255).astype(np.uint8)
    for _ in range(160):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        shade = [int(value * float(rng.uniform(0.55, 1.25))) for value in colour]
        cv2.circle(texture, (x, y), int(rng.integers(1, 4)), tuple(min(255, value) for value in shade), -1, cv2.LINE_AA)
    return texture


def _table(texture: Picture, view: View, frame: int) -> Picture:
    (x_low, _), (y_low, _) = _TABLE
    metres = np.array([[1 / _PX_PER_M, 0, x_low], [0, 1 / _PX_PER_M, y_low], [0, 0, 1.0]])
    size = (view.size.width, view.size.height)
    mapping = view.table_homography(frame) @ metres
    picture: Picture = cv2.warpPerspective(texture, mapping, size, borderMode=cv2.BORDER_REPLICATE)
    return picture


def _shadow(position: Floats) -> Box:
    """A dark patch on the table under a hand."""
    centre = position * np.array([1.0, 1.0, 0.0]) + np.array([-0.02, -0.03, 0.0005])
    return Box((0.11, 0.06, 0.0005), centre, np.tile(np.eye(3), (len(position), 1, 1)), (58, 48, 40))


@dataclass(frozen=True, eq=False)
class _SeenBox:
    """A box in pixels: corners [T, 8, 2] in subpixel units, visible faces [T, 6], face colours, depth [T]."""

    corners: NDArray[np.int32]
    visible: Bools
    colours: NDArray[np.int64]
    depth: Floats

    def draw(self, picture: Picture, frame: int) -> None:
        for face in np.flatnonzero(self.visible[frame]):
            polygon = self.corners[frame, _FACES[face], :]
            colour = tuple(self.colours[frame, face].tolist())
            cv2.fillConvexPoly(picture, polygon, colour, cv2.LINE_AA, _SUBPIXEL_BITS)


@dataclass(frozen=True, eq=False)
class _SeenStroke:
    """A stroke in pixels: points [T, P, 2], thickness [T], depth [T]."""

    points: NDArray[np.int32]
    thickness: NDArray[np.int64]
    colour: Colour
    depth: Floats

    def draw(self, picture: Picture, frame: int) -> None:
        thickness = int(self.thickness[frame])
        if thickness > 0:
            line = [self.points[frame, :, None, :]]
            cv2.polylines(picture, line, False, self.colour, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)


def _subpixels(pixels: Floats) -> NDArray[np.int32]:
    return np.rint(np.clip(pixels, -4000, 4000) * (1 << _SUBPIXEL_BITS)).astype(np.int32)


def _seen_box(box: Box, view: View) -> _SeenBox:
    corners = box.centre[:, None] + np.einsum("tij,nj->tni", box.rotation, _CORNERS * np.asarray(box.size))
    pixels, depth = view.see(corners)
    normals = np.einsum("tij,nj->tni", box.rotation, _NORMALS)
    eye = -np.einsum("tji,tj->ti", view.rotation, view.translation)
    half = np.abs(_NORMALS @ np.asarray(box.size)) / 2
    facing = np.einsum("tni,ti->tn", normals, eye - box.centre) > half
    in_front = np.min(depth, axis=1) > _NEAR_M
    shade = 0.62 + 0.38 * np.clip(normals @ _SUN, 0.0, 1.0)
    colours = np.rint(shade[..., None] * np.asarray(box.colour)).astype(np.int64)
    return _SeenBox(_subpixels(pixels), facing & in_front[:, None], colours, np.mean(depth, axis=1))


def _seen_stroke(stroke: Stroke, view: View) -> _SeenStroke:
    pixels, depth = view.see(stroke.points)
    nearest, middle = np.min(depth, axis=1), np.mean(depth, axis=1)
    thickness = np.where(nearest > _NEAR_M, np.rint(view.focal_px * stroke.thickness_m / np.maximum(middle, 0.05)), 0)
    return _SeenStroke(_subpixels(pixels), np.clip(thickness, 0, 200).astype(np.int64), stroke.colour, middle)


@dataclass(frozen=True, eq=False)
class _Things:
    """Everything on a table: what lies flat, and what stands in front of what."""

    flat: list[_SeenBox]
    upright: list[_SeenBox | _SeenStroke]

    def draw(self, picture: Picture, frame: int) -> Picture:
        for box in self.flat:
            box.draw(picture, frame)
        for thing in sorted(self.upright, key=lambda thing: -float(thing.depth[frame])):
            thing.draw(picture, frame)
        return picture


def _things(trajectory: Trajectory, view: View, look: Look) -> _Things:
    boxes = [_seen_box(box, view) for box in boxes_of(trajectory, look.manipulator)]
    strokes = [_seen_stroke(stroke, view) for stroke in strokes_of(trajectory, look.manipulator)]
    shadows = [_seen_box(_shadow(motion.true.position), view) for motion in trajectory.arms]
    supports = len(trajectory.supports)
    return _Things([*boxes[:supports], *shadows], [*boxes[supports:], *strokes])


class _Sensor:
    """Noise and flicker. A bank of noise pictures, drawn from at random, is as good as fresh noise and much cheaper."""

    def __init__(self, rng: np.random.Generator, noise: float, shape: tuple[int, int]) -> None:
        bank = np.rint(rng.normal(0.0, noise, (8, *shape, 3)))
        self._lighter = np.clip(bank, 0, 255).astype(np.uint8)
        self._darker = np.clip(-bank, 0, 255).astype(np.uint8)
        self._rng = rng
        self._before = -1

    def at(self, rng: np.random.Generator) -> _Sensor:
        """The same sensor with a randomness of its own."""
        own = copy(self)
        own._rng, own._before = rng, -1
        return own

    def expose(self, picture: Picture) -> Picture:
        """The picture as a camera records it; never twice the same noise in a row."""
        choice = int(self._rng.integers(len(self._lighter) - 1))
        choice += choice >= self._before >= 0
        self._before = choice
        gain = 1.0 + 0.009 * float(self._rng.standard_normal())
        noisy = cv2.subtract(cv2.add(picture, self._lighter[choice]), self._darker[choice])
        exposed: Picture = cv2.convertScaleAbs(noisy, alpha=gain)
        return exposed
