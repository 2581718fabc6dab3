"""A decoder has the files of its source and no others, wherever they lie, and says nothing of other sources."""

import errno
import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import Pipe
from pathlib import Path
from typing import Any, NoReturn

import pytest

from pipeline.blobs import Blobs
from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests, sha256_of
from pipeline.sandbox.broker import Broker
from pipeline.sandbox.brokered_files import Asking, BrokeredDigests, BrokeredFiles
from pipeline.sandbox.messages import MisbehavedError, receive
from tests.pipeline.s3_server import s3_bucket

DATA = bytes(range(256)) * 20_000


@contextmanager
def served(broker: Broker) -> Iterator[tuple[Asking, list[BaseException]]]:
    """The other end of a broker that answers in a thread, and what it raised."""
    ours, theirs = Pipe()
    raised: list[BaseException] = []

    def serve() -> None:
        try:
            while True:
                broker.answer(ours, receive(ours)[0])
        except EOFError:
            pass
        except (MisbehavedError, OSError) as error:
            raised.append(error)
            ours.close()

    thread = threading.Thread(target=serve)
    thread.start()
    yield Asking(theirs), raised
    theirs.close()
    thread.join()
    broker.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a.bin").write_bytes(DATA)
    (tmp_path / "secret").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "secret")
    return folder


@pytest.fixture(params=["local", "object store"])
def files(request: pytest.FixtureRequest, root: Path) -> Iterator[SourceFiles]:
    """The same files on a disk, whose descriptors are handed over, and in a store, which the worker reads."""
    if request.param == "local":
        yield SourceFiles(str(root))
        return
    with s3_bucket("recordings") as storage:
        Blobs("s3://recordings", storage).put_bytes("source/deep/a.bin", DATA)
        yield SourceFiles("s3://recordings/source", storage)


def test_files_are_the_same_as_without_a_broker(files: SourceFiles) -> None:
    with served(Broker(files)) as (asking, raised):
        there = BrokeredFiles(files.root, asking=asking)
        assert there.list() == files.list()
        assert there.stat("deep/a.bin") == files.stat("deep/a.bin")
        assert there.stat("deep/b.bin") is None
        with there.open("deep/a.bin") as file:
            assert file.read(3) == DATA[:3]
            file.seek(-5, 2)
            assert (file.read(), file.read()) == (DATA[-5:], b"")
            file.seek(1)
            assert file.read() == DATA[1:]
        assert there.read("deep/a.bin") == DATA
        with pytest.raises(SourceError, match="no such file"):
            there.open("deep/b.bin")
    assert raised == []


@pytest.mark.parametrize("path", ["../secret", "deep/../../secret", "/etc/passwd", "link"])
def test_names_are_checked_outside(root: Path, path: str) -> None:
    with served(Broker(SourceFiles(str(root)))) as (asking, _):
        with pytest.raises(SourceError, match="leads out of the source's folder"):
            BrokeredFiles(str(root), asking=asking).open(path)
        assert BrokeredFiles(str(root), follow_links=True, asking=asking).stat(path) is None


def test_digests_are_remembered_for_its_own_source_alone(root: Path) -> None:
    files, known = SourceFiles(str(root)), MemoryDigests({("/other/a.bin", 1, 2): "0" * 64})
    with served(Broker(files, known)) as (asking, _):
        there = BrokeredFiles(files.root, asking=asking)
        (stat, *_) = [one for one in there.list() if one.path == "deep/a.bin"]
        assert sha256_of(there, stat, BrokeredDigests(asking)) == hashlib.sha256(DATA).hexdigest()
    assert len(known.known) == 2
    for call in (
        lambda digests: digests.get("/other/a.bin", 1, 2),
        lambda digests: digests.put("/other/a.bin", 1, 2, "1" * 64),
        lambda digests: digests.put(f"{root}/deep/a.bin", 1, 2, "no digest"),
    ):
        assert misbehaved(files, known, lambda asking, call=call: call(BrokeredDigests(asking)))
    assert known.known["/other/a.bin", 1, 2] == "0" * 64


@pytest.mark.parametrize(
    ("what", "details"),
    [
        ("delete", {"path": "deep/a.bin"}),
        ("open", {}),
        ("open", {"path": 7}),
        ("read", {"handle": 9, "offset": 0, "n": 1}),
        ("read", {"handle": 1, "offset": -1, "n": 1}),
        ("digest", {"url": "x", "size": 1, "mtime_ns": 1}),
    ],
)
def test_questions_that_make_no_sense_are_misbehaviour(root: Path, what: str, details: dict[str, Any]) -> None:
    assert misbehaved(SourceFiles(str(root)), None, lambda asking: asking.ask(what, **details))


def misbehaved(files: SourceFiles, known: MemoryDigests | None, call: Callable[[Asking], object]) -> bool:
    with served(Broker(files, known)) as (asking, raised), pytest.raises((EOFError, ConnectionError)):
        call(asking)
    return [type(error) for error in raised] == [MisbehavedError]


def test_storage_that_fails_is_no_files_fault(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_files: SourceFiles, _path: str) -> NoReturn:
        raise OSError(errno.EIO, "the disk is broken")

    monkeypatch.setattr(SourceFiles, "open", fails)
    with served(Broker(SourceFiles(str(root)))) as (asking, raised), pytest.raises((EOFError, ConnectionError)):
        BrokeredFiles(str(root), asking=asking).open("deep/a.bin").read()
    assert [type(error) for error in raised] == [OSError]
