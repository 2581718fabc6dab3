"""Which frames of a window a model is shown: 1 + 4k of them, evenly spread, first and last among them.

A fixed stride would cut up to a stride off the end, and the end is what an event is about: the grasp, the release.
"""

import numpy as np

from schemas.array import Ints


def frame_count(available: int, limit: int, stride: int) -> int:
    """The largest 1 + ``stride``·k of at most ``limit`` that ``available`` frames can fill.

    Raises ValueError when there is no k ≥ 1: the model needs one latent to predict.
    """
    if available < 1 + stride:
        raise ValueError(
            f"found {available} frames, expected at least {1 + stride}: the model needs one latent to predict"
        )
    return 1 + stride * ((min(available, limit) - 1) // stride)


def even_indices(available: int, count: int) -> Ints:
    """``count`` indices from first to last of ``available``, as even as whole numbers are, int64; all if fewer."""
    if available <= count:
        return np.arange(available)
    places = np.arange(count, dtype=np.int64) * (available - 1)
    rounded: Ints = (2 * places + count - 1) // (2 * (count - 1))
    return rounded
