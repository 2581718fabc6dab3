"""The balance stage: what is counted, what a plan says, and plans for next to nothing."""

from collections.abc import Mapping

import numpy as np
import pytest

from clustering.balance import STAGE, balance
from clustering.errors import BalanceError
from clustering.strata import Strata
from pipeline.stage import Bundle
from schemas.arrow import from_table, to_table
from schemas.cluster import Membership
from schemas.plan import SamplingPlan
from schemas.recipe_balance import BalanceSpec
from tests.clustering.made import membership, strata

CELLS = {(0, 0): 800, (0, 1): 40, (1, 0): 100, (1, -1): 50, (2, 1): 10}


SPLIT = strata(
    [400, 40, 8, 100, 300, 20], [0, 0, 0, 1, 1, 1], [0, 0, 1, 0, 1, 1],
    ["aloha", "droid", "droid", "aloha", "aloha", "droid"], [False, False, True, True, False, False],
    units=[800, 400, 16, 200, 2400, 20],
)  # fmt: skip


def of(cells: Mapping[tuple[int, int], int]) -> Strata:
    return strata(cells.values(), [v for v, _ in cells], [a for _, a in cells])


def asked(**limits: object) -> BalanceSpec:
    return BalanceSpec.model_validate(limits)


def test_a_plan_says_what_it_did_and_proves_it() -> None:
    plan = balance(of(CELLS), BalanceSpec())
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
    assert balance(of(dict(reversed(CELLS.items()))), BalanceSpec()) == balance(of(CELLS), BalanceSpec())


def test_what_was_asked_and_what_was_found_name_the_plan() -> None:
    plans = [
        balance(of(CELLS), BalanceSpec()),
        balance(of(CELLS), BalanceSpec(alpha=2)),
        balance(of({**CELLS, (2, 1): 11}), BalanceSpec()),
    ]
    assert len({plan.plan_id for plan in plans}) == 3


def test_the_recipe_may_ask_for_longer_epochs() -> None:
    assert balance(of(CELLS), BalanceSpec(epoch_draws=5000)).n_draws == 5000


def test_no_training_events_make_a_plan_of_no_draws() -> None:
    plan = balance(of({}), BalanceSpec(epoch_draws=7))
    assert (plan.n_events, plan.n_draws, plan.cells) == (0, 0, ())
    assert from_table(SamplingPlan, to_table(SamplingPlan, [plan])) == [plan]


def test_one_event_gets_everything() -> None:
    (cell,) = balance(of({(3, -1): 1}), BalanceSpec()).cells
    assert cell.mass == 1.0


def test_the_stage_reads_its_memberships_batch_by_batch() -> None:
    batches = [[membership("a", 0)], [membership("b", 1)]]
    (plan,) = STAGE.run(Bundle("corpus", streams={Membership: lambda: iter(batches)}), BalanceSpec())
    assert isinstance(plan, SamplingPlan)
    assert plan.n_events == 2
    assert from_table(SamplingPlan, to_table(SamplingPlan, [plan])) == [plan]


def unit_share(plan: SamplingPlan, source: str) -> float:
    units = {id(cell): cell.mass * cell.mean_units for cell in plan.cells}
    return sum(units[id(cell)] for cell in plan.cells if cell.source == source) / sum(units.values())


def test_the_shares_that_limits_are_about_are_in_the_plan() -> None:
    plan = balance(SPLIT, asked(sources={"droid": {"floor": 0.5}}, recovery={"floor": 0.25, "cap": 0.25}))
    droid, recovery = plan.limits
    assert (droid.name, recovery.name) == ("balance.sources.droid", "balance.recovery")
    assert droid.share == pytest.approx(unit_share(plan, "droid"))
    assert droid.share >= 0.5 - 1e-9
    assert recovery.share == pytest.approx(0.25, abs=1e-9)
    assert {cell.source for cell in plan.cells} == {"aloha", "droid"}
    assert {cell.recovery for cell in plan.cells} == {True, False}
    assert from_table(SamplingPlan, to_table(SamplingPlan, [plan])) == [plan]


def test_cells_are_told_apart_only_by_what_is_limited() -> None:
    assert {(c.source, c.recovery) for c in balance(SPLIT, BalanceSpec()).cells} == {("", None)}
    assert {c.source for c in balance(SPLIT, asked(recovery={})).cells} == {""}
    assert {c.recovery for c in balance(SPLIT, asked(sources={"droid": {}})).cells} == {None}


def test_shares_are_of_the_unit_and_uses_are_of_draws() -> None:
    """Droid's events of cell (0, 0) are ten units long, those of (1, 1) one: a share of units is no share of draws."""
    plan = balance(SPLIT, asked(sources={"droid": {"floor": 0.3, "cap": 0.3}}))
    masses = np.array([cell.mass for cell in plan.cells])
    assert unit_share(plan, "droid") == pytest.approx(0.3, abs=1e-9)
    assert abs(sum(cell.mass for cell in plan.cells if cell.source == "droid") - 0.3) > 0.001
    # an epoch is as long as the corpus in its unit; draws are whole, so up to half of one is missing
    per_draw = float(masses @ (SPLIT.units / SPLIT.n_events))
    assert per_draw * plan.n_draws == pytest.approx(SPLIT.units.sum(), abs=0.5 * per_draw)
    uses = masses * plan.n_draws / SPLIT.n_events
    assert uses.max() <= 10 * (1 + 1 / plan.n_draws)
    assert uses.min() >= 0.1 * (1 - 1 / plan.n_draws)
    assert all(cell.lower * (1 - 1e-9) <= cell.mass <= cell.upper * (1 + 1e-9) for cell in plan.cells)


def test_every_source_has_its_own_uses_and_evenness() -> None:
    plan = balance(SPLIT, BalanceSpec())
    everything, aloha, droid = plan.uses
    assert (everything.source, aloha.source, droid.source) == ("", "aloha", "droid")
    assert (everything.n_events, aloha.n_events, droid.n_events) == (868, 800, 68)
    assert everything.share == pytest.approx(1)
    assert aloha.share + droid.share == pytest.approx(1)
    assert 0 < everything.coverage < 1
    assert everything.most <= 10 * (1 + 1 / plan.n_draws)
    assert [spread.source for spread in plan.after] == [""] * 3 + ["aloha"] * 3 + ["droid"] * 3


def test_a_curriculum_rises_step_by_step_to_the_balanced_mass() -> None:
    kinds = of(CELLS)
    plan, last = balance(kinds, asked(curriculum_steps=4)), balance(kinds, BalanceSpec())
    assert [step.alpha for step in plan.steps] == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert [step.n_draws for step in plan.steps] == [250] * 4
    np.testing.assert_allclose(plan.steps[-1].masses, [cell.mass for cell in last.cells], atol=1e-7)
    mean = np.mean([step.masses for step in plan.steps], axis=0)
    np.testing.assert_allclose(mean, [cell.mass for cell in plan.cells])
    assert max(step.kkt_residual for step in plan.steps) == plan.kkt_residual <= 1e-9
    assert last.steps == ()
    assert from_table(SamplingPlan, to_table(SamplingPlan, [plan])) == [plan]


def test_what_cannot_be_met_is_refused_with_what_can() -> None:
    with pytest.raises(BalanceError, match=r"balance\.recovery\.floor is 0\.9, but its 108 of 868 events"):
        balance(SPLIT, asked(recovery={"floor": 0.9}, repeat_cap=2))
