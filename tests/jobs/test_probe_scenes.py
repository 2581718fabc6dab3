"""Depths and poses of the probe's clips are what the pictures show."""

from dataclasses import replace

import numpy as np

from jobs.probe_scenes import make_scene
from trainer import latents
from trainer.configs import tiny

DATA = replace(tiny().data, max_frames=9)


def test_points_of_all_frames_lie_in_one_world() -> None:
    """Most of what is seen is the table: in the first camera's frame it is one plane, from wherever it is seen."""
    for index in range(4):
        scene = make_scene(0, index, DATA)
        points = scene.points_FNG3.reshape(-1, 3)
        centre = np.median(points, axis=0)
        best = 0.0
        rng = np.random.default_rng(0)
        for _ in range(200):
            a, b, c = points[rng.choice(len(points), 3, replace=False)]
            normal = np.cross(b - a, c - a)
            if np.linalg.norm(normal) > 1e-9:
                best = max(best, float(np.mean(np.abs((points - a) @ normal) < 1e-6 * np.linalg.norm(normal))))
        assert best > 0.5, (index, centre)


def test_a_frames_points_are_its_depths_seen_through_its_pose() -> None:
    scene = make_scene(2, 1, DATA)
    camera_from_first = np.linalg.inv(scene.first_from_camera_F44)
    local = np.einsum("fij,fngj->fngi", camera_from_first[:, :3, :3], scene.points_FNG3)
    local += camera_from_first[:, None, None, :3, 3]
    assert np.allclose(local[..., 2], scene.depth_FNG)
    assert np.allclose(scene.first_from_camera_F44[0], np.eye(4))
    assert scene.depth_FNG.min() > 0.2
    assert scene.depth_FNG.max() < 3.0


def test_things_on_the_table_are_nearer_than_it_where_they_are_seen() -> None:
    """Pictures and depths agree: where a place's depth departs from the plane, its colour departs from the table's."""
    inside, outside = [], []
    for index in range(12):
        scene = make_scene(0, index, DATA)
        depth = scene.depth_FNG[0].reshape(2, 2, 4, 4).transpose(0, 2, 1, 3).reshape(8, 8)
        picture = scene.pixels[0].reshape(8, 4, 8, 4, 3).mean(axis=(1, 3))
        rows, columns = np.mgrid[:8, :8]
        # 1/depth of a plane is linear in pixels; the table is what the largest depths lie on.
        fitted = np.column_stack([rows.ravel(), columns.ravel(), np.ones(64)])
        keep = np.ones(64, bool)
        for _ in range(8):
            plane, *_ = np.linalg.lstsq(fitted[keep], 1 / depth.ravel()[keep], rcond=None)
            keep = 1 / depth.ravel() - fitted @ plane < 0.01
        colour = np.linalg.norm(picture.reshape(64, 3) - np.median(picture.reshape(64, 3)[keep], axis=0), axis=1)
        inside += colour[~keep].tolist()
        outside += colour[keep].tolist()
    assert len(inside) > 10
    assert np.median(inside) > 2 * np.median(outside)


def test_scenes_are_repeatable_and_differ() -> None:
    one, again, other = make_scene(0, 3, DATA), make_scene(0, 3, DATA), make_scene(0, 4, DATA)
    assert np.array_equal(one.pixels, again.pixels)
    assert not np.array_equal(one.pixels, other.pixels)
    assert one.pixels.shape == (9, 32, 32, 3)
    assert len(one.depth_FNG) == latents.latent_frames(9)
