"""Pictures kept one by one: the same pixels come out, and damaged or hostile ones are told by name."""

import io
import struct
import time
import zlib
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pipeline.errors import SourceError
from pipeline.sources.still import picture_of_array, picture_of_file, picture_of_row
from pipeline.video import Picture
from tests.pipeline.films import texture

NAME = "a.hdf5, /top, row 3"


def packed(pixels: NDArray[Any], form: str = "JPEG", **how: Any) -> bytes:
    sink = io.BytesIO()
    Image.fromarray(pixels).save(sink, form, **how)
    return sink.getvalue()


def pixels_of(picture: Picture) -> NDArray[Any]:
    return picture.frame.to_ndarray(format="rgb24")


def row_pixels(row: Any, **how: Any) -> NDArray[Any]:
    return pixels_of(picture_of_row(row, 0, 1, NAME, **how))


def test_raw_pixels_come_out_as_they_went_in() -> None:
    picture = picture_of_array(texture(), 5, 9, NAME)
    assert (picture.pts_ns, picture.end_ns, picture.turned) == (5, 9, 0)
    assert np.array_equal(pixels_of(picture), texture())
    assert np.array_equal(pixels_of(picture_of_array(texture()[:, :, ::-1], 0, 1, NAME, bgr=True)), texture())
    grey = texture()[:, :, 0]
    assert np.array_equal(pixels_of(picture_of_array(grey, 0, 1, NAME)), np.stack([grey] * 3, axis=2))


@pytest.mark.parametrize("shape", [(96, 128, 4), (3, 96, 128), (96,), (2, 2, 3), (0, 0, 3), (1, 9, 9, 3)], ids=str)
def test_what_is_no_picture_is_told_by_its_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(SourceError, match=r"a\.hdf5, /top, row 3: a picture"):
        picture_of_array(np.zeros(shape, np.uint8), 0, 1, NAME)
    with pytest.raises(SourceError, match="a picture is uint16"):
        picture_of_array(np.zeros((9, 9), np.uint16), 0, 1, NAME)


@pytest.mark.parametrize("form", ["PNG", "BMP", "PPM"])
def test_lossless_files_come_out_exactly(form: str) -> None:
    assert np.array_equal(pixels_of(picture_of_file(packed(texture(), form), 0, 1, NAME)), texture())


def test_a_padded_jpeg_row_is_the_jpeg() -> None:
    data = packed(texture(), quality=95, subsampling=0)
    plain = row_pixels(data)
    assert np.abs(plain.astype(int) - texture()).mean() < 3
    padded = np.frombuffer(data + bytes(1000), np.uint8)
    for row in (padded, padded.view(np.int8), np.bytes_(data), padded.tobytes()):
        assert np.array_equal(row_pixels(row), plain)


def test_rows_of_pixels_and_of_files_are_flipped_and_swapped_alike() -> None:
    upside_down = texture()[::-1]
    assert np.array_equal(row_pixels(upside_down, flipped=True), texture())
    assert np.array_equal(row_pixels(packed(upside_down, "PNG"), flipped=True), texture())
    _, encoded = cv2.imencode(".png", texture())  # OpenCV takes these RGB pixels for BGR
    assert np.array_equal(row_pixels(encoded.reshape(-1), bgr=True), texture())
    assert np.array_equal(row_pixels(encoded.reshape(-1)), texture()[:, :, ::-1])


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.97])
@pytest.mark.parametrize("padding", [0, 4000])
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_truncated_picture_is_told_even_when_it_is_padded_with_zeros(form: str, padding: int, share: float) -> None:
    data = packed(texture(), form)
    with pytest.raises(SourceError, match=r"a\.hdf5, /top, row 3: a picture of \d+ bytes cannot be read"):
        row_pixels(np.frombuffer(data[: int(len(data) * share)] + bytes(padding), np.uint8))


def png_claiming(width: int, height: int, data: bytes) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.filterwarnings("error", "ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(("side", "said"), [(10_000, "claims 10000x10000"), (60_000, "decompression bomb")])
def test_a_png_bomb_is_refused_before_it_is_unpacked(side: int, said: str) -> None:
    data = png_claiming(side, side, zlib.compress(bytes(10 << 20), 9))
    started = time.process_time()
    with pytest.raises(SourceError, match=f"row 3: a picture .*{said}"):
        picture_of_file(data, 0, 1, NAME)
    assert time.process_time() - started < 1


def test_a_depth_map_is_not_taken_for_a_picture() -> None:
    depth = packed(np.full((16, 16), 900, np.uint16), "PNG")
    with pytest.raises(SourceError, match="pixels of kind I;16, expected 8-bit"):
        picture_of_file(depth, 0, 1, NAME)


@pytest.mark.parametrize("row", [None, 3, "text", np.float32(1), np.zeros(9), np.zeros((9, 9))], ids=repr)
def test_rows_that_hold_something_else_are_told(row: Any) -> None:
    with pytest.raises(SourceError, match="row 3: a picture is"):
        row_pixels(row)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "BMP", "PPM"])
def test_damaged_pictures_are_decoded_or_refused_and_nothing_else(form: str) -> None:
    data, chance, told = packed(texture(32, 32), form), np.random.default_rng(0), []
    for mutation in range(150):
        damaged = np.frombuffer(data, np.uint8).copy()
        where = chance.integers(0, len(damaged) if mutation % 2 else min(len(damaged), 200), 1 + mutation % 5)
        damaged[where] = chance.integers(0, 256, len(where))
        try:
            picture_of_file(damaged.tobytes(), 0, 1, NAME)
        except SourceError as error:
            told.append(str(error))
    assert told
    assert all(NAME in message for message in told)


def test_what_is_no_array_is_no_picture() -> None:
    with pytest.raises(SourceError, match="a picture is bytes, expected uint8"):
        picture_of_array(b"text", 0, 1, NAME)
