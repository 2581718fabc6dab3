"""``joinery view``: a file a benchmark can read."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs.cli import app
from jobs.run import RunResult
from schemas.recipe_file import LoadedRecipe
from tests.jobs.conftest import BUDGET

Reference = tuple[RunResult, LoadedRecipe]


@pytest.mark.parametrize(("view", "names"), [("pick_place", {"pick", "place"}), ("objects", {"object"})])
def test_every_episode_with_events_is_a_line_with_its_stretches(
    reference: Reference, tmp_path: Path, view: str, names: set[str]
) -> None:
    out = tmp_path / "new" / f"{view}.jsonl"
    options = ["--as", view, "--out", str(out), "--json", "--set", BUDGET, "--set", "run.executor=inline"]
    result = CliRunner().invoke(app, ["view", str(reference[1].path), *options])
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    said = json.loads(result.stdout)
    assert (said["episodes"], said["spans"]) == (len(lines), sum(len(line["spans"]) for line in lines))
    assert [(line["source"], line["locator"]) for line in lines] == sorted((x["source"], x["locator"]) for x in lines)
    assert names <= {span["name"] for line in lines for span in line["spans"]} <= names | {"other"}


def test_a_recipe_under_which_nothing_has_run_is_an_error(reference: Reference, tmp_path: Path) -> None:
    options = ["--as", "objects", "--out", str(tmp_path / "v.jsonl"), "--set", "segment.merge_s=0.2"]
    result = CliRunner().invoke(app, ["view", str(reference[1].path), *options])
    assert result.exit_code == 1
    assert "joinery run" in result.stderr
