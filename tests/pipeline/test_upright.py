"""`pipeline.upright`: pictures as a player shows them, to the pixel."""

import io
from fractions import Fraction

import numpy as np
import pytest

from pipeline.upright import is_stretched
from pipeline.video import frames
from tests.pipeline.films import WHOLE, drifting, film, texture
from tests.pipeline.odd_films import encoded


@pytest.mark.parametrize(("rotation", "turns"), [(90, 1), (-90, -1), (180, 2)])
def test_a_turned_film_is_shown_upright(rotation: int, turns: int) -> None:
    """The display matrix's angle counts counter-clockwise, as `numpy.rot90` does."""
    picture = texture()
    data = film([picture] * 3, rotation=rotation)
    found = list(frames(io.BytesIO(data), WHOLE, "film.mp4"))
    assert [p.turned % 360 for p in found] == [rotation % 360] * 3
    upright = found[0].frame.to_ndarray(format="rgb24").astype(int)
    plain = next(frames(io.BytesIO(film([picture] * 3)), WHOLE, "film.mp4")).frame.to_ndarray(format="rgb24")
    assert np.abs(upright - np.rot90(plain, turns)).mean() < 2


MIRRORS = [
    ((65536, 0, 0, 0, -65536, 0, 0, 0, 1 << 30), "flipud", 0),
    ((-65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30), "fliplr", 180),
    ((0, 65536, 0, 65536, 0, 0, 0, 0, 1 << 30), "transpose", -90),
    ((0, -65536, 0, -65536, 0, 0, 0, 0, 1 << 30), "antitranspose", 90),
]


@pytest.mark.parametrize(("matrix", "how", "angle"), MIRRORS)
def test_a_mirrored_film_is_mirrored_back(matrix: tuple[int, ...], how: str, angle: int) -> None:
    """The same picture as ffmpeg 9.0.2 shows of such a file."""
    drawn = texture()
    found = next(frames(io.BytesIO(encoded("libx264", "mp4", [drawn] * 3, matrix=matrix)), WHOLE, "film.mp4"))
    seen = found.frame.to_ndarray(format="rgb24").astype(int)
    undone = {
        "flipud": drawn[::-1],
        "fliplr": drawn[:, ::-1],
        "transpose": drawn.transpose(1, 0, 2),
        "antitranspose": drawn[::-1, ::-1].transpose(1, 0, 2),
    }
    assert found.mirrored
    assert found.turned % 360 == angle % 360
    assert {name: np.abs(seen - p).mean() < 12 if seen.shape == p.shape else False for name, p in undone.items()} == {
        name: name == how for name in undone
    }


@pytest.mark.parametrize(
    ("aspect", "size"), [(Fraction(4, 3), (171, 96)), (Fraction(1, 2), (128, 192)), (Fraction(9, 1), (128, 96))]
)
def test_pixels_are_made_square_where_pictures_are_wanted_as_they_are_played(
    aspect: Fraction, size: tuple[int, int]
) -> None:
    """The side that is too short grows; a shape that no camera has is not believed."""
    data = encoded("libx264", "mp4", drifting(3), aspect=aspect)
    played = next(frames(io.BytesIO(data), WHOLE, "film.mp4", as_played=True)).frame
    stored = next(frames(io.BytesIO(data), WHOLE, "film.mp4")).frame
    assert (played.width, played.height) == size
    assert (stored.width, stored.height) == (128, 96)


@pytest.mark.parametrize(("pixel", "believed"), [("1", False), ("4/3", True), ("1/4", True), ("5", False)])
def test_a_shape_of_pixels_is_believed_within_reason(pixel: str, believed: bool) -> None:
    assert is_stretched(Fraction(pixel)) is believed
