"""Moments of episodes merged are the moments of all rows together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.exporters.lerobot_stats import Merged, moments, picture_moments
from pipeline.loader.decode import decode_clip
from pipeline.loader.reader import ShardSet


@given(st.lists(st.integers(1, 20), min_size=1, max_size=6), st.integers(0, 2**32 - 1))
def test_merging_is_counting_all_rows(lengths: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts = [rng.normal(3, 5, (n, 4)) for n in lengths]
    merged = Merged()
    for part in parts:
        merged.add(moments(part))
    rows, found = np.concatenate(parts), merged.get()
    assert found.count == len(rows)
    for name, value in (("low", rows.min(0)), ("high", rows.max(0)), ("mean", rows.mean(0)), ("std", rows.std(0))):
        np.testing.assert_allclose(getattr(found, name), value, atol=1e-9)


def test_rows_that_do_not_count_do_not_count() -> None:
    rows = np.array([[1.0, 2.0], [3.0, np.nan], [100.0, 100.0], [5.0, 6.0]])
    found = moments(rows, np.array([True, True, False, True]))
    assert found.count == 2
    np.testing.assert_allclose(found.mean, [3, 4])
    merged = Merged()
    merged.add(moments(rows[1:2]))
    merged.add(found)
    merged.add(moments(rows[1:2]))
    assert merged.get().count == 2


def test_nothing_has_no_statistics() -> None:
    with pytest.raises(ValueError, match="no episode"):
        Merged().get()


def test_pictures_are_described_by_channel(opened: ShardSet) -> None:
    mp4 = opened.read("train", 0).views[opened.read("train", 0).master_view]
    frames = decode_clip(mp4)
    found = picture_moments(mp4, len(frames)).described()
    assert np.array(found["mean"]).shape == (3, 1, 1)
    assert 0 <= np.min(found["min"]) <= np.max(found["max"]) <= 1
    np.testing.assert_allclose(np.array(found["mean"]).ravel(), frames[::10].mean((0, 1, 2)) / 255, atol=0.02)
