"""``joinery evaluate``: a checkpoint, an expert and an idler in the demo's world."""

import json
from pathlib import Path

import av
import pytest
from typer.testing import CliRunner

from jobs.cli import app
from jobs.evaluate import durations_of
from jobs.run import RunResult
from pipeline.loader.reader import ShardSet
from schemas.recipe_file import LoadedRecipe


@pytest.fixture(scope="module")
def shards(reference: tuple[RunResult, LoadedRecipe]) -> str:
    return str(Path(reference[1].recipe.workspace.url) / "shards")


def evaluated(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["evaluate", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_an_expert_has_100_and_an_idler_0(shards: str, tmp_path: Path) -> None:
    """Both through the whole path: displacements from what is observed, events asked for one by one."""
    for name, progress in (("expert", 100.0), ("idle", 0.0)):
        said = evaluated(name, "--shards", shards, "--out", str(tmp_path / name), "--episodes", "3", "--films", "0")
        assert f"Task Progress {progress:.1f} of 100" in said
        summary = json.loads((tmp_path / name / "summary.json").read_text())
        assert summary["summary"]["progress"] == progress
        assert summary["summary"]["progress_95"] == [progress, progress]
        assert summary["summary"]["success"] == progress / 100
        assert set(summary["summary"]["done_by_verb"].values()) == {progress / 100}


def test_a_checkpoint_drives_the_simulator(shards: str, tmp_path: Path) -> None:
    """Not well, after two steps; but twice the same, and it moves."""
    trained = CliRunner().invoke(app, ["train", shards, "--steps", "2", "--out", str(tmp_path / "run")])
    assert trained.exit_code == 0, trained.output
    options = ["--shards", shards, "--episodes", "1", "--seed", "6", "--json"]
    said = evaluated(str(tmp_path / "run"), *options, "--films", "1", "--out", str(tmp_path / "a"))
    again = evaluated(str(tmp_path / "run"), *options, "--films", "0", "--out", str(tmp_path / "b"))
    assert json.loads(said)["summary"] == json.loads(again)["summary"]
    (line,) = (json.loads(line) for line in (tmp_path / "a" / "results.jsonl").read_text().splitlines())
    assert line["seed"] == 6
    assert line["acts"][0]["text"] == line["events"][0]
    durations_s = durations_of(ShardSet.open(shards), "open_robot")
    assert {act["asked_s"] for act in line["acts"]} <= set(durations_s.values()), "never the true duration"
    assert line["seconds"] == pytest.approx(sum(act["acted_s"] for act in line["acts"]))
    with av.open(str(tmp_path / "a" / "films" / "000006.mp4")) as film:
        assert sum(1 for _ in film.decode(video=0)) == round(20 * line["seconds"])


def test_a_model_may_say_what_is_next_by_itself(shards: str, tmp_path: Path) -> None:
    asked = [shards, "--config", "tiny-language", "--steps", "1", "--out", str(tmp_path / "run")]
    assert CliRunner().invoke(app, ["train", *asked]).exit_code == 0
    options = ["--shards", shards, "--episodes", "1", "--films", "0", "--planner", "heads"]
    evaluated(str(tmp_path / "run"), *options, "--out", str(tmp_path / "a"))
    (line,) = (json.loads(line) for line in (tmp_path / "a" / "results.jsonl").read_text().splitlines())
    assert not {act["text"] for act in line["acts"]} & set(line["events"]), "nobody has told it the words of the task"


def test_what_cannot_be_evaluated_is_said(shards: str, tmp_path: Path) -> None:
    def refused(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["evaluate", *arguments])
        assert result.exit_code == 1
        return result.output

    common = ["--shards", shards, "--episodes", "1", "--films", "0"]
    assert "no checkpoint" in refused(str(tmp_path), *common, "--out", str(tmp_path / "a"))
    assert "demo:teleop" in refused("idle", *common, "--out", str(tmp_path / "a"), "--simulator", "chess")
    evaluated("idle", *common, "--out", str(tmp_path / "b"))
    assert "already" in refused("idle", *common, "--out", str(tmp_path / "b"))
