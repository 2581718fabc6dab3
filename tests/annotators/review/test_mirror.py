"""The mirror holds everything that was saved, each line once, and its replay is the review file."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from annotators.review.mirror import Mirror, lines_of
from annotators.review.operation import Move, OperationError
from annotators.review.replay import replay_into
from annotators.review.store import ReviewStore, Submission
from pipeline.errors import StoreError
from tests.annotators.review.made import made


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ReviewStore]:
    opened = ReviewStore(tmp_path / "review.sqlite")
    for name in ("ep-1", "ep-2"):
        opened.add(made(episode_id=name), "sha")
    yield opened
    opened.close()


def save(store: ReviewStore, number: int, episode: str = "ep-1", actor: str = "ann", base: int | None = None) -> None:
    base = store.document(episode)[0] if base is None else base
    move = Move(boundary_id="b200", frame=201 + number % 50)
    store.submit(Submission(f"op-{number}", episode, base, actor, move, "sha"))


def work(store: ReviewStore, n: int) -> None:
    for number in range(n):
        save(store, number, f"ep-{1 + number % 2}")
    store.submit(Submission("op-undo", "ep-1", store.document("ep-1")[0], "ann", "undo", "sha"))
    save(store, n + 1, actor="bob", base=0)


def test_the_replay_of_the_mirror_is_the_review_file(store: ReviewStore, tmp_path: Path) -> None:
    mirror = Mirror(store.database, tmp_path / "log")
    work(store, 5)
    mirror.catch_up()
    work_again = [f"op-{number}" for number in range(20, 25)]
    for name in work_again:
        save(store, int(name[3:]))
        mirror.catch_up()
    other = ReviewStore(tmp_path / "replayed.sqlite")
    assert replay_into(other, lines_of(tmp_path / "log")) == len(store.log("ep-1")) + len(store.log("ep-2"))
    for episode in ("ep-1", "ep-2"):
        assert other.document(episode) == store.document(episode)
        assert other.log(episode) == store.log(episode)
        assert other.verify(episode) == []
    assert replay_into(other, lines_of(tmp_path / "log")) == 0, "once"
    other.close()


def test_what_a_kill_left_undone_or_half_written_is_made_good(store: ReviewStore, tmp_path: Path) -> None:
    Mirror(store.database, tmp_path / "log").catch_up()
    work(store, 3)
    (path,) = (tmp_path / "log").glob("*.jsonl")
    whole = path.read_bytes()
    Mirror(store.database, tmp_path / "log").catch_up()
    expected = path.read_bytes()
    for torn in range(len(whole), len(expected), 97):
        path.write_bytes(expected[:torn])
        Mirror(store.database, tmp_path / "log").catch_up()
        assert path.read_bytes() == expected
    assert [json.loads(line)["table"] for line in expected.splitlines()].count("op") == 5


def test_a_damaged_line_and_a_mirror_of_another_file_are_told(store: ReviewStore, tmp_path: Path) -> None:
    work(store, 3)
    Mirror(store.database, tmp_path / "log").catch_up()
    younger = ReviewStore(tmp_path / "younger.sqlite")
    with pytest.raises(StoreError, match="found a mirror of operations"):
        Mirror(younger.database, tmp_path / "log")
    younger.add(made(), "sha")
    save(younger, 0)
    with pytest.raises(StoreError, match="different things"):
        replay_into(younger, lines_of(tmp_path / "log"))
    assert len(younger.log("ep-1")) == 1, "nothing half taken in"
    younger.close()
    (path,) = (tmp_path / "log").glob("*.jsonl")
    path.write_bytes(path.read_bytes().replace(b'"op_id"', b'"op_id', 1))
    with pytest.raises(StoreError, match="damaged"):
        list(lines_of(tmp_path / "log"))


def test_a_gap_in_the_mirror_is_no_history(store: ReviewStore, tmp_path: Path) -> None:
    work(store, 5)
    Mirror(store.database, tmp_path / "log").catch_up()
    lines = [line for line in lines_of(tmp_path / "log") if line.get("op_id") != "op-2"]
    other = ReviewStore(tmp_path / "other.sqlite")
    with pytest.raises(StoreError, match="does not follow"):
        replay_into(other, lines)
    other.close()


def test_a_mirror_that_cannot_be_written_keeps_nobody_from_saving(store: ReviewStore, tmp_path: Path) -> None:
    mirror = Mirror(store.database, tmp_path / "log")
    (tmp_path / "log").rmdir()
    save(store, 1)
    mirror.catch_up()
    assert "No such file" in mirror.problem
    (tmp_path / "log").mkdir()
    mirror.catch_up()
    assert mirror.problem == ""
    assert [line.get("op_id") for line in lines_of(tmp_path / "log")] == [None, None, "op-1"]


def test_an_operation_of_somebody_else_is_not_told_to_whoever_guesses_its_id(store: ReviewStore) -> None:
    save(store, 1)
    with pytest.raises(OperationError, match="somebody else"):
        save(store, 1, episode="ep-2")
