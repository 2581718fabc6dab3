"""Numbers in pictures survive what pictures go through."""

import io

import av
import numpy as np
import pytest

from benchmarks.peers.stamp import BITS, read_stamp, stamp


@pytest.mark.parametrize("number", [0, 1, 1234, (1 << BITS) - 1])
@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_a_stamp_survives_encoding(number: int, codec: str) -> None:
    picture = stamp(np.random.default_rng(0).integers(0, 256, (64, 160, 3)).astype(np.uint8), number)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream(codec, rate=20)
        stream.width, stream.height, stream.pix_fmt = 160, 64, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    with av.open(io.BytesIO(buffer.getvalue())) as container:
        (frame,) = container.decode(video=0)
        assert read_stamp(frame.to_ndarray(format="rgb24")) == number


def test_a_number_too_large_is_refused() -> None:
    with pytest.raises(ValueError, match="65536"):
        stamp(np.zeros((64, 160, 3), np.uint8), 1 << BITS)
