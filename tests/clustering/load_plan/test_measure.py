"""Measures: as the plain way has them, and of what is in the packs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clustering.load_plan.measure import Realised, largest_deviation, measure
from clustering.load_plan.segment import Steps, beginning, compile_steps
from tests.clustering.load_plan.test_segment import FOREVER, order_of
from tests.clustering.prefixes import deviation


@given(st.lists(st.integers(0, 4), max_size=80), st.integers(0, 80), st.integers(0, 99))
@settings(deadline=None)
def test_the_largest_deviation_is_that_of_all_prefixes(groups: list[int], cut: int, seed: int) -> None:
    shares = np.random.default_rng(seed).dirichlet(np.ones(5))
    order = np.array(groups, np.int64)
    counts = np.bincount(order[:cut], minlength=5)
    parts = [
        largest_deviation(order[:cut], shares, np.zeros(5, np.int64)),
        largest_deviation(order[cut:], shares, counts),
    ]
    assert max(parts) == pytest.approx(deviation(order, shares))


def test_parts_measured_one_after_the_other_are_the_whole() -> None:
    order = order_of("strict")
    head, between = compile_steps(order, beginning(4), 200, FOREVER)
    tail, end = compile_steps(order, between, 300, FOREVER)
    uses = np.bincount(head.columns["cell"], minlength=4)
    parts, whole = Realised(), Realised()
    measure(parts, order, head, before=beginning(4), after=between, uses=np.zeros(4, np.int64))
    measure(parts, order, tail, before=between, after=end, uses=uses)
    one, one_end = compile_steps(order, beginning(4), head.n_draws + 300, FOREVER)
    measure(whole, order, one, before=beginning(4), after=one_end, uses=np.zeros(4, np.int64))
    assert (parts.n_draws, parts.n_packs, parts.n_tokens) == (whole.n_draws, whole.n_packs, whole.n_tokens)
    assert parts.kinds.tolist() == whole.kinds.tolist()
    assert parts.cell_deviation == whole.cell_deviation < 1
    assert parts.packed_deviation == whole.packed_deviation
    assert parts.utilisation == whole.utilisation
    assert whole.utilisation == pytest.approx(one.columns["n_tokens"].sum() / (one.n_packs * order.spec.budget))
    assert whole.packed_deviation >= whole.cell_deviation


def test_a_draw_that_got_lost_is_noticed() -> None:
    order = order_of("strict")
    steps, after = compile_steps(order, beginning(4), 200, FOREVER)
    columns = {name: values.copy() for name, values in steps.columns.items()}
    columns["draw"][5] = columns["draw"][6]
    with pytest.raises(AssertionError, match="in no pack"):
        measure(
            Realised(),
            order,
            Steps(columns, steps.pack_start),
            before=beginning(4),
            after=after,
            uses=np.zeros(4, np.int64),
        )


def test_imbalance_is_that_of_the_packs() -> None:
    order = order_of("strict")
    steps, after = compile_steps(order, beginning(4), 200, FOREVER)
    found = Realised()
    measure(found, order, steps, before=beginning(4), after=after, uses=np.zeros(4, np.int64))
    assert found.world == 2
    assert len(found.imbalances) == steps.n_packs // 4
    assert all(1 <= value < 1.2 for value in found.imbalances)
