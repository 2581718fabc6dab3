"""``joinery compile`` as a user types it: plans of a published set, longer ones, other ones, and what is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from jobs.cli import app
from jobs.compile import load_section
from pipeline.blobs import Blobs
from pipeline.loader.catalogue import read_catalogue
from pipeline.loader.plan import LoadPlan
from schemas.recipe_file import RecipeErrors
from schemas.recipe_load import LoadSpec
from tests.pipeline.shards.conftest import blobs, filmed, folder, published, written

__all__ = ["blobs", "filmed", "folder", "published", "written"]

Joinery = Callable[..., Result]
SMALL = ("--set", "load.packs_per_step=2", "--set", "load.budget=200")


@pytest.fixture
def joinery() -> Joinery:
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


def made(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_a_plan_of_a_published_set_shows_its_events_and_nothing_else(
    joinery: Joinery, folder: Path, tmp_path: Path
) -> None:
    found = made(joinery("compile", folder, "--out", tmp_path, "--draws", 500, *SMALL, "--json"))
    plan, catalogue = LoadPlan.open(str(tmp_path)), read_catalogue(Blobs(str(folder)))
    assert (plan.plan_hash, plan.n_steps) == (found["plan_hash"], found["n_steps"])
    assert found["n_draws"] >= 500
    draws = [draw for step in range(plan.n_steps) for pack in plan.step(step) for draw in pack.draws]
    assert {draw.event for draw in draws} == set(range(len(catalogue)))
    assert all(draw.first_frame + draw.n_frames <= catalogue.n_frames[draw.event] for draw in draws)
    assert plan.chapter(0).catalogue == catalogue.digest


def test_people_get_a_table_and_the_hash(joinery: Joinery, folder: Path, tmp_path: Path) -> None:
    said = joinery("compile", folder.parent, "--out", tmp_path / "plan").output
    assert LoadPlan.open(str(tmp_path / "plan")).plan_hash in said
    assert "promised < 1" in said


def test_shuffled_and_renamed_shards_give_the_same_hash(joinery: Joinery, folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "set"))
    table = pq.read_table(copy / "manifest.parquet")
    table = table.take(np.random.default_rng(0).permutation(len(table)))
    position = table.schema.get_field_index("shard")
    names = [f"other-{number}" for number in range(len(table))]
    pq.write_table(table.set_column(position, "shard", [names]), copy / "manifest.parquet", row_group_size=4)
    said = json.loads((copy / "set.json").read_text())
    (copy / "set.json").write_text(json.dumps({**said, "shard_set_id": "ss-of-another-layout"}))
    hashes = [
        made(joinery("compile", path, "--out", tmp_path / out, *SMALL, "--json"))["plan_hash"]
        for out, path in (("a", folder), ("b", copy))
    ]
    assert hashes[0] == hashes[1]


def test_extending_gives_the_plan_of_one_go_and_keeps_the_steps_there_were(
    joinery: Joinery, folder: Path, tmp_path: Path
) -> None:
    whole = made(joinery("compile", folder, "--out", tmp_path / "whole", "--steps", 40, *SMALL, "--json"))
    first = made(joinery("compile", folder, "--out", tmp_path / "parts", "--steps", 15, *SMALL, "--json"))
    second = made(joinery("compile", folder, "--out", tmp_path / "parts", "--append", "--steps", 40, "--json"))
    assert second["plan_hash"] == whole["plan_hash"] != first["plan_hash"]
    plan = LoadPlan.open(str(tmp_path / "parts"))
    assert plan.continues(first["plan_hash"], 15)
    older = LoadPlan.open(str(tmp_path / "parts"), plan_hash=first["plan_hash"])
    assert [older.step(step) for step in range(15)] == [plan.step(step) for step in range(15)]


def test_without_a_length_it_is_an_epoch_and_then_one_more(joinery: Joinery, folder: Path, tmp_path: Path) -> None:
    epoch = json.loads((folder / "plan.json").read_text())["plan"]["n_draws"]
    first = made(joinery("compile", folder, "--out", tmp_path, *SMALL, "--json"))
    second = made(joinery("compile", folder, "--out", tmp_path, "--append", "--json"))
    assert first["n_draws"] >= epoch
    assert second["n_draws"] >= first["n_draws"] + epoch


def test_other_settings_from_a_step_on_are_another_chapter_with_an_audit_trail(
    joinery: Joinery, folder: Path, tmp_path: Path
) -> None:
    first = made(joinery("compile", folder, "--out", tmp_path, "--steps", 30, *SMALL, "--json"))
    before = LoadPlan.open(str(tmp_path))
    words = (
        "--append",
        "--from-step",
        12,
        "--steps",
        40,
        "--set",
        "load.event_share=0",
        "--set",
        "load.suffix_share=1",
    )
    result = joinery("compile", folder, "--out", tmp_path, *words)
    assert result.exit_code == 0, result.output
    assert "30 steps, 12 kept; load.event_share: 0.5 → 0.0; load.suffix_share: 0.5 → 1.0" in result.output
    plan = LoadPlan.open(str(tmp_path))
    assert [chapter.first_step for chapter in plan.header.chapters] == [0, 12]
    assert [plan.step(step) for step in range(12)] == [before.step(step) for step in range(12)]
    assert plan.continues(first["plan_hash"], 12)
    assert not plan.continues(first["plan_hash"], 13)
    older = LoadPlan.open(str(tmp_path), plan_hash=first["plan_hash"])
    assert [older.step(step) for step in range(30)] == [before.step(step) for step in range(30)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--draws", 5, "--steps", 5), "--draws and --steps: expected one"),
        (("--from-step", 5), "--from-step: expected --append"),
        (("--append",), "found no plan.json"),
        (("--set", "load.budgt=5"), "load.budgt"),
        (("--set", "load.budget=5"), "load.budget: the longest window has 105 tokens, the budget is 5"),
        (("--set", "balance.alpha=5"), "balance: without a recipe expected load"),
        (("--set", "load.budget"), "expected key=value"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    joinery: Joinery, folder: Path, tmp_path: Path, words: tuple[object, ...], said: str
) -> None:
    result = joinery("compile", folder, "--out", tmp_path / "plan", *words)
    assert result.exit_code in (1, 2)
    assert said in result.output
    assert not (tmp_path / "plan").exists()


def test_a_plan_is_neither_overwritten_nor_extended_by_nothing(joinery: Joinery, folder: Path, tmp_path: Path) -> None:
    made(joinery("compile", folder, "--out", tmp_path, "--steps", 9, *SMALL, "--json"))
    plan = LoadPlan.open(str(tmp_path)).plan_hash
    for words, said in (
        ((), "a load plan is there already; pass --append"),
        (("--append", "--steps", 9), "9 steps of"),
        (("--append", "--from-step", 4), "from step 4 on nothing would change"),
        (("--append", "--from-step", 99), "--from-step 99, expected 0 … 9"),
    ):
        result = joinery("compile", folder, "--out", tmp_path, *words)
        assert result.exit_code == 1, words
        assert said in result.output
    assert LoadPlan.open(str(tmp_path)).plan_hash == plan


def test_no_shard_set_is_refused(joinery: Joinery, tmp_path: Path) -> None:
    result = joinery("compile", tmp_path, "--out", tmp_path / "plan")
    assert result.exit_code == 1
    assert "expected the folder of a published shard set" in result.output


def test_overrides_stand_on_top_of_the_section() -> None:
    base = LoadSpec(budget=4096)
    assert load_section(base, ["load.seed=7", "load.order=stride"]) == LoadSpec(budget=4096, seed=7, order="stride")
    with pytest.raises(RecipeErrors, match=r"load\.seed.*found -1"):
        load_section(base, ["load.seed=-1"])
