"""Whatever an id is packed into, it is found; what cannot be opened is said."""

import bz2
import gzip
import io
import lzma
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.forget.contents import UnopenedError, values_in
from pipeline.shards.npz import write_npz

NAME = "ev-0123456789abcdef0123456789abcdef"
TEXT = f"before {NAME} after".encode()


def inside(data: bytes) -> bytes:
    return b"\n".join(values_in(io.BytesIO(data)))


def zipped(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("member", data)
    return out.getvalue()


def tarred(data: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        info = tarfile.TarInfo("member")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def parquet(data: bytes) -> bytes:
    nested = pa.array([[{"name": data.decode("latin1")}]])
    table = pa.table({"plain": [data.decode("latin1")], "nested": nested, "raw": pa.array([data], pa.large_binary())})
    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd")
    return out.getvalue()


def npz(data: bytes) -> bytes:
    return write_npz({"ids": np.array([data.decode("latin1")])})


PACKERS: list[Callable[[bytes], bytes]] = [zipped, tarred, parquet, npz, gzip.compress, bz2.compress, lzma.compress]


@pytest.mark.parametrize("pack", PACKERS)
def test_text_is_found_in_every_container(pack: Callable[[bytes], bytes]) -> None:
    packed = pack(TEXT)
    assert NAME.encode() in inside(packed)
    assert NAME.encode() not in inside(pack(b"nothing to see"))


def test_text_is_found_in_containers_in_containers() -> None:
    assert NAME.encode() in inside(tarred(gzip.compress(zipped(parquet(zipped(TEXT))))))


def test_numpys_letters_of_four_bytes_are_spelled_out() -> None:
    packed = npz(TEXT)
    assert NAME.encode() not in packed
    assert NAME.encode() in inside(packed)


def test_a_cell_that_spans_pages_is_read_whole(tmp_path: Path) -> None:
    sql = sqlite3.connect(tmp_path / "x.sqlite")
    sql.execute('CREATE TABLE "a ""b" (value TEXT, raw BLOB)')
    sql.execute('INSERT INTO "a ""b" VALUES (?, ?)', ("x" * 9000 + NAME, gzip.compress(TEXT)))
    sql.commit()
    sql.close()
    values = inside((tmp_path / "x.sqlite").read_bytes())
    assert values.count(NAME.encode()) == 2


def test_what_cannot_be_opened_is_said() -> None:
    with pytest.raises(UnopenedError, match="zstd"):
        inside(pa.compress(TEXT, "zstd", asbytes=True))
    with pytest.raises(UnopenedError):
        inside(zipped(TEXT)[:-30])
    deep = TEXT
    for _ in range(12):
        deep = gzip.compress(deep)
    with pytest.raises(UnopenedError, match="deep"):
        inside(deep)
