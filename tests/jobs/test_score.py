"""``joinery score``: a run of the demo corpus against its truth, as a user sees it."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from annotators.scores.baselines import SIGNAL_RULES
from jobs.cli import app
from jobs.commands.terminal import OUT
from jobs.run import RunResult
from jobs.score import ARMS, PICTURES, read_truth
from pipeline.errors import JoineryError
from schemas.recipe_file import LoadedRecipe
from tests.jobs.conftest import BUDGET

Reference = tuple[RunResult, LoadedRecipe]


def call(recipe: Path, truth: Path, *options: str) -> Result:
    arguments = ["score", str(recipe), "--truth", str(truth), "--set", BUDGET, "--set", "run.executor=inline"]
    return CliRunner().invoke(app, [*arguments, *options])


@pytest.fixture(scope="module")
def report(reference: Reference, corpus: Path) -> dict[str, Any]:
    found = call(reference[1].path, corpus / "truth.json", "--json")
    assert found.exit_code == 0, found.output
    parsed: dict[str, Any] = json.loads(found.stdout)
    return parsed


def group(report: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [one for one in report["groups"] if one["name"] == name]
    return dict(found)


def f1(group: dict[str, Any], system: str, metric: str = "f1@0.25") -> float:
    (found,) = [one for one in group["systems"] if one["name"] == system]
    return float(found["metrics"][metric]["estimate"])


def test_every_episode_with_truth_is_scored_or_listed_with_the_reason(report: dict[str, Any], corpus: Path) -> None:
    n_truths = len(json.loads((corpus / "truth.json").read_text())["episodes"])
    unscored = {(one["source"], one["reason"]) for one in report["unscored"]}
    assert sum(one["episodes"] for one in report["groups"]) + len(report["unscored"]) == n_truths
    assert ("teleop", "not done by caption (broken on purpose: truncated_video)") in unscored
    assert ("recovery", "not listed by this recipe's last run (broken on purpose: missing_files)") in unscored


def test_arms_and_pictures_are_scored_apart_each_with_its_baselines(report: dict[str, Any]) -> None:
    arms, pictures = group(report, ARMS), group(report, PICTURES)
    assert {one["name"] for one in arms["systems"]} >= {"joinery", "uniform 1 s", "uniform same n", *SIGNAL_RULES}
    assert [one["name"] for one in pictures["systems"]] == ["joinery", "uniform 1 s", "uniform same n"]


def test_on_made_up_grasps_we_are_far_above_every_baseline(report: dict[str, Any]) -> None:
    arms = group(report, ARMS)
    others = [one["name"] for one in arms["systems"] if one["name"] != "joinery"]
    assert f1(arms, "joinery") > 0.8
    assert max(f1(arms, name) for name in others) < f1(arms, "joinery") - 0.2
    assert arms["violations"] == 0


def test_hard_cuts_of_edited_clips_are_boundaries_of_their_own_kind(report: dict[str, Any]) -> None:
    (cut,) = [kind for kind in group(report, PICTURES)["kinds"] if kind["kind"] == "hard_cut"]
    assert cut["f1"]["0.1"] == 1.0


def test_what_is_printed_fits_a_terminal_and_shows_the_baselines(
    reference: Reference, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OUT, "width", 80)
    found = call(reference[1].path, corpus / "truth.json")
    assert found.exit_code == 0, found.output
    tables = [
        line for line in found.output.splitlines() if line.startswith(("joinery", "uniform", "gripper", "KernelCPD"))
    ]
    assert all(len(line) <= 80 for line in tables)
    assert "…" not in found.output
    for said in ("gripper flips", "uniform 1 s", "nesting and cover: 0 violations", "by outcome", "* excludes 0"):
        assert said in found.output


def test_another_level_is_scored_too(reference: Reference, corpus: Path) -> None:
    found = call(reference[1].path, corpus / "truth.json", "--json", "--level", "segment")
    report = json.loads(found.stdout)
    (ours, *_) = group(report, ARMS)["systems"]
    assert ours["metrics"]["over_segmentation"]["estimate"] > 1.5


def test_a_truth_of_other_recordings_says_so(reference: Reference, tmp_path: Path) -> None:
    other = {"source": "nobody", "locator": "x", "rate_hz": 20, "n_frames": 10, "boundaries": []}
    (tmp_path / "truth.json").write_text(json.dumps({"truth": 1, "episodes": [other]}))
    found = call(reference[1].path, tmp_path / "truth.json")
    assert found.exit_code == 1
    assert "none of its 1 episodes has events" in found.output.replace("\n", " ")


def test_a_truth_that_is_none_names_the_first_thing_that_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "truth.json"
    path.write_text('{"truth": 1, "episodes": [{"source": "a"}]}')
    with pytest.raises(JoineryError, match=r"episodes\.0\.locator: Field required"):
        read_truth(path)
    path.write_text("not json")
    with pytest.raises(JoineryError, match="Invalid JSON"):
        read_truth(path)
