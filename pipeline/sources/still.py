"""Single pictures as frames: formats that keep a view as JPEG, PNG or raw arrays instead of a video file.

The result is what a video decoder gives, so that filmstrip and clip cutter need not know. The header is looked at
before anything is unpacked: a picture may claim any size.
"""

import io
import struct
import zlib
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from pipeline.errors import SourceError
from pipeline.video import Picture

MAX_PIXELS = 64_000_000
"""Larger than any camera here; a picture that claims more is damaged or hostile."""
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "PPM")
_MODES = ("1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr")
"""Eight bits per channel; deeper ones are depth maps, whose conversion would be guesswork."""
_PADDED = (b"\xff\xd8", b"\x89PNG")
"""JPEG and PNG end with a mark that is not zero, so that zeros after it are padding."""
_BROKEN = (
    ArithmeticError,
    EOFError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    SyntaxError,
    TypeError,
    UnidentifiedImageError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What Pillow raises on pictures that are cut short or damaged, depending on where."""


def picture_of_array(pixels: Any, t_ns: int, end_ns: int, name: str, *, bgr: bool = False) -> Picture:
    """Raw pixels [H, W, 3] or [H, W], 8 bits, as a frame. Raises SourceError for other shapes and types."""
    if not isinstance(pixels, np.ndarray):
        raise SourceError(f"{name}: a picture is {type(pixels).__name__}, expected uint8 [H, W, 3]")
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3):
        raise SourceError(f"{name}: a picture is {pixels.dtype} {list(pixels.shape)}, expected uint8 [H, W, 3]")
    if not min(pixels.shape[:2]) >= 4 or pixels.shape[0] * pixels.shape[1] > MAX_PIXELS:
        raise SourceError(f"{name}: a picture measures {pixels.shape[1]}x{pixels.shape[0]}, expected a camera's size")
    layout = "gray" if pixels.ndim == 2 else "bgr24" if bgr else "rgb24"
    return Picture(t_ns, end_ns, av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=layout), 0)


def picture_of_file(data: bytes, t_ns: int, end_ns: int, name: str, *, bgr: bool = False) -> Picture:
    """A picture file's bytes as a frame; zeros after a JPEG or PNG are padding.

    ``bgr`` says that the file was made from pixels whose red and blue were swapped (OpenCV's ``imencode`` on RGB).
    Raises SourceError when the bytes are cut short, damaged or no picture.
    """
    return picture_of_array(_unpacked(data, name), t_ns, end_ns, name, bgr=bgr)


def picture_of_row(row: Any, t_ns: int, end_ns: int, name: str, *, bgr: bool = False, flipped: bool = False) -> Picture:
    """One row of a table of pictures: raw pixels, or a picture file as bytes, padded or not. ``flipped``: upside down.

    Raises SourceError for anything else.
    """
    pixels = row
    if isinstance(row, bytes):
        pixels = _unpacked(row, name)
    elif isinstance(row, np.ndarray) and row.ndim == 1 and row.dtype in (np.uint8, np.int8):
        pixels = _unpacked(row.tobytes(), name)
    elif not isinstance(row, np.ndarray):
        raise SourceError(f"{name}: a picture is {type(row).__name__}, expected pixels or the bytes of a JPEG or PNG")
    return picture_of_array(pixels[::-1] if flipped else pixels, t_ns, end_ns, name, bgr=bgr)


def _unpacked(data: bytes, name: str) -> NDArray[np.uint8]:
    """The pixels [H, W, 3] of a picture file."""
    if data.startswith(_PADDED):
        data = data.rstrip(b"\0")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise SourceError(f"{name}: a picture claims {image.width}x{image.height}, expected a camera's size")
            if image.mode not in _MODES:
                raise SourceError(f"{name}: a picture has pixels of kind {image.mode}, expected 8-bit colours or greys")
            return np.asarray(image.convert("RGB"))
    except _BROKEN as error:
        raise SourceError(f"{name}: a picture of {len(data)} bytes cannot be read ({error}); fetch it again") from error
