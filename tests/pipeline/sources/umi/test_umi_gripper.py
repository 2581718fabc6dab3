"""The gripper's width measured from its finger tags, against widths the tags were drawn at."""

import copy
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.errors import SourceError
from pipeline.sources.umi.umi_gripper import FingerTags, bridged, lens_of, range_of, widths
from pipeline.video import Picture, frames
from schemas.array import Floats
from tests.pipeline.films import WHOLE, film, grey
from tests.pipeline.sources.written.umi_session import INTRINSICS, RATE, SIZE, TAG_M, scene, with_tags
from tests.pipeline.sources.written.umi_zarr import umi_pictures

TAGS = FingerTags(0, 1, TAG_M)
DRAWN = np.linspace(0.02, 0.095, 6)


@pytest.fixture(scope="module")
def tagged(real: Path) -> bytes:
    """The real clip with tags drawn into it, from nearly closed to open."""
    pictures = scene(list(umi_pictures(real)[:6]), 6)
    return film([with_tags(picture, width) for picture, width in zip(pictures, DRAWN, strict=True)], rate=RATE)


def measured(data: bytes, *, lens: Any = None, tags: FingerTags = TAGS) -> Floats:
    return np.array(list(widths(frames(io.BytesIO(data), WHOLE, "film"), tags, lens)))


def test_with_the_lens_the_width_is_metric_to_two_millimetres(tagged: bytes) -> None:
    found = measured(tagged, lens=lens_of(INTRINSICS, "lens"))
    np.testing.assert_allclose(found, DRAWN, atol=0.002)
    assert np.abs(found - DRAWN).mean() < 0.001


def test_without_it_the_pixels_between_the_tags_grow_with_the_width(tagged: bytes) -> None:
    found = measured(tagged)
    assert (np.diff(found) > 0).all()
    opening = (found - found[0]) / (found[-1] - found[0])
    np.testing.assert_allclose(opening, np.linspace(0, 1, 6), atol=0.08)


def test_a_lens_is_scaled_by_height_and_pixels_stay_square() -> None:
    """UMI's convert_fisheye_intrinsics_resolution: a 16:9 video of a 4:3 calibration is cut at the sides."""
    lens = lens_of(INTRINSICS, "lens")
    half, cut = lens.scaled(400, 300), lens.scaled(300, 300)
    assert half.matrix.tolist() == [[120, 0, 202], [0, 120, 148], [0, 0, 1]]
    assert (cut.matrix[0, 0], cut.matrix[1, 1]) == (120.0, 120.0)
    assert cut.matrix[0, 2] == (404 - 400) / 2 + 150
    assert (cut.width, cut.height) == (300, 300)


def test_tags_of_another_gripper_are_not_ours(tagged: bytes) -> None:
    assert np.isnan(measured(tagged, tags=FingerTags(6, 7, TAG_M))).all()


def test_the_width_is_from_finger_to_finger_wherever_the_middle_is(real: Path) -> None:
    (picture,) = scene(list(umi_pictures(real)[:1]), 1)
    tagged, narrower = with_tags(picture, 0.07), with_tags(picture, 0.04)
    tagged[:, SIZE[0] // 2 :] = narrower[:, SIZE[0] // 2 :]
    found = measured(film([tagged] * 2, rate=RATE), lens=lens_of(INTRINSICS, "lens"))
    np.testing.assert_allclose(found, 0.035 + 0.02, atol=0.003)


def test_one_finger_is_enough_with_the_lens_and_not_without(real: Path) -> None:
    """The fingers move alike: UMI's scripts double what one of them says."""
    (picture,) = scene(list(umi_pictures(real)[:1]), 1)
    tagged = with_tags(picture, 0.06)
    tagged[:, SIZE[0] // 2 :] = picture[:, SIZE[0] // 2 :]
    data = film([tagged] * 2, rate=RATE)
    np.testing.assert_allclose(measured(data, lens=lens_of(INTRINSICS, "lens")), 0.06, atol=0.003)
    assert np.isnan(measured(data)).all()


def test_a_tag_at_another_depth_is_no_finger(tagged: bytes) -> None:
    larger = FingerTags(0, 1, 1.5 * TAG_M)
    assert np.isnan(measured(tagged, tags=larger, lens=lens_of(INTRINSICS, "lens"))).all()


def test_a_picture_without_tags_or_damaged_has_no_width(tagged: bytes) -> None:
    assert np.isnan(measured(film([grey(80)] * 2))).all()
    shown: Sequence[Picture] = [picture._replace(damaged=True) for picture in frames(io.BytesIO(tagged), WHOLE, "film")]
    assert np.isnan(list(widths(shown, TAGS, None))).all()


def test_of_a_tag_seen_twice_the_larger_counts(real: Path) -> None:
    (picture,) = scene(list(umi_pictures(real)[:1]), 1)
    tagged = with_tags(picture, 0.06)
    alone = measured(film([tagged] * 2, rate=RATE))
    marker = cv2.aruco.generateImageMarker(cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50), 0, 30)
    tagged[10:60, 10:60] = 255
    tagged[20:50, 20:50] = marker[..., None]
    np.testing.assert_allclose(measured(film([tagged] * 2, rate=RATE)), alone, atol=0.5)


def test_the_lens_is_scaled_to_the_video() -> None:
    lens = lens_of(INTRINSICS, "lens").scaled(400, 300)
    np.testing.assert_allclose(lens.matrix, [[120, 0, 202], [0, 120, 148], [0, 0, 1]])
    assert lens.distortion.tolist() == [-0.02, -0.006, 0.001, -0.0002]


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"intrinsic_type": "PINHOLE"}, "intrinsic_type is 'PINHOLE', expected 'FISHEYE'"),
        ({"image_width": None}, "image_width must be numbers"),
        ({"image_width": -5}, "image_width, image_height"),
        ({"intrinsics": {"focal_length": "long"}}, "focal_length, principal_pt_x"),
        ({"intrinsics": []}, "focal_length"),
    ],
)
def test_another_lens_model_or_missing_numbers_are_an_error(keys: dict[str, Any], told: str) -> None:
    stated = copy.deepcopy(INTRINSICS) | keys
    with pytest.raises(SourceError, match=f"lens.json: .*{told}"):
        lens_of(stated, "lens.json")


def test_a_range_leaves_outliers_out_and_needs_ten_frames() -> None:
    values = np.concatenate([np.linspace(1, 2, 400), [50.0, np.nan]])
    low, high = range_of(values) or (0, 0)
    assert 1 <= low < 1.02
    assert 1.98 < high <= 2.01
    assert range_of(np.linspace(0, 1, 9)) is None
    assert range_of(np.ones(20)) is None


def test_short_gaps_are_bridged_and_long_ones_stay() -> None:
    values = np.array([np.nan, 1.0, np.nan, 3.0, np.nan, np.nan, np.nan, 7.0, np.nan])
    times_ns = np.arange(9) * 10
    np.testing.assert_array_equal(bridged(values, times_ns, 20), [np.nan, 1, 2, 3, *[np.nan] * 3, 7, np.nan])
    np.testing.assert_array_equal(bridged(values, times_ns, 40), [np.nan, 1, 2, 3, 4, 5, 6, 7, np.nan])
    assert np.isnan(bridged(np.full(3, np.nan), times_ns[:3], 99)).all()
