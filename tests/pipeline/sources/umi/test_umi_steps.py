"""Rows that say how far a gripper moved: what stretched them is found out, and the pictures agree."""

import json
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pipeline.files import SourceFiles
from pipeline.sources.umi.umi_steps import (
    PLAIN,
    Stretch,
    furthest_from_unit,
    look_cumulative,
    path,
    rotations,
    stretch_of,
)
from pipeline.video import frames
from schemas.array import Floats
from tests.pipeline.films import WHOLE


def real_rows(real: Path) -> Floats:
    return np.array(json.loads((real / "umi/mouse_arrangement/actions/umi.json").read_text()))


def turns(n: int = 40, size: float = 0.05) -> Floats:
    return Rotation.from_rotvec(np.random.default_rng(1).normal(size=(n, 3)) * size).as_matrix()


def columns(matrices: Floats, stretch: Stretch = PLAIN) -> Floats:
    """The first two columns, stretched."""
    six = np.concatenate([matrices[:, :, 0], matrices[:, :, 1]], axis=1)
    stretched = six * stretch.beside
    for entry in (0, 4):
        stretched[:, entry] = 1.0 - (1.0 - six[:, entry]) * stretch.diagonal
    return stretched


def test_the_real_rotations_are_ten_times_too_large_and_unit_afterwards(real: Path) -> None:
    six = real_rows(real)[:, 3:9]
    assert furthest_from_unit(six) == pytest.approx(0.0641, abs=1e-4)
    stretch = stretch_of(six)
    assert stretch == Stretch(10.0, 200.0)
    undone = six.reshape(-1, 2, 3) / 10
    undone[:, 0, 0], undone[:, 1, 1] = 1 - (1 - six[:, 0]) / 200, 1 - (1 - six[:, 4]) / 200
    assert np.abs(np.linalg.norm(undone, axis=2) - 1).max() < 4e-7
    assert np.abs(np.sum(undone[:, 0] * undone[:, 1], axis=1)).max() < 1e-7


def test_the_pictures_turn_as_the_unstretched_columns_say(real: Path) -> None:
    """Optical flow of the real fisheye clip: where it looks, how fast and how it rolls.

    As they stand, orthonormalised, the same numbers would need a lens that sees more than a full circle.
    """
    pixels_per_degree, agreement, rolls = [], [], []
    for stretch in (Stretch(10.0, 200.0), PLAIN):
        vectors = Rotation.from_matrix(rotations(real_rows(real)[:, 3:9], stretch)).as_rotvec(degrees=True)
        flow = flow_of_the_real_clip(real)
        # Looking right (turning about y, which points down) moves the picture left; looking up moves it down; rolling
        # clockwise turns it counter-clockwise.
        for axis, seen in ((1, -flow[:, 0]), (0, flow[:, 1]), (2, -flow[:, 2])):
            agreement.append(np.corrcoef(vectors[:, axis], seen)[0, 1])
        rolls.append(-flow[:, 2].sum() / vectors[:, 2].sum())
        pixels_per_degree.append(np.polyfit(vectors[:, 1], -flow[:, 0], 1)[0])
    assert agreement[0] > 0.95
    assert agreement[1] > 0.85
    assert agreement[2] > 0.9
    assert 0.8 < rolls[0] < 1.2, "a roll needs no lens: the picture turns by as many degrees as the camera"
    assert rolls[1] < 0.1
    lens_degrees = 256 / np.array(pixels_per_degree)
    assert 90 < lens_degrees[0] < 220
    assert lens_degrees[1] > 720


def flow_of_the_real_clip(real: Path) -> Floats:
    """Per step of the real clip: how far the picture moves right and down (pixels) and turns clockwise (degrees)."""
    with SourceFiles(str(real)).open("umi/mouse_arrangement/videos/umi.mp4") as file:
        grey = [picture.frame.to_ndarray(format="gray") for picture in frames(file, WHOLE, "umi.mp4")]
    seen = []
    area = np.zeros_like(grey[0])
    area[10:150, 30:226] = 255
    for before, after in pairwise(grey):
        corners = cv2.goodFeaturesToTrack(before, 200, 0.01, 5, mask=area)
        moved, found, _ = cv2.calcOpticalFlowPyrLK(before, after, corners, None)
        start, end = corners[found[:, 0] == 1][:, 0], moved[found[:, 0] == 1][:, 0]
        similar, _ = cv2.estimateAffinePartial2D(start - 128, end - 128)
        turned = np.degrees(np.arctan2(similar[1, 0], similar[0, 0]))
        seen.append([*np.median(end - start, axis=0), turned])
    return np.array(seen)


def test_rows_are_steps_and_not_positions_since_a_start(real: Path) -> None:
    """How fast the pictures move goes with the rows themselves, not with their differences."""
    rows, flow = real_rows(real), flow_of_the_real_clip(real)
    speed = np.linalg.norm(flow[:, :2], axis=1)
    angle = Rotation.from_matrix(rotations(rows[:, 3:9], Stretch(10.0, 200.0))).magnitude()
    assert np.corrcoef(speed, angle)[0, 1] > 0.9
    assert abs(np.corrcoef(speed[1:], np.linalg.norm(np.diff(rows[:, :3], axis=0), axis=1))[0, 1]) < 0.5
    assert not look_cumulative(rows[:, :3])


@pytest.mark.parametrize("stretch", [Stretch(2.0, 8.0), Stretch(5.0, 50.0), Stretch(10.0, 200.0), Stretch(20.0, 777.0)])
def test_any_stretch_is_found_and_undone(stretch: Stretch) -> None:
    six = columns(turns(), stretch)
    assert stretch_of(six) == stretch
    np.testing.assert_allclose(rotations(six, stretch), turns(), atol=1e-9)


def test_rotations_as_they_should_be_are_left_alone() -> None:
    assert stretch_of(columns(turns())) == PLAIN
    assert stretch_of(columns(turns()).astype(np.float32).astype(np.float64)) == PLAIN
    assert stretch_of(columns(np.repeat(np.eye(3)[None], 4, axis=0))) == PLAIN


@pytest.mark.parametrize("how", ["noise", "shrunk", "random", "rounded away", "huge", "one row", "not finite"])
def test_what_no_stretch_explains_is_not_explained(how: str) -> None:
    generator, six = np.random.default_rng(2), columns(turns())
    bent = {
        "noise": six + generator.normal(size=six.shape) * 0.01,
        "shrunk": six * 0.97,
        "random": generator.normal(size=six.shape),
        "rounded away": columns(turns(), Stretch(10.0, 200.0)).round(2),
        "huge": six * 1e150,
        "one row": np.array([[0.5, 0, 0, 0, 0.5, 0]]),
        "not finite": np.full((3, 6), np.nan),
    }[how]
    assert stretch_of(bent) in (None, PLAIN)
    assert (stretch_of(bent) is None) == (how != "not finite")


def test_steps_add_up_in_the_tool_s_own_axes() -> None:
    """Four times forward and a quarter turn to the right: back at the start."""
    quarter = Rotation.from_rotvec([0, np.pi / 2, 0]).as_matrix()
    positions, rotated = path(np.tile([0.0, 0.0, 1.0], (4, 1)), np.repeat(quarter[None], 4, axis=0), None)
    np.testing.assert_allclose(positions, [[0, 0, 0], [0, 0, 1], [1, 0, 1], [1, 0, 0], [0, 0, 0]], atol=1e-12)
    np.testing.assert_allclose(rotated[4], np.eye(3), atol=1e-12)


def test_rows_since_the_chunk_s_start_do_not_add_up_inside_it() -> None:
    moves, still = np.array([[1.0, 0, 0], [2, 0, 0], [3, 0, 0], [1, 0, 0], [2, 0, 0]]), np.repeat(np.eye(3)[None], 5, 0)
    positions, _ = path(moves, still, np.array([0, 3]))
    assert positions[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert look_cumulative(np.linspace(0.01, 1, 30)[:, None] ** 1.5 * [1, 0.5, 0])


def test_after_a_row_without_numbers_nothing_is_known() -> None:
    moves = np.ones((5, 3))
    moves[2, 1] = np.nan
    positions, rotated = path(moves, np.repeat(np.eye(3)[None], 5, axis=0), None)
    assert np.isfinite(positions[:3]).all()
    assert np.isnan(positions[3:]).all()
    assert np.isnan(rotated[3:]).all()


def test_parallel_columns_are_no_rotation() -> None:
    assert np.isnan(rotations(np.array([[1.0, 0, 0, 2, 0, 0], [0, 0, 0, 0, 1, 0]]), PLAIN)[:, :, 1]).all()
