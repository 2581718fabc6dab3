"""The command as a user types it: right input, wrong input, and output for machines."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from jobs.cli import app
from jobs.run import RunResult
from schemas.recipe_file import LoadedRecipe
from tests.jobs.conftest import BUDGET, write_recipe

Joinery = Callable[..., Result]


@pytest.fixture
def joinery() -> Joinery:
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


@pytest.fixture
def ran(reference: tuple[RunResult, LoadedRecipe]) -> Path:
    """The recipe of the reference run."""
    return reference[1].path


def test_plan_lists_sources_and_stages_and_computes_nothing(joinery: Joinery, recipe_file: Path) -> None:
    result = joinery("plan", recipe_file, "--json")
    assert result.exit_code == 0
    plan = json.loads(result.stdout)
    assert {source["source"] for source in plan["sources"]} >= {"teleop", "internet", "recovery"}
    assert sum(source["episodes"] for source in plan["sources"]) == plan["stages"][0]["left"]
    assert all(stage["done"] == 0 for stage in plan["stages"])
    assert not (recipe_file.parent / "workspace" / "shards").exists()


def test_plan_after_a_run_finds_everything_cached(joinery: Joinery, ran: Path) -> None:
    plan = json.loads(joinery("plan", ran, "--json").stdout)
    assert all(stage["left"] == 0 for stage in plan["stages"])
    assert "publish" in joinery("plan", ran).stdout


def test_run_reports_every_stage_and_its_outcome(joinery: Joinery, ran: Path) -> None:
    result = joinery("run", ran, "--set", BUDGET, "--set", "run.executor=inline", "--json")
    assert result.exit_code == 0
    events = [json.loads(line) for line in result.stdout.splitlines()]
    ended = {event["stage"]: event for event in events if event["event"] == "stage" and not event["running"]}
    assert ended["ingest"]["quarantined"] == 1
    assert all(stage["done"] == 0 for stage in ended.values())
    assert events[-1]["outcome"] == "succeeded"


def test_a_run_over_its_error_budget_exits_with_1(joinery: Joinery, ran: Path) -> None:
    result = joinery("run", ran, "--set", "run.error_budget=0.01", "--set", "run.executor=inline")
    assert result.exit_code == 1
    assert "over_error_budget" in result.stdout
    assert "joinery why" in result.stdout


def test_status_counts_what_is_done_and_quarantined(joinery: Joinery, ran: Path) -> None:
    status = json.loads(joinery("status", ran, "--json").stdout)
    stages = {stage["stage"]: stage for stage in status["stages"]}
    assert stages["ingest"]["quarantined"] == 1
    assert stages["align"]["done"] == stages["ingest"]["done"]
    assert status["runs"]
    assert "quarantined" in joinery("status", ran).stdout


def test_why_names_the_truncated_video_and_the_missing_episode(joinery: Joinery, ran: Path) -> None:
    reasons = json.loads(joinery("why", ran, "--json").stdout)
    (failure,) = reasons["failures"]
    assert failure["stage"] == "ingest"
    assert ".mp4" in failure["message"]
    checks = {finding["check"]: finding for finding in reasons["findings"]}
    assert checks["listed_episode_missing"]["verdict"] == "drop"
    assert checks["sync_corrected"]["value"] == pytest.approx(-0.2, abs=0.04)
    assert {"black_end", "invalid_state"} <= set(checks)
    assert "QUARANTINE ingest" in joinery("why", ran, failure["source"]).stdout


def test_why_about_nothing_known_names_the_sources(joinery: Joinery, ran: Path) -> None:
    result = joinery("why", ran, "telop")
    assert result.exit_code == 1
    assert "neither a source (" in result.stderr
    assert "teleop" in result.stderr


def test_trace_walks_both_ways(joinery: Joinery, ran: Path) -> None:
    episodes = json.loads(joinery("trace", ran, "episode_index=0", "--json").stdout)
    event = next(event for episode in episodes for event in episode["events"] if event["samples"])
    episode = next(episode for episode in episodes if event in episode["events"])
    shard, key = event["samples"][0].split("/")
    for subject in (event["event_id"], key, f"cell:{event['cell']}", episode["episode_id"][:12]):
        found = json.loads(joinery("trace", ran, subject, "--json").stdout)
        assert episode["episode_id"] in [other["episode_id"] for other in found], subject
    in_shard = json.loads(joinery("trace", ran, shard, "--json").stdout)
    assert any(event["event_id"] == other["event_id"] for found in in_shard for other in found["events"])
    assert event["event_id"] in joinery("trace", ran, event["event_id"]).stdout


def test_trace_of_nothing_says_what_it_takes(joinery: Joinery, ran: Path) -> None:
    result = joinery("trace", ran, "ev-000")
    assert result.exit_code == 1
    assert "trace takes an episode id (ep-…)" in result.stderr


def test_verify_finds_the_shards_in_order(joinery: Joinery, ran: Path) -> None:
    result = joinery("verify", ran)
    assert result.exit_code == 0, result.stdout
    assert "everything in order" in result.stdout


def test_verify_of_an_unknown_set_names_those_there_are(joinery: Joinery, ran: Path) -> None:
    result = joinery("verify", ran, "--shard-set", "ss-nothing")
    assert result.exit_code == 1
    assert "no shard set ss-nothing; there are ss-" in result.stderr


def test_train_takes_a_recipe_or_a_folder(joinery: Joinery, ran: Path, tmp_path: Path) -> None:
    result = joinery("train", ran, "--steps", 2, "--out", tmp_path / "by-recipe")
    assert result.exit_code == 0, result.stderr
    assert "checkpoint" in result.stdout
    shards = ran.parent / "workspace" / "shards"
    lines = joinery("train", shards, "--steps", 2, "--out", tmp_path / "by-folder", "--json").stdout.splitlines()
    assert json.loads(lines[-1])["event"] == "trained"
    again = joinery("train", ran, "--steps", 2, "--out", tmp_path / "by-recipe")
    assert again.exit_code == 1
    assert "--resume" in again.stderr


def test_train_with_an_unknown_configuration_names_those_there_are(joinery: Joinery, ran: Path, tmp_path: Path) -> None:
    result = joinery("train", ran, "--config", "huge", "--out", tmp_path / "x")
    assert result.exit_code == 1
    assert "there are tiny" in result.stderr


def test_a_wrong_recipe_is_one_line_per_problem_and_exits_with_2(joinery: Joinery, recipe_file: Path) -> None:
    text = recipe_file.read_text().replace("short_side: 96", "short_side: 97").replace("kind: umi", "knd: umi")
    recipe_file.write_text(text)
    result = joinery("run", recipe_file)
    assert result.exit_code == 2
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 2, result.stderr
    assert all(line.startswith(f"{recipe_file}:") for line in lines)
    assert not (recipe_file.parent / "workspace").exists()


@pytest.mark.parametrize("command", ["status", "trace", "why", "verify"])
def test_asking_before_the_first_run_says_how_to_make_one(
    joinery: Joinery, corpus: Path, tmp_path: Path, command: str
) -> None:
    recipe = write_recipe(tmp_path / "fresh.yaml", corpus, tmp_path / "nothing-here")
    words = [command, recipe, "ep-1"] if command == "trace" else [command, recipe]
    result = joinery(*words)
    assert result.exit_code == 1
    assert "`joinery run RECIPE` makes one" in result.stderr
