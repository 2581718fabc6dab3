"""npz files that are the same bytes tomorrow, and that numpy reads."""

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from pipeline.shards.npz import read_npz, write_npz

ARRAYS = {
    "values": np.arange(40, dtype=np.float32).reshape(2, 20),
    "none": np.zeros((0, 20), np.float32),
    "known": np.array([True, False]),
    "names": np.array(["left_joint", "b"]),
    "times_ns": np.array([1, 2], np.int64),
}


def same(found: NDArray[Any], expected: NDArray[Any]) -> bool:
    return found.dtype == expected.dtype and found.shape == expected.shape and bool(np.array_equal(found, expected))


def test_numpy_reads_it_without_pickle() -> None:
    with np.load(io.BytesIO(write_npz(ARRAYS)), allow_pickle=False) as found:
        assert list(found) == list(ARRAYS)
        assert all(same(found[name], array) for name, array in ARRAYS.items())


def test_bytes_do_not_depend_on_the_time_of_day(monkeypatch: pytest.MonkeyPatch) -> None:
    before = write_npz(ARRAYS)
    monkeypatch.setattr("time.time", lambda: 2e9)
    assert write_npz(ARRAYS) == before


dtypes = st.sampled_from([np.dtype("float32"), np.dtype("int64"), np.dtype("bool"), np.dtype("<U7")])


@given(dtypes.flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0))))
def test_reading_gives_what_was_written_as_a_copy(array: NDArray[Any]) -> None:
    found = read_npz(write_npz({"a": array}))["a"]
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    assert found.tobytes() == np.ascontiguousarray(array).tobytes()
    assert found.flags.writeable


def test_other_files_are_refused_not_guessed_at() -> None:
    compressed = io.BytesIO()
    np.savez_compressed(compressed, **ARRAYS)  # type: ignore[arg-type]  # numpy's stub takes only keyword arrays
    with pytest.raises(ValueError, match="compressed or streamed"):
        read_npz(compressed.getvalue())
    with pytest.raises(ValueError, match="not an npz"):
        read_npz(b"hello")
    with pytest.raises(ValueError, match="Fortran-ordered"):
        read_npz(_fortran())


def _fortran() -> bytes:
    plain = write_npz({"a": np.zeros((2, 2))})
    return plain.replace(b"'fortran_order': False", b"'fortran_order': True ")
