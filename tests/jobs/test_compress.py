"""``joinery compress`` as a user types it: train, distil, quantise, time; and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from jobs.cli import app
from tests.pipeline.shards.conftest import blobs, filmed, folder, published, written
from trainer.policy_record import checkpoint_folder, read_record

__all__ = ["blobs", "filmed", "folder", "published", "written"]

Joinery = Callable[..., Result]


@pytest.fixture(scope="module")
def joinery() -> Joinery:
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


@pytest.fixture(scope="module")
def teacher(joinery: Joinery, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps."""
    out = tmp_path_factory.mktemp("teacher")
    result = joinery("train", folder, "--steps", 2, "--out", out)
    assert result.exit_code == 0, result.stderr
    return out


@pytest.fixture(scope="module")
def student(joinery: Joinery, folder: Path, teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("student")
    how = ("--steps", 2, "--sample-steps", 1, "--ratio", 1, "--out", out)
    result = joinery("compress", "distill", teacher, folder, *how)
    assert result.exit_code == 0, result.stderr
    assert "checkpoint" in result.stdout
    return out


def test_a_student_is_a_checkpoint_with_plan_ledger_and_log(student: Path) -> None:
    assert read_record(checkpoint_folder(student)).config.sample_steps == 1
    lines = [json.loads(line) for line in (student / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2]
    assert {"matching", "action", "fake", "level"} <= set(lines[0])
    assert (student / "plan").is_dir()
    assert (student / "ledger").is_dir()


def test_a_run_that_is_there_is_not_written_over(joinery: Joinery, folder: Path, teacher: Path, student: Path) -> None:
    again = joinery("compress", "distill", teacher, folder, "--steps", 2, "--out", student)
    assert again.exit_code == 1
    assert "--resume" in again.stderr


def test_a_model_in_fp8_says_what_it_lost_and_can_be_quantised_once(
    joinery: Joinery, student: Path, tmp_path: Path
) -> None:
    result = joinery("compress", "fp8", student, "--out", tmp_path / "fp8", "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["smaller"] > 1
    assert found["report"]["layers"]
    assert "smaller)" in joinery("compress", "fp8", student, "--out", tmp_path / "mx", "--scheme", "mx32").stdout
    twice = joinery("compress", "fp8", tmp_path / "fp8", "--out", tmp_path / "twice")
    assert twice.exit_code == 1
    assert "in FP8 already" in twice.stderr


def test_an_fp8_model_is_no_teacher(joinery: Joinery, folder: Path, teacher: Path, tmp_path: Path) -> None:
    joinery("compress", "fp8", teacher, "--out", tmp_path / "fp8")
    result = joinery("compress", "distill", tmp_path / "fp8", folder, "--steps", 1, "--out", tmp_path / "student")
    assert result.exit_code == 1
    assert "distil first" in result.stderr


def test_latency_of_a_run_and_of_bare_shapes(joinery: Joinery, teacher: Path) -> None:
    size = ("--steps", 1, "--repeats", 1, "--frames", 9, "--actions", 4, "--views", 1, "--device", "cpu")
    table = joinery("compress", "latency", teacher, *size)
    assert table.exit_code == 0, table.stderr
    assert "asymmetric" in table.stdout
    rows = json.loads(joinery("compress", "latency", "--shapes", "tiny", *size, "--json").stdout)
    assert len(rows) == 6
    assert rows[0]["p50_ms"]["all"] > 0


def test_what_cannot_be_timed_is_refused(joinery: Joinery) -> None:
    unknown = joinery("compress", "latency", "--shapes", "huge")
    assert unknown.exit_code == 1
    assert "there are tiny" in unknown.stderr
    nothing = joinery("compress", "latency")
    assert nothing.exit_code == 1
    assert "name a run" in nothing.stderr
