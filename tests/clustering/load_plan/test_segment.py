"""Segments: whole steps, and the same ones in however many goes they are compiled."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clustering.load_plan.cells import members_of
from clustering.load_plan.order import DrawOrder, draw_order
from clustering.load_plan.segment import beginning, compile_steps, joined, segment_arrays, standing_of, steps_of
from pipeline.loader.pack import packs
from pipeline.loader.plan import COLUMNS, arrays_digest
from tests.clustering.load_plan.made import SPEC, made_corpus

COUNTS = [3, 17, 40, 1]
FOREVER = 1 << 40


def order_of(kind: str) -> DrawOrder:
    corpus, spec = made_corpus(COUNTS), SPEC.model_copy(update={"order": kind})
    uses = np.zeros(len(COUNTS), np.int64)
    members = members_of(corpus.cell_of_event, corpus.cells)
    return draw_order(spec, corpus.cells, members, corpus.sizes, first_draw=0, uses_before=uses)


@pytest.mark.parametrize("kind", ["strict", "two_stage", "stride"])
@given(st.integers(1, 300), st.integers(1, 300))
@settings(max_examples=15, deadline=None)
def test_two_goes_are_one(kind: str, first: int, more: int) -> None:
    order = order_of(kind)
    head, between = compile_steps(order, beginning(4), first, FOREVER)
    stored = segment_arrays(head, between)
    again = standing_of(stored, np.bincount(head.columns["cell"], minlength=4))
    tail, end = compile_steps(order, again, more, FOREVER)
    whole, one_end = compile_steps(order, beginning(4), head.n_draws + more, FOREVER)
    parts = segment_arrays(joined(steps_of(stored), tail), end)
    assert arrays_digest(parts) == arrays_digest(segment_arrays(whole, one_end))


def test_steps_are_whole_and_no_more_than_asked_for() -> None:
    order = order_of("strict")
    steps, after = compile_steps(order, beginning(4), 500, FOREVER)
    assert steps.n_packs % SPEC.packs_per_step == 0
    assert steps.n_draws >= 500
    assert steps.pack_start[-SPEC.packs_per_step - 1] < 500
    few, _ = compile_steps(order, beginning(4), 500, 3)
    assert few.n_packs == 3 * SPEC.packs_per_step
    assert len(after.waiting["draw"]) <= SPEC.pack_window


def test_packs_are_those_of_the_draws_in_their_order() -> None:
    """Nothing but the draws' lengths decides: packing them by themselves gives the same packs."""
    order = order_of("strict")
    steps, after = compile_steps(order, beginning(4), 400, FOREVER)
    draw = np.concatenate([steps.columns["draw"], after.waiting["draw"]])
    tokens = np.concatenate([steps.columns["n_tokens"], after.waiting["n_tokens"]])
    assert sorted(draw.tolist()) == list(range(after.next_draw))
    lengths = tokens[np.argsort(draw)].tolist()
    by_themselves = [pack.draws for pack in packs(lengths, SPEC.budget, SPEC.pack_window)]
    found = [tuple(part.tolist()) for part in np.split(steps.columns["draw"], steps.pack_start[1:-1])]
    assert found == by_themselves[: len(found)]


def test_no_draw_waits_for_more_packs_than_the_window() -> None:
    steps, _ = compile_steps(order_of("strict"), beginning(4), 3000, FOREVER)
    oldest, seen = 0, np.zeros(steps.n_draws + SPEC.pack_window + 1, bool)
    for part in np.split(steps.columns["draw"], steps.pack_start[1:-1]):
        assert part[0] == oldest, "a pack begins with the oldest draw there is"
        seen[part[part < len(seen)]] = True
        while oldest < len(seen) and seen[oldest]:
            oldest += 1


def test_columns_are_kept_as_narrow_as_they_are() -> None:
    steps, after = compile_steps(order_of("strict"), beginning(4), 400, FOREVER)
    arrays = segment_arrays(steps, after)
    assert sum(arrays[name].itemsize for name in COLUMNS) <= 8
    back = steps_of(arrays)
    for name in COLUMNS:
        assert back.columns[name].tolist() == steps.columns[name].tolist()
