"""`joinery status --watch`: what somebody sees who has nothing but the workspace."""

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from jobs.cli import app
from jobs.run import RunResult
from jobs.show_watch import page, watch
from jobs.telemetry.beacon import Beacon, beacon_path
from jobs.telemetry.watching import DEAD, STALE_S, Seen, last_run, look, watched
from pipeline.errors import StoreError
from pipeline.store import Workspace
from schemas.recipe_file import LoadedRecipe
from schemas.run import Run
from tests.jobs.telemetry.happened import ATTEMPT, RUN, progress


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace.open(str(tmp_path))
    workspace.append(Run, [replace(RUN, run_id="run-0", started_at="2026-11-21T07:00:00+00:00"), RUN])
    return workspace


@pytest.fixture
def beacon(workspace: Workspace) -> Iterator[Beacon]:
    beacon = Beacon(workspace.blobs, every_s=0.02)
    beacon.began(RUN)
    beacon.stage(progress(0, 0, running=True))
    beacon.handed("ingest", 6)
    beacon.came("ingest", ATTEMPT)
    beacon.stage(progress(1, 1, running=True))
    time.sleep(0.1)
    yield beacon
    beacon.ended(RUN, None)


def drawn(seen: Seen) -> str:
    out = Console(file=io.StringIO(), width=120)
    out.print(page(seen))
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


@pytest.mark.usefixtures("beacon")
def test_a_run_at_work_is_seen_with_its_rate_and_what_failed_last(workspace: Workspace) -> None:
    seen = look(workspace, last_run(workspace))
    assert (seen.run_id, seen.going_on, seen.in_flight) == ("run-1", True, 4)
    (stage,) = seen.stages
    assert stage.rate > 0
    assert stage.eta_s is not None
    text = drawn(seen)
    assert "run run-1  ray  running" in text
    assert "4 items with workers" in text
    assert "ingest ep-b: SourceError: b.mp4 is cut off" in text


def test_watching_ends_with_the_run(workspace: Workspace, beacon: Beacon) -> None:
    def sleep(_seconds: float) -> None:
        beacon.ended(replace(RUN, outcome="over_error_budget", message="too many"), None)

    first, last = watched(workspace, sleep=sleep)
    assert (first.outcome, last.outcome) == ("running", "over_error_budget")
    assert "over_error_budget  too many" in drawn(last)


def aged(workspace: Workspace, **changes: object) -> None:
    record = json.loads(workspace.blobs.read(beacon_path("run-1"))) | changes
    workspace.blobs.put_bytes(beacon_path("run-1"), json.dumps(record).encode())


def test_a_run_whose_process_is_gone_has_died(workspace: Workspace, beacon: Beacon) -> None:
    beacon.ended(RUN, None)
    assert look(workspace, "run-1").going_on
    ended = subprocess.run(
        [sys.executable, "-S", "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    aged(workspace, pid=int(ended.stdout))
    assert look(workspace, "run-1").outcome == DEAD


def test_a_run_on_another_machine_has_died_when_its_record_is_old(workspace: Workspace, beacon: Beacon) -> None:
    beacon.ended(RUN, None)
    aged(workspace, host="elsewhere", pid=1, written_at=time.time() - STALE_S / 2)
    seen = look(workspace, "run-1")
    assert seen.going_on
    assert "last heard of 30.0 s ago" in drawn(seen)
    aged(workspace, host="elsewhere", pid=1, written_at=time.time() - STALE_S - 1)
    assert look(workspace, "run-1").outcome == DEAD


def test_without_a_terminal_every_stage_is_a_line(workspace: Workspace, beacon: Beacon) -> None:
    beacon.stage(progress(7, 1, running=False))
    beacon.ended(replace(RUN, outcome="succeeded", message="fine"), None)
    out = Console(file=io.StringIO())
    assert watch(out, watched(workspace)).outcome == "succeeded"
    assert isinstance(out.file, io.StringIO)
    first, last = out.file.getvalue().splitlines()
    assert first.split() == ["ingest", "10", "items", "2", "cached", "7", "done", "1", "quarantined", "5.0", "s"]
    assert last == "succeeded: fine"


def test_where_nothing_has_run_there_is_nothing_to_watch(tmp_path: Path) -> None:
    workspace = Workspace.open(str(tmp_path))
    with pytest.raises(StoreError, match="no run has begun there yet"):
        last_run(workspace)
    with pytest.raises(StoreError, match="run run-9 has left no record"):
        look(workspace, "run-9")


def test_the_exit_status_is_that_of_the_run(
    load: Callable[..., LoadedRecipe], already_run: RunResult, recipe_file: Path
) -> None:
    def joinery(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["status", str(recipe_file), "--watch", *words], catch_exceptions=False)
        return result.exit_code, result.stdout

    code, said = joinery()
    assert code == 0
    assert said.splitlines()[-1].startswith("succeeded: 1 of 11")
    workspace = Workspace.existing(load().recipe.workspace.url)
    path = beacon_path(already_run.run.run_id)
    failed = json.loads(workspace.blobs.read(path)) | {"outcome": "failed", "message": "no space"}
    workspace.blobs.put_bytes(path, json.dumps(failed).encode())
    code, said = joinery("--json")
    assert code == 1
    assert json.loads(said)["outcome"] == "failed"
