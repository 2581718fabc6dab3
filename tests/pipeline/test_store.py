"""The workspace: what is committed is there, what is not is invisible, on disk and on an object store."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest

from pipeline.attempt import Attempt, AttemptWriter, new_attempt
from pipeline.errors import StoreError, UnreachableError
from pipeline.store import INDEX_ABOVE_ROWS, Workspace
from schemas.finding import Failure, Finding, Verdict
from schemas.run import WorkDone
from tests.pipeline.s3_server import s3_bucket


@pytest.fixture(params=["local", "s3"])
def workspace(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workspace]:
    if request.param == "local":
        yield Workspace.open(str(tmp_path / "ws"))
        return
    with s3_bucket("bucket") as storage:
        yield Workspace.open("s3://bucket/some/ws", storage)


def finding(subject: str, check: str = "c") -> Finding:
    return Finding(subject, "source", "align", check, Verdict.KEEP, "message")


def attempt_of(workspace: Workspace, subject: str, attempt: str, key: str = "key") -> Attempt:
    writer = AttemptWriter(workspace)
    writer.add([finding(subject, "first"), finding(subject, "second")], key, attempt)
    return Attempt(writer.finish(), (WorkDone(key, "align", subject, attempt, key, "run", 0.1),), ())


def test_committed_records_come_back_in_the_order_written(workspace: Workspace) -> None:
    workspace.commit([attempt_of(workspace, "ep-1", "a1")])
    assert workspace.read(Finding, ["a1"]) == {"a1": [finding("ep-1", "first"), finding("ep-1", "second")]}
    assert [done.attempt for done in workspace.rows(WorkDone)] == ["a1"]


def test_an_attempt_that_was_never_committed_is_invisible(workspace: Workspace) -> None:
    attempt_of(workspace, "ep-1", "a1")
    assert workspace.read(Finding, ["a1"]) == {"a1": []}
    assert workspace.rows(WorkDone) == []


def test_a_kill_between_data_and_ledger_leaves_no_result(workspace: Workspace) -> None:
    attempt = attempt_of(workspace, "ep-1", "a1")
    workspace.commit([Attempt(attempt.fragments, (), ())])
    assert workspace.rows(WorkDone) == []
    workspace.commit([attempt_of(workspace, "ep-1", "a2")])
    assert workspace.read(Finding, ["a2"])["a2"] == [finding("ep-1", "first"), finding("ep-1", "second")]


def test_reading_no_attempts_reads_nothing(workspace: Workspace) -> None:
    assert workspace.read(Finding, []) == {}


def test_failures_are_kept_with_their_traceback(workspace: Workspace) -> None:
    failure = Failure("ingest", "ep-1", "source", "key", "SourceError", "it's broken", "Traceback …", "run")
    workspace.commit([Attempt({}, (), (failure,))])
    assert workspace.rows(Failure) == [failure]


def test_replacing_a_ledger_is_whole(workspace: Workspace) -> None:
    done = [WorkDone(str(i), "s", "i", "a", "k", "r", 0.0) for i in range(5)]
    workspace.replace(WorkDone, iter([done[:2], done[2:3]]))
    workspace.replace(WorkDone, iter([done[3:]]))
    assert workspace.rows(WorkDone) == done[3:]


def test_replacing_with_nothing_empties(workspace: Workspace) -> None:
    workspace.append(WorkDone, [WorkDone("k", "s", "i", "a", "k", "r", 0.0)])
    workspace.replace(WorkDone, iter([[]]))
    assert workspace.rows(WorkDone) == []


def test_compaction_changes_no_answer(workspace: Workspace) -> None:
    for i in range(70):
        workspace.append(WorkDone, [WorkDone(str(i), "s", "i", "a", "k", "r", 0.0)])
    before = workspace.rows(WorkDone)
    workspace.compact(["work_done"])
    assert workspace.rows(WorkDone) == before


def test_a_large_table_is_read_through_an_index_and_what_it_does_not_know_yet_too(tmp_path: Path) -> None:
    workspace = Workspace.open(str(tmp_path / "ws"))
    rows, attempts = (
        [finding(str(i)) for i in range(1000)],
        [new_attempt() for _ in range(INDEX_ABOVE_ROWS // 1000 + 1)],
    )
    writer = AttemptWriter(workspace)
    for attempt in attempts:
        writer.add(rows, "key", attempt)
    workspace.commit([Attempt(writer.finish(), (), ())])
    workspace.compact(["findings"])
    workspace.commit([attempt_of(workspace, "later", "z")])
    assert workspace.blobs.list("tables/findings.lance/_indices")
    found = workspace.read(Finding, [attempts[7], "z", "nobody's"])
    assert found == {attempts[7]: rows, "z": [finding("later", "first"), finding("later", "second")], "nobody's": []}


def test_attempts_made_one_after_the_other_are_in_that_order_and_never_the_same() -> None:
    made = [new_attempt() for _ in range(1000)]
    assert made == sorted(set(made))


def test_a_folder_that_is_no_workspace_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no Joinery workspace there; `joinery run RECIPE` makes one"):
        Workspace.existing(str(tmp_path))


def test_a_node_that_does_not_share_the_folder_is_told_so(tmp_path: Path) -> None:
    """It can write its data files all the same; what it reads is not there."""
    workspace = Workspace.open(str(tmp_path / "here"))
    elsewhere = replace(workspace, url=str(tmp_path / "there"))
    with pytest.raises(UnreachableError, match=r"the table \w+ is not there on node .* every node sees"):
        elsewhere.rows(Failure)


def test_blobs_appear_whole_and_link_without_copying(workspace: Workspace) -> None:
    blobs = workspace.blobs
    blobs.put_bytes("tars/a.tar", b"first")
    blobs.put_bytes("tars/a.tar", b"second")
    blobs.link("tars/a.tar", "shards/set/train-000000.tar")
    blobs.link("tars/a.tar", "shards/set/train-000000.tar")
    assert blobs.read("shards/set/train-000000.tar") == b"second"
    assert blobs.list("tars") == ["tars/a.tar"]
    assert blobs.list("shards") == ["shards/set/train-000000.tar"]
    assert blobs.list("nothing") == []
    assert blobs.exists("tars/a.tar")
    assert not blobs.exists("tars/b.tar")


def test_a_failed_write_leaves_no_blob(workspace: Workspace) -> None:
    blobs = workspace.blobs

    def write(stream: BinaryIO) -> None:
        stream.write(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        blobs.put("x/y.tar", write)
    assert blobs.list("x") == []


def test_a_table_that_a_full_disk_left_without_a_version_is_made_when_there_is_room(tmp_path: Path) -> None:
    versions = tmp_path / "tables" / "episodes.lance" / "_versions"
    versions.mkdir(parents=True)
    (versions / "latest_version_hint.json").write_bytes(b"")
    Workspace.open(str(tmp_path))
    assert list(versions.glob("*.manifest"))
