"""Cards and licences as a user meets them: a run with a list, its words about what it left out, and the card's."""

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from jobs.cli import app
from jobs.forget import Wish, forget
from jobs.run import RunResult, run_recipe
from pipeline.shards.latest import shard_set_path
from pipeline.shards.verify import verify
from pipeline.store import Workspace
from schemas.episode import Episode
from schemas.recipe_file import LoadedRecipe, load_recipe
from tests.jobs.conftest import BUDGET
from tests.jobs.runs import Silent, done

INLINE = [BUDGET, "run.executor=inline"]


@pytest.fixture(scope="module")
def mixed(reference: tuple[RunResult, LoadedRecipe], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference recipe with two sources under other terms, run in a copy of the reference's workspace."""
    folder = tmp_path_factory.mktemp("mixed")
    recipe = reference[1].recipe
    shutil.copytree(recipe.workspace.url, folder / "workspace")
    values = yaml.safe_load(reference[1].path.read_text(encoding="utf-8"))
    values["workspace"] = {"url": "workspace"}
    cards = {"internet": {"licence": "CC-BY-NC-4.0", "redistribution": "non_commercial"}, "umi": {"licence": "MIT"}}
    for source in values["sources"]:
        source["card"] = cards.get(source["name"], source["card"])
    (folder / "mixed.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    assert run_recipe(load_recipe(folder / "mixed.yaml", INLINE), Silent()).succeeded
    return folder / "mixed.yaml"


ALLOW = "shard.allow=[CC0-1.0, MIT]"


@pytest.fixture(scope="module")
def listed(mixed: Path) -> RunResult:
    """After the same recipe has been given a list."""
    return run_recipe(load_recipe(mixed, [*INLINE, ALLOW]), Silent())


def present(recipe: Path) -> Path:
    shards = recipe.parent / "workspace" / "shards"
    return shards / json.loads((shards / "latest.json").read_text())["shard_set_id"]


def facts(recipe: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((present(recipe) / "facts.json").read_text())
    return found


def command(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    return result.exit_code, result.output


def test_a_list_runs_again_only_what_decides_who_is_drawn(listed: RunResult) -> None:
    assert listed.succeeded
    worked = {stage for stage, n in done(listed).items() if n}
    assert worked <= {"dedup", "balance", "schedule", "shard", "publish"}
    assert {"dedup", "balance", "schedule", "publish"} <= worked


def test_the_run_says_what_it_left_out(mixed: Path, listed: RunResult) -> None:
    (group,) = listed.withheld
    assert (group.source, group.licence, group.n_episodes) == ("internet", "CC-BY-NC-4.0", 1)
    assert group.n_events > 0
    code, text = command("run", str(mixed), *(part for rule in (*INLINE, ALLOW) for part in ("--set", rule)))
    assert code == 0
    assert f"left out by shard.allow: 1 episode ({group.n_events} events) of internet, licence CC-BY-NC-4.0" in text


def test_why_lists_each_episode(mixed: Path, listed: RunResult) -> None:
    code, text = command("why", str(mixed), "internet", "--set", ALLOW, "--json")
    assert code == 0
    (finding,) = (item for item in json.loads(text)["findings"] if item["check"] == "licence_not_allowed")
    assert finding["verdict"] == "drop"
    assert finding["value"] == listed.withheld[0].n_events


def test_card_and_tables_count_it_and_hold_none_of_it(mixed: Path, listed: RunResult) -> None:
    counted = facts(mixed)
    (group,) = (row for row in counted["left_out"]["groups"] if row["reason"] == "licence")
    assert (group["source"], group["n_events"]) == ("internet", listed.withheld[0].n_events)
    assert {row["licence"] for row in counted["licences"]["by_licence"]} == {"CC0-1.0", "MIT"}
    assert "internet" not in {row["source"] for row in counted["sources"]}
    assert "events of 1 episode of internet (CC-BY-NC-4.0)" in (present(mixed) / "README.md").read_text()


def test_another_card_publishes_again_and_does_nothing_else(mixed: Path, listed: RunResult) -> None:
    before = facts(mixed)["content_sha256"]
    rules = [*INLINE, ALLOW, "shard.card.people.audio=none was recorded"]
    again = run_recipe(load_recipe(mixed, rules), Silent())
    assert {stage for stage, n in done(again).items() if n} == {"publish"}
    assert "none was recorded" in (present(mixed) / "README.md").read_text()
    assert facts(mixed)["content_sha256"] != before, "card.yaml is part of the content"


def test_a_card_is_validated_and_a_changed_number_is_red(mixed: Path, listed: RunResult) -> None:
    assert command("card", "validate", str(mixed))[0] == 0
    page = present(mixed) / "facts.json"
    right = page.read_text()
    try:
        page.write_text(right.replace('"n_without_actions": ', '"n_without_actions": 1'))
        code, text = command("card", "validate", str(present(mixed)))
        assert code == 1
        assert "facts.json: episodes.n_without_actions says 1" in text
        code, text = command("verify", str(mixed), "--set", ALLOW)
        assert code == 1
        assert "facts.json: episodes.n_without_actions says 1" in text
    finally:
        page.write_text(right)


def test_a_card_can_be_seen_before_it_is_published(mixed: Path, listed: RunResult, tmp_path: Path) -> None:
    before = sorted((path.name, path.stat().st_mtime_ns) for path in present(mixed).iterdir())
    out = tmp_path / "card"
    code, text = command("card", "build", str(mixed), "--out", str(out), "--set", "shard.card.title=Another", "--json")
    assert code == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "README.md", "card.html", "card.yaml", "croissant.json", "facts.json",
    ]  # fmt: skip
    assert "# Another\n" in (out / "README.md").read_text()
    assert "people.personal_data" in json.loads(text)["not_stated"]
    assert "title" not in json.loads(text)["not_stated"]
    assert sorted((path.name, path.stat().st_mtime_ns) for path in present(mixed).iterdir()) == before
    code, text = command("card", "build", str(mixed), "--out", str(present(mixed)))
    assert code == 1


def test_a_list_that_lets_nothing_through_is_refused_at_once(mixed: Path) -> None:
    code, _ = command("plan", str(mixed), "--set", "shard.allow=[Apache-2.0]")
    assert code == 2


def test_the_report_says_why_they_are_not_in_the_set(mixed: Path, listed: RunResult) -> None:
    code, text = command("report", str(mixed), "--set", ALLOW, "--out", str(mixed.parent / "report"), "--json")
    assert code == 0
    funnel = json.loads(text)["funnel"]
    of_licence = [loss for part in ("losses", "event_losses") for loss in funnel[part] if "licence" in loss["check"]]
    assert [(loss["check"], loss["by_source"]) for loss in of_licence] == [
        ("licence_not_allowed", {"internet": 1}),
        ("licence_not_allowed", {"internet": listed.withheld[0].n_events}),
    ]


def test_an_episode_that_was_left_out_can_be_forgotten(mixed: Path, listed: RunResult, tmp_path: Path) -> None:
    """The set has no sample of it, and names it all the same."""
    shutil.copytree(load_recipe(mixed, []).recipe.workspace.url, tmp_path / "workspace")
    workspace = Workspace.existing(str(tmp_path / "workspace"))
    rows = workspace.scan(Episode, ["episode_id", "source"]).read_all().to_pylist()
    (gone,) = {row["episode_id"] for row in rows if row["source"] == "internet"}
    result = forget(workspace, Wish((gone,), "2026-11-22T00:00:00+00:00"))
    assert result.proven, result.remaining
    assert result.takedowns[0].shard_sets
    set_folder = tmp_path / "workspace" / shard_set_path(workspace.blobs)
    assert verify(workspace.blobs, shard_set_path(workspace.blobs)).problems == ()
    assert command("card", "validate", str(set_folder))[0] == 0
    assert pq.read_table(set_folder / "left_out.parquet").num_rows == 0
