"""Texts that a file holds once and a table many times are counted as often as the table has them."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import SourceError
from pipeline.sources.storage.parquet_texts import MAX_TEXT_BYTES, check_texts


def check(path: Path, table: Any, *columns: str) -> None:
    pq.write_table(table, path, compression="zstd")
    with path.open("rb") as file:
        check_texts(file, columns or table.column_names, str(path))


def repeated(n_rows: int, text: str) -> pa.Array:
    return pa.DictionaryArray.from_arrays(np.zeros(n_rows, np.int32), pa.array([text]))


def test_texts_are_counted_once_per_row(tmp_path: Path) -> None:
    long = "x" * (MAX_TEXT_BYTES // 64)
    check(tmp_path / "a", pa.table({"t": repeated(64, long)}))
    with pytest.raises(SourceError, match="its texts take more than 256 MiB once every row has its own"):
        check(tmp_path / "a", pa.table({"t": repeated(65, long)}))
    assert (tmp_path / "a").stat().st_size < 100_000


def test_texts_inside_lists_and_structures_count_as_well(tmp_path: Path) -> None:
    long = "x" * (MAX_TEXT_BYTES // 64)
    lists = pa.ListArray.from_arrays(pa.array(range(66), pa.int32()), repeated(65, long).dictionary_decode())
    for column in (lists, pa.StructArray.from_arrays([repeated(65, long).dictionary_decode()], ["said"])):
        with pytest.raises(SourceError, match="once every row has its own"):
            check(tmp_path / "a", pa.table({"t": column}))


def test_columns_nobody_reads_and_usual_tables_pass(tmp_path: Path) -> None:
    said = ["pick up the can", None, "", "ä"]
    table = pa.table({"t": said, "l": [["a"], [], None, ["b", "c"]], "n": [1.0, 2.0, 3.0, None], "b": [b"x"] * 4})
    check(tmp_path / "a", table)
    check(tmp_path / "a", table.append_column("big", pa.array(["x" * 100_000_000] * 4)), "t", "l", "n")
