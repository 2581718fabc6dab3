"""How alike two videos are: PSNR, SSIM, and how much they move.

PSNR and SSIM as everybody computes them (Wang et al. 2004: Gaussian window of 11 × 11 with σ = 1.5, windows wholly
inside the picture, mean over channels), so that numbers can be put beside others' at the same resolution and nowhere
else. Motion is the energy of second differences in time, which a still video has none of and a flickering one too much.
"""

import cv2
import numpy as np

from pipeline.loader.decode import Pixels
from schemas.array import Floats

MOST_DB = 100.0
"""PSNR of videos that are the same to the byte."""
_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = (0.01 * 255.0) ** 2, (0.03 * 255.0) ** 2


def psnr(one_THW3: Pixels, other_THW3: Pixels) -> float:
    """Peak signal-to-noise ratio in dB of all frames together, at most `MOST_DB`."""
    error = float(np.mean(np.square(one_THW3.astype(np.float64) - other_THW3)))
    return MOST_DB if error == 0.0 else min(10.0 * float(np.log10(255.0**2 / error)), MOST_DB)


def ssim(one_THW3: Pixels, other_THW3: Pixels) -> float:
    """Structural similarity, −1 … 1, mean over frames, channels and places."""
    frames = zip(one_THW3.astype(np.float64), other_THW3.astype(np.float64), strict=True)
    return float(np.mean([_ssim(one, other) for one, other in frames]))


def _ssim(one: Floats, other: Floats) -> float:
    mean_1, mean_2 = _windowed(one), _windowed(other)
    variance_1 = _windowed(one * one) - mean_1 * mean_1
    variance_2 = _windowed(other * other) - mean_2 * mean_2
    covariance = _windowed(one * other) - mean_1 * mean_2
    likeness = (2.0 * mean_1 * mean_2 + _C1) * (2.0 * covariance + _C2)
    likeness /= (mean_1 * mean_1 + mean_2 * mean_2 + _C1) * (variance_1 + variance_2 + _C2)
    return float(likeness.mean())


def _windowed(picture: Floats) -> Floats:
    """Weighted means over windows; a picture smaller than the window gets the largest odd one that fits."""
    side = min(_WINDOW, *(2 * ((length - 1) // 2) + 1 for length in picture.shape[:2]))
    weights = cv2.getGaussianKernel(side, _SIGMA, cv2.CV_64F)
    means = cv2.sepFilter2D(picture, cv2.CV_64F, weights, weights)
    edge = side // 2
    inside: Floats = means[edge : means.shape[0] - edge, edge : means.shape[1] - edge]
    return inside


def motion_energy(video_THW3: Pixels) -> float:
    """Sum of squared second differences in time, of values 0 … 1; 0 for fewer than three frames."""
    return float(np.square(np.diff(video_THW3.astype(np.float64), n=2, axis=0)).sum()) / 255.0**2
