"""A bucket behind a network that fails: what passes is waited for, what does not is said, nothing is half done."""

import io
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import h5py
import pytest

from pipeline.bucket import Bucket
from pipeline.errors import ConflictError, StoreError, UnreachableError, store_fault
from tests.pipeline.fault_proxy import FAULTS, OUTAGE, Weather, spoiling
from tests.pipeline.s3_server import s3_bucket

WS = "s3://bucket/some/ws"
QUICK = ("500", "lost_answer")
"""The others take longer, a stall `pipeline.bucket.STALLED_S`: `make test-slow` has them all."""
PART_BYTES = 5 << 20
"""The least that S3 takes."""
LARGE = bytes(range(256)) * (PART_BYTES // 256 + 1000)


@pytest.fixture(scope="module")
def storage() -> Iterator[dict[str, str]]:
    with s3_bucket("bucket") as options, pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.bucket.PART_BYTES", PART_BYTES)
        Bucket(WS, options).put("large", io.BytesIO(LARGE))
        yield options


@pytest.fixture
def bucket(storage: dict[str, str]) -> Bucket:
    return Bucket(WS, storage)


def test_names_are_taken_as_they_are(bucket: Bucket) -> None:
    names = ["names/a b.mp4", "names/ü~#?%20+.bin", "names/deep/er/x"]
    for name in names:
        bucket.put(name, name.encode())
    assert [entry.path for entry in bucket.list("names")] == sorted(names)
    assert [entry.path for entry in bucket.list("names", recursive=False)] == sorted(names[:2])
    assert [bucket.get(name)[0].decode() for name in names] == names


@pytest.mark.parametrize("name", ["names/\x01", "names//x", "../x", "x" * 2000])
def test_what_cannot_be_a_name_is_not_there(bucket: Bucket, name: str) -> None:
    with pytest.raises(FileNotFoundError):
        bucket.get(name)


def test_what_only_marks_a_folder_is_no_file(bucket: Bucket, storage: dict[str, str]) -> None:
    for key in ("marked/", "marked/deep/"):
        url = f"{storage['endpoint']}/bucket/some/ws/{key}"
        urllib.request.urlopen(urllib.request.Request(url, method="PUT", data=b"")).close()
    bucket.put("marked/deep/film.mp4", b"film")
    bucket.put("marked/empty", b"")
    assert [entry.path for entry in bucket.list("marked")] == ["marked/deep/film.mp4", "marked/empty"]


def test_an_object_reads_like_a_file(bucket: Bucket) -> None:
    with bucket.open("large") as file:
        assert file.read(10) == LARGE[:10]
        assert file.seek(-7, io.SEEK_END) == len(LARGE) - 7
        assert file.read() == LARGE[-7:]
        file.seek(PART_BYTES - 5)
        assert file.read(11) == LARGE[PART_BYTES - 5 : PART_BYTES + 6]
        file.seek(0)
        assert file.read() == LARGE


def test_libraries_read_through_it(bucket: Bucket, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = list(range(100_000))
    bucket.put("a.h5", (tmp_path / "a.h5").read_bytes())
    with h5py.File(bucket.open("a.h5"), "r") as file:
        assert file["x"][99_990:].tolist() == list(range(99_990, 100_000))


def test_a_file_that_is_replaced_while_it_is_read_is_not_mixed_with_the_new_one(bucket: Bucket) -> None:
    bucket.put("swap", b"a" * 1_000_000)
    file = bucket.open("swap")
    assert file.read(10) == b"a" * 10
    bucket.put("swap", b"b" * 1_000_000)
    with pytest.raises(StoreError, match="swap: was replaced while it was read; run again"):
        file.read()


def test_a_bucket_that_is_not_there_is_said_at_once(storage: dict[str, str]) -> None:
    for ask in (lambda b: b.get("x"), lambda b: b.put("x", b""), lambda b: list(b.list()), lambda b: b.open("x")):
        with pytest.raises((StoreError, FileNotFoundError), match=r"no such (bucket|object)"):
            ask(Bucket("s3://nowhere/ws", storage))


def test_other_kinds_of_stores_are_refused() -> None:
    with pytest.raises(StoreError, match=r"gs://b/x: expected a local path or s3://bucket/…; reach other stores"):
        Bucket("gs://b/x", {})


@pytest.mark.parametrize("kind", [pytest.param(f, marks=() if f in QUICK else pytest.mark.slow) for f in FAULTS])
def test_a_fault_that_passes_is_waited_for(storage: dict[str, str], tmp_path: Path, kind: str) -> None:
    """Each request is spoilt twice."""
    asks = {
        "get": lambda b: b.get("large")[0] == LARGE,
        "range": lambda b: b.range("large", 1000, 70_000) == LARGE[1000:71_000],
        "list": lambda b: "large" in [entry.path for entry in b.list()],
        "put": lambda b: b.put(f"put-{kind}", b"x" * 9999) or b.get(f"put-{kind}")[0] == b"x" * 9999,
        "put_if": lambda b: b.put_if(f"if-{kind}", b"y" * 999, None) or b.get(f"if-{kind}")[0] == b"y" * 999,
        "parts": lambda b: b.put(f"large-{kind}", io.BytesIO(LARGE)) or b.get(f"large-{kind}")[0] == LARGE,
    }
    for name, ask in asks.items():
        with spoiling(storage["endpoint"], Weather(rate=1, kinds=[kind], at_most=2), tmp_path / "log") as proxy:
            assert ask(Bucket(WS, {**storage, "endpoint": proxy.endpoint})), name
            assert len(proxy.faults()) == 2, name


def test_a_store_that_stays_away_is_given_up_in_time(storage: dict[str, str], tmp_path: Path) -> None:
    with spoiling(storage["endpoint"], Weather(outage_from=1), tmp_path / "log") as proxy:
        bucket = Bucket(WS, {**storage, "endpoint": proxy.endpoint, "retry_s": "2"})
        begun = time.monotonic()
        with pytest.raises(UnreachableError, match=r"the store did not do it in .* run again when it answers"):
            bucket.get("large")
        assert time.monotonic() - begun < 60  # twice the patience, and what a busy machine adds
        assert {fault["fault"] for fault in proxy.faults()} == {OUTAGE}


def test_parts_of_an_upload_that_failed_are_thrown_away(storage: dict[str, str], tmp_path: Path) -> None:
    weather = Weather(rate=1, kinds=["500"], methods=["PUT"], containing="partNumber=2")
    with spoiling(storage["endpoint"], weather, tmp_path / "log") as proxy:
        bucket = Bucket(WS, {**storage, "endpoint": proxy.endpoint, "retry_s": "1"})
        with pytest.raises(UnreachableError):
            bucket.put("never", io.BytesIO(LARGE))
    assert Bucket(WS, storage).head("never") is None
    with urllib.request.urlopen(f"{storage['endpoint']}/bucket?uploads&prefix=some/ws/never") as answer:
        assert b"<Upload>" not in answer.read()


def test_a_store_that_ignores_conditions_is_found_out(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.put("here", b"one")
    bucket.check_conditions("here")
    assert bucket.get("here")[0] == b"one"
    monkeypatch.setattr(Bucket, "put_if", lambda self, path, data, was: self.put(path, data))  # as older stores do
    with pytest.raises(StoreError, match="ignores `If-None-Match`"):
        bucket.check_conditions("here")


def test_a_tag_that_is_not_there_any_more_is_a_conflict(bucket: Bucket) -> None:
    bucket.put("tag", b"one")
    entry = bucket.head("tag")
    assert entry is not None
    bucket.put_if("tag", b"two", entry.etag)
    with pytest.raises(ConflictError):
        bucket.put_if("tag", b"three", entry.etag)


def test_the_stores_fault_is_found_behind_what_a_reader_made_of_it() -> None:
    fault = UnreachableError("gone")
    damaged = ValueError("not a video")
    damaged.__cause__ = KeyError("no header")
    damaged.__cause__.__context__ = fault
    assert store_fault(damaged) is fault
    assert store_fault(ValueError("damaged")) is None
