"""Savitzky-Golay, median and the noise floor."""

import numpy as np

from annotators.kinematic.smoothing import median_smoothed, noise_floor, savitzky_golay, slope_noise


def test_a_parabola_passes_unchanged_and_its_slope_is_exact_inside() -> None:
    t = np.arange(100) / 50
    smooth, slope = savitzky_golay((3 * t**2 - t)[:, None], 0.35, 50.0)
    inside = slice(9, -9)
    np.testing.assert_allclose(smooth[inside, 0], (3 * t**2 - t)[inside], atol=1e-12)
    np.testing.assert_allclose(slope[inside, 0], (6 * t - 1)[inside], atol=1e-10)


def test_a_straight_line_has_no_false_stop_at_its_ends() -> None:
    t = np.arange(40) / 50
    _, slope = savitzky_golay((0.3 * t)[:, None], 0.35, 50.0)
    np.testing.assert_allclose(slope, 0.3, atol=1e-10)


def test_two_samples_are_left_alone() -> None:
    values = np.array([[1.0], [2.0]])
    smooth, slope = savitzky_golay(values, 0.35, 50.0)
    np.testing.assert_array_equal(smooth, values)
    np.testing.assert_array_equal(slope, 0)


def test_the_window_shrinks_on_short_signals() -> None:
    _, slope = savitzky_golay(np.arange(5.0)[:, None], 10.0, 1.0)
    np.testing.assert_allclose(slope, 1.0)


def test_the_median_removes_a_two_row_spike_and_keeps_an_edge() -> None:
    values = np.array([0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 1, 1], np.float64)
    np.testing.assert_array_equal(median_smoothed(values, 5), [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1])


def test_the_noise_floor_follows_the_noise_not_the_motion() -> None:
    rng = np.random.default_rng(0)
    motion = np.zeros((2000, 3))
    motion[:1000, 0] = 0.3
    quiet = noise_floor(motion + rng.normal(0, 0.001, motion.shape))
    loud = noise_floor(motion + rng.normal(0, 0.01, motion.shape))
    assert 0 < quiet < 0.001
    assert 5 < loud / quiet < 15


def test_slope_noise_is_what_a_fit_to_white_noise_shows() -> None:
    white = np.random.default_rng(1).normal(0, 0.001, (4000, 1))
    _, slope = savitzky_golay(white, 0.35, 20.0)
    assert 0.8 < np.std(slope) / slope_noise(0.001, 0.35, 0.05) < 1.3
