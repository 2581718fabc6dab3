"""HDF5 of strangers: what a file holds is read, where it points and what it claims is not followed."""

import os
import pickle
import resource
import sys
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.sources.storage.hdf5 import Hdf5, first_of, opened

Make = Callable[[h5py.File], Any]


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Callable[[Make], Hdf5]]:
    """``file(make)``: what `opened` gives of a file that ``make`` has filled."""
    managers = []

    def open_made(make: Make) -> Hdf5:
        with h5py.File(tmp_path / "a.hdf5", "w") as out:
            make(out)
        managers.append(opened(SourceFiles(str(tmp_path)), "a.hdf5"))
        return managers[-1].__enter__()

    yield open_made
    for manager in managers:
        manager.__exit__(None, None, None)


def put(path: str, **how: Any) -> Make:
    return lambda out: out.create_dataset(path, **how)


# -- what is read -----------------------------------------------------------------------------------------------------


def test_a_vector_is_a_table_of_one_column_and_an_empty_one_of_no_rows(file: Any) -> None:
    def make(out: h5py.File) -> None:
        out["v"] = np.arange(3, dtype=np.int16)
        out["none"] = np.zeros((0, 4), np.float32)
        out["flags"] = np.array([True, False])

    found = file(make)
    assert found.numbers("/v").tolist() == [[0], [1], [2]]
    assert found.numbers("/none", width=4).shape == (0, 4)
    assert found.numbers("/flags").tolist() == [[1], [0]]


def test_what_is_no_number_in_float32_is_none(file: Any) -> None:
    found = file(put("x", data=[1e38, 1e39, np.inf, -np.inf, np.nan, -1e38])).numbers("/x")[:, 0]
    assert np.isnan(found).tolist() == [False, True, True, True, True, False]


def test_texts_of_fixed_and_of_any_length_are_texts(file: Any) -> None:
    def make(out: h5py.File) -> None:
        out["s"] = np.array([b"ab", b"c"])
        out["v"] = ["grün", "x"]

    found = file(make)
    assert (found.texts("/s"), found.texts("/v")) == (["ab", "c"], ["grün", "x"])


@pytest.mark.parametrize("how", [{}, {"chunks": (4, 2, 2)}, {"compression": "gzip", "shuffle": True}], ids=str)
def test_rows_are_the_same_whatever_the_chunks(file: Any, how: dict[str, Any]) -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (11, 4, 6), np.uint8)
    found = file(put("p", data=pictures, **how))
    assert np.array_equal(list(found.rows("/p")), pictures)
    assert np.array_equal(list(found.rows("/p", 5)), pictures[5:])
    assert np.array_equal(found.row("/p", 10), pictures[10])


def test_rows_of_any_length_are_read_one_by_one(file: Any) -> None:
    def make(out: h5py.File) -> None:
        data = out.create_dataset("p", (2,), dtype=h5py.vlen_dtype(np.uint8))
        data[0], data[1] = np.array([1, 2], np.uint8), np.array([3], np.uint8)

    assert [row.tolist() for row in file(make).rows("/p")] == [[1, 2], [3]]


def test_attributes_are_text_and_numbers_and_nothing_else(file: Any) -> None:
    def make(out: h5py.File) -> None:
        out.attrs["text"], out.attrs["n"], out.attrs["many"] = "a", 3, ["x", "y"]
        out.attrs["bytes"] = np.bytes_(b"b\xff")
        out.attrs["pickle"] = np.void(pickle.dumps(print))
        out.attrs["ref"] = out.ref
        out.attrs.create("null", h5py.Empty("f8"))

    found = file(make).attributes()
    assert {key: np.asarray(value).tolist() for key, value in found.items()} == {
        "text": "a",
        "n": 3,
        "many": ["x", "y"],
        "bytes": "b\ufffd",
    }


def test_attribute_text_that_is_no_utf8_can_still_be_written_down(file: Any) -> None:
    def make(out: h5py.File) -> None:
        out.attrs.create("t", b"caf\xe9", dtype=h5py.string_dtype("utf-8"))

    assert file(make).attributes()["t"].encode() == "caf\ufffd".encode()


def test_what_stands_where_is_told(file: Any) -> None:
    def make(out: h5py.File) -> None:
        out["a/x"], out["a/y/z"], out["b"] = 1.0, 2.0, 3.0

    found = file(make)
    assert found.datasets("/") == ["/a/x", "/a/y/z", "/b"]
    assert (found.keys("/a"), found.keys("/b"), found.keys("/no")) == (["x", "y"], [], [])
    assert first_of(["/no", "/a/y"], found) == "/a/y"
    with pytest.raises(SourceError, match=r"a\.hdf5: found nothing at /a/w, expected a dataset; beside it stand x, y"):
        found.numbers("/a/w")
    with pytest.raises(SourceError, match=r"found a group at /a, expected a dataset; beside it stand a, b"):
        found.numbers("/a")


# -- where it points --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("link", "kind"),
    [(h5py.ExternalLink("secret.hdf5", "/d"), "ExternalLink"), (h5py.SoftLink("/d"), "SoftLink")],
)
@pytest.mark.parametrize("path", ["/x", "/g/x/deeper"])
def test_no_link_is_followed(file: Any, tmp_path: Path, link: Any, kind: str, path: str) -> None:
    with h5py.File(tmp_path / "secret.hdf5", "w") as out:
        out["d"] = [1.0]
    found = file(lambda out: out.__setitem__(path.removesuffix("/deeper"), link))
    for ask in (found.numbers, found.keys, found.attributes, found.has):
        with pytest.raises(SourceError, match=rf"{path} is a {kind}; copy what it points at"):
            ask(path)


def test_data_kept_in_other_files_are_not_fetched(file: Any, tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(b"12345678")

    def make(out: h5py.File) -> None:
        out.create_dataset("raw", (1,), "f8", external=[(str(tmp_path / "secret.bin"), 0, 8)])
        layout = h5py.VirtualLayout((1,), "f8")
        layout[0] = h5py.VirtualSource(str(tmp_path / "other.hdf5"), "d", (1,))[0]
        out.create_virtual_dataset("virtual", layout)

    found = file(make)
    for path in ("/raw", "/virtual"):
        for ask in (found.numbers, found.values, lambda path: found.row(path, 0)):
            with pytest.raises(SourceError, match="keeps its data in other files; copy them in"):
                ask(path)


def test_references_and_opaque_bytes_are_never_read(file: Any) -> None:
    def make(out: h5py.File) -> None:
        out.create_dataset("refs", data=[out.ref], dtype=h5py.ref_dtype)
        out.create_dataset("pickle", data=np.void(pickle.dumps(os.getcwd)))
        out.create_dataset("nested", (1,), dtype=h5py.vlen_dtype(h5py.string_dtype()))

    found = file(make)
    for path in ("/refs", "/pickle", "/nested"):
        with pytest.raises(SourceError, match=rf"{path} holds references or Python objects, which are never read"):
            found.values(path)


def test_groups_that_contain_themselves_end(file: Any) -> None:
    def make(out: h5py.File) -> None:
        for name in "abc":
            out[name] = out["/"]

    with pytest.raises(SourceError, match="groups without end"):
        file(make).datasets("/")


def test_filters_that_need_foreign_code_are_refused(file: Any) -> None:
    found = file(put("x", data=np.arange(8), scaleoffset=0))
    with pytest.raises(SourceError, match=r"/x is packed with filter 6; repack it with gzip \(h5repack\)"):
        found.numbers("/x")


# -- what it claims ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [{}, {"chunks": (1, 480, 640, 3)}, {"compression": "gzip"}], ids=str)
def test_a_small_file_that_claims_10_gb_is_refused_without_taking_memory(file: Any, how: dict[str, Any]) -> None:
    found = file(put("p", shape=(11_000, 480, 640, 3), dtype="u1", **how))
    started = time.process_time()
    tracemalloc.start()
    for ask in (found.numbers, found.values, lambda path: found.row(path, 0), lambda path: list(found.rows(path))):
        with pytest.raises(SourceError, match="never written"):
            ask("/p")
    assert tracemalloc.get_traced_memory()[1] < 64 << 20
    tracemalloc.stop()
    assert time.process_time() - started < 2


def test_rows_that_were_never_written_are_not_read_as_zeros(file: Any) -> None:
    def make(out: h5py.File) -> None:
        out.create_dataset("p", (10, 2), "f4", chunks=(1, 2))[:7] = 1.0

    with pytest.raises(SourceError, match=r"has 7 of 10 chunks .* never written; the recording was interrupted"):
        file(make).numbers("/p")


def test_a_chunk_that_unpacks_to_more_than_it_stands_for_is_not_unpacked(file: Any) -> None:
    def make(out: h5py.File) -> None:
        data = out.create_dataset("p", (1 << 20,), "u1", chunks=(1 << 20,), compression="gzip")
        packer = zlib.compressobj(1)
        packed = b"".join(packer.compress(bytes(1 << 24)) for _ in range(20)) + packer.flush()
        data.id.write_direct_chunk((0,), packed)

    with pytest.raises(SourceError, match="a chunk that unpacks to more than the 1048576 bytes it stands for; a bomb"):
        file(make).values("/p")


def test_gigabytes_out_of_nothing_are_a_bomb(file: Any) -> None:
    def make(out: h5py.File) -> None:
        chunk = (64, 1024, 1024)
        data = out.create_dataset("p", (64 * 48, 1024, 1024), "u1", chunks=chunk, compression="gzip")
        packed = zlib.compress(bytes(64 << 20), 9)
        for first in range(0, data.shape[0], 64):
            data.id.write_direct_chunk((first, 0, 0), packed)

    found = file(make)
    with pytest.raises(SourceError, match=r"unpacks from \d+ to 3221225472 bytes; no recording does"):
        found.row("/p", 0)


def test_a_chunk_larger_than_any_picture_is_refused(file: Any) -> None:
    def make(out: h5py.File) -> None:
        out.create_dataset("p", (1, 4), "u1", maxshape=(None, 4), chunks=(1 << 28, 4), compression="gzip")

    with pytest.raises(SourceError, match=r"is kept in chunks of 1073741824 bytes, more than 256 MiB"):
        file(make).row("/p", 0)


def test_a_table_larger_than_any_episodes_is_refused(file: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.sources.storage.hdf5.MAX_TABLE_BYTES", 100)
    found = file(put("x", data=np.zeros(50, np.uint8)))
    assert len(found.values("/x")) == 50
    with pytest.raises(SourceError, match="/x claims 50 values of uint8"):
        found.numbers("/x")  # as float64 they take eight times as much


def test_a_thousand_texts_that_are_one_long_text_are_bounded(file: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.sources.storage.hdf5.MAX_TEXT_BYTES", 10_000)
    found = file(put("t", data=["x" * 500] * 100))
    with pytest.raises(SourceError, match="/t holds more than"):
        found.texts("/t")
    monkeypatch.setattr("pipeline.sources.storage.hdf5.MAX_TEXTS", 99)
    with pytest.raises(SourceError, match="/t claims 100 texts, more than 99"):
        found.texts("/t")


def test_attributes_of_absurd_size_are_left_out(file: Any) -> None:
    def make(out: h5py.File) -> None:
        with h5py.File(out.filename + ".latest", "w", libver="latest") as latest:
            latest.attrs.create("huge", np.zeros(5 << 20, np.float64))
            latest.attrs["small"] = 1
        Path(out.filename + ".latest").rename(Path(out.filename).with_name("b.hdf5"))

    found = file(make)
    with opened(SourceFiles(str(Path(found.name).parent)), "b.hdf5") as latest:
        assert list(latest.attributes()) == ["small"]


def claiming(file: bytes, length: int) -> bytes:
    """The file with every text and sequence of any length claiming to be of another length."""
    damaged, heap = bytearray(file), file.index(b"GCOL").to_bytes(8, "little")
    found = damaged.find(heap)
    while found >= 0:
        damaged[found - 4 : found] = length.to_bytes(4, "little")
        found = damaged.find(heap, found + 1)
    return bytes(damaged)


@pytest.mark.skipif(sys.platform != "linux", reason="the bound is Linux's")
def test_a_text_that_claims_4_gib_takes_no_memory(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.hdf5", "w") as out:
        out.attrs["text"] = "x"
        out["texts"] = ["abc"]
        out.create_dataset("rows", (1,), dtype=h5py.vlen_dtype(np.uint8))[0] = np.zeros(3, np.uint8)
    (tmp_path / "a.hdf5").write_bytes(claiming((tmp_path / "a.hdf5").read_bytes(), 0xFFFFFFF0))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    limits = resource.getrlimit(resource.RLIMIT_DATA)
    with _open(tmp_path) as found:
        asks = (found.attributes, lambda: found.texts("/texts"), lambda: found.row("/rows", 0))
        for ask in asks:
            with pytest.raises(SourceError, match="cannot be read"):
                ask()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 20, "KiB"
    assert resource.getrlimit(resource.RLIMIT_DATA) == limits


@pytest.mark.timeout(20)
def test_a_heap_entry_without_a_size_is_no_endless_loop(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.hdf5", "w") as out:
        out.attrs["text"] = "x"
    damaged = bytearray((tmp_path / "a.hdf5").read_bytes())
    entry = damaged.index(b"GCOL") + 16
    damaged[entry : entry + 16] = bytes(16)
    (tmp_path / "a.hdf5").write_bytes(damaged)
    with _open(tmp_path) as found, pytest.raises(SourceError, match=r"an entry of a heap of 4096 bytes claims 0"):
        found.attributes()


@pytest.mark.parametrize("path", ["/complex", "/text", "/pair"])
def test_what_is_no_number_is_not_taken_for_one(file: Any, path: str) -> None:
    def make(out: h5py.File) -> None:
        out["complex"] = np.array([1j])
        out["text"] = np.array([b"1"])
        out["pair"] = np.zeros(2, [("a", "f4"), ("b", "f4")])

    with pytest.raises(SourceError, match=rf"{path} holds .*, expected numbers"):
        file(make).numbers(path)


# -- damage -----------------------------------------------------------------------------------------------------------


def test_a_file_that_is_no_hdf5_is_told_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.hdf5").write_bytes(b"not hdf5" * 99)
    with pytest.raises(SourceError, match=r"a\.hdf5: is no readable HDF5 file .*fetch it again"), _open(tmp_path):
        pass


def _open(folder: Path) -> Any:
    return opened(SourceFiles(str(folder)), "a.hdf5")


def _walk(folder: Path) -> None:
    """Everything a reader may ask of a file."""
    with _open(folder) as found:
        for path in found.datasets():
            for ask in (
                found.numbers,
                found.values,
                found.texts,
                found.attributes,
                lambda path: list(found.rows(path)),
            ):
                try:
                    ask(path)
                except SourceError:
                    continue


def test_damaged_files_are_read_or_refused_and_nothing_else(tmp_path: Path) -> None:
    def make(out: h5py.File) -> None:
        out.attrs["sim"], out.attrs["names"] = True, ["a", "b"]
        out["action"] = np.random.default_rng(0).random((20, 4))
        out.create_dataset("p", data=np.zeros((20, 8, 8, 3), np.uint8), compression="gzip", shuffle=True)
        out.create_dataset("q", data=np.zeros((20, 8), np.uint8), compression="lzf")
        out["text"] = ["abc"] * 20
        for i in range(5):
            out.create_group(f"data/demo_{i}").attrs["num_samples"] = i

    path, chance = tmp_path / "a.hdf5", np.random.default_rng(1)
    told = []
    for libver in ("earliest", "latest"):
        with h5py.File(path, "w", libver=libver) as out:
            make(out)
        whole = path.read_bytes()
        for mutation in range(150):
            damaged = np.frombuffer(whole, np.uint8).copy()
            if mutation % 3 == 0:
                damaged = damaged[: chance.integers(len(damaged))]
            else:
                where = chance.integers(0, len(damaged), 1 + mutation % 7)
                damaged[where] ^= chance.integers(1, 256, len(where)).astype(np.uint8)
            path.write_bytes(damaged.tobytes())
            try:
                _walk(tmp_path)
            except SourceError as error:
                told.append(str(error))
    assert len(told) > 50
    assert all("a.hdf5" in message for message in told)


# -- chunks that are shorter than what they stand for ---------------------------------------------------------------

_SHORT = b"\x02AAA"


@pytest.mark.parametrize(
    ("how", "chunk"),
    [
        ({}, b"A" * 3),
        ({"shuffle": True}, b"A" * 3),
        ({"fletcher32": True}, b"A"),
        ({"compression": "gzip"}, zlib.compress(b"AAA")),
        ({"compression": "gzip", "shuffle": True}, zlib.compress(b"AAA")),
        ({"compression": "gzip"}, zlib.compress(bytes(4608 * 8 + 1))),
        ({"compression": "lzf"}, _SHORT),
    ],
    ids=str,
)
def test_a_chunk_that_unpacks_to_another_size_is_an_error(how: dict[str, Any], chunk: bytes, file: Any) -> None:
    """The library would fill the rest with whatever lies in memory, or die on a check sum of less than four bytes."""

    def make(out: h5py.File) -> None:
        data = out.create_dataset("x", data=np.ones((2, 4608)), chunks=(1, 4608), **how)
        data.id.write_direct_chunk((1, 0), chunk)

    found = file(make)
    for read in (
        lambda: found.numbers("/x"),
        lambda: found.values("/x"),
        lambda: found.row("/x", 1),
        lambda: list(found.rows("/x")),
    ):
        with pytest.raises(SourceError, match=r"a\.hdf5: /x .*damaged"):
            read()


def test_chunks_written_without_their_packing_are_read(file: Any) -> None:
    """The library leaves out a filter that makes a chunk longer and says so in the chunk's mask."""
    values = np.arange(2 * 4608.0).reshape(2, 4608)

    def make(out: h5py.File) -> None:
        data = out.create_dataset("x", data=values, chunks=(1, 4608), compression="gzip")
        data.id.write_direct_chunk((1, 0), values[1].tobytes(), filter_mask=1)
        out.create_dataset("all", data=values, chunks=(1, 500), compression="gzip", shuffle=True, fletcher32=True)
        out.create_dataset("lzf", data=values, chunks=(2, 500), compression="lzf", shuffle=True)
        out.create_dataset("texts", data=["a", "b"], dtype=h5py.string_dtype(), compression="gzip", chunks=(1,))

    found = file(make)
    for path in ("/x", "/all", "/lzf"):
        assert np.array_equal(found.numbers(path), values)
    assert found.texts("/texts") == ["a", "b"]
