"""stats.json: what a trainer normalises by, from the train split alone."""

import numpy as np
import pytest

from pipeline.shards.sketch import sketch
from pipeline.shards.statistics import COLUMNS, statistics
from schemas.array import Floats
from schemas.shard import ShardStatistics


def record(values: Floats, split: str = "train", embodiment: str = "arm7") -> ShardStatistics:
    return ShardStatistics("s", split, embodiment, "state", **vars(sketch(values, np.ones(values.shape, np.bool_))))


def test_shards_add_up() -> None:
    rows = np.random.default_rng(1).normal(size=(300, 20)).astype(np.float32)
    parts = [record(part) for part in np.split(rows, 3)]
    found = statistics([parts[:2], parts[2:]])["embodiments"]["arm7"]["state"]
    np.testing.assert_allclose(found["mean"], rows.mean(axis=0, dtype=np.float64), atol=1e-12)
    np.testing.assert_allclose(found["std"], rows.std(axis=0, dtype=np.float64), rtol=1e-9)
    np.testing.assert_allclose(found["q99"], np.quantile(rows, 0.99, axis=0, method="inverted_cdf"), atol=7e-5)
    assert found["n_rows"] == [300] * 20


def test_validation_and_reserve_do_not_leak_into_normalisation() -> None:
    one = np.ones((4, 20), np.float32)
    found = statistics([[record(one), record(9 * one, "validation"), record(9 * one, "reserve")]])
    assert found["embodiments"]["arm7"]["state"]["mean"] == pytest.approx([1.0] * 20)


def test_embodiments_stay_apart() -> None:
    one = np.ones((4, 20), np.float32)
    found = statistics([[record(one), record(3 * one, embodiment="hand")]])["embodiments"]
    assert found["hand"]["state"]["mean"][0] == 3.0
    assert list(found) == ["arm7", "hand"]


def test_columns_are_named_as_the_layout_has_them() -> None:
    assert (COLUMNS[0], COLUMNS[9], COLUMNS[10], COLUMNS[19]) == (
        "left_x_m",
        "left_opening",
        "right_x_m",
        "right_opening",
    )


def test_without_actions_there_are_no_statistics() -> None:
    assert statistics([])["embodiments"] == {}
