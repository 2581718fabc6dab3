"""L6: a newer run taken in changes nothing that people said, and what it would have otherwise stands beside it."""

import dataclasses
from pathlib import Path

from annotators.review.document import Origin
from annotators.review.folder import ReviewFolder
from annotators.review.operation import Move
from annotators.review.review import Access, Mode, Review
from annotators.review.store import Submission
from tests.annotators.review.live import recording
from tests.annotators.review.made import made

NEWER = {0: 0, 110: 2, 160: 3, 230: 1, 260: 2, 300: 0}
"""The machine has b100 ten pictures and b200 thirty pictures later."""


def test_a_newer_run_changes_no_word_of_peoples(tmp_path: Path) -> None:
    review = Review(ReviewFolder(tmp_path / "review"), Access(Mode.SINGLE, "ann", "token"))
    first = recording(tmp_path, picture=None).imported
    assert review.take_in([first]).new == 1
    assert review.take_in([first]) == dataclasses.replace(review.take_in([first]), new=0, followed=0)
    review.store.submit(Submission("op-1", "ep-1", 0, "ann", Move(boundary_id="b200", frame=205), ""))
    said = {
        name: edge for name, edge in review.store.document("ep-1")[1].boundaries.items() if edge.origin is Origin.HUMAN
    }
    newer = dataclasses.replace(first, document=made(NEWER), run="run-2")
    assert review.take_in([newer]).followed == 1
    _, document = review.store.document("ep-1")
    assert {name: document.boundaries[name] for name in said} == said
    frames = {edge.frame for edge in document.boundaries.values()}
    assert 205 in frames
    assert 110 in frames, "where nobody touched it, it is what the machine says now"
    assert review.store.verify("ep-1") == []
    assert review.take_in([newer]).followed == 0, "once"
    review.close()
