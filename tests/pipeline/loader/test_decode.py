"""Pixels of a clip: all of them or the ones asked for, at the size asked for."""

import numpy as np
import pytest

from pipeline.loader.decode import decode_clip
from tests.pipeline.test_clip import encoded

CLIP = encoded([i * 40_000_000 for i in range(6)]).mp4
"""64 × 48, frame i is grey 40 + 10 i."""


def levels(pixels: np.ndarray) -> list[int]:  # type: ignore[type-arg]  # any dtype
    return [round(float(level), -1) for level in pixels.mean(axis=(1, 2, 3))]


def test_all_frames_at_their_own_size() -> None:
    pixels = decode_clip(CLIP)
    assert pixels.shape == (6, 48, 64, 3)
    assert pixels.dtype == np.uint8
    assert levels(pixels) == [40, 50, 60, 70, 80, 90]


def test_some_frames_in_the_order_asked_for_and_as_often() -> None:
    assert levels(decode_clip(CLIP, frames=[4, 0, 4])) == [80, 40, 80]


def test_size_is_height_then_width() -> None:
    assert decode_clip(CLIP, size=(24, 40), frames=[1]).shape == (1, 24, 40, 3)


def test_a_frame_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="clip has 6 frames, expected frame 6"):
        decode_clip(CLIP, frames=[6])
    for nothing in ([], [-1]):
        with pytest.raises(ValueError, match="indices ≥ 0"):
            decode_clip(CLIP, frames=nothing)
