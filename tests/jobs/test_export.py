"""``joinery export`` as a user meets it: what it says, what it refuses, and that asking twice is harmless."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs.cli import app
from pipeline.exporters.folder import EXPORT, digests
from tests.pipeline.shards.conftest import blobs, filmed, folder, published, written

__all__ = ["blobs", "filmed", "folder", "published", "written"]

RUNNER = CliRunner()


def export(*arguments: object) -> tuple[int, str]:
    result = RUNNER.invoke(app, ["export", *map(str, arguments)])
    return result.exit_code, result.output


@pytest.mark.parametrize("target", ["lerobot", "energon", "vla_foundry"])
def test_an_export_says_what_it_holds_and_is_not_made_twice(folder: Path, tmp_path: Path, target: str) -> None:
    out = tmp_path / "out"
    status, said = export(folder.parent, "--to", target, "--out", out, "--json")
    assert status == 0, said
    made = json.loads(said)
    assert made["target"] == target
    assert made["written"]
    assert made["n_files"] == len(digests(out)) + 1
    described = json.loads((out / EXPORT).read_text())
    assert described["losses"] == made["losses"]
    assert described["files"] == digests(out)
    status, said = export(folder, "--to", target, "--out", out)
    assert status == 0
    assert "which were there already, byte for byte" in said


def test_what_is_left_behind_is_said(folder: Path, tmp_path: Path) -> None:
    _, said = export(folder, "--to", "lerobot", "--out", tmp_path / "out")
    assert "  12 events: view wrist: its frames are not those of the master view, one for one" in said


def test_another_request_for_the_same_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    assert export(folder, "--to", "lerobot", "--out", tmp_path / "out")[0] == 0
    before = digests(tmp_path / "out")
    status, said = export(folder, "--to", "lerobot", "--language", "subtask_index", "--out", tmp_path / "out")
    assert (status, "holds an export with another language" in said) == (1, True)
    assert digests(tmp_path / "out") == before


def test_splits_that_are_not_there_are_refused(folder: Path, tmp_path: Path) -> None:
    status, said = export(folder, "--to", "lerobot", "--split", "testing", "--out", tmp_path / "out")
    assert (status, "has train, validation" in said) == (1, True)
    status, said = export(folder, "--to", "energon", "--split", "train", "--out", tmp_path / "out")
    assert (status, "keeps the splits apart itself" in said) == (1, True)
    assert not (tmp_path / "out").exists()
