"""Probes find what features hold, and nothing where they hold nothing."""

from dataclasses import replace

import numpy as np
import pytest

from jobs.probe_scenes import make_scene
from schemas.array import Floats
from tests.trainer.events import lively, small
from trainer.eval.probe import (
    Probed,
    Scene,
    auc,
    example_of,
    motion_6,
    no_features,
    pixel_features,
    probe,
    ridges,
    tower_features,
)
from trainer.inputs import Inputs

CONFIG = small()
DATA = replace(CONFIG.data, max_frames=9)


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [make_scene(0, index, DATA) for index in range(24)]


def probed(scenes: list[Scene], features: list[list[Floats]]) -> Probed:
    parts = slice(0, 12), slice(12, 16), slice(16, 24)
    fit, choose, judge = ((scenes[part], [block[part] for block in features]) for part in parts)
    return probe(fit, choose, judge)


def depths(scene: Scene) -> Floats:
    return np.log(scene.depth_FNG)


def points(scene: Scene) -> Floats:
    return scene.points_FNG3.reshape(*scene.points_FNG3.shape[:2], -1)


def poses(scene: Scene) -> Floats:
    frames, tokens, _ = scene.depth_FNG.shape
    return np.broadcast_to(motion_6(scene.first_from_camera_F44)[:, None], (frames, tokens, 6)).copy()


def test_features_that_are_the_answer_score_perfect(scenes: list[Scene]) -> None:
    of_depth, of_point, of_pose = (probed(scenes, [[know(s) for s in scenes]]) for know in (depths, points, poses))
    assert of_depth.depth < 1e-4 < of_pose.depth
    assert of_point.point < 1e-3 < of_depth.point
    assert of_pose.auc_5 > 0.99 > of_depth.auc_5


def test_features_that_know_nothing_are_as_good_as_the_mean_of_the_place(scenes: list[Scene]) -> None:
    rng = np.random.default_rng(0)
    noise = [rng.normal(size=(*scene.depth_FNG.shape[:2], 8)) for scene in scenes]
    mean, blind = probed(scenes, [no_features(scenes)]), probed(scenes, [noise])
    assert blind.depth == pytest.approx(mean.depth, rel=0.1)
    assert mean.auc_5 < 0.3
    assert mean.depth > 0.03


def test_the_block_that_knows_is_chosen(scenes: list[Scene]) -> None:
    blocks = [no_features(scenes), [depths(scene) for scene in scenes], no_features(scenes)]
    assert probed(scenes, blocks).block == 2


def test_towers_and_pixels_have_features_for_every_latent_frame_and_token(scenes: list[Scene]) -> None:
    model = lively(CONFIG.model)
    by_block = tower_features(model, scenes[:2], CONFIG, 0.2)
    assert [block[0].shape for block in by_block] == [(3, 4, 32)] * CONFIG.model.video.depth
    assert pixel_features(scenes[:2], CONFIG.data.codec)[0].shape == (3, 4, 16 * 16 * 3)
    again = tower_features(model, scenes[1:2], CONFIG, 0.2)
    assert np.array_equal(again[0][0], by_block[0][1]), "a clip's noise is its own"
    assert example_of(scenes[0], CONFIG, Inputs()).n_video == 12


def test_ridge_is_least_squares_where_it_is_weak_and_the_mean_where_it_is_strong() -> None:
    rng = np.random.default_rng(1)
    inputs, weights = rng.normal(size=(50, 3)), rng.normal(size=(3, 2))
    targets = inputs @ weights + 4.0
    weak, *_, strong = ridges(inputs, targets)
    assert np.allclose(weak.predict(inputs), targets, atol=1e-2)
    assert np.allclose(strong.predict(inputs), targets.mean(axis=0), atol=1e-2)


def test_the_area_under_the_curve_is_that_of_counting() -> None:
    degrees = np.array([0.0, 1.0, 4.0, 7.0])
    steps = np.linspace(0, 5, 20001)
    counted = np.mean([(degrees < t).mean() for t in steps])
    assert auc(degrees, 5.0) == pytest.approx(counted, abs=1e-3)
