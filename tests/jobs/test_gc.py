"""Garbage goes and nothing else: what is left verifies, has nothing to do, and is the same bytes."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from jobs.cli import app
from jobs.gc import Wish, collect
from jobs.run import RunResult, run_recipe
from pipeline.at_work import Deed, at_work
from pipeline.attempt import Attempt, AttemptWriter
from pipeline.errors import StoreError
from pipeline.shards.latest import shard_set_path
from pipeline.shards.verify import verify
from pipeline.store import Workspace
from pipeline.upkeep.files_there import files_there
from schemas.event import Event
from schemas.finding import Finding, Verdict
from schemas.recipe_file import LoadedRecipe
from schemas.run import WorkDone
from tests.jobs.runs import Silent, done, shard_bytes

NOW = Wish(older_than_s=0.0)
KILLED_AFTER = """
import os, signal, sys
from pipeline.blobs import Blobs
from pipeline.store import Workspace
from jobs.gc import Wish, collect
left = int(sys.argv[2])
def counted(deed):
    def killing(*given, **named):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return deed(*given, **named)
    return killing
for owner, name in ((Blobs, "remove"), (Workspace, "delete"), (Workspace, "close_gaps")):
    setattr(owner, name, counted(getattr(owner, name)))
collect(Workspace.existing(sys.argv[1]), Wish(older_than_s=0.0))
"""


@pytest.fixture
def workspace(already_run: RunResult, load: Callable[..., LoadedRecipe]) -> Workspace:
    """A copy of the reference run's."""
    return Workspace.existing(load().recipe.workspace.url)


def every_file(workspace: Workspace) -> dict[str, bytes]:
    root = Path(workspace.url)
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def finding(subject: str) -> Finding:
    return Finding(subject, "source", "align", "c", Verdict.KEEP, "message")


def left_by_kills(workspace: Workspace) -> list[str]:
    """What runs leave that die at every stage of their work; the files of it that must go."""
    before = {file.path for file in files_there(workspace.blobs)}
    never, torn = AttemptWriter(workspace), AttemptWriter(workspace)
    never.add([finding("never committed")], "key-1", "attempt-never")
    never.finish()
    torn.add([finding("without a line in work_done")], "key-2", "attempt-torn")
    workspace.commit([Attempt(torn.finish(), (), ())])
    (Path(workspace.url) / "tars").mkdir(exist_ok=True)
    for path in (
        "tars/0000.tar",
        "tars/0001.tar.0123.tmp",
        "manifests/00/manifest.parquet",
        "inputs/00/ingest.parquet",
        "shards/ss-00000000000000000000000000000000/train-000000.tar",
    ):
        workspace.blobs.put_bytes(path, b"half")
    after = {file.path for file in files_there(workspace.blobs)}
    return sorted(path for path in after - before if "/_" not in path)


def is_as_before(load: Callable[..., LoadedRecipe], shards: dict[str, str]) -> None:
    """Verified, with nothing to do, and the same bytes."""
    workspace = Workspace.existing(load().recipe.workspace.url)
    assert verify(workspace.blobs, shard_set_path(workspace.blobs)).problems == ()
    again = run_recipe(load(), Silent())
    assert set(done(again).values()) == {0}
    assert shard_bytes(Path(workspace.url)) == shards


def test_what_kills_left_goes_and_all_else_stays(
    workspace: Workspace, load: Callable[..., LoadedRecipe], reference_bytes: dict[str, str]
) -> None:
    garbage = left_by_kills(workspace)
    assert len(garbage) == 7
    seen = collect(workspace, NOW)
    assert [(dead.table, dead.attempts) for dead in seen.rows] == [("findings", ("attempt-torn",))]
    assert set(garbage) <= set(seen.paths)
    assert not [path for path in seen.paths if path.startswith("shards/") and path not in garbage]
    there = {file.path for file in files_there(workspace.blobs)}
    assert not there & set(seen.paths)
    assert workspace.read(Finding, ["attempt-torn"]) == {"attempt-torn": []}
    is_as_before(load, reference_bytes)


def test_a_dry_run_changes_nothing_and_names_what_goes(workspace: Workspace) -> None:
    left_by_kills(workspace)
    before = every_file(workspace)
    seen = collect(workspace, NOW, dry_run=True)
    assert set(every_file(workspace)) - set(before) == set()
    assert every_file(workspace) == before
    gone = collect(workspace, NOW)
    assert set(seen.paths) <= set(gone.paths), "and the files that held dead rows, which are written anew first"
    assert {path.split("/")[1] for path in set(gone.paths) - set(seen.paths)} == {"findings.lance"}
    freed = sum(len(before[path]) for path in seen.paths)
    assert seen.n_bytes == freed
    assert collect(workspace, NOW).paths == ()


def test_what_is_young_stays(workspace: Workspace) -> None:
    left_by_kills(workspace)
    before = every_file(workspace)
    seen = collect(workspace, Wish(older_than_s=3600.0))
    assert seen.paths == ()
    assert seen.waiting_bytes > 0
    assert set(before) <= set(every_file(workspace))


def test_it_meets_nobody(workspace: Workspace, load: Callable[..., LoadedRecipe]) -> None:
    for deed in (Deed.RUN, Deed.FORGET, Deed.BACKUP, Deed.GC):
        with at_work(workspace.blobs, deed), pytest.raises(StoreError, match=f"`joinery {deed}` is at work"):
            collect(workspace, NOW)
    with at_work(workspace.blobs, Deed.GC), pytest.raises(StoreError, match="`joinery gc` is at work"):
        run_recipe(load(), Silent())


def test_of_two_that_raced_the_one_that_counts_stays(workspace: Workspace) -> None:
    for attempt in ("b-later", "a-counts"):
        writer = AttemptWriter(workspace)
        writer.add([finding(attempt)], "raced", attempt)
        line = WorkDone("raced", "align", "ep", attempt, "raced", "run", 0.0)
        workspace.commit([Attempt(writer.finish(), (line,), ())])
    collect(workspace, NOW)
    assert workspace.read(Finding, ["a-counts", "b-later"]) == {"a-counts": [finding("a-counts")], "b-later": []}
    assert [line.attempt for line in workspace.rows(WorkDone, "work_key = 'raced'")] == ["a-counts"]


def test_a_version_somebody_has_named_stays(workspace: Workspace) -> None:
    import lance

    events = lance.dataset(f"{workspace.url}/tables/events.lance")
    rows = lance.dataset(events.uri, version=2).count_rows()
    assert events.version > 2
    events.tags.create("mine", 2)
    collect(workspace, NOW)
    assert lance.dataset(events.uri, version="mine").count_rows() == rows


@pytest.mark.parametrize("moments", [(1, 30), pytest.param((0, 1, 2, 3, 5, 8, 13, 40, 80), marks=pytest.mark.slow)])
def test_killed_at_any_step_it_comes_to_the_same(
    workspace: Workspace, load: Callable[..., LoadedRecipe], reference_bytes: dict[str, str], moments: tuple[int, ...]
) -> None:
    left_by_kills(workspace)
    for after in moments:  # what is done already makes the next one shorter
        command = [sys.executable, "-c", KILLED_AFTER, workspace.url, str(after)]
        process = subprocess.run(command, capture_output=True, text=True, check=False)
        assert process.returncode == -signal.SIGKILL, process.stderr
    collect(workspace, NOW)
    assert workspace.read(Finding, ["attempt-torn"]) == {"attempt-torn": []}
    assert collect(workspace, NOW).paths == ()
    is_as_before(load, reference_bytes)


@pytest.mark.slow
def test_superseded_results_go_when_asked_and_every_published_set_stays_whole(
    workspace: Workspace, load: Callable[..., LoadedRecipe], reference_bytes: dict[str, str]
) -> None:
    other = "segment.max_action_s=8"
    first = shard_set_path(workspace.blobs)
    assert done(run_recipe(load(other), Silent()))["segment"] > 0
    second = shard_set_path(workspace.blobs)
    assert second != first
    assert collect(workspace, NOW).n_results == 0, "without being asked every result stays"
    assert set(done(run_recipe(load(), Silent())).values()) == {0}, "so a recipe taken back has nothing to do"
    n_events = len(workspace.scan(Event, ["attempt"]).read_all())
    recipe = load(other).recipe
    seen = collect(workspace, Wish(0.0, (recipe,)))
    assert seen.n_results > 0
    assert len(workspace.scan(Event, ["attempt"]).read_all()) < n_events
    for path in (first, second):
        assert verify(workspace.blobs, path).problems == ()
    assert set(done(run_recipe(load(other), Silent())).values()) == {0}
    assert done(run_recipe(load(), Silent()))["segment"] > 0
    assert {name: digest for name, digest in shard_bytes(Path(workspace.url)).items() if name in reference_bytes} == (
        reference_bytes
    ), "taken back it comes out the same, the order of draws too"


def test_the_command_says_what_went(recipe_file: Path, workspace: Workspace) -> None:
    def joinery(*words: str) -> Result:
        return CliRunner().invoke(app, ["gc", str(recipe_file), *words], catch_exceptions=False)

    left_by_kills(workspace)
    seen = joinery("--dry-run", "--older-than", "0s")
    assert seen.exit_code == 0
    assert "attempts that were never committed" in seen.stdout
    assert "rows of findings that no result owns" in seen.stdout
    assert "nothing was changed" in seen.stdout
    listed = json.loads(joinery("--dry-run", "--older-than", "0s", "--json").stdout)
    gone = json.loads(joinery("--older-than", "0s", "--json").stdout)
    assert set(listed["paths"]) <= set(gone["paths"])
    assert "no file removed" in joinery("--older-than", "0s").stdout
    wrong = joinery("--older-than", "soon")
    assert (wrong.exit_code, "found 'soon'" in wrong.output) == (1, True)


def test_a_workspace_that_is_not_there_is_not_made(recipe_file: Path) -> None:
    result = CliRunner().invoke(app, ["gc", str(recipe_file)])
    assert result.exit_code == 1
    assert not (recipe_file.parent / "workspace").exists()
