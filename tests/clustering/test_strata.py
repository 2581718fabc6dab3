"""What is counted, in which unit, and how kinds merge into cells."""

import numpy as np
import pytest

from clustering.strata import count_strata, merged, strata_of, units_of
from schemas.recipe_balance import BalanceSpec
from tests.clustering.made import membership, strata


def test_only_training_events_that_are_no_copies_count() -> None:
    batches = [
        [membership("a", 1, 2), membership("b", 1, 2, "validation"), membership("e", split="test")],
        [membership("c", 1, 2), membership("d", 0, -1), membership("f", 1, 2, duplicate_of="a")],
    ]
    found = count_strata(batches, BalanceSpec())
    assert found.vision_language.tolist() == [0, 1]
    assert found.action.tolist() == [-1, 2]
    assert found.n_events.tolist() == found.units.tolist() == [1, 2]


def test_units_are_events_nanoseconds_or_latent_frames() -> None:
    item = membership("a", n_frames=20, duration_s=1.5)
    assert units_of(item, BalanceSpec()) == 1
    assert units_of(item, BalanceSpec(unit="second")) == 1_500_000_000
    frames = {n: units_of(membership("a", n_frames=n), BalanceSpec(unit="token")) for n in (1, 4, 5, 33, 34, 900)}
    assert frames == {1: 1, 4: 1, 5: 2, 33: 9, 34: 9, 900: 9}


def test_the_order_of_counting_changes_nothing() -> None:
    items = [membership(f"e{i}", i % 3, i % 2, duration_s=0.1 * i + 0.01) for i in range(50)]
    spec = BalanceSpec(unit="second")
    one, other = count_strata([items], spec), count_strata([items[20:], items[:20][::-1]], spec)
    np.testing.assert_array_equal(one.units, other.units)


def test_kinds_merge_to_cells_by_what_is_told_apart() -> None:
    kinds = strata([1, 2, 4, 8], [0, 0, 0, 1], [0, 0, 0, 0], ["a", "b", "b", "a"], [False, False, True, False])
    for by_source, by_recovery, counts in (
        (False, False, [7, 8]), (True, False, [1, 6, 8]), (False, True, [3, 4, 8]), (True, True, [1, 2, 4, 8]),
    ):  # fmt: skip
        cells, cell = merged(kinds, by_source=by_source, by_recovery=by_recovery)
        assert cells.n_events.tolist() == counts
        assert np.bincount(cell, kinds.n_events).tolist() == counts


def test_a_kind_without_events_is_an_error() -> None:
    with pytest.raises(ValueError, match="only kinds that occur"):
        strata_of({(0, 0, "a", False): (0, 1.0)})
