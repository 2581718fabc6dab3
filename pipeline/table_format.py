"""The columns a table has against those this version of Joinery writes, and the note a workspace keeps of both.

The note, ``workspace.json``, says which version made the tables and what columns they have. It is written when all of
them are there, so whoever opens a workspace whose note fits need not open thirty tables to know.
"""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

import pyarrow as pa

from pipeline.blobs import Blobs
from pipeline.shards.json_text import pretty
from schemas.identity import digest

NOTE = "workspace.json"
FORMAT = 1


@dataclass(frozen=True)
class ColumnChange:
    """One column that is not as expected."""

    table: str
    column: str
    found: str
    """Its type; empty when it is not there."""
    expected: str
    """Empty when this version has no such column."""

    def __str__(self) -> str:
        found, expected = self.found or "no such column", self.expected or "no such column"
        return f"table {self.table}, column {self.column}: found {found}, expected {expected}"


def changes(table: str, found: pa.Schema, expected: pa.Schema) -> list[ColumnChange]:
    """What differs, by column; in which order columns stand means nothing."""
    have, want = _types(found), _types(expected)
    names = [*want, *(name for name in have if name not in want)]
    return [
        ColumnChange(table, name, have.get(name, ""), want.get(name, ""))
        for name in names
        if have.get(name) != want.get(name)
    ]


def said_of(table: str, found: pa.Schema, expected: pa.Schema) -> str:
    """What differs and what to do, for whoever opens such a workspace."""
    differ = "; ".join(map(str, changes(table, found, expected))) or f"table {table}: columns in another order"
    return (
        f"{differ}. Another version of Joinery wrote this workspace: use that one, or let `joinery upgrade RECIPE "
        "--dry-run` say what of it can be carried over"
    )


def fillings(record: type, differ: Sequence[ColumnChange]) -> dict[str, object] | None:
    """What rows that were written before a column was there say in it: its default, or nothing where that is allowed.

    None when something else than added columns differs, or one of them has no such value.
    """
    fields = {field.name: field for field in dataclasses.fields(typing.cast(typing.Any, record))}
    values: dict[str, object] = {}
    for change in differ:
        field = fields.get(change.column)
        if change.found or field is None:
            return None
        if field.default is not dataclasses.MISSING and not dataclasses.is_dataclass(field.default):
            values[change.column] = field.default
        elif not change.expected.endswith(" not null"):
            values[change.column] = None
        else:
            return None
    return values


def filled(rows: pa.Table, values: Mapping[str, object], expected: pa.Schema) -> pa.Table:
    """Rows with the columns they lack, in the order expected."""
    for name, value in values.items():
        field = expected.field(name)
        plain = list(value) if isinstance(value, tuple) else value
        rows = rows.append_column(field, pa.array([plain] * len(rows), field.type))
    return rows.select(expected.names).cast(expected)


def _types(schema: pa.Schema) -> dict[str, str]:
    return {field.name: f"{field.type}{'' if field.nullable else ' not null'}" for field in schema}


# -- the note ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Note:
    """What a workspace says of its tables."""

    joinery: str
    tables: Mapping[str, str]
    """Fingerprint of each table's columns."""


def note_of(schemas: Mapping[str, pa.Schema]) -> Note:
    """What this version would say."""
    prints = {
        name: digest(*(f"{column} {kind}" for column, kind in sorted(_types(schema).items())))[:16]
        for name, schema in schemas.items()
    }
    return Note(version("joinery"), prints)


def read_note(blobs: Blobs) -> Note | None:
    """What the workspace says; None where it says nothing that can be read, and then the tables are looked at."""
    try:
        said = json.loads(blobs.read(NOTE))
        if said["format"] != FORMAT:
            return None
        return Note(str(said["joinery"]), {str(name): str(text) for name, text in said["tables"].items()})
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return None


def write_note(blobs: Blobs, note: Note) -> None:
    """Say that all tables are there, with these columns."""
    blobs.put_bytes(NOTE, pretty({"format": FORMAT, "joinery": note.joinery, "tables": dict(note.tables)}).encode())
