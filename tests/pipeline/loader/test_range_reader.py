"""Byte ranges: exactly those asked for, with few requests and few open files, from disk and from a store."""

import pickle
from pathlib import Path

import pytest

from pipeline.blobs import Blobs
from pipeline.errors import ServiceError, StoreError
from pipeline.loader import range_reader
from pipeline.loader.range_reader import NEAR_BYTES, RangeReader
from tests.pipeline.s3_server import s3_bucket

DATA = bytes(range(256)) * 1200


@pytest.fixture
def tars(tmp_path: Path) -> Blobs:
    for number in range(20):
        (tmp_path / f"a-{number}.tar").write_bytes(bytes([number]) + DATA)
    return Blobs(str(tmp_path))


def test_ranges_come_in_the_order_asked_for_as_one_request_where_they_are_near(tars: Blobs) -> None:
    reader = RangeReader(tars)
    far = NEAR_BYTES + 500
    ranges = [(700, 10), (100, 50), (100, 50), (120, 600), (far, 5)]
    tar = bytes([3]) + DATA
    assert reader.read("a-3", ranges) == [tar[start : start + n] for start, n in ranges]
    assert (reader.traffic.requests, reader.traffic.opened) == (1, 1), "the gap is shorter than worth a request"
    assert reader.read("a-3", [(0, 4), (2 * far, 4)]) == [tar[:4], tar[2 * far : 2 * far + 4]]
    assert reader.traffic.requests == 3
    assert reader.read("a-3", [(len(tar) - 2, 9)]) == [tar[-2:]], "a tar that ends is no error here"


def test_few_files_are_open_at_a_time(tars: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(range_reader, "MAX_OPEN", 3)
    reader = RangeReader(tars)
    for number in [*range(20), 19, 18]:
        assert reader.read(f"a-{number}", [(0, 1)]) == [bytes([number])]
        assert len(reader._files) <= 3
    assert reader.traffic.opened == 20
    copy = pickle.loads(pickle.dumps(reader))
    assert len(copy._files) == 0
    assert copy.read("a-7", [(0, 1)]) == [b"\7"]


def test_a_memory_answers_again_and_stays_within_its_size(tars: Blobs) -> None:
    reader = RangeReader(tars, cache_bytes=100)
    for _ in range(3):
        reader.read("a-1", [(0, 40), (50, 40)])
    assert (reader.traffic.requests, reader.traffic.cached) == (1, 4)
    reader.read("a-1", [(200, 40), (300, 101)])
    assert reader._cached_bytes == sum(map(len, reader._cache.values())) == 80, (
        "the oldest went, the largest never came"
    )
    reader.read("a-1", [(200, 40)], fresh=True)
    assert reader.traffic.requests == 3, "fresh asks the store again"
    assert RangeReader(tars).read("a-1", [(0, 4)]) == [b"\1\0\1\2"]


def test_a_tar_that_is_not_there_is_named_and_one_that_cannot_be_read_is_tried_again(
    tars: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StoreError, match=r"x\.tar: the manifest names this shard but it is not there"):
        RangeReader(tars).read("x", [(0, 1)])
    monkeypatch.setattr(range_reader, "_FIRST_WAIT_S", 0.0)
    failures = [OSError("reset")] * 3
    real = RangeReader._file

    def flaky(self: RangeReader, shard: str) -> object:
        if failures:
            raise failures.pop()
        return real(self, shard)

    monkeypatch.setattr(RangeReader, "_file", flaky)
    assert RangeReader(tars).read("a-5", [(0, 1)]) == [b"\5"]
    failures += [OSError("reset")] * 4
    with pytest.raises(ServiceError, match=r"a-5\.tar: cannot be read after 4 tries: reset"):
        RangeReader(tars).read("a-5", [(0, 1)])


def test_an_object_store_gives_the_same_bytes(tars: Blobs) -> None:
    with s3_bucket("bucket") as storage:
        store = Blobs("s3://bucket/set", storage)
        store.put_bytes("a-4.tar", tars.read("a-4.tar"))
        ranges = [(0, 3), (1000, 77), (299_000, 500)]
        expected = RangeReader(tars).read("a-4", ranges)
        assert RangeReader(store).read("a-4", ranges) == expected
        with pytest.raises(StoreError, match="it is not there"):
            RangeReader(store).read("a-9", [(0, 1)])
