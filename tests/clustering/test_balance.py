"""The balance stage: what is counted, what a plan says, and plans for next to nothing."""

from collections import Counter

import pytest

from clustering.balance import STAGE, balance, count_cells
from pipeline.stage import Bundle
from schemas.arrow import from_table, to_table
from schemas.cluster import Membership
from schemas.plan import SamplingPlan
from schemas.recipe import BalanceSpec
from tests.clustering.made import membership

CELLS = {(0, 0): 800, (0, 1): 40, (1, 0): 100, (1, -1): 50, (2, 1): 10}


def test_copies_do_not_count() -> None:
    assert count_cells([[membership("a"), membership("b", duplicate_of="a")]]) == Counter({(0, 0): 1})


def test_only_training_events_count() -> None:
    batches = [
        [membership("a", 1, 2), membership("b", 1, 2, "validation"), membership("e", split="test")],
        [membership("c", 1, 2), membership("d", 0, -1)],
    ]
    assert count_cells(batches) == Counter({(1, 2): 2, (0, -1): 1})


def test_a_plan_says_what_it_did_and_proves_it() -> None:
    plan = balance(CELLS, BalanceSpec())
    assert [(cell.vision_language, cell.action) for cell in plan.cells] == sorted(CELLS)
    assert (plan.n_events, plan.n_draws) == (1000, 1000)
    assert plan.kkt_residual <= 1e-9
    assert plan.max_uses <= 10 + 1e-9
    assert plan.effective_sample_size >= 100
    assert sum(cell.mass for cell in plan.cells) == pytest.approx(1, abs=1e-12)
    assert all(cell.lower <= cell.mass <= cell.upper for cell in plan.cells)
    for before, after in zip(plan.before[:2], plan.after[:2], strict=True):
        assert after.n_effective > before.n_effective


def test_the_order_cells_are_counted_in_does_not_matter() -> None:
    assert balance(dict(reversed(CELLS.items())), BalanceSpec()) == balance(CELLS, BalanceSpec())


def test_what_was_asked_and_what_was_found_name_the_plan() -> None:
    plans = [
        balance(CELLS, BalanceSpec()),
        balance(CELLS, BalanceSpec(alpha=2)),
        balance({**CELLS, (2, 1): 11}, BalanceSpec()),
    ]
    assert len({plan.plan_id for plan in plans}) == 3


def test_the_recipe_may_ask_for_longer_epochs() -> None:
    assert balance(CELLS, BalanceSpec(epoch_draws=5000)).n_draws == 5000


def test_no_training_events_make_a_plan_of_no_draws() -> None:
    plan = balance({}, BalanceSpec(epoch_draws=7))
    assert (plan.n_events, plan.n_draws, plan.cells) == (0, 0, ())
    assert from_table(SamplingPlan, to_table(SamplingPlan, [plan])) == [plan]


def test_one_event_gets_everything() -> None:
    (cell,) = balance({(3, -1): 1}, BalanceSpec()).cells
    assert cell.mass == 1.0


def test_the_stage_reads_its_memberships_batch_by_batch() -> None:
    batches = [[membership("a", 0)], [membership("b", 1)]]
    (plan,) = STAGE.run(Bundle("corpus", streams={Membership: lambda: iter(batches)}), BalanceSpec())
    assert isinstance(plan, SamplingPlan)
    assert plan.n_events == 2
    assert from_table(SamplingPlan, to_table(SamplingPlan, [plan])) == [plan]
