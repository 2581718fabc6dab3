"""A file's rows become what a person would have done, and no more than that."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from annotators.review.document import Document, problems
from annotators.review.formats.operations import next_operation, said_otherwise
from annotators.review.formats.row import Row, rows_of
from annotators.review.operation import OperationError, applied, change_of
from schemas.event import Level, ReviewState, Verb
from tests.annotators.review.made import CUTS, made
from tests.annotators.review.reviewed import Session, wandered


def followed(document: Document, rows: Sequence[Row]) -> tuple[Document, list[str], int]:
    """The document after a file, the kinds of what was done, and how much was refused."""
    needed = frozenset(frame for row in rows for frame in (row.frame_start, row.frame_end))
    kinds, refused = [], 0
    for row in said_otherwise(document, rows):
        for _ in range(64):
            operation = next_operation(document, row, needed, "salt")
            if operation is None:
                break
            try:
                document = applied(document, change_of(document, operation))
            except OperationError:
                refused += 1
                break
            kinds.append(operation.kind)
    return document, kinds, refused


def places(document: Document) -> list[tuple[Level, int, int]]:
    return [(row.level, row.frame_start, row.frame_end) for row in rows_of(document)]


def test_a_file_that_says_what_is_there_does_nothing() -> None:
    assert said_otherwise(made(), rows_of(made())) == []
    assert said_otherwise(made(), [replace(row, verb=None) for row in rows_of(made())]) == []


def test_an_edge_that_lies_elsewhere_is_moved() -> None:
    document, kinds, refused = followed(made(), rows_of(made({0: 0, 103: 2, 160: 3, 200: 1, 260: 2, 300: 0})))
    assert places(document) == places(made({0: 0, 103: 2, 160: 3, 200: 1, 260: 2, 300: 0}))
    assert kinds.count("move") == 1
    assert "split" not in kinds
    assert refused == 0


def test_one_row_more_is_a_split_and_one_less_a_merge() -> None:
    more, kinds, _ = followed(made(), rows_of(made(CUTS | {50: 3})))
    assert places(more) == places(made(CUTS | {50: 3}))
    assert kinds[0] == "split"
    less, kinds, _ = followed(made(), rows_of(made({f: r for f, r in CUTS.items() if f != 160})))
    assert places(less) == places(made({f: r for f, r in CUTS.items() if f != 160}))
    assert kinds == ["merge"]


def test_words_and_decisions_are_taken_and_nothing_else() -> None:
    rows = rows_of(made())
    action = next(i for i, row in enumerate(rows) if row.level is Level.ACTION)
    rows[action] = replace(rows[action], caption="pour", verb=Verb.POUR)
    rows[action + 1] = replace(rows[action + 1], state=ReviewState.REJECTED)
    document, kinds, _ = followed(made(), rows)
    assert kinds == ["label", "decide"]
    assert [(row.caption, row.state) for row in rows_of(document)][action : action + 2] == [
        ("pour", ReviewState.EDITED), (rows[action + 1].caption, ReviewState.REJECTED),
    ]  # fmt: skip


def test_another_rank_is_given_and_not_made_anew() -> None:
    document, kinds, _ = followed(made(), rows_of(made(CUTS | {160: 2})))
    assert places(document) == places(made(CUTS | {160: 2}))
    assert kinds[0] == "rank"


@settings(deadline=None)
@given(st.integers(0, 2**16), st.integers(0, 12))
def test_any_file_leaves_a_valid_document_and_what_is_not_refused_is_there(seed: int, n: int) -> None:
    target = wandered(Session(made()), seed, n).document
    document, _, refused = followed(made(), rows_of(target))
    assert problems(document) == []
    if not refused:
        assert places(document) == places(target)
