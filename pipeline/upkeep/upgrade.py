"""Carrying a workspace of another version of Joinery over to this one, as far as that is true.

A column that was added is filled with what it means for rows that were written before it: its default, or nothing where
that is allowed. A table of results that differs otherwise is emptied, and the results that had rows in it are taken out
of ``work_done``, so a run makes them anew; they would be made anew anyway, since a stage whose output changes has
another version and so other work keys. Published sets, answers of models, reviews, the takedown list and digests
of source files stay. A ledger that differs otherwise cannot be carried over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa

from pipeline.errors import StoreError
from pipeline.store import Workspace
from pipeline.table_files import n_rows
from pipeline.table_format import ColumnChange, changes, filled, fillings
from pipeline.tables import LEDGERS, TABLES, table_schema
from pipeline.upkeep.garbage import forget_results
from schemas.run import WorkDone

RECORDS: Mapping[str, type] = {name: record for record, name in [*TABLES.items(), *LEDGERS.items()]}


class Deed(StrEnum):
    """What becomes of a table."""

    MADE = "made"
    FILLED = "filled"
    EMPTIED = "emptied"
    IMPOSSIBLE = "impossible"


@dataclass(frozen=True)
class Step:
    """One table that is not as this version writes it."""

    table: str
    deed: Deed
    changes: tuple[ColumnChange, ...]
    values: Mapping[str, object]
    """What rows of before say in added columns."""
    n_rows: int


def steps(workspace: Workspace) -> list[Step]:
    """What has to be done, in order of tables; nothing where all is as it should be.

    Raises StoreError where there is no workspace.
    """
    there = set(workspace.tables())
    if LEDGERS[WorkDone] not in there:
        raise StoreError(f"{workspace.url}: found no Joinery workspace there; `joinery run RECIPE` makes one")
    found = (_step(workspace, name, name in there) for name in RECORDS)
    return [step for step in found if step is not None]


def upgrade(workspace: Workspace, wanted: Sequence[Step]) -> int:
    """Do the steps; how many results a run will make anew. Repeated after a kill it comes to the same.

    Raises StoreError for a step that is impossible; then nothing has changed.
    """
    for step in wanted:
        if step.deed is Deed.IMPOSSIBLE:
            raise StoreError(
                f"{workspace.url}: {'; '.join(map(str, step.changes))}: what stands in this table cannot be made anew "
                "and says nothing in such a column; use the version of Joinery that wrote it, or a new workspace"
            )
    gone = _to_be_anew(workspace, wanted)
    forget_results(workspace, gone)
    for step in wanted:
        schema = table_schema(RECORDS[step.table])
        if step.deed is Deed.EMPTIED:
            workspace.rewrite(step.table, schema, ())
        elif step.deed is Deed.FILLED:
            workspace.rewrite(step.table, schema, _filled(workspace, step, schema))
    Workspace.open(workspace.url, workspace.storage)  # makes tables that are not there, and the note
    return len(gone)


def n_anew(workspace: Workspace, wanted: Sequence[Step]) -> int:
    """How many results a run would make anew after the steps."""
    return len(_to_be_anew(workspace, wanted))


def _to_be_anew(workspace: Workspace, wanted: Sequence[Step]) -> set[str]:
    """Committed attempts with rows in a table that is emptied."""
    emptied = [step.table for step in wanted if step.deed is Deed.EMPTIED]
    attempts = {attempt for name in emptied for attempt in _attempts(workspace, name)}
    return attempts & set(_attempts(workspace, LEDGERS[WorkDone]))


def _step(workspace: Workspace, name: str, is_there: bool) -> Step | None:
    expected = table_schema(RECORDS[name])
    if not is_there:
        return Step(name, Deed.MADE, (), {}, 0)
    found = workspace.columns(name)
    if found.equals(expected):
        return None
    differ = tuple(changes(name, found, expected))
    values = fillings(RECORDS[name], differ)
    n = n_rows(workspace, name)
    if values is not None:
        return Step(name, Deed.FILLED, differ, values, n)
    is_ledger = RECORDS[name] in LEDGERS
    return Step(name, Deed.IMPOSSIBLE if is_ledger and n else Deed.EMPTIED, differ, {}, n)


def _attempts(workspace: Workspace, name: str) -> Iterator[str]:
    if "attempt" in workspace.columns(name).names:
        for batch in workspace.scan_table(name, ["attempt"]):
            yield from set(batch.column(0).to_pylist())


def _filled(workspace: Workspace, step: Step, schema: pa.Schema) -> Iterator[pa.Table]:
    names = workspace.columns(step.table).names
    for batch in workspace.scan_table(step.table, names):
        yield filled(pa.Table.from_batches([batch]), step.values, schema)
