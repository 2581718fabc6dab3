"""Zarr containers and arrays: what the zarr library writes is read as it reads it, and what is hostile is refused."""

import hashlib
import io
import json
import stat
import struct
import subprocess
import sys
import warnings
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from imagecodecs.numcodecs import Jpeg, Jpegxl, register_codecs
from numcodecs import LZ4, Blosc, Delta, GZip, Zlib, Zstd
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.fingerprint import MemoryDigests
from pipeline.sources.storage.zarr_array import Array, open_array
from pipeline.sources.storage.zarr_store import FolderStore, Store, opened_zip

register_codecs(verbose=False)
TABLE = np.random.default_rng(0).normal(size=(37, 5)).astype(np.float32)
PICTURES = np.random.default_rng(1).integers(0, 255, (6, 24, 32, 3), dtype=np.uint8)


def written(folder: Path, values: Any = TABLE, chunks: tuple[int, ...] = (10, 2), **how: Any) -> Store:
    """A folder store with one array ``a``, made by the zarr library."""
    how.setdefault("zarr_format", 2)
    root = zarr.create_group(zarr.storage.LocalStore(folder / "made.zarr"), zarr_format=how.pop("zarr_format"))
    array = root.create_array("a", shape=values.shape, chunks=chunks, dtype=values.dtype, **how)
    array[...] = values
    return FolderStore(SourceFiles(str(folder)), "made.zarr")


def opened(store: Store, path: str = "a") -> Array:
    array = open_array(store, path)
    assert array is not None
    return array


def restated(folder: Path, **keys: Any) -> Store:
    """The same, with keys of its metadata changed."""
    store = written(folder)
    path = folder / "made.zarr/a/.zarray"
    path.write_text(json.dumps(json.loads(path.read_text()) | keys))
    return store


def zipped(path: Path, entries: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> SourceFiles:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return SourceFiles(str(path.parent))


def entry_of(files: SourceFiles, key: str, path: str = "z.zip") -> bytes | None:
    with opened_zip(files, path) as store:
        return store.get(key, 1000)


# -- arrays ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "how",
    [
        {"compressors": None},
        {"compressors": Blosc(cname="zstd", clevel=5, shuffle=Blosc.BITSHUFFLE)},
        {"compressors": Blosc(cname="lz4")},
        {"compressors": Zstd(3)},
        {"compressors": GZip(5)},
        {"compressors": Zlib(5)},
        {"compressors": LZ4()},
        {"compressors": Blosc(), "order": "F"},
        {"compressors": Blosc(), "chunk_key_encoding": {"name": "v2", "separator": "/"}},
        {"zarr_format": 3, "compressors": None},
        {"zarr_format": 3, "compressors": BloscCodec(cname="zstd")},
        {"zarr_format": 3, "compressors": ZstdCodec()},
        {"zarr_format": 3, "compressors": GzipCodec()},
        {"zarr_format": 3, "chunk_key_encoding": {"name": "v2", "separator": "."}},
    ],
    ids=lambda how: ",".join(
        f"{key}={type(value).__name__ if key == 'compressors' else value}" for key, value in how.items()
    ),
)
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "|u1", "<i8"])
def test_what_the_zarr_library_writes_is_read_back(tmp_path: Path, how: dict[str, Any], dtype: str) -> None:
    values = (TABLE * 30).astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        array = opened(written(tmp_path, values, **how))
    assert (array.shape, array.dtype.kind, array.dtype.itemsize) == (values.shape, dtype[1], int(dtype[2]))
    for start, stop in ((0, 37), (9, 11), (10, 20), (36, 37), (5, 5)):
        np.testing.assert_array_equal(array.rows(start, stop), values[start:stop])


@pytest.mark.parametrize("per_chunk", [1, 4])
def test_pictures_are_unpacked_one_chunk_at_a_time(tmp_path: Path, per_chunk: int) -> None:
    array = opened(written(tmp_path, PICTURES, (per_chunk, 24, 32, 3), compressors=Zstd()))
    assert array.holds_pictures
    np.testing.assert_array_equal(array.rows(3, 6), PICTURES[3:6])


def test_jpeg_xl_is_read_exactly_and_jpeg_nearly(tmp_path: Path) -> None:
    smooth = np.broadcast_to(np.arange(32, dtype=np.uint8)[None, None, :, None] * 7, (2, 24, 32, 3)).copy()
    lossless = opened(written(tmp_path / "xl", PICTURES, (1, 24, 32, 3), compressors=Jpegxl(lossless=True)))
    np.testing.assert_array_equal(lossless.rows(0, 6), PICTURES)
    lossy = opened(written(tmp_path / "jpeg", smooth, (1, 24, 32, 3), compressors=Jpeg(level=95)))
    assert np.abs(lossy.rows(0, 2).astype(int) - smooth).max() < 8


def test_a_missing_chunk_is_told_and_never_zeros(tmp_path: Path) -> None:
    array = opened(written(tmp_path))
    (tmp_path / "made.zarr/a/1.0").unlink()
    np.testing.assert_array_equal(array.rows(0, 10), TABLE[:10])
    with pytest.raises(SourceError, match=r"chunk a/1\.0 is missing.*all zeros or was lost cannot be told"):
        array.rows(0, 20)


def test_rows_beyond_the_end_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="has 37 rows, expected rows 30 to 40"):
        opened(written(tmp_path)).rows(30, 40)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"dtype": "|O"}, "only plain numbers are read, never objects or text"),
        ({"dtype": "<U9"}, "only plain numbers"),
        ({"dtype": [["a", "<f4"]]}, "only plain numbers"),
        ({"filters": [{"id": "pickle"}]}, r"filters \['pickle'\] are never read"),
        ({"filters": [{"id": "vlen-utf8"}]}, "are never read"),
        ({"filters": [Delta("<f4").get_config()]}, "are never read"),
        ({"filters": 7}, "filters 7 are never read"),
        ({"compressor": {"id": "pickle"}}, "compressor 'pickle' is not read"),
        ({"compressor": {"id": "json2"}}, "compressor 'json2' is not read"),
        ({"compressor": {"id": "bz2", "level": 1}}, "compressor 'bz2' is not read"),
        ({"compressor": "blosc"}, "compressor 'blosc' is not read"),
        ({"compressor": {"id": "imagecodecs_jpegxl"}}, "jpegxl holds float32"),
        ({"shape": [10**13, 5]}, "no recording is that large"),
        ({"shape": [-1, 5]}, "no recording is that large"),
        ({"shape": [True, 5]}, "expected a few whole numbers"),
        ({"shape": "big"}, "expected a few whole numbers"),
        ({"shape": [2**39, 0]}, "make no table"),
        ({"shape": []}, "make no table"),
        ({"chunks": [10]}, "make no table"),
        ({"chunks": [0, 5]}, "expected chunks of 1 byte to 256 MiB"),
        ({"chunks": [10**9, 5]}, "expected chunks of 1 byte to 256 MiB"),
        ({"shape": [37, 10**6]}, "at most 4096 of them"),
        ({"order": "Z"}, "order is 'Z', expected C or F"),
        ({"order": ["C"]}, "order is"),
        ({"dimension_separator": "../"}, "dimension_separator is '../'"),
    ],
)
def test_metadata_that_would_run_or_allocate_is_refused(tmp_path: Path, keys: dict[str, Any], told: str) -> None:
    with pytest.raises(SourceError, match=rf"\.zarray.*{told}"):
        opened(restated(tmp_path, **keys))


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"shape": ' + "[" * 100_000, '{"shape": [' + "9" * 5000 + "]}"])
def test_metadata_that_is_no_json_is_an_error(tmp_path: Path, text: str) -> None:
    store = written(tmp_path)
    (tmp_path / "made.zarr/a/.zarray").write_text(text)
    with pytest.raises(SourceError, match=r"a/\.zarray"):
        opened(store)


def test_sharded_version_3_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="compressor 'sharding_indexed' is not read"):
        opened(written(tmp_path, chunks=(5, 5), shards=(10, 5), zarr_format=3))


@pytest.mark.parametrize("codec", [Blosc(), Zstd(), GZip(), Zlib(), LZ4(), None], ids=str)
@pytest.mark.parametrize("n_rows", [5, 20, 200_000])
def test_a_chunk_of_another_size_than_it_should_be_is_refused(tmp_path: Path, codec: Any, n_rows: int) -> None:
    """Among them bombs: a chunk that unpacks to more than its shape takes."""
    store = written(tmp_path, compressors=codec)
    data = np.zeros((n_rows, 2), np.float32)
    packed = data.tobytes() if codec is None else bytes(codec.encode(data))
    (tmp_path / "made.zarr/a/0.0").write_bytes(packed)
    with pytest.raises(SourceError, match=r"a/0\.0"):
        opened(store).rows(0, 1)


def test_a_picture_of_another_size_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    store = written(tmp_path, PICTURES, (1, 24, 32, 3), compressors=Jpegxl(lossless=True))
    bomb = Jpegxl(lossless=True, effort=1).encode(np.zeros((9000, 9000, 3), np.uint8))
    (tmp_path / "made.zarr/a/0.0.0.0").write_bytes(bytes(bomb))
    with pytest.raises(SourceError, match=r"a/0\.0\.0\.0 is no jpegxl chunk of \[1, 24, 32, 3\]"):
        opened(store).rows(0, 1)


@pytest.mark.parametrize("codec", [Blosc(), Blosc(cname="zstd"), Zstd(), GZip(), Zlib(), LZ4()], ids=str)
def test_damaged_chunks_are_refused_or_read_and_never_crash(tmp_path: Path, codec: Any) -> None:
    """In another process, because a packer that reads beyond its buffer would take this one along."""
    written(tmp_path, np.arange(4000, dtype=np.float32).reshape(-1, 2), (2000, 2), compressors=codec)
    script = f"""
import random
from pathlib import Path
from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.sources.storage.zarr_array import open_array
from pipeline.sources.storage.zarr_store import FolderStore
chunk = Path({str(tmp_path)!r}, "made.zarr/a/0.0")
good = chunk.read_bytes()
generator = random.Random(0)
refused = 0
for turn in range(150):
    bad = bytearray(good if turn % 3 else good[: generator.randrange(len(good))])
    for _ in range(generator.randrange(1, 4) if bad else 0):
        bad[generator.randrange(min(len(bad), 40) if turn % 2 else len(bad))] = generator.randrange(256)
    chunk.write_bytes(bad)
    try:
        open_array(FolderStore(SourceFiles({str(tmp_path)!r}), "made.zarr"), "a").rows(0, 2000)
    except SourceError:
        refused += 1
print(refused)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > 50


# -- zips ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_entries_are_found_by_key(tmp_path: Path, method: int) -> None:
    files = zipped(tmp_path / "z.zip", {"b/.zarray": b"{}", "a/0": b"x" * 500, "a/10": b"", "a/2": b"two"}, method)
    with opened_zip(files, "z.zip") as store:
        assert store.get("a/0", 500) == b"x" * 500
        assert (store.get("a/10", 9), store.get("a/2", 9), store.get("a/1", 9)) == (b"", b"two", None)
        assert store.get("a/2" + "long" * 20, 9) is None
        assert store.keys_ending("/.zarray", "/zarr.json") == ["b/.zarray"]
        assert (store.size("a/2"), store.size("a/1")) == (3, None)
        assert store.mark("a/2") == hashlib.sha256(b"two").hexdigest()
        with pytest.raises(SourceError, match="a/1 is missing"):
            store.mark("a/1")
        with pytest.raises(SourceError, match="a/0 claims 500 bytes, expected at most 499"):
            store.get("a/0", 499)


def test_an_empty_zip_has_nothing(tmp_path: Path) -> None:
    assert entry_of(zipped(tmp_path / "z.zip", {}), "a/0") is None


@pytest.mark.parametrize("name", ["../a", "/a", "a/../../b", "a//b", "./a", "a\\b", "é", "x" * 300])
def test_names_that_climb_out_or_are_no_keys_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError, match=r"z\.zip: entry"):
        entry_of(zipped(tmp_path / "z.zip", {"a/0": b"", name: b""}), "a/0")


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        link = zipfile.ZipInfo("a/0")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(SourceError, match="entry 'a/0' is a link"):
        entry_of(SourceFiles(str(tmp_path)), "a/0")


def test_an_entry_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with warnings.catch_warnings(), zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("a/0", "one")
        archive.writestr("a/0", "other")
    with pytest.raises(SourceError, match="entry 'a/0' is there twice"):
        entry_of(SourceFiles(str(tmp_path)), "a/0")


def test_an_encrypted_entry_is_refused(tmp_path: Path) -> None:
    files = zipped(tmp_path / "z.zip", {"a/0": b"secret"})
    data = bytearray((tmp_path / "z.zip").read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    (tmp_path / "z.zip").write_bytes(data)
    with pytest.raises(SourceError, match="entry 'a/0' is encrypted"):
        entry_of(files, "a/0")


def test_a_method_that_no_zarr_uses_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is neither stored nor deflated"):
        entry_of(zipped(tmp_path / "z.zip", {"a/0": b"x" * 100}, zipfile.ZIP_BZIP2), "a/0")


def test_a_zip_bomb_is_refused_by_its_claim_and_by_its_content(tmp_path: Path) -> None:
    files = zipped(tmp_path / "z.zip", {"a/0": bytes(50_000_000)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(SourceError, match="claims 50000000 bytes, expected at most 1000"):
        entry_of(files, "a/0")
    data = bytearray((tmp_path / "z.zip").read_bytes())
    data[(at := data.index(b"PK\1\2") + 24) : at + 4] = struct.pack("<I", 900)
    (tmp_path / "z.zip").write_bytes(data)
    with pytest.raises(SourceError, match="unpacks to more bytes, expected 900"):
        entry_of(files, "a/0")


def test_changed_bytes_do_not_match_the_checksum(tmp_path: Path) -> None:
    files = zipped(tmp_path / "z.zip", {"a/0": b"payload"})
    path = tmp_path / "z.zip"
    path.write_bytes(path.read_bytes().replace(b"payload", b"pAyload"))
    with pytest.raises(SourceError, match=r"z\.zip: a/0 does not match its checksum"):
        entry_of(files, "a/0")


def test_every_cut_and_every_flipped_byte_is_read_or_refused(tmp_path: Path) -> None:
    good = io.BytesIO()
    with zipfile.ZipFile(good, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/0", b"x" * 300)
        archive.writestr("a/.zarray", b"{}")
    files, whole = SourceFiles(str(tmp_path)), good.getvalue()
    cuts = [whole[:end] for end in range(len(whole))]
    flips = [
        whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :] for at in range(len(whole)) for bit in (1, 128, 255)
    ]
    found = []
    for turn, data in enumerate([*cuts, *flips]):
        path = tmp_path / f"{turn % 3}.zip"
        path.unlink(missing_ok=True)
        path.write_bytes(data)
        with suppress(SourceError):
            found.append(entry_of(files, "a/0", path.name))
    assert {*found} <= {None, b"x" * 300}
    assert len(cuts) < len(cuts) + len(flips) - len(found)


def test_the_directory_is_read_once_until_the_file_changes(tmp_path: Path) -> None:
    files = zipped(tmp_path / "z.zip", {"a/0": b"one"})
    with opened_zip(files, "z.zip") as first, opened_zip(files, "z.zip") as second:
        assert first.index is second.index
    zipped(tmp_path / "z.zip", {"a/0": b"another"})
    assert entry_of(files, "a/0") == b"another"


# -- folders ---------------------------------------------------------------------------------------------------


def test_a_link_out_of_the_source_is_never_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("key")
    folder = tmp_path / "source/made.zarr/a"
    folder.mkdir(parents=True)
    (folder / "0").symlink_to(tmp_path / "secret")
    files = SourceFiles(str(tmp_path / "source"))
    assert FolderStore(files, "made.zarr").get("a/0", 100) is None
    listing = {stat.path: stat for stat in files.list()}
    with pytest.raises(SourceError, match=r"leads out of the source's folder|is missing"):
        FolderStore(files, "made.zarr", MemoryDigests(), listing).mark("a/0")


def test_a_file_larger_than_a_chunk_can_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(101))
    with pytest.raises(SourceError, match="a has 101 bytes, expected at most 100"):
        FolderStore(SourceFiles(str(tmp_path)), "").get("a", 100)
