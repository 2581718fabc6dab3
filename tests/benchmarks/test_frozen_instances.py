"""The frozen instances of clustering.md: they are what was published, and balance reaches what is asked on them."""

import numpy as np
import pytest

from benchmarks.frozen_instances import FROZEN, SMALL, SPARSE, Frozen, digest, strata, table
from clustering.balance import balance
from schemas.plan import Spread
from schemas.recipe_balance import BalanceSpec


def evenness(spreads: tuple[Spread, ...]) -> tuple[float, float]:
    """N_eff/K along both axes."""
    v, a = spreads[:2]
    return v.n_effective / v.n_bins, a.n_effective / a.n_bins


@pytest.mark.parametrize("made", [*FROZEN, SPARSE], ids=lambda made: made.name)
def test_an_instance_stays_what_it_is(made: Frozen) -> None:
    counts = table(made)
    assert (counts.sum(), np.count_nonzero(counts)) == (made.n_events, made.n_cells)
    assert digest(counts) == made.digest


def test_uniform_cells_would_use_one_event_98_times() -> None:
    counts = table(SMALL)
    assert SMALL.n_events / SMALL.n_cells / counts[counts > 0].min() == pytest.approx(98, abs=0.5)


@pytest.mark.parametrize("made", FROZEN, ids=lambda made: made.name)
def test_both_axes_become_as_even_as_asked(made: Frozen) -> None:
    plan = balance(strata(made), BalanceSpec(repeat_cap=10))
    assert evenness(plan.before) == pytest.approx(made.natural, abs=0.005)
    v, a = evenness(plan.after)
    assert v >= 0.95
    assert a >= 0.98
    assert plan.max_uses <= 10 * (1 + 1e-12)
    assert plan.kkt_residual <= 1e-9
