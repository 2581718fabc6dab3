"""The revision file: the same reviews, the same bytes; cut short, it is refused; nothing half is ever seen."""

import io
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.blobs import Blobs
from pipeline.errors import StoreError
from pipeline.revision import PATH, dump_review, load_review, publish, reviews_in, revision_of, written
from schemas.episode import Arm
from schemas.event import BoundaryKind, Level, ReviewState, Verb
from schemas.review import Review, ReviewedBoundary, ReviewedEvent, ReviewedWords

WORDS = ReviewedWords("pour the tea", Verb.POUR, ("tea",), Arm.LEFT, ReviewState.EDITED, "ann")
EDGE = ReviewedBoundary(10, 2, BoundaryKind.GRASP, ReviewState.ACCEPTED, "bob")
EVENT = ReviewedEvent(Level.ACTION, 10, 40, "", WORDS)
ONE = Review("ep-1", 300, (EDGE, replace(EDGE, frame=40, by="")), (EVENT,))
TWO = Review("ep-2", 90, (), (replace(EVENT, words=None, joined_by="cy"),), "a face is seen")


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(str(tmp_path))


def test_reviews_come_back_as_they_were(blobs: Blobs) -> None:
    assert list(reviews_in(blobs)) == []
    assert revision_of(blobs) is None
    made = publish(blobs, [ONE, TWO], at_rev=7)
    assert list(reviews_in(blobs)) == [ONE, TWO]
    assert revision_of(blobs) == made
    assert (made.at_rev, made.episodes) == (7, 2)
    assert load_review(dump_review(TWO)) == TWO


def test_the_same_reviews_are_the_same_bytes() -> None:
    first, second = io.BytesIO(), io.BytesIO()
    assert written([ONE, TWO], 7, first) == written(iter([ONE, TWO]), 7, second)
    assert first.getvalue() == second.getvalue()
    assert written([ONE, TWO], 8, io.BytesIO()).sha256 == written([ONE, TWO], 7, io.BytesIO()).sha256
    assert written([ONE], 7, io.BytesIO()).sha256 != written([TWO], 7, io.BytesIO()).sha256


@pytest.mark.parametrize("keep", [1, 200, -2, -150])
def test_a_file_cut_short_is_refused(blobs: Blobs, tmp_path: Path, keep: int) -> None:
    publish(blobs, [ONE, TWO], 7)
    path = tmp_path / PATH
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(StoreError, match=r"joinery review export"):
        list(reviews_in(blobs))


def test_a_changed_line_is_refused(blobs: Blobs, tmp_path: Path) -> None:
    publish(blobs, [ONE, TWO], 7)
    path = tmp_path / PATH
    path.write_bytes(path.read_bytes().replace(b"pour the tea", b"sip the tea "))
    with pytest.raises(StoreError, match="2 whole episodes"):
        list(reviews_in(blobs))


def test_an_export_killed_anywhere_leaves_the_old_revision_whole(blobs: Blobs, tmp_path: Path) -> None:
    """L5 of the review's acceptance tests."""
    publish(blobs, [ONE], 7)
    old = (tmp_path / PATH).read_bytes()
    writing = textwrap.dedent(
        f"""
        from dataclasses import replace
        from pipeline.blobs import Blobs
        from pipeline.revision import publish
        from tests.pipeline.test_revision import TWO
        def endless():
            number = 0
            while True:
                print(number, flush=True)
                yield replace(TWO, episode_id=f"ep-{{number:09d}}")
                number += 1
        publish(Blobs({str(tmp_path)!r}), endless(), 8)
        """
    )
    with subprocess.Popen([sys.executable, "-c", writing], stdout=subprocess.PIPE, cwd=os.getcwd()) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line) > 20_000:
                break
        writer.send_signal(signal.SIGKILL)
    assert _unfinished(tmp_path), "the export must have been in the middle of its file"
    assert (tmp_path / PATH).read_bytes() == old
    assert list(reviews_in(blobs)) == [ONE]
    assert blobs.list("reviews") == [PATH]


def _unfinished(folder: Path) -> list[Path]:
    deadline = time.monotonic() + 5
    while not (found := [path for path in folder.rglob("*.tmp") if path.stat().st_size > 0]):
        if time.monotonic() > deadline:
            break
    return found


def test_reading_takes_one_episode_at_a_time(blobs: Blobs) -> None:
    publish(blobs, (replace(ONE, episode_id=f"ep-{i:06d}") for i in range(3000)), 1)
    reading: Iterator[Review] = reviews_in(blobs)
    assert next(reading).episode_id == "ep-000000"
    assert sum(1 for _ in reading) == 2999
