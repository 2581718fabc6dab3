"""Pictures show the row they belong to, look like a camera's, and come fast."""

import itertools
import time

import numpy as np
import pytest

from pipeline.synthetic.scene import Look, render
from pipeline.synthetic.solids import Manipulator
from pipeline.synthetic.trajectory import Noise, Variant, make_trajectory
from pipeline.synthetic.view import PictureSize, third_person, wrist
from schemas.array import Floats
from schemas.episode import Arm

SIZE = PictureSize(256, 192, focal=1.3)
TRAJECTORY = make_trajectory(0, {Arm.RIGHT: (Variant.PLAIN,)}, rate_hz=20, noise=Noise(0.0, 0.0, 0.0))
STILL = third_person(np.random.default_rng(0), SIZE, TRAJECTORY.n_frames)


def change(manipulator: Manipulator) -> Floats:
    """Mean picture difference from frame to frame without sensor noise, [T − 1]."""
    pictures = np.stack(list(render(TRAJECTORY, STILL, Look(manipulator, noise=0.0)))).astype(np.float64)
    pictures *= 100.0 / pictures.mean(axis=(1, 2, 3), keepdims=True)  # take the flicker out
    out: Floats = np.abs(np.diff(pictures, axis=0)).mean(axis=(1, 2, 3))
    return out


@pytest.mark.parametrize("manipulator", list(Manipulator))
def test_pictures_move_when_the_hand_moves_and_not_a_frame_later(manipulator: Manipulator) -> None:
    speed = np.linalg.norm(np.diff(TRAJECTORY.arms[0].true.position, axis=0), axis=1)
    seen = change(manipulator)
    lags = range(-4, 5)
    correlation = [np.corrcoef(speed[4:-4], np.roll(seen, -lag)[4:-4])[0, 1] for lag in lags]
    assert lags[int(np.argmax(correlation))] == 0
    assert max(correlation) > 0.7


def test_the_item_is_drawn_where_it_is() -> None:
    (item,) = TRAJECTORY.items
    pixels, _ = STILL.see(item.position[:, None])
    pictures = list(render(TRAJECTORY, STILL, Look(Manipulator.HANDHELD, noise=0.0)))
    for frame in (0, TRAJECTORY.n_frames - 1):
        x, y = np.rint(pixels[frame, 0]).astype(int)
        patch = pictures[frame][y - 1 : y + 2, x - 1 : x + 2].reshape(-1, 3).mean(axis=0)
        table = pictures[frame][5:15, 5:15].reshape(-1, 3).mean(axis=0)
        assert np.abs(patch - table).max() > 30
    assert np.linalg.norm(pixels[0] - pixels[-1]) > 20


def test_a_resting_scene_is_never_twice_the_same_picture() -> None:
    pictures = list(render(TRAJECTORY, STILL, Look(), range(4)))
    assert all(np.any(a != b) for a, b in itertools.pairwise(pictures))


def test_part_of_an_episode_starts_where_it_is_asked_to() -> None:
    whole = [picture.astype(int) for picture in render(TRAJECTORY, STILL, Look(noise=0.0))]
    (one,) = render(TRAJECTORY, STILL, Look(noise=0.0), range(60, 61))
    differences = [np.abs(one.astype(int) - picture).mean() for picture in whole[20:100]]
    assert 20 + int(np.argmin(differences)) == 60


def test_the_same_look_gives_the_same_pictures() -> None:
    first, again = (list(render(TRAJECTORY, STILL, Look(seed=3), range(3))) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert first[0].shape == (192, 256, 3)
    assert first[0].dtype == np.uint8


def test_drawing_is_faster_than_300_frames_per_cpu_second() -> None:
    for view in (STILL, wrist(SIZE, TRAJECTORY.arms[0])):
        start = time.process_time()
        n = sum(1 for _ in render(TRAJECTORY, view, Look()))
        assert n / (time.process_time() - start) > 300
