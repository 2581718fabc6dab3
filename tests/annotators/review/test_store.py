"""Nothing a person saved is lost, doubled or silently overwritten."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotators.review.document import Document
from annotators.review.log import Status
from annotators.review.operation import Move, Operation, OperationError, Relabel
from annotators.review.store import Receipt, ReviewStore, Submission
from pipeline.errors import StoreError
from schemas.event import Level, Verb
from tests.annotators.review.made import made
from tests.annotators.review.test_operation import OPERATIONS

MEDIA = "sha"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ReviewStore]:
    opened = ReviewStore(tmp_path / "review.sqlite")
    opened.add(made(), MEDIA)
    yield opened
    opened.close()


def send(
    store: ReviewStore,
    operation: Operation | str,
    base: int,
    *,
    actor: str = "ann",
    op_id: str | None = None,
    media: str = MEDIA,
) -> Receipt:
    name = op_id or f"op-{len(store.log('ep-1'))}"
    return store.submit(Submission(name, "ep-1", base, actor, operation, media))  # type: ignore[arg-type]


def moved(frame: int, boundary: str = "b200") -> Move:
    return Move(boundary_id=boundary, frame=frame)


def frame_of(document: Document, boundary: str = "b200") -> int:
    return document.boundaries[boundary].frame


def test_a_saved_move_is_there_after_a_restart(tmp_path: Path) -> None:
    store = ReviewStore(tmp_path / "review.sqlite")
    store.add(made(), MEDIA)
    assert send(store, moved(210), 0) == send(store, moved(210), 0, op_id="op-0")
    store.close()
    again = ReviewStore(tmp_path / "review.sqlite")
    rev, document = again.document("ep-1")
    assert (rev, frame_of(document)) == (1, 210)
    assert again.verify("ep-1") == []


def test_a_retry_is_answered_as_before_and_applied_once(store: ReviewStore) -> None:
    first = send(store, moved(210), 0, op_id="same")
    send(store, moved(215), 1)
    assert send(store, moved(210), 0, op_id="same") == first
    assert frame_of(store.document("ep-1")[1]) == 215
    assert len(store.log("ep-1")) == 2


def test_an_edit_elsewhere_is_rebased(store: ReviewStore) -> None:
    send(store, moved(105, "b100"), 0, actor="ann")
    receipt = send(store, moved(265, "b260"), 0, actor="bob")
    assert (receipt.status, receipt.rev) == (Status.REBASED, 2)
    document = store.document("ep-1")[1]
    assert (frame_of(document, "b100"), frame_of(document, "b260")) == (105, 265)


@pytest.mark.parametrize("other", [moved(220), moved(150, "b160")], ids=["the same boundary", "its neighbour"])
def test_an_edit_of_what_somebody_else_changed_is_kept_but_not_applied(store: ReviewStore, other: Move) -> None:
    send(store, other, 0, actor="ann")
    before = store.document("ep-1")
    receipt = send(store, moved(210), 0, actor="bob")
    assert (receipt.status, receipt.rev, receipt.by) == (Status.CONFLICT, 1, "ann")
    assert store.document("ep-1") == before
    kept = store.log("ep-1")[-1]
    assert (kept.actor, kept.status, kept.change["boundary:b200"][1]) == (
        "bob",
        Status.CONFLICT,
        receipt.change["boundary:b200"][1],
    )
    assert send(store, moved(210), 1, actor="bob").status is Status.APPLIED, "bob may insist on the new revision"


def test_undo_and_redo_are_per_person_and_survive_a_restart(tmp_path: Path) -> None:
    store = ReviewStore(tmp_path / "review.sqlite")
    store.add(made(), MEDIA)
    seen = [store.document("ep-1")[1].sha256]
    for number in range(50):
        send(store, moved(201 + number), number, actor="ann")
        seen.append(store.document("ep-1")[1].sha256)
    send(store, Relabel(level=Level.TASK, boundary_id="b0", caption="bob was here", verb=Verb.LIFT), 50, actor="bob")
    for step in range(50):
        if step == 25:
            store.close()
            store = ReviewStore(tmp_path / "review.sqlite")
        send(store, "undo", 51 + step, actor="ann")
    assert frame_of(store.document("ep-1")[1]) == 200
    send(store, "undo", 101, actor="bob")
    assert store.document("ep-1")[1].sha256 == seen[0]
    for step in range(50):
        send(store, "redo", 102 + step, actor="ann")
        assert store.document("ep-1")[1].sha256 == seen[step + 1]
    with pytest.raises(OperationError, match="nothing to redo"):
        send(store, "redo", 152, actor="ann")
    assert store.verify("ep-1") == []


def test_an_undo_of_what_somebody_else_has_changed_since_is_a_conflict(store: ReviewStore) -> None:
    send(store, moved(210), 0, actor="ann")
    send(store, moved(220), 1, actor="bob")
    assert send(store, "undo", 2, actor="ann").status is Status.CONFLICT
    assert frame_of(store.document("ep-1")[1]) == 220


def test_edits_made_on_other_pictures_or_of_nothing_change_nothing(store: ReviewStore) -> None:
    for operation, base, media, said in (
        (moved(210), 0, "other", "other pictures"),
        (moved(210), 7, MEDIA, "base revision 7, expected 0 … 0"),
        (moved(299), 0, MEDIA, "in the way"),
        ("undo", 0, MEDIA, "nothing to undo"),
    ):
        with pytest.raises(OperationError, match=said):
            send(store, operation, base, media=media)
    with pytest.raises(KeyError):
        store.submit(Submission("x", "ep-none", 0, "ann", moved(210), MEDIA))
    assert store.log("ep-1") == []


def test_the_log_cannot_be_rewritten(store: ReviewStore, tmp_path: Path) -> None:
    send(store, moved(210), 0)
    with sqlite3.connect(tmp_path / "review.sqlite") as other:
        for statement in ("DELETE FROM op", "UPDATE op SET actor = 'eve'"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                other.execute(statement)


def test_a_document_changed_behind_the_log_is_found_out(store: ReviewStore, tmp_path: Path) -> None:
    send(store, moved(210), 0)
    with sqlite3.connect(tmp_path / "review.sqlite") as other:
        other.execute("UPDATE entity SET value = replace(value, '210', '215')")
    assert store.verify("ep-1") == ["ep-1: the log's replay is not the document of revision 1"]


def test_an_older_programme_does_not_touch_a_newer_file(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "review.sqlite") as newer:
        newer.execute("PRAGMA user_version=99")
    with pytest.raises(StoreError, match="found schema 99"):
        ReviewStore(tmp_path / "review.sqlite")
    (tmp_path / "text.sqlite").write_text("not a database, but long enough to look at " * 30)
    with pytest.raises(StoreError, match="found no review file"):
        ReviewStore(tmp_path / "text.sqlite")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(OPERATIONS | st.sampled_from(["undo", "redo"]), st.integers(0, 3), st.sampled_from("ab")), max_size=15
    )
)
def test_whatever_several_people_do_the_log_replays_to_the_document(
    tmp_path_factory: pytest.TempPathFactory, deeds: list[tuple[Operation, int, str]]
) -> None:
    store = ReviewStore(tmp_path_factory.mktemp("review") / "review.sqlite")
    store.add(made(), MEDIA)
    for operation, late, actor in deeds:
        rev = store.document("ep-1")[0]
        try:
            send(store, operation, max(0, rev - late), actor=actor)
        except OperationError:
            continue
        assert store.verify("ep-1") == []
    assert store.at("ep-1", 0).sha256 == made().sha256
    store.close()


WRITER = """
import sys
from pathlib import Path
from annotators.review.operation import Move
from annotators.review.store import ReviewStore, Submission
store = ReviewStore(Path(sys.argv[1]))
rev, document = store.document("ep-1")
frame = document.boundaries["b200"].frame
while True:
    frame = 201 + (frame - 200) % 50
    move = Move(boundary_id="b200", frame=frame)
    receipt = store.submit(Submission(f"op-{rev + 1}", "ep-1", rev, "ann", move, "sha"))
    rev = receipt.rev
    print(rev, frame, flush=True)
"""


def test_what_was_acknowledged_is_there_after_sigkill(tmp_path: Path) -> None:
    path = tmp_path / "review.sqlite"
    store = ReviewStore(path)
    store.add(made(), MEDIA)
    store.close()
    for attempt in range(4):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        said = writer.stdout.readline()
        time.sleep(0.05 * attempt)
        os.kill(writer.pid, signal.SIGKILL)
        said += writer.stdout.read()
        writer.wait()
        acknowledged = [line.split() for line in said.splitlines() if line.count(" ") == 1]
        store = ReviewStore(path)
        saved = {entry.rev: entry for entry in store.log("ep-1")}
        for rev, frame in acknowledged:
            after = saved[int(rev)].change["boundary:b200"][1]
            assert after is not None
            assert getattr(after, "frame", None) == int(frame)
        assert store.verify("ep-1") == []
        store.close()
