"""Rows of tables that mention an episode, in whatever column: found by reading text, not by knowing the schema."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from pipeline.forget.contents import values_of
from pipeline.forget.search import Search
from pipeline.store import Workspace


def text_columns(schema: pa.Schema) -> list[str]:
    """Columns in which words may stand, nested ones too."""
    return [field.name for field in schema if _has_text(field.type)]


def mentions(workspace: Workspace, table: str, search: Search, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The values of ``columns`` in every row of a table that mentions what is searched for."""
    words = text_columns(workspace.columns(table))
    for batch in workspace.scan_table(table, sorted({*words, *columns})):
        if _hit(batch, search, words):
            for i in range(batch.num_rows):
                row = batch.slice(i, 1)
                if _hit(row, search, words):
                    (values,) = row.select(list(columns)).to_pylist()
                    yield values


def _hit(batch: pa.RecordBatch, search: Search, columns: Sequence[str]) -> bool:
    values = (value for name in columns for value in values_of(batch.column(name)))
    return any(True for value in values for _ in search.in_bytes(value))


def _has_text(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return any(_has_text(kind.field(i).type) for i in range(kind.num_fields))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _has_text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
