"""Sight cones against exact frusta (T7)."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from scipy.spatial.transform import Rotation

from schemas.array import Bools, Floats
from trainer.sight import Cones, SightConfig, patch_cones, sees, visible

CONFIG = SightConfig(near_m=0.1, far_m=2.0)
INTRINSICS = np.array([[60.0, 0, 31.5], [0, 60.0, 31.5], [0, 0, 1]])
SIDE = 16.0


def corners(rng: np.random.Generator) -> Floats:
    """One patch of a 64 × 64 picture, [1, 4, 2]."""
    first = rng.uniform(-0.5, 63.5 - SIDE, 2)
    return (first + SIDE * np.array([[0, 0], [1, 0], [1, 1], [0, 1]]))[None]


def pose(rng: np.random.Generator) -> Floats:
    """A camera about a metre from the origin that roughly looks at it."""
    place = rng.normal(size=3)
    place *= rng.uniform(0.5, 1.5) / np.linalg.norm(place)
    forward = rng.normal(scale=0.3, size=3) - place
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, rng.normal(size=3))
    right /= np.linalg.norm(right)
    world = np.eye(4)
    world[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    world[:3, 3] = place
    return world


def frustum(patch_N42: Floats, world: Floats) -> tuple[Floats, Floats]:
    """Half-spaces a·x ≤ b of the patch's frustum between near and far along its axis."""
    points = np.concatenate([patch_N42[0].mean(axis=0, keepdims=True), patch_N42[0]])
    rays = np.concatenate([points, np.ones((5, 1))], axis=1) @ np.linalg.inv(INTRINSICS).T @ world[:3, :3].T
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    axis, edges, apex = rays[0], rays[1:], world[:3, 3]
    sides = np.cross(edges, np.roll(edges, -1, axis=0))
    sides *= -np.sign(sides @ axis)[:, None]
    rows = np.concatenate([sides, -axis[None], axis[None]])
    limits = rows @ apex + np.array([0, 0, 0, 0, -CONFIG.near_m, CONFIG.far_m])
    return rows, limits


def truly_meet(first: tuple[Floats, Floats], second: tuple[Floats, Floats]) -> bool:
    rows, limits = np.concatenate([first[0], second[0]]), np.concatenate([first[1], second[1]])
    return linprog(np.zeros(3), A_ub=rows, b_ub=limits, bounds=(None, None)).status == 0


def pairs(n: int) -> tuple[Bools, Bools, Bools]:
    """What is true of ``n`` random pairs, and what both tests say."""
    rng = np.random.default_rng(0)
    truth, cone, paper = np.zeros((3, n), np.bool_)
    for i in range(n):
        patches, worlds = (corners(rng), corners(rng)), (pose(rng), pose(rng))
        truth[i] = truly_meet(*(frustum(patch, world) for patch, world in zip(patches, worlds, strict=True)))
        made = [patch_cones(patch, INTRINSICS, None, world, 1.0) for patch, world in zip(patches, worlds, strict=True)]
        cone[i] = sees(made[0], made[1], CONFIG)[0, 0]
        paper[i] = sees(made[0], made[1], replace(CONFIG, test="paper"))[0, 0]
    return truth, cone, paper


def assert_right(truth: Bools, cone: Bools) -> None:
    assert truth.mean() > 0.1
    assert cone[truth].all(), "recall 1: no pair that truly meets is hidden"
    assert truth[cone].mean() >= 0.75, "precision"


def test_every_pair_of_frusta_that_meets_is_seen() -> None:
    truth, cone, _ = pairs(400)
    assert_right(truth, cone)


@pytest.mark.slow
def test_ten_thousand_pairs_and_what_the_published_test_misses() -> None:
    truth, cone, paper = pairs(10_000)
    assert_right(truth, cone)
    assert 0.9 < paper[truth].mean() < 1.0, "the published test misses some"


def test_the_published_test_is_the_published_formula() -> None:
    rng = np.random.default_rng(1)
    config = replace(CONFIG, test="paper")
    for _ in range(50):
        a, b = (patch_cones(corners(rng), INTRINSICS, None, pose(rng), 1.0) for _ in range(2))
        # closest approach by least squares on the two rays, then the two clamps
        system = np.stack([a.axis_N3[0], -b.axis_N3[0]], axis=1)
        t1, _ = np.linalg.lstsq(system, b.apex_3 - a.apex_3, rcond=None)[0]
        first = a.apex_3 + np.clip(t1, config.near_m, config.far_m) * a.axis_N3[0]
        t2 = np.clip((first - b.apex_3) @ b.axis_N3[0], config.near_m, config.far_m)
        distance = np.linalg.norm(first - b.apex_3 - t2 * b.axis_N3[0])
        reach = np.clip(t1, config.near_m, config.far_m) * a.tan_N[0] + t2 * b.tan_N[0]
        assert sees(a, b, config)[0, 0] == (distance <= reach)


def test_wider_cones_only_see_more() -> None:
    rng = np.random.default_rng(2)
    patches, worlds = np.concatenate([corners(rng) for _ in range(9)]), (pose(rng), pose(rng))
    narrow, wide = (
        sees(*(patch_cones(patches, INTRINSICS, None, world, scale) for world in worlds), CONFIG)
        for scale in (1.0, 2.0)
    )
    assert (wide | ~narrow).all()
    assert wide.sum() > narrow.sum()


@pytest.mark.parametrize("test", ["cone", "paper"])
def test_a_mask_is_symmetric_and_never_hides_inside_a_view(test: str) -> None:
    rng = np.random.default_rng(3)
    patches = np.concatenate([corners(rng) for _ in range(6)])
    cones = [patch_cones(patches, INTRINSICS, None, pose(rng), 1.0) for _ in range(3)]
    mask = visible(cones, 6, replace(CONFIG, test=test))  # type: ignore[arg-type]
    assert torch.equal(mask, mask.T)
    assert all(mask[6 * view : 6 * view + 6, 6 * view : 6 * view + 6].all() for view in range(3))
    assert not mask.all()


def test_a_camera_without_calibration_sees_everything() -> None:
    rng = np.random.default_rng(4)
    known = patch_cones(corners(rng), INTRINSICS, None, pose(rng), 1.0)
    assert visible([known, None], 1, CONFIG).all()


def test_distortion_moves_axes() -> None:
    rng = np.random.default_rng(5)
    patch = corners(rng)
    straight, bent = (
        patch_cones(patch, INTRINSICS, distortion, np.eye(4), 1.0)
        for distortion in (None, np.array([0.3, 0.1, 0, 0, 0]))
    )
    assert not np.allclose(straight.axis_N3, bent.axis_N3)


def test_axes_turn_with_the_camera() -> None:
    world = np.eye(4)
    world[:3, :3] = Rotation.from_euler("y", 90, degrees=True).as_matrix()
    centre = np.array([[[24, 24], [40, 24], [40, 40], [24, 40]]], np.float64) - 0.5
    cones: Cones = patch_cones(centre, INTRINSICS, None, world, 1.0)
    np.testing.assert_allclose(cones.axis_N3[0], [1, 0, 0], atol=1e-12)
