"""Rates follow what a workspace did lately, and shipped figures know every stage that costs anything."""

from pathlib import Path

import pytest

from jobs.rates import ENOUGH_ITEMS, Amounts, measured, shipped, sum_of
from jobs.river import RIVER
from pipeline.store import Workspace
from schemas.cost import BatchCost


def cost(run: str, stage: str, items: int, seconds: float, failed: int = 0) -> BatchCost:
    return BatchCost(run, stage, items, failed, seconds, seconds / 2, 0.0, 0, items * 10, 0, 0, "host", 1)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(str(tmp_path))


def test_a_rate_is_what_was_spent_over_what_was_made(workspace: Workspace) -> None:
    workspace.append(BatchCost, [cost("run-1", "ingest", 3, 6.0), cost("run-1", "ingest", 1, 6.0, failed=3)])
    rate = measured(workspace, frozenset()).per_item["ingest"]
    assert (rate.seconds, rate.cpu_s, rate.stored_bytes) == (3.0, 1.5, 10.0)


def test_runs_that_lie_back_are_asked_only_while_newer_ones_are_too_small(workspace: Workspace) -> None:
    old, newer = cost("run-1", "ingest", ENOUGH_ITEMS, 1000.0), cost("run-2", "ingest", ENOUGH_ITEMS - 1, 1.0)
    workspace.append(BatchCost, [old, newer])
    both = measured(workspace, frozenset())
    assert both.since == "run-1"
    assert both.per_item["ingest"].seconds == pytest.approx(1001 / (2 * ENOUGH_ITEMS - 1))
    workspace.append(BatchCost, [cost("run-3", "ingest", 1, 1.0)])
    assert measured(workspace, frozenset()).since == "run-2"
    assert measured(workspace, frozenset({"ingest"})).per_item["ingest"].seconds == 1.0, "the last run speaks"


def test_what_only_failed_says_nothing_of_a_result(workspace: Workspace) -> None:
    workspace.append(BatchCost, [cost("run-1", "ingest", 0, 6.0, failed=4)])
    assert measured(workspace, frozenset()).per_item == {}


def test_shipped_figures_know_every_stage() -> None:
    figures = shipped()
    assert set(figures) == {stage.name for stage in RIVER}
    assert all(amounts.seconds > 0 for amounts in figures.values())
    assert figures["ingest"].seconds > figures["align"].seconds


def test_amounts_add_up() -> None:
    assert sum_of([Amounts(1.0, 2.0), Amounts(3.0).times(2)]) == Amounts(7.0, 2.0)
