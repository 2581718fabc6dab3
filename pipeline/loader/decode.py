"""From mp4 bytes to pixels. Sequential, one thread: an event's clip is short and contiguous, so seeking never pays."""

import io
from collections.abc import Sequence
from typing import TypeAlias

import av
import numpy as np
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[np.uint8]


def decode_clip(mp4: bytes, size: tuple[int, int] | None = None, frames: Sequence[int] | None = None) -> Pixels:
    """RGB uint8 [T, H, W, 3] of a clip's first video stream.

    ``size`` is (height, width); None keeps the clip's own. ``frames`` are indices in any order, repeats allowed;
    None means all. Raises ValueError when the clip ends before an index asked for or holds no picture at all.
    """
    wanted = None if frames is None else set(frames)
    if wanted is not None and (not wanted or min(wanted) < 0):
        raise ValueError(f"frames: expected indices ≥ 0 and at least one, found {list(frames or [])[:4]}")
    last = None if wanted is None else max(wanted)
    height, width = size if size is not None else (None, None)
    pixels: dict[int, Pixels] = {}
    n_seen = 0
    with av.open(io.BytesIO(mp4)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for frame in container.decode(stream):
            if wanted is None or n_seen in wanted:
                pixels[n_seen] = frame.to_ndarray(format="rgb24", width=width, height=height)
            n_seen += 1
            if last is not None and n_seen > last:
                break
    if n_seen == 0 or (last is not None and last >= n_seen):
        raise ValueError(f"clip has {n_seen} frames, expected " + ("at least 1" if last is None else f"frame {last}"))
    return np.stack([pixels[i] for i in (range(n_seen) if frames is None else frames)])
