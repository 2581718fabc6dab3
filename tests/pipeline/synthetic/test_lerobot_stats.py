"""Statistics are those of the rows, leave NaN out, and add up."""

import numpy as np
import pyarrow as pa

from pipeline.synthetic.lerobot_stats import json_stats, merged, picture_stats, table_stats
from schemas.array import Floats


def table(values: Floats) -> pa.Table:
    return pa.table({"v": pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])})


def test_merged_statistics_are_those_of_all_rows() -> None:
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=(n, 3)) for n in (5, 40)]
    whole = merged([table_stats(table(part)) for part in parts])["v"]
    rows = np.concatenate(parts)
    assert np.allclose(whole.mean, rows.mean(0))
    assert np.allclose(whole.std, rows.std(0))
    assert np.array_equal(whole.low, rows.min(0))
    assert np.array_equal(whole.high, rows.max(0))
    assert whole.count == 45


def test_rows_with_nan_are_left_out() -> None:
    values = np.ones((4, 2))
    values[1] = np.nan
    stats = table_stats(table(values))["v"]
    assert stats.mean.tolist() == [1.0, 1.0]
    assert stats.std.tolist() == [0.0, 0.0]


def test_picture_statistics_have_a_place_for_height_and_width() -> None:
    stats = json_stats({"camera": picture_stats(np.array([[0.0, 0.5, 1.0], [1.0, 0.5, 0.0]]))})["camera"]
    assert stats["mean"] == [[[0.5]], [[0.5]], [[0.5]]]
    assert stats["count"] == [2]
    assert "count" not in json_stats({"v": picture_stats(np.zeros((1, 3)))}, with_count=False)["v"]
