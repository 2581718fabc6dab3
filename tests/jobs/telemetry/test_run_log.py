"""Every line of a run's log says when, where and about what; what failed is always there, and secrets never are."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobs.run import RunResult, run_recipe
from jobs.telemetry.lines import lines_of, log_place, read_lines
from jobs.telemetry.run_log import RunLog, levels_from
from pipeline.blobs import Blobs
from pipeline.errors import JoineryError
from pipeline.store import Workspace
from schemas.finding import Failure
from schemas.recipe import LogLevel
from schemas.recipe_file import LoadedRecipe
from schemas.run import WorkDone
from tests.jobs.runs import Silent
from tests.jobs.telemetry.happened import ATTEMPT, FAILURE, RUN, lines_in, progress


def told(folder: Path, level: LogLevel, error: BaseException | None = None) -> list[dict[str, Any]]:
    log = RunLog(lines_of(Blobs(str(folder)), "run-1"), level)
    log.began(RUN)
    log.stage(progress(0, 0, running=True))
    log.stage(progress(1, 0, running=True))
    log.came("ingest", ATTEMPT)
    log.stage(progress(1, 1, running=False))
    log.ended(replace(RUN, outcome="failed", message="it broke"), error)
    log.close()
    return [json.loads(line) for line in lines_in(folder).splitlines()]


def test_a_line_says_when_and_where_and_of_what(tmp_path: Path) -> None:
    lines = told(tmp_path, LogLevel.DEBUG)
    assert [line["message"] for line in lines] == [
        "run began",
        "stage began",
        "frame 7 is broken",
        "SourceError: b.mp4 is cut off",
        "item done",
        "batch done",
        "stage ended",
        "run ended: failed: it broke",
    ]
    assert {line["run"] for line in lines} == {"run-1"}
    _, _, note, failed, done, batch, *_ = lines
    assert (note["time"], note["level"], note["logger"]) == ("2026-11-22T07:33:56.500+00:00", "warning", "codec")
    assert [failed[name] for name in ("level", "stage", "item", "work_key", "source")] == [
        "error", "ingest", "ep-b", "key-b", "kitchen",
    ]  # fmt: skip
    assert failed["traceback"] == "Traceback: …"
    assert [done[name] for name in ("stage", "item", "work_key", "attempt")] == ["ingest", "ep-a", "key-a", "try-a"]
    assert {(line["host"], line["pid"]) for line in (note, failed, done, batch)} == {("node-7", 42)}


@pytest.mark.parametrize(("level", "n"), [(LogLevel.INFO, 7), (LogLevel.WARNING, 3), (LogLevel.ERROR, 2)])
def test_what_failed_is_there_at_every_level(tmp_path: Path, level: LogLevel, n: int) -> None:
    lines = told(tmp_path, level)
    assert len(lines) == n
    assert "key-b" in {line.get("work_key") for line in lines}


def test_off_is_nothing_at_all() -> None:
    assert levels_from(LogLevel.OFF) == frozenset()


def test_what_ended_a_run_is_told_with_its_traceback(tmp_path: Path) -> None:
    try:
        raise JoineryError("the disk is full")
    except JoineryError as error:
        lines = told(tmp_path, LogLevel.ERROR, error)
    assert "JoineryError: the disk is full" in lines[-1]["traceback"]


def test_credentials_are_blanked_whoever_quotes_them(tmp_path: Path) -> None:
    secret = 'k3y/with"quote'
    log = RunLog(lines_of(Blobs(str(tmp_path)), "run-1"), LogLevel.INFO, [secret, "", "ab"])
    log.began(RUN)
    log.came("ingest", replace(ATTEMPT, failures=(replace(FAILURE, message=f"403 for {secret}", traceback=secret),)))
    log.close()
    assert "k3y" not in lines_in(tmp_path)
    failed = json.loads(lines_in(tmp_path).splitlines()[2])
    assert failed["message"] == "SourceError: 403 for ***"
    assert failed["traceback"] == "***"


def test_a_run_leaves_a_log_of_everything_it_did(reference: tuple[RunResult, LoadedRecipe]) -> None:
    workspace = Workspace.existing(reference[1].recipe.workspace.url)
    run_id = reference[0].run.run_id
    lines = [json.loads(line) for line in read_lines(workspace.blobs, run_id)]
    ended = {line["stage"]: line for line in lines if line["message"] == "stage ended"}
    assert {count.stage: count.done for count in reference[0].run.stages} == {
        stage: line["done"] for stage, line in ended.items()
    }
    (failure,) = workspace.rows(Failure)
    (failed,) = [line for line in lines if line["level"] == "error"]
    assert (failed["work_key"], failed["traceback"]) == (failure.work_key, failure.traceback)
    assert sum(line["items"] for line in lines if line["message"] == "batch done") == len(
        [done for done in workspace.rows(WorkDone) if done.stage != "discover"]
    )


def test_what_ends_a_run_stands_in_its_log(load: Callable[..., LoadedRecipe], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("jobs.run._listed", broken)
    loaded = load("run.log_level=error")
    with pytest.raises(RuntimeError):
        run_recipe(loaded, Silent())
    blobs = Workspace.existing(loaded.recipe.workspace.url).blobs
    (run_id,) = {path.split("/")[1] for path in blobs.list("logs")}
    (line,) = (json.loads(line) for line in read_lines(blobs, run_id))
    assert "RuntimeError: a bug" in line["traceback"]
    assert run_id in log_place(blobs, run_id)
