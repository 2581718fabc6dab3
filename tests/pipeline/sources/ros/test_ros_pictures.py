"""Pictures of messages: raw with padded rows, JPEG, PNG; what is depth, Bayer or damaged is refused and named."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import SourceError
from pipeline.sources.ros.ros_pictures import still_picture, unreadable

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 255, (6, 10, 3), np.uint8)
RAW, STILL, VIDEO = "sensor_msgs/Image", "sensor_msgs/CompressedImage", "foxglove.CompressedVideo"


def raw(encoding: str, pixels: Any, padding: int = 0) -> dict[str, Any]:
    rows = pixels.reshape(len(pixels), -1)
    padded = np.pad(rows, ((0, 0), (0, padding)))
    return {
        "encoding": encoding, "height": pixels.shape[0], "width": pixels.shape[1], "step": padded.shape[1],
        "data": padded.reshape(-1),
    }  # fmt: skip


def png(pixels: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def rgb(kind: str, message: dict[str, Any]) -> Any:
    return still_picture(kind, message, 5, "t").frame.to_ndarray(format="rgb24")


@pytest.mark.parametrize("padding", [0, 2])
@pytest.mark.parametrize(
    ("encoding", "pixels"),
    [
        ("rgb8", PIXELS),
        ("bgr8", PIXELS[:, :, ::-1]),
        ("rgba8", np.dstack([PIXELS, PIXELS[:, :, :1]])),
        ("bgra8", np.dstack([PIXELS[:, :, ::-1], PIXELS[:, :, :1]])),
    ],
)
def test_raw_pictures_come_back_in_rgb(encoding: str, pixels: Any, padding: int) -> None:
    assert np.array_equal(rgb(RAW, raw(encoding, np.ascontiguousarray(pixels), padding)), PIXELS)


def test_grey_pictures_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = still_picture(RAW, raw("mono8", PIXELS[:, :, 0], 3), 5, "t").frame
    assert np.array_equal(frame.to_ndarray(), PIXELS[:, :, 0])


def test_png_comes_back() -> None:
    message = {"format": "bgr8; png compressed bgr8", "data": np.frombuffer(png(PIXELS), np.uint8)}
    assert np.array_equal(rgb(STILL, message), PIXELS)


@pytest.mark.parametrize(
    ("kind", "message", "problem"),
    [
        (RAW, raw("bayer_rggb8", PIXELS), r"t at 0\.000 s: is a Bayer mosaic \(bayer_rggb8\); record the debayered"),
        (RAW, raw("16UC1", PIXELS), "is written as '16UC1'; read are rgb8, bgr8, mono8, rgba8, bgra8"),
        (RAW, {**raw("rgb8", PIXELS), "step": 29}, "rows of 29 bytes takes 174, found 180"),
        (RAW, {**raw("rgb8", PIXELS), "height": 2**31}, "takes 64424509440, found 180"),
        (RAW, {**raw("rgb8", PIXELS), "width": None}, "states no height, width and step"),
        (STILL, {"format": "16UC1; compressedDepth png", "data": b""}, "which is depth or more than 8 bits"),
        (STILL, {"format": "png", "data": png(np.zeros((6, 6), np.uint16))}, "holds PNG of 16 bits per channel"),
        (STILL, {"format": "jpeg", "data": b"\xff\xd8 no picture"}, "a picture of 13 bytes cannot be read"),
    ],
)
def test_what_is_no_camera_picture_is_refused(kind: str, message: dict[str, Any], problem: str) -> None:
    with pytest.raises(SourceError, match=problem):
        still_picture(kind, message, 5, "t")


def test_video_of_another_codec_is_named() -> None:
    assert unreadable(VIDEO, {"format": "h264"}) is None
    assert unreadable(VIDEO, {"format": "h265"}) == "is written as 'h265'; read are h264"


def test_text_that_is_no_base64_is_said_with_the_file_it_is_in() -> None:
    message = {"format": "jpeg", "data": "no base64!"}
    assert "its data is no base64" in (unreadable("foxglove.CompressedImage", message) or "")
    with pytest.raises(SourceError, match=r"^a\.mcap at 0\.000 s: .*no base64"):
        still_picture("foxglove.CompressedImage", message, 5, "a.mcap")
