"""Decoding by torchcodec where it is installed, finds FFmpeg, and gives the very bytes PyAV gives.

torchcodec brings no FFmpeg; it takes the system's, versions 4 to 8. Which conversion that FFmpeg picks is not ours to
say, so nothing is assumed: before the first clip a probe with nearly every brightness and colour is decoded by both
libraries, and torchcodec is left alone when one byte differs. Measured equal with FFmpeg 5.1 and 8.1
(benchmarks/results/decode.md).
"""

import io
from collections.abc import Sequence
from functools import cache

import av
import numpy as np
from numpy.typing import NDArray

_PROBE_SIZE = 48
_PROBE_FRAMES = 10


def decode_frames(mp4: bytes, frames: Sequence[int]) -> NDArray[np.uint8] | None:
    """RGB uint8 [T, H, W, 3] of these frames, which ascend.

    None when torchcodec cannot: whether the clip is damaged is then for PyAV to say, so that the answer is the same
    on every machine.
    """
    from torchcodec.decoders import VideoDecoder  # noqa: PLC0415 - an extra, and it imports torch

    try:
        decoder = VideoDecoder(mp4, dimension_order="NHWC", num_ffmpeg_threads=1)
        if len(frames) == frames[-1] + 1 - frames[0]:
            found = decoder.get_frames_in_range(frames[0], frames[-1] + 1)
        else:
            found = decoder.get_frames_at(list(frames))
    except (RuntimeError, IndexError, ValueError):
        return None
    pixels: NDArray[np.uint8] = found.data.numpy()
    return pixels


@cache
def usable() -> bool:
    """Whether torchcodec can be imported and decodes the probe to the same bytes as PyAV."""
    try:
        import torchcodec.decoders  # noqa: F401, PLC0415
    except (ImportError, RuntimeError, OSError):  # RuntimeError: it finds no FFmpeg
        return False
    mp4 = probe()
    with av.open(io.BytesIO(mp4)) as container:
        expected = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    found = decode_frames(mp4, range(_PROBE_FRAMES))
    return found is not None and np.array_equal(found, expected)


def probe() -> bytes:
    """A clip like those of `cut`, of pictures that hold nearly every value of every channel."""
    buffer = io.BytesIO()
    ramp = np.arange(_PROBE_SIZE * _PROBE_SIZE, dtype=np.uint32)
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=30, options={"qp": "0", "g": "4", "bf": "0"})
        stream.width = stream.height = _PROBE_SIZE
        stream.pix_fmt = "yuv420p"
        for number in range(_PROBE_FRAMES):
            mixed = (ramp + number * 977) * np.uint32(2_654_435_761)  # a multiplicative hash: no two frames alike
            planes = np.stack([mixed >> np.uint32(shift) for shift in (24, 16, 8)], axis=-1).astype(np.uint8)
            picture = planes.reshape(_PROBE_SIZE, _PROBE_SIZE, 3)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return buffer.getvalue()
