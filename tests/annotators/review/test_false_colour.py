"""Depth as colours: the same distance has the same colour all the way, and pictures stay as they are."""

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from annotators.review.false_colour import FalseColour, is_map


def depth(values: NDArray[np.uint16]) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(values, format="gray16le")


def colours(frame: av.VideoFrame) -> NDArray[np.int16]:
    return frame.to_ndarray(format="rgb24").astype(np.int16)


def ramp(low: int, high: int) -> NDArray[np.uint16]:
    return np.tile(np.linspace(low, high, 64).astype(np.uint16), (16, 1))


def test_near_is_warm_far_is_cold_and_unmeasured_is_black() -> None:
    values = ramp(400, 3_000)
    values[0] = 0
    shown = colours(FalseColour().shown(depth(values)))
    assert not shown[0].any()
    near, far = shown[5, 2], shown[5, -3]
    assert near[0] > near[2] + 50
    assert far[2] > far[0] + 50


def test_a_distance_keeps_its_colour_whatever_else_is_in_the_picture() -> None:
    colour = FalseColour()
    unmeasured = colours(colour.shown(depth(np.zeros((16, 64), np.uint16))))
    first = colours(colour.shown(depth(ramp(400, 3_000))))
    alone = colours(colour.shown(depth(np.full((16, 64), ramp(400, 3_000)[0, 20], np.uint16))))
    assert not unmeasured.any()
    assert np.array_equal(alone[3, 3], first[3, 20])


@pytest.mark.parametrize(
    ("layout", "maps"), [("gray16le", True), ("gray12le", True), ("gray", False), ("yuv420p10le", False)]
)
def test_only_one_number_per_pixel_of_more_than_8_bits_is_a_map(layout: str, maps: bool) -> None:
    frame = av.VideoFrame(64, 16, layout)
    assert is_map(frame) == maps
    assert (FalseColour().shown(frame) is frame) != maps
