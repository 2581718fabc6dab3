"""`pipeline.filmstrip`: signals that mean what their names say, on films whose content is known."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.filmstrip import FilmstripMaker
from pipeline.video import frames
from schemas.filmstrip import Filmstrip, FrameFlag, Thumbnail
from schemas.recipe import IngestSpec
from tests.pipeline.films import WHOLE, Picture, drifting, film, grey, texture

LOSSLESS = {"x264-params": "qp=0"}


def strip_of(data: bytes, spec: IngestSpec | None = None) -> tuple[Filmstrip, list[Thumbnail]]:
    maker, thumbnails, end_ns = FilmstripMaker("ep-1", "main", 0, spec or IngestSpec()), [], 0
    for picture in frames(io.BytesIO(data), WHOLE, "film.mp4"):
        thumbnail = maker.add(picture)
        thumbnails += [thumbnail] if thumbnail else []
        end_ns = picture.end_ns
    return maker.strip(end_ns), thumbnails


def flagged(strip: Filmstrip, flag: FrameFlag) -> list[int]:
    return [int(frame) for frame in np.flatnonzero(strip.flags & flag)]


@pytest.mark.parametrize("level", [0, 60, 200, 255])
def test_luma_is_the_grey_value_whatever_range_the_codec_uses(level: int) -> None:
    for container, options in (("mp4", {}), ("mp4", {"x264-params": "fullrange=on"})):
        strip, _ = strip_of(film([grey(level)] * 3, container=container, options=options))
        tolerance = 2 if not options else 40  # libx264's flag only relabels: the numbers stay limited
        assert np.abs(strip.luma - level).max() <= tolerance


def test_flow_is_the_displacement_in_fractions_of_the_width() -> None:
    strip, _ = strip_of(film(drifting(12, step=3)))
    interior = strip.flow[1:, 2:6, 2:6]
    assert np.median(interior[..., 0]) == pytest.approx(3 / 128, rel=0.15)
    assert abs(np.median(interior[..., 1])) < 0.002
    assert not strip.flow[0].any()


def test_flow_downwards_is_positive_and_in_fractions_of_the_width_too() -> None:
    pictures = [np.roll(texture(96, 192), 3 * i, axis=0) for i in range(10)]
    strip, _ = strip_of(film(pictures))
    assert np.median(strip.flow[1:, 2:6, 2:6, 1]) == pytest.approx(3 / 192, rel=0.2)


def test_repeated_pictures_are_duplicates_and_frozen_from_half_a_second() -> None:
    moving = drifting(6)
    pictures = [*moving[:3], *[moving[3]] * 5, moving[4], *[moving[5]] * 12]
    strip, _ = strip_of(film(pictures, options=LOSSLESS))
    assert flagged(strip, FrameFlag.DUPLICATE) == [4, 5, 6, 7, *range(10, 21)]
    assert flagged(strip, FrameFlag.FROZEN) == list(range(10, 21)), "4 repeats last 0.2 s, 11 last 0.55 s"


def test_a_black_picture_is_black_and_a_dark_one_with_a_light_in_it_is_not() -> None:
    dark = grey(4)
    dark[30:50, 40:60] = 230
    strip, _ = strip_of(film([grey(0), grey(5), dark, grey(60)], options=LOSSLESS))
    assert flagged(strip, FrameFlag.BLACK) == [0, 1]


def test_a_hard_cut_is_the_first_frame_of_the_new_shot() -> None:
    other = [255 - picture for picture in drifting(10)]
    strip, _ = strip_of(film([*drifting(10), *other]))
    assert flagged(strip, FrameFlag.HARD_CUT) == [10]


def test_a_flash_and_a_fade_are_no_cuts() -> None:
    flash = [*[grey(60)] * 5, grey(240), *[grey(60)] * 5]
    fade = [grey(level) for level in range(0, 240, 35)]
    for pictures in (flash, fade):
        assert flagged(strip_of(film(pictures))[0], FrameFlag.HARD_CUT) == []


def test_the_real_trailer_has_the_cuts_one_sees(real: Path) -> None:
    data = (real / "internet/sintel_trailer_cuts/test_video_30s.mp4").read_bytes()
    strip, _ = strip_of(data)
    assert [round(frame / 24, 1) for frame in flagged(strip, FrameFlag.HARD_CUT)] == [
        14.5, 14.8, 15.5, 21.8, 23.9, 25.4, 26.0,
    ]  # fmt: skip


def test_the_descriptor_is_the_mean_colour_of_each_cell() -> None:
    picture: Picture = np.zeros((96, 128, 3), np.uint8)
    picture[:48, :64], picture[:48, 64:], picture[48:, :64], picture[48:, 64:] = (
        (200, 40, 40), (40, 200, 40), (40, 40, 200), (128, 128, 128),
    )  # fmt: skip
    strip, _ = strip_of(film([picture] * 2))
    cells = strip.descriptor[1].reshape(4, 4, 3).astype(int)
    expected = picture[12::24, 16::32].astype(int)
    assert np.abs(cells - expected).max() <= 8


def test_sharpness_falls_when_the_picture_is_blurred() -> None:
    sharp = texture()
    strip, _ = strip_of(film([sharp, cv2.GaussianBlur(sharp, (0, 0), 4)]))
    assert strip.sharpness[1] < strip.sharpness[0] / 4


@pytest.mark.parametrize(("rate", "hz", "expected"), [(30, 4.0, [0, 8, 15, 23, 30, 38, 45, 53]), (3, 4.0, range(6)), (
    30, 3.0, [0, 10, 20, 30, 40, 50])])  # fmt: skip
def test_a_thumbnail_is_the_first_frame_at_or_after_each_tick(rate: int, hz: float, expected: list[int]) -> None:
    n_frames = 60 if rate == 30 else 6
    strip, thumbnails = strip_of(film(drifting(n_frames), rate=rate), IngestSpec(thumbnail_hz=hz))
    assert [thumbnail.frame for thumbnail in thumbnails] == list(expected)
    assert all(thumbnail.t_ns >= round(k * 1e9 / hz) for k, thumbnail in enumerate(thumbnails))
    assert len(strip.luma) == n_frames


def test_thumbnails_are_jpegs_of_the_asked_size_and_never_enlarged() -> None:
    smooth = cv2.GaussianBlur(texture(192, 256), (0, 0), 6)
    data = film([smooth] * 2)
    for short_side, shape in ((96, (96, 128)), (256, (192, 256))):
        _, thumbnails = strip_of(data, IngestSpec(thumbnail_short_side=short_side))
        picture = cv2.imdecode(np.frombuffer(thumbnails[0].jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        assert picture.shape[:2] == shape
        source = cv2.resize(smooth[..., ::-1], picture.shape[1::-1], interpolation=cv2.INTER_AREA)
        assert np.abs(picture.astype(int) - source).mean() < 3


def test_other_pixel_formats_are_converted_first() -> None:
    for options in ({"profile": "high10"}, {}):
        strip, _ = strip_of(film([grey(120)] * 2, options=options))
        assert np.abs(strip.luma - 120).max() < 3


def test_the_same_film_gives_the_same_bits_on_one_and_two_threads() -> None:
    data = film(drifting(12))
    before = cv2.getNumThreads()
    try:
        results = []
        for count in (1, 2):
            cv2.setNumThreads(count)
            results.append(strip_of(data))
    finally:
        cv2.setNumThreads(before)
    (first, thumbnails), (second, again) = results
    assert first.flow.tobytes() == second.flow.tobytes()
    assert [t.jpeg for t in thumbnails] == [t.jpeg for t in again]
