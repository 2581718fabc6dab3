"""NumPy archives from strangers: no objects, no pickles, no claim believed that the file cannot meet."""

import io
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.sources.storage import npz_file
from pipeline.sources.storage.npz_file import opened


def numbers(path: Path, key: str = "a") -> Any:
    with opened(SourceFiles(str(path.parent)), path.name) as log:
        return log.numbers(key)


def with_member(path: Path, data: bytes, packing: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", packing) as archive:
        archive.writestr("a.npy", data)
    return path


def npy(header: str, data: bytes = b"") -> bytes:
    text = header.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + data


@pytest.mark.parametrize("values", [np.arange(6.0).reshape(2, 3), np.asfortranarray(np.arange(6).reshape(2, 3)), True])
def test_numbers_come_back_as_float64(values: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=values)
    found = numbers(tmp_path / "a.npz")
    assert found.dtype == np.float64
    assert np.array_equal(found, values)


def test_packed_and_large_endian_arrays_come_back(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", a=np.arange(5, dtype=">i4"))
    assert numbers(tmp_path / "a.npz").tolist() == [0, 1, 2, 3, 4]


def test_an_array_of_objects_is_refused_without_unpickling(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "executed",))

    np.savez(tmp_path / "a.npz", a=np.array([Trap()], object))
    with pytest.raises(SourceError, match=r"a\.npz: a holds Python objects, which are never read"):
        numbers(tmp_path / "a.npz")
    with_member(tmp_path / "b.npz", pickle.dumps(Trap()))
    with pytest.raises(SourceError, match=r"b\.npz: a cannot be read"):
        numbers(tmp_path / "b.npz")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    "data",
    [
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }"),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }"),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", bytes(8)),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", bytes(24)),
        npy("{'descr': 'nonsense', 'fortran_order': False, 'shape': (2,), }", bytes(16)),
        npy("__import__('os').system('true')"),
        npy("{'descr': '<f8'}"),
        b"\x93NUMPY\x09\x00",
        b"",
        b"\x93NUM",
    ],
)
def test_a_header_that_lies_is_an_error(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"a\.npz: a cannot be read"):
        numbers(with_member(tmp_path / "a.npz", data))


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npz_file, "MAX_ARRAY_BYTES", 1 << 20)
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(1 << 20))
    path = with_member(tmp_path / "a.npz", buffer.getvalue(), zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 20_000
    with pytest.raises(SourceError, match=r"a claims 8388736 bytes, more than 1 MiB"):
        numbers(path)


def test_a_damaged_archive_is_an_error(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.arange(100))
    data = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(data[: len(data) // 2])
    with pytest.raises(SourceError, match=r"cut\.npz: is no readable NumPy archive"):
        numbers(tmp_path / "cut.npz")
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 1
    (tmp_path / "flipped.npz").write_bytes(flipped)
    with pytest.raises(SourceError, match=r"flipped\.npz: a cannot be read \(Bad CRC-32"):
        numbers(tmp_path / "flipped.npz")


def test_what_is_not_there_or_no_number_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.array(["x"]), b=np.array([1j]))
    with pytest.raises(SourceError, match=r"holds no array 'c'; there are a, b"):
        numbers(tmp_path / "a.npz", "c")
    for key in "ab":
        with pytest.raises(SourceError, match=f"{key} holds .*, expected numbers"):
            numbers(tmp_path / "a.npz", key)


@pytest.mark.parametrize("header", ["[" * 5000, "{'descr': (", "'" * 3, "-" * 9000 + "1"])
def test_a_header_that_is_no_value_is_an_error(header: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"a\.npz: a cannot be read"):
        numbers(with_member(tmp_path / "a.npz", npy(header, bytes(16))))
