"""Entries go to JSON and back, replay to the document, and a chain that was tampered with says where."""

from dataclasses import replace

from annotators.review.document import Document
from annotators.review.log import (
    LogEntry,
    MarkMode,
    Status,
    chain_problems,
    dump_change,
    dump_document,
    load_change,
    load_document,
    replayed,
)
from annotators.review.operation import Merge, Move, Operation, applied, change_of
from tests.annotators.review.made import made

OPERATIONS: list[Operation] = [Move(boundary_id="b200", frame=210), Merge(boundary_id="b160")]


def entries(statuses: list[Status]) -> tuple[list[LogEntry], Document]:
    document, found, previous, rev = made(), list[LogEntry](), "", 0
    for number, (operation, status) in enumerate(zip(OPERATIONS, statuses, strict=True)):
        change = change_of(document, operation)
        if status.took_effect:
            document, rev = applied(document, change), rev + 1
        entry = LogEntry(
            op_id=f"op-{number}", episode_id="ep-1", rev=rev, base_rev=0, actor="ann", at_ns=number,
            kind=operation.kind, refers_to="", payload=operation.model_dump(mode="json"), change=change, status=status,
            media_sha256="m", frame_verified=True, mark_mode=MarkMode.PAUSED, previous_sha256=previous,
        )  # fmt: skip
        found.append(entry)
        previous = entry.sha256
    return found, document


def test_documents_and_changes_survive_json() -> None:
    document = made()
    assert load_document(dump_document(document)).sha256 == document.sha256
    for operation in OPERATIONS:
        change = change_of(document, operation)
        assert load_change(dump_change(change)) == change


def test_the_log_replays_to_the_document_and_a_conflict_changes_nothing() -> None:
    log, document = entries([Status.APPLIED, Status.REBASED])
    assert replayed(made(), log).sha256 == document.sha256
    log, document = entries([Status.APPLIED, Status.CONFLICT])
    assert replayed(made(), log).sha256 == document.sha256
    assert "b160" in document.boundaries


def test_a_whole_chain_has_no_problems_and_a_broken_one_says_where() -> None:
    log, _ = entries([Status.APPLIED, Status.APPLIED])
    assert chain_problems(log) == []
    assert chain_problems(log[1:]) == [
        "op-1: it does not follow the entry before it",
        "op-1: revision 2 after 0",
    ]
    assert chain_problems([replace(log[0], actor="eve"), log[1]]) == ["op-1: it does not follow the entry before it"]
