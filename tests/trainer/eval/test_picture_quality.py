"""PSNR and SSIM by their definitions, motion by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainer.events import pictures
from trainer.eval.picture_quality import MOST_DB, motion_energy, psnr, ssim

RNG = np.random.default_rng(3)
NOISE = RNG.integers(0, 256, (2, 16, 20, 3), np.uint8)


def ssim_by_the_book(one: np.ndarray, other: np.ndarray) -> float:
    """Window by window, channel by channel, in plain loops."""
    line = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    weights = np.outer(line, line) / line.sum() ** 2
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    found = []
    for row in range(one.shape[0] - 10):
        for column in range(one.shape[1] - 10):
            for channel in range(3):
                a, b = (x[row : row + 11, column : column + 11, channel].astype(float) for x in (one, other))
                ma, mb = (weights * a).sum(), (weights * b).sum()
                va, vb = (weights * (a - ma) ** 2).sum(), (weights * (b - mb) ** 2).sum()
                covariance = (weights * (a - ma) * (b - mb)).sum()
                likeness = (2 * ma * mb + c1) * (2 * covariance + c2)
                found.append(likeness / ((ma**2 + mb**2 + c1) * (va + vb + c2)))
    return float(np.mean(found))


def test_psnr_is_twenty_logs_of_the_peak_over_the_error() -> None:
    other = np.clip(NOISE.astype(int) + np.where(NOISE < 128, 10, -10), 0, 255).astype(np.uint8)
    assert psnr(NOISE, other) == pytest.approx(20 * np.log10(255 / 10))


def test_ssim_is_the_published_formula() -> None:
    other = np.clip(NOISE.astype(int) + RNG.integers(-40, 41, NOISE.shape), 0, 255).astype(np.uint8)
    by_the_book = np.mean([ssim_by_the_book(a, b) for a, b in zip(NOISE, other, strict=True)])
    assert ssim(NOISE, other) == pytest.approx(by_the_book, abs=1e-9)
    assert 0.2 < by_the_book < 0.99


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(8, 24))
def test_a_video_is_the_same_as_itself(seed: int, side: int) -> None:
    video = np.random.default_rng(seed).integers(0, 256, (2, side, side, 3), np.uint8)
    assert psnr(video, video) == MOST_DB
    assert ssim(video, video) == 1.0


def test_a_shifted_picture_is_less_alike_than_a_brighter_one() -> None:
    video = pictures(3)
    brighter = np.clip(video.astype(int) + 8, 0, 255).astype(np.uint8)
    assert ssim(video, brighter) > ssim(video, np.roll(video, 4, axis=2))


def test_stillness_and_steady_change_have_no_motion_energy_and_flicker_has() -> None:
    still = np.full((6, 4, 4, 3), 100, np.uint8)
    ramp = still + np.arange(6, dtype=np.uint8)[:, None, None, None] * 10
    flicker = still.copy()
    flicker[::2] += 51
    assert motion_energy(still) == motion_energy(ramp) == 0.0
    assert motion_energy(flicker) == pytest.approx(4 * 48 * 0.4**2)
