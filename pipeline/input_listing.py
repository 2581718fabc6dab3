"""The inputs of a group's or the corpus's item, listed in blobs: they may be more than an item can carry along.

A folder has one Parquet file per upstream stage, with one row (item, attempt) per member, in order of item. `pipeline.
ledger` writes it when it hands the item out; the worker that does the item reads it chunk by chunk.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.store import Workspace

LISTING_CHUNK = 64
"""Attempts a wide stage reads at a time; bounds its memory."""


def write_listing(workspace: Workspace, folder: str, stage: str, rows: pa.RecordBatchReader) -> None:
    """List what an upstream stage has; ``rows`` are (item, attempt)."""
    workspace.blobs.put(f"{folder}/{stage}.parquet", partial(_copy_parquet, rows))


def listed_attempts(workspace: Workspace, folder: str, stage: str) -> Iterator[list[str]]:
    """The attempts of a listing, chunk by chunk, in order of item."""
    with workspace.blobs.open(f"{folder}/{stage}.parquet") as file:
        parquet = pq.ParquetFile(file)
        for batch in parquet.iter_batches(batch_size=LISTING_CHUNK, columns=["attempt"]):
            yield batch.column(0).to_pylist()


def _copy_parquet(reader: pa.RecordBatchReader, stream: BinaryIO) -> None:
    with pq.ParquetWriter(stream, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)
