"""Frames a model is shown: as many as it can use, evenly, with the end of the event among them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.loader.frames import even_indices, frame_count


def test_a_window_is_seen_at_one_plus_four_k_frames() -> None:
    assert [frame_count(n, 33, 4) for n in (5, 8, 9, 32, 33, 34, 5000)] == [5, 5, 9, 29, 33, 33, 33]
    with pytest.raises(ValueError, match="found 4 frames, expected at least 5"):
        frame_count(4, 33, 4)


@given(st.integers(2, 400), st.integers(2, 60))
def test_chosen_frames_run_evenly_from_the_first_to_the_last(available: int, count: int) -> None:
    chosen = even_indices(available, count)
    steps = np.diff(chosen)
    assert (chosen[0], chosen[-1], len(chosen)) == (0, available - 1, min(available, count))
    assert steps.min() >= 1
    assert steps.max() - steps.min() <= 1
