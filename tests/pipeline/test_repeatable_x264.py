"""One thread whatever the machine has, and nothing in the file but the pictures."""

import io
import os

import av
import numpy as np
import pytest

from pipeline.repeatable_x264 import CONTAINER_OPTIONS, add_x264_stream


def film() -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (40, 96, 128, 3), np.uint8)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4", options=CONTAINER_OPTIONS) as container:
        stream = add_x264_stream(container, 30, {"preset": "veryfast"}, "keyint=12")
        stream.width, stream.height = 128, 96
        for picture in noise:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return buffer.getvalue()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no way to take cores away on this system")
def test_the_number_of_cores_changes_nothing() -> None:
    all_cores = film()
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert film() == all_cores
    finally:
        os.sched_setaffinity(0, allowed)


def test_the_encoder_notes_one_thread_and_our_parameters_and_the_container_no_version() -> None:
    written = film()
    assert b"Lavf" not in written
    assert b" threads=1 lookahead_threads=1 sliced_threads=0 " in written, "x264 writes its settings into the film"
    assert b" keyint=12 " in written
