"""Drawing tiles: a thumbnail under a bar that says what it shows, and grids of them as one JPEG.

The bar stands above the picture and not on it, so that nothing is hidden and letters keep their contrast. The letters
are OpenCV's own: no font file is needed, and the same version of OpenCV draws the same bytes everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]

WHITE: Colour = (255, 255, 255)
YELLOW: Colour = (0, 230, 255)
"""Blue, green, red. Times are white, what can be chosen is yellow."""
_BAR: Colour = (0, 0, 0)
_QUALITY = 90
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_UNIT = 8
"""Sides are multiples of 8, which keeps what processors round off (to 28 or 32 pixels a token) below 2 %."""


@dataclass(frozen=True)
class Tile:
    """One picture and its bar: ``left`` in white, ``right`` in yellow."""

    jpeg: bytes | None
    """None: an empty place."""
    left: str = ""
    right: str = ""


@dataclass(frozen=True)
class TileSize:
    """Outer size of a tile and height of its bar, pixels."""

    width: int
    height: int
    bar: int

    @property
    def scale(self) -> float:
        """Of the letters: 11 pixels high at a bar of 20."""
        return self.bar / 43.0


def tile_size(width: int, aspect: float) -> TileSize:
    """A tile of a given width for pictures of an aspect (width / height); never higher than wide."""
    bar = 20 if width >= 160 else 16
    height = min(width, round((width / aspect + bar) / _UNIT) * _UNIT)
    return TileSize(width, max(height, bar + _UNIT), bar)


def aspect_of(jpeg: bytes) -> float:
    """Width over height. Raises ValueError for bytes that are no picture."""
    pixels = decoded(jpeg)
    return float(pixels.shape[1] / pixels.shape[0])


def decoded(jpeg: bytes) -> Pixels:
    """The picture, blue green red [H, W, 3]. Raises ValueError for bytes that are no picture."""
    pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ValueError(f"{len(jpeg)} bytes are no picture OpenCV can read")
    return np.asarray(pixels, np.uint8)


def encoded(pixels: Pixels) -> bytes:
    """A JPEG whose letters stay sharp: quality 90, colour at full resolution."""
    sharp = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    _, raw = cv2.imencode(".jpg", pixels, sharp)
    return raw.tobytes()


def grid(tiles: Sequence[Tile], columns: int, size: TileSize) -> Pixels:
    """Tiles in reading order; places left over are black. ``size`` fits all of them."""
    rows = max(1, -(-len(tiles) // columns))
    canvas = np.zeros((rows * size.height, columns * size.width, 3), np.uint8)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        place = canvas[row * size.height : (row + 1) * size.height, column * size.width : (column + 1) * size.width]
        _draw(tile, place, size)
    return canvas


def _draw(tile: Tile, place: Pixels, size: TileSize) -> None:
    place[: size.bar] = _BAR
    if tile.jpeg is not None:
        _paste(decoded(tile.jpeg), place[size.bar :, 1:-1])
    used = _write(place, tile.left, 3, size, WHITE)
    wanted = cv2.getTextSize(tile.right, _FONT, size.scale, 1)[0][0]
    _write(place, tile.right, max(used + 6, size.width - wanted - 4), size, YELLOW)


def _paste(picture: Pixels, place: Pixels) -> None:
    """Fits a picture into a place, centred, its shape kept."""
    height, width = place.shape[:2]
    scale = min(width / picture.shape[1], height / picture.shape[0])
    new = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    small = cv2.resize(picture, new, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    top, left = (height - new[1]) // 2, (width - new[0]) // 2
    place[top : top + new[1], left : left + new[0]] = small


def _write(place: Pixels, text: str, x: int, size: TileSize, colour: Colour) -> int:
    """Puts text on the bar and says where it ends."""
    if not text:
        return x
    bar = np.ascontiguousarray(place[: size.bar])
    cv2.putText(bar, text, (x, size.bar - 5), _FONT, size.scale, colour, 1, cv2.LINE_AA)
    place[: size.bar] = bar
    return x + int(cv2.getTextSize(text, _FONT, size.scale, 1)[0][0])
