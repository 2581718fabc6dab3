"""Draws of a chapter: without replacement inside cells, on from the uses before, and the same in any stretches."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clustering.load_plan.cells import members_of
from clustering.load_plan.measure import largest_deviation
from clustering.load_plan.order import DrawOrder, columns, draw_order, running_count
from pipeline.loader.plan import COLUMNS, Arrays
from schemas.recipe_load import LoadSpec
from tests.clustering.load_plan.made import made_corpus

ORDERS = pytest.mark.parametrize("kind", ["strict", "two_stage", "stride"])
COUNTS = st.lists(st.integers(1, 40), min_size=1, max_size=12)


def order_of(counts: list[int], kind: str, *, seed: int = 0, uses: list[int] | None = None) -> DrawOrder:
    corpus = made_corpus(counts, seed=seed)
    before = np.zeros(len(counts), np.int64) if uses is None else np.array(uses)
    spec = LoadSpec(order=kind, seed=seed)  # type: ignore[arg-type]  # one of the three
    members = members_of(corpus.cell_of_event, corpus.cells)
    return draw_order(spec, corpus.cells, members, corpus.sizes, first_draw=0, uses_before=before)


def first(order: DrawOrder, n: int) -> Arrays:
    return columns(order, 0, n, np.zeros(len(order.cells.mass), np.int64))


@ORDERS
@given(COUNTS, st.integers(0, 400), st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_events_of_a_cell_are_used_once_more_or_not(kind: str, counts: list[int], n: int, seed: int) -> None:
    order = order_of(counts, kind, seed=seed)
    found = first(order, n)
    uses = np.bincount(found["event"], minlength=sum(counts))
    for c, rows in enumerate(np.split(order.members.rows, order.members.starts[1:])):
        drawn = int((found["cell"] == c).sum())
        assert set(uses[rows]) <= {drawn // len(rows), -(-drawn // len(rows))}
        assert uses[rows].sum() == drawn


@ORDERS
@given(COUNTS, st.integers(0, 200), st.integers(0, 200))
@settings(max_examples=30, deadline=None)
def test_stretches_join_without_a_seam(kind: str, counts: list[int], head: int, tail: int) -> None:
    order = order_of(counts, kind)
    whole, start = first(order, head + tail), first(order, head)
    turns = np.bincount(start["cell"], minlength=len(counts))
    end = columns(order, head, tail, turns)
    for name in COLUMNS:
        assert np.concatenate([start[name], end[name]]).tolist() == whole[name].tolist()


@ORDERS
def test_uses_before_the_chapter_count(kind: str) -> None:
    counts = [10, 30]
    whole = first(order_of(counts, kind), 100)
    cell_0 = whole["event"][whole["cell"] == 0]
    later = first(order_of(counts, kind, uses=[7, 0]), 60)
    again = later["event"][later["cell"] == 0]
    assert again[: len(cell_0) - 7].tolist() == cell_0[7 : 7 + len(again)].tolist()


@ORDERS
def test_passes_and_seeds_have_orders_of_their_own(kind: str) -> None:
    found = first(order_of([50], kind), 100)["event"]
    other = first(order_of([50], kind, seed=1), 100)["event"]
    assert sorted(found[:50]) == sorted(found[50:]) == list(range(50))
    assert found[:50].tolist() != found[50:].tolist()
    assert found.tolist() != other.tolist()


@pytest.mark.parametrize(("kind", "cells", "rows"), [("strict", 1, None), ("two_stage", 2, 1), ("stride", 2, None)])
def test_prefixes_stay_as_close_as_the_order_promises(kind: str, cells: float, rows: float | None) -> None:
    counts = (1 + np.random.default_rng(0).pareto(1.0, 300) * 5).astype(int).tolist()
    order = order_of(counts, kind)
    found = first(order, 5000)["cell"]
    assert largest_deviation(found, order.cells.mass, np.zeros(300, np.int64)) < cells
    row_of = np.arange(300) // 2
    shares = np.bincount(row_of, order.cells.mass)
    assert rows is None or largest_deviation(row_of[found], shares, np.zeros(150, np.int64)) < rows


@given(st.lists(st.integers(0, 5), max_size=60))
def test_running_counts(groups: list[int]) -> None:
    found = running_count(np.array(groups, np.int64), 6)
    assert found.tolist() == [groups[:i].count(group) for i, group in enumerate(groups)]
