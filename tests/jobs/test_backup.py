"""A backup is the workspace: verified, with nothing to do, the same bytes; and damage to it is found and named."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from annotators.review.store import ReviewStore
from jobs import backup as module
from jobs.backup import make_backup, restore_backup
from jobs.cli import app
from jobs.forget import Wish, forget
from jobs.progress import StageProgress
from jobs.run import RunResult, run_recipe
from pipeline.at_work import Deed, at_work
from pipeline.attempt import Attempt, AttemptWriter
from pipeline.blobs import Blobs
from pipeline.errors import StoreError
from pipeline.shards.latest import shard_set_path
from pipeline.shards.verify import verify
from pipeline.store import Workspace
from pipeline.upkeep.backup_place import BackupPlace, object_path
from pipeline.upkeep.restore import RESTORING, check
from schemas.finding import Finding, Verdict
from schemas.recipe_file import LoadedRecipe
from schemas.run import WorkDone
from tests.annotators.review.made import made
from tests.jobs.runs import Silent, done, shard_bytes
from tests.jobs.test_forget import AT, named
from tests.pipeline.s3_server import s3_bucket

Load = Callable[..., LoadedRecipe]


@pytest.fixture
def workspace(already_run: RunResult, load: Load) -> Workspace:
    return Workspace.existing(load().recipe.workspace.url)


@pytest.fixture
def place(tmp_path: Path) -> BackupPlace:
    return BackupPlace(Blobs(str(tmp_path / "backups")))


@pytest.fixture
def small(tmp_path: Path) -> Workspace:
    """A workspace with one result, for what does not depend on what is in it."""
    workspace = Workspace.open(str(tmp_path / "small"))
    commit(workspace, "one")
    workspace.blobs.put_bytes("tars/one.tar", b"a tar")
    workspace.blobs.link("tars/one.tar", "shards/ss-1/train-000000.tar")
    return workspace


def commit(workspace: Workspace, name: str) -> None:
    writer = AttemptWriter(workspace)
    writer.add([Finding(name, "source", "align", "c", Verdict.KEEP, "message")], name, name)
    workspace.commit([Attempt(writer.finish(), (WorkDone(name, "align", name, name, name, "run", 0.0),), ())])


def fresh(place: BackupPlace) -> BackupPlace:
    """The same place, looked at anew."""
    return BackupPlace(place.blobs)


def back_again(place: BackupPlace, target: Path, name: str = "") -> Workspace:
    assert restore_backup(fresh(place), name, Blobs(str(target))).problems == ()
    return Workspace.existing(str(target))


def damage(place: BackupPlace, path: str) -> Path:
    """Change one bit of a content; its file."""
    (file,) = [file for file in place.files(place.backup()) if file.path == path]
    at = Path(place.url) / object_path(file.sha256)
    data = bytearray(at.read_bytes())
    data[len(data) // 2] ^= 1
    at.write_bytes(data)
    return at


def test_what_comes_back_verifies_has_nothing_to_do_and_is_the_same_bytes(
    workspace: Workspace, place: BackupPlace, load: Load, reference_bytes: dict[str, str], tmp_path: Path
) -> None:
    said = made(episode_id=named(workspace, "teleop"))
    folder = Path(workspace.url) / "review"
    folder.mkdir()
    store = ReviewStore(folder / "review.sqlite")
    store.add(said, "sha")  # left open, as by a server: what is in the write-ahead log must come along
    make_backup(workspace, place)
    again = back_again(place, tmp_path / "again")
    store.close()
    assert shard_bytes(tmp_path / "again") == reference_bytes
    assert verify(again.blobs, shard_set_path(again.blobs)).problems == ()
    assert not (tmp_path / "again" / RESTORING).exists()
    tars = list((tmp_path / "again" / "tars").glob("*.tar"))
    assert tars
    assert all(tar.stat().st_nlink == 2 for tar in tars), "one file under two names, as it was"
    with sqlite3.connect(tmp_path / "again" / "review" / "review.sqlite") as sql:
        assert sql.execute("SELECT count(*) FROM episode").fetchall() == [(1,)]
    there = f"workspace.url={tmp_path / 'again'}"
    assert set(done(run_recipe(load(there), Silent())).values()) == {0}
    assert shard_bytes(tmp_path / "again") == reference_bytes


def test_a_second_backup_costs_what_is_new(small: Workspace, place: BackupPlace, tmp_path: Path) -> None:
    first = make_backup(small, place).made
    assert first.n_copied > 0
    again = make_backup(small, fresh(place)).made
    assert again.backup.name.endswith(first.backup.files[:8])
    assert (again.n_copied, again.n_known) == (0, again.backup.n_files - 1), "workspace.json may change, and is read"
    commit(small, "two")
    more = make_backup(small, fresh(place)).made
    assert more.n_copied == 6, "a data file, a manifest and a transaction of each of two tables"
    assert [line.item for line in back_again(place, tmp_path / "again").rows(WorkDone)] == ["one", "two"]
    old = back_again(place, tmp_path / "old", first.backup.name)
    assert [line.item for line in old.rows(WorkDone)] == ["one"]


@pytest.mark.parametrize("path", ["tars/one.tar", "a table's rows", "work_done's manifest"])
def test_damage_is_found_and_named_and_nothing_half_is_restored(
    small: Workspace, place: BackupPlace, tmp_path: Path, path: str
) -> None:
    make_backup(small, place)
    listed = [file.path for file in place.files(place.backup())]
    wanted = {"a table's rows": "findings.lance/data/", "work_done's manifest": "work_done.lance/_versions/"}
    path = next(name for name in listed if wanted.get(path, path) in name)
    object_file = damage(place, path)
    problems = check(fresh(place), place.backup()).problems
    assert any(problem.startswith(f"{path}: {object_file}: is not what its name says") for problem in problems)
    result = restore_backup(fresh(place), "", Blobs(str(tmp_path / "again")))
    assert len(result.problems) == 1
    with pytest.raises(StoreError, match="no Joinery workspace there"):
        Workspace.existing(str(tmp_path / "again"))
    object_file.unlink()
    assert "not there" in check(fresh(place), place.backup()).problems[0]
    assert make_backup(small, fresh(place)).made.n_copied == 1, "the workspace still has it"
    assert check(fresh(place), place.backup()).problems == ()
    commit(small, "two")
    make_backup(small, fresh(place))
    with pytest.raises(StoreError, match="another backup was being restored there"):
        restore_backup(fresh(place), "", Blobs(str(tmp_path / "again")))
    back_again(place, tmp_path / "third")


def test_a_place_that_does_not_give_back_what_it_was_given_is_found_out(
    small: Workspace, place: BackupPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Blobs.open

    def flipped(self: Blobs, path: str):  # type: ignore[no-untyped-def]
        if path.startswith("objects/"):
            at = Path(self.url) / path
            at.write_bytes(b"x" + at.read_bytes()[1:])
        return read(self, path)

    monkeypatch.setattr(Blobs, "open", flipped)
    with pytest.raises(StoreError, match="is not what its name says"):
        make_backup(small, place)
    monkeypatch.undo()
    assert place.backups() == []


def test_a_restore_that_was_killed_goes_on(
    small: Workspace, place: BackupPlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_backup(small, place)
    put, left = Blobs.put, [20]

    def killed(self: Blobs, path: str, write) -> None:  # type: ignore[no-untyped-def]
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        put(self, path, write)

    monkeypatch.setattr(Blobs, "put", killed)
    target = Blobs(str(tmp_path / "again"))
    with pytest.raises(KeyboardInterrupt):
        restore_backup(fresh(place), "", target)
    monkeypatch.undo()
    with pytest.raises(StoreError, match="no Joinery workspace there"):
        Workspace.existing(target.url)
    torn = next(path for path in target.list("tables"))
    (tmp_path / "again" / torn).write_bytes(b"x" * (tmp_path / "again" / torn).stat().st_size)
    assert [line.item for line in back_again(place, tmp_path / "again").rows(WorkDone)] == ["one"]
    with pytest.raises(StoreError, match="expected an empty folder"):
        restore_backup(fresh(place), "", target)


class BackingUp:
    """Backs the workspace up at the first sign of each of these stages."""

    def __init__(self, workspace: Workspace, place: BackupPlace, stages: set[str]) -> None:
        self._workspace, self._place, self._left = workspace, place, stages
        self.names: list[str] = []

    def update(self, progress: StageProgress) -> None:
        if progress.stage in self._left and progress.done:
            self._left.remove(progress.stage)
            self.names.append(make_backup(self._workspace, fresh(self._place)).made.backup.name)

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "stages", [{"shard"}, pytest.param({"ingest", "calibrate", "cut", "schedule"}, marks=pytest.mark.slow)]
)
def test_a_backup_made_while_a_run_is_at_work_comes_to_the_same_end(
    load: Load, place: BackupPlace, reference_bytes: dict[str, str], tmp_path: Path, stages: set[str]
) -> None:
    workspace, n = Workspace.open(load().recipe.workspace.url), len(stages)
    reporter = BackingUp(workspace, place, stages)
    run_recipe(load("run.batch_items=1"), reporter)
    assert len(reporter.names) == n
    for name in reporter.names:
        back_again(place, tmp_path / name, name)
        finished = run_recipe(load(f"workspace.url={tmp_path / name}"), Silent())
        assert finished.succeeded
        assert shard_bytes(tmp_path / name) == reference_bytes


def test_what_was_forgotten_since_is_said(workspace: Workspace, place: BackupPlace, tmp_path: Path) -> None:
    old = make_backup(workspace, place).made.backup
    episode = named(workspace, "teleop")
    forget(workspace, Wish((episode,), AT))
    make_backup(workspace, fresh(place))
    result = restore_backup(fresh(place), old.name, Blobs(str(tmp_path / "again")))
    assert len(result.forgotten_since) == 1
    assert forget(Workspace.existing(str(tmp_path / "again")), Wish((episode,), AT)).proven


def test_it_meets_no_takedown_and_no_gc(small: Workspace, place: BackupPlace) -> None:
    for deed in (Deed.FORGET, Deed.GC, Deed.UPGRADE):
        with at_work(small.blobs, deed), pytest.raises(StoreError, match=f"`joinery {deed}` is at work"):
            make_backup(small, place)
    with at_work(place.blobs, Deed.GC), pytest.raises(StoreError, match="`joinery gc` is at work"):
        make_backup(small, place)


def test_only_as_many_are_kept_as_asked_and_only_what_they_need(
    small: Workspace, place: BackupPlace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Clock:
        hour = 0

        @classmethod
        def now(cls, tz: object) -> datetime:
            cls.hour += 1
            return datetime(2026, 11, 22, cls.hour, tzinfo=UTC)

    monkeypatch.setattr(module, "datetime", Clock)
    small.blobs.put_bytes("reviews/revision.jsonl", b"only of the first")
    for name in ("two", "three"):
        make_backup(small, fresh(place))
        small.blobs.put_bytes("reviews/revision.jsonl", f"only of {name}".encode())
    result = make_backup(small, fresh(place), keep=2)
    assert len(result.removed) == 1
    assert [backup.name[:11] for backup in fresh(place).backups()] == ["20261122T02", "20261122T03"]
    contents = {Path(path).read_bytes() for path in Path(place.url).glob("objects/*/*")}
    assert b"only of the first" not in contents
    assert {b"only of two", b"only of three"} <= contents
    assert check(fresh(place), place.backups()[0]).problems == ()


def test_backups_of_several_workspaces_are_told_apart(small: Workspace, place: BackupPlace, tmp_path: Path) -> None:
    make_backup(small, place)
    make_backup(Workspace.open(str(tmp_path / "other")), fresh(place))
    with pytest.raises(StoreError, match="backups of several workspaces, name one with --backup"):
        restore_backup(fresh(place), "", Blobs(str(tmp_path / "again")))
    with pytest.raises(StoreError, match="0 backups are called 1999"):
        place.backup("1999")
    with pytest.raises(StoreError, match="found no backup there"):
        BackupPlace(Blobs(str(tmp_path / "nowhere"))).backup()


def test_an_object_store_takes_a_backup_and_a_workspace(small: Workspace, tmp_path: Path) -> None:
    with s3_bucket("bucket") as storage:
        place = BackupPlace(Blobs("s3://bucket/backups", storage))
        make_backup(small, place)
        assert make_backup(small, fresh(place)).made.n_copied == 0
        there = Blobs("s3://bucket/again", storage)
        assert restore_backup(fresh(place), "", there).problems == ()
        assert [line.item for line in Workspace.existing(there.url, storage).rows(WorkDone)] == ["one"]
        assert there.read("shards/ss-1/train-000000.tar") == b"a tar"
        assert make_backup(Workspace.existing(there.url, storage), fresh(place)).made.n_copied == 0


def test_the_commands_say_what_they_did(recipe_file: Path, workspace: Workspace, tmp_path: Path) -> None:
    def joinery(*words: object) -> Result:
        return CliRunner().invoke(app, [*map(str, words)], catch_exceptions=False)

    to = tmp_path / "backups"
    made_ = joinery("backup", recipe_file, "--to", to)
    assert made_.exit_code == 0
    assert "each read back" in made_.stdout
    (listed,) = json.loads(joinery("restore", to, "--list", "--json").stdout)
    assert listed["workspace"] == workspace.url
    assert "is whole" in joinery("restore", to, "--check").stdout
    shutil.rmtree(workspace.url)
    put_back = joinery("restore", to, "--to", workspace.url)
    assert put_back.exit_code == 0
    assert joinery("verify", recipe_file).exit_code == 0
    damage(BackupPlace(Blobs(str(to))), "shards/latest.json")
    broken = joinery("restore", to, "--check")
    assert broken.exit_code == 1
    assert "DAMAGED: shards/latest.json" in broken.stdout
    assert joinery("restore", to).exit_code == 1
    assert joinery("backup", recipe_file, "--to", to, "--storage", "region").exit_code == 1
