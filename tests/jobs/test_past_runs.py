"""Which run was the last is told by the table, whatever the clocks said."""

from dataclasses import replace
from pathlib import Path

import pytest

from jobs.past_runs import newest_of, past_runs
from jobs.why import _failed_run
from pipeline.store import Workspace
from schemas.run import Run

BEGUN = Run("b", "2026-11-22T10:00:00+00:00", "", "digest", "", "ray", "running", "", ())
ENDED = replace(BEGUN, finished_at="2026-11-22T10:05:00+00:00", outcome="failed", message="the disk is full")
EARLIER_BY_ITS_CLOCK = replace(BEGUN, run_id="a", started_at="2026-11-20T10:00:00+00:00")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace.open(str(tmp_path))
    for run in (BEGUN, ENDED, EARLIER_BY_ITS_CLOCK):
        workspace.append(Run, [run])
    return workspace


def test_a_clock_set_back_does_not_make_a_run_older(workspace: Workspace) -> None:
    assert [(run.run_id, run.outcome) for run in past_runs(workspace)] == [("a", "running"), ("b", "failed")]
    assert newest_of(workspace, {"a", "b"}) == "a"
    assert newest_of(workspace, {"b"}) == "b"
    assert newest_of(workspace, set()) == ""


def test_merging_small_files_keeps_the_order(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.store.COMPACT_ABOVE_FRAGMENTS", 1)
    workspace.compact(["runs"])
    assert workspace._dataset("runs").get_fragments().__len__() == 1
    assert [run.run_id for run in past_runs(workspace)] == ["a", "b"]


def test_a_run_that_was_killed_is_a_reason(workspace: Workspace) -> None:
    assert _failed_run(workspace).startswith("run a began and has not said how it ended")
    over = replace(EARLIER_BY_ITS_CLOCK, finished_at="2026-11-20T10:05:00+00:00", outcome="succeeded")
    workspace.append(Run, [over])
    assert _failed_run(workspace) == ""
    workspace.append(Run, [replace(ENDED, run_id="c")])
    assert _failed_run(workspace) == "the disk is full"
