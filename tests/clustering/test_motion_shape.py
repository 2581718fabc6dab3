"""Resampling, shape and opening features, common to both action embeddings."""

import dataclasses

import numpy as np
from scipy.fft import idct

from clustering.motion_shape import length_of, opening_features, shape, window_of
from tests.clustering.made import clock, span


def test_a_path_is_resampled_over_the_whole_event_by_linear_interpolation() -> None:
    times = clock(40).times_ns
    window = window_of(span(40), times, np.ones(40, np.bool_), 8)
    assert window is not None
    ramp = (times / 1e9)[:, None].astype(np.float32)
    grid_s = np.linspace(0, 2, 8)
    np.testing.assert_allclose(window.resampled(ramp)[:, 0], np.minimum(grid_s, 1.95), atol=1e-6)


def test_invalid_rows_are_bridged_and_an_event_of_only_invalid_rows_has_no_window() -> None:
    times, valid = clock(40).times_ns, np.ones(40, np.bool_)
    valid[10:20] = False
    values = np.where(valid, times / 1e9, 99.0)[:, None].astype(np.float32)
    window = window_of(span(40), times, valid, 32)
    assert window is not None
    np.testing.assert_allclose(window.resampled(values)[:-1, 0], np.linspace(0, 2, 32)[:-1], atol=1e-2)
    assert window_of(span(40), times, np.zeros(40, np.bool_), 32) is None
    assert window_of(dataclasses.replace(span(40), action_end=0), times, valid, 32) is None


def test_one_row_is_a_motion_that_stands_still() -> None:
    valid = np.zeros(40, np.bool_)
    valid[7] = True
    window = window_of(span(40), clock(40).times_ns, valid, 8)
    assert window is not None
    np.testing.assert_array_equal(window.resampled(np.arange(40.0)[:, None]), np.full((8, 1), 7.0))


def test_shape_is_the_orthonormal_dct_axis_by_axis() -> None:
    path = np.random.default_rng(0).normal(size=(32, 2))
    full = shape(path, 32).reshape(2, 32)
    np.testing.assert_allclose(idct(full.T, type=2, norm="ortho", axis=0), path, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(full), np.linalg.norm(path))
    np.testing.assert_allclose(shape(path, 3), full[:, :3].reshape(-1))


def test_an_unknown_opening_is_zeros_and_a_closing_one_is_a_negative_change() -> None:
    assert not opening_features(None).any()
    features = opening_features(np.linspace(1, 0, 32))
    np.testing.assert_allclose(features[4:], [1, 0, -1])
    assert features[0] > 0


def test_length_adds_up_all_steps() -> None:
    assert length_of(np.array([[0.0, 0], [3, 4], [3, 0]])) == 9
