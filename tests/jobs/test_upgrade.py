"""A workspace of another version: told apart with what differs, and carried over as far as that is true."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import lance
import pyarrow as pa
import pytest
from typer.testing import CliRunner, Result

from jobs.cli import app
from jobs.run import RunResult, run_recipe
from jobs.upgrade import upgrade_workspace
from pipeline.at_work import Deed, at_work
from pipeline.errors import StoreError
from pipeline.shards.latest import shard_set_path
from pipeline.shards.verify import verify
from pipeline.store import Workspace
from pipeline.table_files import n_rows
from pipeline.table_format import NOTE
from schemas.finding import Failure
from schemas.recipe_file import LoadedRecipe
from schemas.run import WorkDone
from schemas.shard import ShardEntry
from tests.jobs.runs import Silent, done, shard_bytes

Load = Callable[..., LoadedRecipe]
KILLED_AFTER = """
import os, signal, sys
from jobs.upgrade import upgrade_workspace
from pipeline.store import Workspace
left = int(sys.argv[2])
def killing(change):
    def changed(*of, **named):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return change(*of, **named)
    return changed
for name in ("_commit", "_delete", "_create"):
    setattr(Workspace, name, killing(getattr(Workspace, name)))
upgrade_workspace(Workspace(sys.argv[1]))
"""


@pytest.fixture
def workspace(already_run: RunResult, load: Load) -> Workspace:
    return Workspace.existing(load().recipe.workspace.url)


def without(workspace: Workspace, table: str, *columns: str) -> None:
    """As an earlier version left it that had no such columns, and kept no note."""
    lance.dataset(f"{workspace.url}/tables/{table}.lance").drop_columns(list(columns))
    workspace.blobs.remove(NOTE)


def every_file(workspace: Workspace) -> dict[str, bytes]:
    root = Path(workspace.url)
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_what_differs_is_said_with_table_column_and_what_to_do(workspace: Workspace) -> None:
    without(workspace, "work_done", "continues")
    said = r"table work_done, column continues: found no such column, expected string not null\. .*joinery upgrade"
    for _ in range(2):
        with pytest.raises(StoreError, match=said):
            Workspace.existing(workspace.url)


def test_a_column_that_has_a_default_is_filled_and_nothing_runs_again(
    workspace: Workspace, load: Load, reference_bytes: dict[str, str]
) -> None:
    """`continues` came with appends that leave old shards alone; before, no result went on from another."""
    before = sorted(workspace.rows(WorkDone), key=lambda row: row.attempt)
    chain = {row.attempt for row in before if row.continues}
    without(workspace, "work_done", "continues")
    planned = upgrade_workspace(workspace, dry_run=True)
    assert [(step.table, step.deed, dict(step.values)) for step in planned.steps] == [
        ("work_done", "filled", {"continues": ""})
    ]
    assert upgrade_workspace(workspace).n_anew == 0
    after = sorted(Workspace.existing(workspace.url).rows(WorkDone), key=lambda row: row.attempt)
    assert [row for row in after if row.attempt not in chain] == [row for row in before if row.attempt not in chain]
    assert set(done(run_recipe(load(), Silent())).values()) == {0}
    assert shard_bytes(Path(workspace.url)) == reference_bytes
    assert upgrade_workspace(workspace).steps == ()


def test_a_column_that_may_be_empty_is(workspace: Workspace) -> None:
    entries = n_rows(workspace, "shard_entries")
    without(workspace, "shard_entries", "realised_share")
    assert [step.deed for step in upgrade_workspace(workspace).steps] == ["filled"]
    shares = workspace.scan(ShardEntry, ["realised_share"]).read_all().column(0)
    assert shares.null_count == len(shares) == entries


def test_results_that_lack_what_nobody_can_fill_in_are_made_anew(
    workspace: Workspace, load: Load, reference_bytes: dict[str, str]
) -> None:
    without(workspace, "shard_entries", "sha256")
    seen = upgrade_workspace(workspace)
    assert [(step.table, step.deed) for step in seen.steps] == [("shard_entries", "emptied")]
    again = Workspace.existing(workspace.url)
    assert verify(again.blobs, shard_set_path(again.blobs)).problems == (), "a published set needs no table"
    anew = {stage: n for stage, n in done(run_recipe(load(), Silent())).items() if n}
    assert anew == {"shard": seen.n_anew}
    assert shard_bytes(Path(workspace.url)) == reference_bytes


def test_what_no_run_makes_anew_is_not_thrown_away(workspace: Workspace) -> None:
    failures = workspace.rows(Failure)
    assert failures
    without(workspace, "quarantine", "traceback")
    before = every_file(workspace)
    assert upgrade_workspace(workspace, dry_run=True).impossible
    with pytest.raises(StoreError, match=r"column traceback: found no such column, .*cannot be made anew"):
        upgrade_workspace(workspace)
    assert every_file(workspace) == before


def test_a_table_that_came_later_is_made_and_others_of_a_later_version_stay(workspace: Workspace) -> None:
    folder = Path(workspace.url) / "tables" / "cluster_drift.lance"
    folder.rename(folder.with_name("of_another_version.lance"))
    workspace.blobs.remove(NOTE)
    assert [(step.table, step.deed) for step in upgrade_workspace(workspace, dry_run=True).steps] == [
        ("cluster_drift", "made")
    ]
    upgrade_workspace(workspace)
    assert {"cluster_drift", "of_another_version"} <= set(workspace.tables())


def test_columns_of_another_type_or_order_are_told_too(tmp_path: Path) -> None:
    workspace = Workspace.open(str(tmp_path / "ws"))
    table = lance.dataset(f"{workspace.url}/tables/file_digests.lance")
    odd = table.schema.set(1, pa.field("n_bytes", pa.int32(), nullable=False))
    lance.write_dataset(odd.empty_table(), table.uri, mode="overwrite")
    workspace.blobs.remove(NOTE)
    with pytest.raises(StoreError, match="column n_bytes: found int32 not null, expected int64 not null"):
        Workspace.open(workspace.url)
    lance.write_dataset(pa.schema(list(table.schema)[::-1]).empty_table(), table.uri, mode="overwrite")
    with pytest.raises(StoreError, match="columns in another order"):
        Workspace.open(workspace.url)
    assert [step.deed for step in upgrade_workspace(workspace).steps] == ["filled"]
    Workspace.open(workspace.url)


def test_the_note_says_who_made_the_tables_and_is_believed(workspace: Workspace) -> None:
    said = json.loads(workspace.blobs.read(NOTE))
    assert set(said["tables"]) == set(workspace.tables())
    said["joinery"], said["tables"]["events"] = "0.0.1", "another"
    lance.dataset(f"{workspace.url}/tables/events.lance").drop_columns(["verb"])
    workspace.blobs.put_bytes(NOTE, json.dumps(said).encode())
    with pytest.raises(StoreError, match=r"column verb: found no such column"):
        Workspace.existing(workspace.url)
    workspace.blobs.put_bytes(NOTE, b"{half")
    with pytest.raises(StoreError, match="column verb"):
        Workspace.existing(workspace.url)


def test_it_meets_nobody_and_needs_a_workspace(workspace: Workspace, tmp_path: Path) -> None:
    with at_work(workspace.blobs, Deed.RUN), pytest.raises(StoreError, match="`joinery run` is at work"):
        upgrade_workspace(workspace)
    with pytest.raises(StoreError, match="found no Joinery workspace there"):
        upgrade_workspace(Workspace(str(tmp_path / "nowhere")))


def test_the_command_says_what_becomes_of_every_table(recipe_file: Path, workspace: Workspace) -> None:
    def joinery(*words: str) -> Result:
        return CliRunner().invoke(app, ["upgrade", str(recipe_file), *words], catch_exceptions=False)

    assert "as this version writes them" in joinery().stdout
    without(workspace, "shard_entries", "sha256")
    without_note = joinery("--dry-run")
    assert without_note.exit_code == 0
    assert (
        "rows cannot be carried over and are left behind; sha256: found nothing, expected string" in without_note.stdout
    )
    assert "results have to be made anew" in without_note.stdout
    assert "upgraded" in joinery().stdout
    assert json.loads(joinery("--json").stdout)["steps"] == []
    without(workspace, "quarantine", "traceback")
    assert joinery("--dry-run").exit_code == 1


def test_killed_before_any_of_its_changes_and_repeated_it_comes_to_the_same(
    workspace: Workspace, load: Load, reference_bytes: dict[str, str]
) -> None:
    """One column is filled, one table emptied and its results forgotten, one table made."""
    n_entries = n_rows(workspace, "shard_entries")
    without(workspace, "work_done", "continues")
    without(workspace, "shard_entries", "sha256")
    shutil.rmtree(Path(workspace.url) / "tables" / "cluster_drift.lance")
    survived: list[int] = []
    for after in range(20):
        ended = subprocess.run(
            [sys.executable, "-c", KILLED_AFTER, workspace.url, str(after)], timeout=300, check=False
        )
        if ended.returncode == 0:
            break
        assert ended.returncode == -signal.SIGKILL
        survived.append(len(upgrade_workspace(workspace, dry_run=True).steps))
    assert survived[0] == 3, "before the first change all is still to do"
    assert survived[-1] == 1, "and before the last nearly nothing"
    assert upgrade_workspace(workspace).steps == ()
    assert n_rows(workspace, "shard_entries") == 0 < n_entries
    anew = {stage: n for stage, n in done(run_recipe(load(), Silent())).items() if n}
    assert set(anew) == {"shard"}
    assert shard_bytes(Path(workspace.url)) == reference_bytes
