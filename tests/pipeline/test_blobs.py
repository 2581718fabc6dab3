"""Blobs whose names are not made of their contents: nobody's is overwritten unseen, on disk and on an object store."""

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from pipeline.blobs import Blobs
from pipeline.errors import ConflictError
from tests.pipeline.s3_server import s3_bucket


@pytest.fixture(scope="module", params=["local", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Blobs]:
    if request.param == "local":
        yield Blobs(str(tmp_path_factory.mktemp("ws")))
        return
    with s3_bucket("bucket") as storage:
        yield Blobs("s3://bucket/some/ws", storage)


def writing(text: str) -> Callable[[BinaryIO], None]:
    return lambda stream: cast(None, stream.write(text.encode()))


def test_the_first_of_two_that_begin_a_blob_has_it(blobs: Blobs) -> None:
    assert blobs.version("first") == ""
    blobs.put_over("", "first", writing("one"))
    with pytest.raises(ConflictError, match="first: somebody else has written or removed it meanwhile"):
        blobs.put_over("", "first", writing("another"))
    assert blobs.read("first") == b"one"


def test_two_that_write_the_same_are_no_conflict(blobs: Blobs) -> None:
    blobs.put_over("", "same", writing("one"))
    blobs.put_over("", "same", writing("one"))
    assert blobs.read("same") == b"one"


def test_whoever_knows_what_is_there_may_replace_it(blobs: Blobs) -> None:
    blobs.put_bytes("known", b"one")
    seen = blobs.version("known")
    blobs.put_over(seen, "known", writing("two"))
    with pytest.raises(ConflictError):
        blobs.put_over(seen, "known", writing("three"))
    assert blobs.read("known") == b"two"


def test_what_was_removed_is_not_written_again_by_who_thinks_it_is_there(blobs: Blobs) -> None:
    blobs.put_bytes("gone", b"one")
    seen = blobs.version("gone")
    blobs.remove("gone")
    with pytest.raises(ConflictError):
        blobs.put_over(seen, "gone", writing("two"))
    assert not blobs.exists("gone")


def test_a_conflict_leaves_nothing_half_written(blobs: Blobs) -> None:
    blobs.put_bytes("tidy/a", b"one")
    with pytest.raises(ConflictError):
        blobs.put_over("", "tidy/a", writing("two"))
    assert blobs.list("tidy", unfinished=True) == ["tidy/a"]


def test_folders_are_listed_and_removed_whole(blobs: Blobs) -> None:
    for name in ("f/a", "f/b/c", "f2/d"):
        blobs.put_bytes(name, b"")
    assert blobs.list("f") == ["f/a", "f/b/c"]
    blobs.remove_folder("f")
    blobs.remove_folder("f")
    assert blobs.list("f") == []
    assert blobs.list("f2") == ["f2/d"]


def test_parts_of_a_blob_end_where_it_ends(blobs: Blobs) -> None:
    blobs.put_bytes("parts", bytes(range(100)))
    ranges = blobs.ranges("parts")
    assert [ranges.read_at(10, at) for at in (0, 95, 100, 200)] == [bytes(range(10)), bytes(range(95, 100)), b"", b""]
    ranges.close()


def test_connections_stay_where_they_are(blobs: Blobs) -> None:
    blobs.put_bytes("sent", b"one")
    sent = pickle.loads(pickle.dumps(blobs))
    assert sent == blobs
    assert "bucket" not in sent.__dict__
    assert sent.read("sent") == b"one"


def test_a_path_that_begins_with_file_is_a_path(tmp_path: Path) -> None:
    Blobs(f"file://{tmp_path}").put_bytes("a", b"one")
    assert (tmp_path / "a").read_bytes() == b"one"
