"""``joinery probe-3d`` as a user drives it: four rows, the same bytes again, and a folder that is no run."""

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from jobs.cli import app
from jobs.probe import RESULTS, TABLE
from tests.trainer.events import MadeSteps, example
from trainer.configs import tiny
from trainer.loop import Trainer
from trainer.model.wam import build
from trainer.parallel import Ranks


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of no steps: what is probed is how, not what."""
    out, config = tmp_path_factory.mktemp("run"), tiny()
    steps = MadeSteps(example(), n_steps=1)
    Trainer(config, build(config.model, 0), steps, Ranks(0, 1, torch.device("cpu"))).save(out)
    return out


def probe(run: Path, out: Path) -> str:
    arguments = ["probe-3d", str(run), "--out", str(out), "--fit", "3", "--judge", "2", "--json"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_four_kinds_of_features_are_scored_to_the_same_bytes(run: Path, tmp_path: Path) -> None:
    found = json.loads(probe(run, tmp_path / "one"))
    assert list(found["features"]) == ["trained tower", "random weights", "raw pixels", "mean of the place"]
    assert all(0 < row["depth"] < 2 and 0 <= row["auc_5"] <= row["auc_30"] <= 1 for row in found["features"].values())
    probe(run, tmp_path / "two")
    for file in (RESULTS, TABLE):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_folder_that_is_no_run_is_said_to_be_none(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["probe-3d", str(tmp_path)])
    assert done.exit_code == 1
    done = CliRunner().invoke(app, ["evaluate-video", str(tmp_path), str(tmp_path)])
    assert done.exit_code == 1
