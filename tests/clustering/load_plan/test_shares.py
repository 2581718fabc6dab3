"""Other shares of cells than the plan's: as events occur, and with a stated share of recoveries."""

import numpy as np
import pytest

from clustering.load_plan.shares import natural, with_recoveries
from pipeline.errors import StoreError
from pipeline.loader.plan import PlanCells

OF_EVENT = np.array([0] * 8 + [1] * 2 + [2] * 6, np.uint32)


def cells() -> PlanCells:
    n = np.array([8, 2, 6])
    none = np.full(3, -1, np.int8)
    return PlanCells(np.arange(3), np.zeros(3, np.int64), np.array([""] * 3), none, n, np.array([0.2, 0.5, 0.3]))


def test_natural_shares_are_those_of_events() -> None:
    np.testing.assert_allclose(natural(cells()).mass, [0.5, 0.125, 0.375])


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_recoveries_get_their_share_and_cells_keep_their_proportions(share: float) -> None:
    recovery = np.zeros(16, np.bool_)
    recovery[[0, 1, 9]] = True  # two of eight, one of two, none of six
    found = with_recoveries(cells(), OF_EVENT, recovery, share)
    assert list(zip(found.vision_language.tolist(), found.recovery.tolist(), strict=True)) == [
        (0, 0), (0, 1), (1, 0), (1, 1), (2, 0),
    ]  # fmt: skip
    assert found.n_events.tolist() == [6, 2, 1, 1, 6]
    half = found.recovery == 1
    assert found.mass[half].sum() == pytest.approx(share)
    assert found.mass.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(found.mass[half], np.array([0.05, 0.25]) / 0.3 * share)
    np.testing.assert_allclose(found.mass[~half], np.array([0.15, 0.25, 0.3]) / 0.7 * (1 - share))


def test_a_share_of_what_is_not_there_is_refused() -> None:
    with pytest.raises(StoreError, match=r"recovery_share: 0\.5 of the draws, but the shard set has no recoveries"):
        with_recoveries(cells(), OF_EVENT, np.zeros(16, np.bool_), 0.5)
    with pytest.raises(StoreError, match="has no other events"):
        with_recoveries(cells(), OF_EVENT, np.ones(16, np.bool_), 0.5)
