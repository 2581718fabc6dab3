"""Cameras see the table where the homography says, and never its horizon."""

import numpy as np
import pytest

from pipeline.synthetic.trajectory import Variant, make_trajectory
from pipeline.synthetic.view import PictureSize, View, head, orbit, third_person, wrist
from schemas.episode import Arm

SIZE = PictureSize(224, 168)
TRAJECTORY = make_trajectory(0, {Arm.RIGHT: (Variant.PLAIN,)}, rate_hz=20)
N = TRAJECTORY.n_frames


def views() -> list[View]:
    rng = np.random.default_rng(0)
    return [
        third_person(rng, SIZE, N), head(rng, SIZE, N, 20), orbit(rng, SIZE, N, 20), wrist(SIZE, TRAJECTORY.arms[0]),
    ]  # fmt: skip


@pytest.mark.parametrize("view", views())
def test_the_homography_and_the_projection_agree_on_the_table(view: View) -> None:
    points = np.array([[0.4, 0.1, 0.0], [0.5, -0.1, 0.0], [0.45, 0.0, 0.0]])
    pixels, depth = view.see(np.tile(points, (N, 1, 1)))
    mapped = np.column_stack([points[:, :2], np.ones(3)]) @ view.table_homography(N // 2).T
    assert np.allclose(mapped[:, :2] / mapped[:, 2:], pixels[N // 2], atol=1e-6)
    assert np.all(depth > 0)


@pytest.mark.parametrize("view", views())
def test_no_view_sees_the_horizon(view: View) -> None:
    x, y = (np.array([0.0, SIZE.width]) - SIZE.width / 2), (np.array([0.0, SIZE.height]) - SIZE.height / 2)
    corners = np.array([[u / view.focal_px, v / view.focal_px, 1.0] for u in x for v in y])
    rays = np.einsum("tji,nj->tni", view.rotation, corners)
    assert np.all(rays[..., 2] < -0.02)


@pytest.mark.parametrize("view", views())
def test_poses_are_rotations(view: View) -> None:
    assert np.allclose(view.rotation @ view.rotation.transpose(0, 2, 1), np.eye(3), atol=1e-9)
    assert np.allclose(np.linalg.det(view.rotation), 1.0)


def test_a_wrist_camera_sees_the_fingertips_at_the_same_place_always() -> None:
    view = wrist(SIZE, TRAJECTORY.arms[0])
    pixels, _ = view.see(TRAJECTORY.arms[0].true.position[:, None])
    assert np.ptp(pixels[:, 0], axis=0).max() < 1e-6
    assert 0 < pixels[0, 0, 0] < SIZE.width
    assert 0 < pixels[0, 0, 1] < SIZE.height
