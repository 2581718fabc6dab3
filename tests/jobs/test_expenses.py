"""The ledger of costs: complete, added up, priced, and held against what was expected."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from jobs import show_expenses
from jobs.cli import app
from jobs.expenses import Expenses, expenses, price, size_of
from jobs.rates import Amounts
from jobs.river import RIVER
from jobs.run import RunResult
from pipeline.store import Workspace
from schemas.cost import COORDINATOR, SERVERS, BatchCost, StageEstimate
from schemas.recipe_file import LoadedRecipe
from schemas.recipe_run import Prices
from schemas.run import WorkDone
from tests.jobs.runs import shard_bytes

PRICES = Prices(cpu_hour=0.1, gpu_hour=2.0, million_tokens_in=1.0, million_tokens_out=4.0, gb_read=0.5, gb_month=0.02)


@pytest.fixture
def workspace(reference: tuple[RunResult, LoadedRecipe]) -> Workspace:
    return Workspace.existing(reference[1].recipe.workspace.url)


def test_every_result_of_a_run_has_its_cost_in_the_ledger(workspace: Workspace) -> None:
    made: dict[str, int] = {}
    for done in workspace.rows(WorkDone):
        made[done.stage] = made.get(done.stage, 0) + 1
    found = {expense.stage: expense for expense in expenses(workspace, None).stages}
    assert {stage: found[stage].items for stage in found if stage != COORDINATOR} == {
        stage.name: made[stage.name] for stage in RIVER
    }
    assert found["ingest"].failed == 1, "what failed has cost something too"
    assert all(found[stage.name].took.cpu_s > 0 for stage in RIVER)
    assert found["ingest"].took.source_bytes > 0 == found["segment"].took.source_bytes
    assert found["shard"].took.stored_bytes > sum(path.stat().st_size for path in Path(workspace.url, "tars").iterdir())
    assert found[COORDINATOR].took.cpu_s > 0


def test_costs_are_no_part_of_what_is_published(workspace: Workspace) -> None:
    shards = Path(workspace.url) / "shards"
    assert shard_bytes(Path(workspace.url))
    for path in shards.rglob("*"):
        assert not (path.is_file() and b"cpu_s" in path.read_bytes()), path


def made(tmp_path: Path) -> Workspace:
    workspace = Workspace.open(str(tmp_path))
    batch = BatchCost("run-1", "caption", 10, 1, 1800.0, 900.0, 3600.0, 2 * 10**9, 5, 10**6, 10**5, "h", 1)
    servers = BatchCost("run-1", SERVERS, 0, 0, 3600.0, 0.0, 7200.0, 0, 0, 0, 0, "h", 1)
    workspace.append(BatchCost, [batch, batch, servers, replace(batch, run_id="run-2", gpu_s=0.0)])
    said = StageEstimate("run-1", "caption", 20, 1200.0, 600.0, 0.0, 0, 0, 0, 0, "workspace")
    workspace.append(StageEstimate, [said])
    return workspace


def test_prices_are_for_what_was_held_read_and_asked(tmp_path: Path) -> None:
    first, second = expenses(made(tmp_path), PRICES).runs
    caption, servers = first.stages
    assert caption.price == pytest.approx(1 * 0.1 + 2 * 2.0 + 2 * 1.0 + 0.2 * 4.0 + 4 * 0.5)
    assert servers.price == pytest.approx(2 * 2.0), "servers hold GPUs; their machine's cores are not counted"
    assert second.total.price == pytest.approx(0.05 + 1.0 + 0.4 + 1.0)
    assert price(Amounts(seconds=3600), "cut", None) is None


def test_what_was_expected_stands_beside_what_it_took(tmp_path: Path) -> None:
    first, second = expenses(made(tmp_path), None).runs
    assert first.stages[0].times_expected == pytest.approx(3600 / 1200)
    assert second.stages[0].times_expected is None


def printed(found: Expenses, run_id: str | None) -> list[list[str]]:
    out = Console(file=io.StringIO(), width=200)
    show_expenses.expenses(out, found, PRICES.model_copy(update={"currency": "EUR"}), run_id, False)
    show_expenses.summary(out, found)
    assert isinstance(out.file, io.StringIO)
    return [line.split() for line in out.file.getvalue().splitlines()]


def test_people_see_one_run_by_stage_and_all_runs(tmp_path: Path) -> None:
    workspace = made(tmp_path)
    found = replace(expenses(workspace, PRICES), stored_bytes=3 * 10**9, price_per_month=0.06)
    lines = printed(found, "run-1")
    spent = [
        "1",
        "h",
        "00",
        "m",
        "30",
        "m",
        "00",
        "s",
        "2",
        "h",
        "00",
        "m",
        "4.0",
        "GB",
        "10",
        "B",
        "2,200,000",
        "8.90",
    ]
    assert ["caption", "20", "+", "2", "failed", *spent, "3.00", "×"] in lines
    assert lines[0][:2] == ["run", "run-1"]
    assert any(line[:2] == ["all", "runs"] for line in lines)
    assert ["the", "workspace", "holds", "3.0", "GB,", "0.0600", "a", "month"] in lines
    assert lines[-1][:3] == ["spent", "so", "far:"]
    assert printed(Expenses((), ()), None) == [["nothing", "was", "spent", "in", "this", "workspace", "yet"]]


def test_the_size_of_a_workspace_is_that_of_its_files(tmp_path: Path) -> None:
    workspace = made(tmp_path)
    assert size_of(workspace.blobs) == sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())


def joinery(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    return result.exit_code, result.stdout, result.stderr


def test_costs_status_and_plan_say_it_on_the_command_line(
    load: Callable[..., LoadedRecipe], already_run: RunResult, recipe_file: Path
) -> None:
    code, said, _ = joinery("costs", recipe_file, "--json", "--set", "run.prices={cpu_hour: 1}")
    found = json.loads(said)
    assert code == 0
    assert found["total"]["price"] == pytest.approx(found["total"]["took"]["seconds"] / 3600)
    assert found["workspace_bytes"] == size_of(Workspace.existing(load().recipe.workspace.url).blobs)
    assert "spent so far: " in joinery("status", recipe_file)[1]
    _, said, _ = joinery("plan", recipe_file, "--set", "segment.smooth_s=0.4", "--set", "run.workers=2")
    assert "measured here" in said
    assert "with 2 at a time" in said
    code, _, complaint = joinery("costs", recipe_file, "--run", "run-0")
    assert code == 1
    assert f"the last are {already_run.run.run_id}" in complaint
