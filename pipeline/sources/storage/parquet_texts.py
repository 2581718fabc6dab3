"""How much memory the texts of a Parquet file take once every row has its own.

A text that all rows repeat stands in the file once, and the footer counts it once: a file of kilobytes can unpack to
gigabytes without any size in it being a lie. So texts are looked at as the file keeps them before they are read.
"""

from collections.abc import Collection
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import SourceError

MAX_TEXT_BYTES = 256 << 20
"""The texts of one table: half a million instructions of 500 bytes each."""
_ROWS_AT_A_TIME = 4096


def check_texts(file: Any, columns: Collection[str], where: str) -> None:
    """Raises SourceError when the texts of these columns take more than any table's. Raises what pyarrow raises."""
    parquet, wanted = pq.ParquetFile(file), set(columns)
    leaves = [parquet.schema.column(place) for place in range(len(parquet.schema))]
    texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY" and leaf.path.split(".")[0] in wanted]
    if not texts:
        return
    as_kept, taken = pq.ParquetFile(file, read_dictionary=texts), 0
    for batch in as_kept.iter_batches(batch_size=_ROWS_AT_A_TIME, columns=texts):
        taken += sum(_bytes(column) for column in batch.columns)
        if taken > MAX_TEXT_BYTES:
            raise SourceError(
                f"{where}: its texts take more than {MAX_TEXT_BYTES >> 20} MiB once every row has its own; no "
                "recording says that much: the file is damaged"
            )


def _bytes(array: Any) -> int:
    if pa.types.is_dictionary(array.type):
        lengths = pc.binary_length(array.dictionary)
        return int(pc.sum(pc.cast(lengths.take(array.indices), pa.int64())).as_py() or 0)
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type) or pa.types.is_struct(array.type):
        below = array.flatten()
        return sum(map(_bytes, below)) if isinstance(below, list) else _bytes(below)
    return int(array.nbytes)
