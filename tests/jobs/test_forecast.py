"""What is expected of a run: counts that come true, and times that follow what sources took."""

from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.expenses import expenses
from jobs.forecast import Forecaster, forecast, source_sizes
from jobs.listing import list_sources
from jobs.rates import Amounts, Measured
from jobs.river import RIVER, stage_named
from jobs.run import RunResult, run_recipe
from pipeline.ledger import Ledger
from pipeline.store import Workspace
from schemas.cost import StageEstimate
from schemas.recipe_file import LoadedRecipe
from tests.jobs.runs import Silent

Load = Callable[..., LoadedRecipe]


def listed(loaded: LoadedRecipe) -> tuple[Workspace, Ledger]:
    workspace = Workspace.open(loaded.recipe.workspace.url)
    ledger = Ledger(workspace, loaded.recipe, RIVER, list_sources(workspace, loaded.recipe).version)
    ledger.refresh_all()
    return workspace, ledger


def test_before_the_first_run_every_stage_is_expected_by_the_size_of_its_sources(load: Load) -> None:
    loaded = load()
    workspace, ledger = listed(loaded)
    found = forecast(workspace, ledger, loaded.recipe)
    by_stage = {stage.stage: stage for stage in found.stages}
    assert set(by_stage) == {stage.name for stage in RIVER}
    assert {stage.basis for stage in found.stages} == {"shipped"}
    assert by_stage["ingest"].items == by_stage["cut"].items == 11
    assert by_stage["ingest"].seconds > by_stage["align"].seconds > 0
    assert found.workers == 1
    assert found.price is None


def test_a_source_file_counts_once_however_many_episodes_it_holds(load: Load, corpus: Path) -> None:
    """open_robot is LeRobot v3.0: all its episodes lie in the same files."""
    loaded = load()
    workspace, _ = listed(loaded)
    found = source_sizes(workspace)["open_robot"]
    data = [path for path in (corpus / "open_robot").rglob("*") if path.suffix in {".mp4", ".parquet"}]
    shared = sum(path.stat().st_size for path in data if "meta" not in path.parts)
    assert found.episodes == 2
    assert found.n_bytes == shared


@pytest.mark.slow
def test_a_second_run_is_expected_by_what_the_first_one_took_and_takes_about_that(
    load: Load, already_run: RunResult
) -> None:
    loaded = load("segment.smooth_s=0.4")
    workspace, ledger = listed(loaded)
    planned = {stage.stage: stage for stage in forecast(workspace, ledger, loaded.recipe).stages}
    assert {stage.basis for stage in planned.values()} == {"workspace"}
    assert "ingest" not in planned
    assert planned["segment"].items == 10
    run_recipe(loaded, Silent())
    *_, last = expenses(workspace, None).runs
    spent = {expense.stage: expense for expense in last.stages}
    assert spent["segment"].items == planned["segment"].items
    assert spent["segment"].expected == pytest.approx(spent["segment"].expected)
    said = {row.stage: row for row in workspace.rows(StageEstimate) if row.run_id == last.run_id}
    assert said["segment"].items == planned["segment"].items
    assert said["segment"].stored_bytes == planned["segment"].stored_bytes
    assert 0.5 < spent["segment"].took.stored_bytes / planned["segment"].stored_bytes < 2


def test_episodes_count_by_what_their_own_source_took(load: Load, already_run: RunResult) -> None:
    loaded = load()
    workspace, ledger = listed(loaded)
    forecaster = Forecaster(workspace, ledger, loaded.recipe)
    forecaster.__dict__["_measured"] = Measured({"segment": Amounts(seconds=2.0)}, "")
    forecaster.__dict__["_seconds"] = {("segment", "long"): (1, 9.0), ("segment", "short"): (3, 1.0)}
    assert forecaster._weighted("segment", {"long": 2}) == pytest.approx(2 * 9 / 3)
    assert forecaster._weighted("segment", {"short": 3, "never seen": 1}) == pytest.approx(3 / 3 + 1)


def test_nothing_is_expected_where_nothing_is_left(load: Load, already_run: RunResult) -> None:
    loaded = load()
    workspace, ledger = listed(loaded)
    assert forecast(workspace, ledger, loaded.recipe).stages == ()
    stage = stage_named("ingest")
    assert Forecaster(workspace, ledger, loaded.recipe).about_to_begin("run", stage, False) == []
    (again,) = Forecaster(workspace, ledger, loaded.recipe).about_to_begin("run", stage, True)
    assert (again.items, again.basis) == (1, "workspace")
