"""From raw vectors to points on a sphere."""

import numpy as np
from numpy.typing import NDArray

from clustering.families import Family
from clustering.projection import fit_projection


def cloud(n: int = 300, d: int = 12, seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, 3)) @ rng.normal(size=(3, d)) + 0.01 * rng.normal(size=(n, d)) + 5).astype(np.float32)


def test_points_are_unit_vectors_around_the_origin() -> None:
    points = fit_projection(cloud(), Family(), 3).points(cloud())
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, atol=1e-6)
    assert np.linalg.norm(points.mean(axis=0)) < 0.2


def test_few_directions_keep_the_angles_of_data_that_has_few() -> None:
    vectors = cloud()
    centred = vectors - vectors.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    points = fit_projection(vectors, Family(), 3).points(vectors)
    np.testing.assert_allclose(points @ points.T, centred @ centred.T, atol=0.05)


def test_no_more_directions_than_the_data_spans() -> None:
    flat = cloud()[:, :1] @ np.ones((1, 12), np.float32)
    assert fit_projection(flat, Family(), 8).matrix.shape == (1, 12)


def test_signs_are_fixed_by_the_largest_component() -> None:
    matrix = fit_projection(cloud(), Family(), 5).matrix
    largest = np.take_along_axis(matrix, np.abs(matrix).argmax(axis=1)[:, None], axis=1)
    assert np.all(largest > 0)


def test_whitening_gives_every_direction_the_same_variance() -> None:
    vectors = cloud(3000)
    projection = fit_projection(vectors, Family(whiten=True), 3)
    projected = (vectors - projection.mean) @ projection.matrix.T
    np.testing.assert_allclose(np.cov(projected.T), np.eye(3), atol=1e-2)


def test_whitening_keeps_no_more_directions_than_the_sample_can_tell() -> None:
    noise = np.random.default_rng(0).normal(size=(40, 30)).astype(np.float32)
    assert len(fit_projection(noise, Family(whiten=True), 30).matrix) == 4


def test_units_do_not_matter_where_nobody_knows_them() -> None:
    vectors, family = cloud(), Family(standardise=True)
    degrees = vectors * np.where(np.arange(12) < 6, 57.3, 1).astype(np.float32)
    one, other = fit_projection(vectors, family, 5).points(vectors), fit_projection(degrees, family, 5).points(degrees)
    np.testing.assert_allclose(np.abs(one @ one.T), np.abs(other @ other.T), atol=1e-2)


def test_a_constant_joint_is_left_out_of_it() -> None:
    vectors = cloud()
    vectors[:, 4] = 1.25
    assert fit_projection(vectors, Family(standardise=True), 5).scale[4] == 0


def test_rare_words_weigh_more_and_words_as_much_as_pictures() -> None:
    rng = np.random.default_rng(0)
    words = np.stack([np.ones(400), rng.random(400) < 0.5, rng.random(400) < 0.02], axis=1)
    vectors = np.concatenate([words, rng.normal(size=(400, 4)) * 100], axis=1).astype(np.float32)
    projection = fit_projection(vectors, Family(text_dims=3), 7)
    assert projection.scale[2] > 2 * projection.scale[1] > projection.scale[0]
    variance = np.var((vectors - projection.mean) * projection.scale, axis=0)
    assert np.isclose(variance[:3].sum(), variance[3:].sum(), rtol=1e-4)


def test_identical_vectors_become_one_point() -> None:
    same = np.tile(np.float32([1, 2, 3]), (5, 1))
    projection = fit_projection(same, Family(text_dims=1), 2)
    np.testing.assert_array_equal(projection.points(same), np.ones((5, 1)))
    assert np.isfinite(projection.points(np.float32([[9, 9, 9]]))).all()


def test_no_vectors_make_no_points() -> None:
    assert fit_projection(cloud(), Family(), 3).points(np.zeros((0, 12), np.float32)).shape == (0, 3)
