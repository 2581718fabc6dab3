"""What of a workspace no longer counts: rows and files that no reader can ever see again.

A run that is killed leaves files that no table version mentions, rows that no line of ``work_done`` vouches for, and
half a tar. Every commit leaves the version before it. Nothing here knows what a result means: it counts if and only
if it is committed (`pipeline.store`), and a file of a published shard set is never looked at.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import pyarrow as pa

from pipeline.errors import StoreError
from pipeline.files import FileStat
from pipeline.shards.latest import SHARDS
from pipeline.shards.publish import MANIFESTS
from pipeline.shards.shard import TARS
from pipeline.shards.without import unfinished
from pipeline.sql import Sql, in_memory
from pipeline.store import Workspace, one_of
from pipeline.table_files import files_of, manifest_names, newest, pinned, versions
from pipeline.tables import LEDGERS, TABLES
from pipeline.upkeep.files_there import files_there
from schemas.run import WorkDone
from schemas.shard import ShardFile

CHUNK = 256
_PARTS_OF_A_TABLE = re.compile(r"tables/[^/]+\.lance/(data/|_deletions/|_transactions/|_versions/\d+\.manifest$)")
TRIED = "doctor"
"""What `joinery doctor` tries the storage with; there only while it does."""
_MANIFEST = "/_versions/"
_WORKPLACES = (
    TARS,
    MANIFESTS,
    SHARDS,
    "inputs",
    "answers",
    "logs",
    "reviews",
    "forgotten",
    "handed_out",
    "at_work",
    TRIED,
)
"""Folders in which a blob is written under a temporary name first."""


class Kind(StrEnum):
    """Why a file is not needed."""

    UNCOMMITTED = "attempts that were never committed"
    VERSIONS = "old versions of tables"
    BESIDE = "tars and set tables of no result"
    LISTS = "lists of inputs of killed runs"
    HALF = "half-written files"
    SETS = "shard sets that were never finished"


@dataclass(frozen=True)
class Unneeded:
    """One file and why it is not needed."""

    kind: Kind
    file: FileStat


@dataclass(frozen=True)
class DeadRows:
    """Rows of one table that no committed result owns."""

    table: str
    attempts: tuple[str, ...]
    n_rows: int
    n_bytes: int
    """Of the table's files, by their share of its rows."""


# -- rows --------------------------------------------------------------------------------------------------------------


def dead_rows(workspace: Workspace, dropped: Collection[str] = ()) -> list[DeadRows]:
    """Rows of attempts that were never committed, that lost against another of the same work key, or are ``dropped``.

    A kill between the commit of the data and that of ``work_done`` leaves the first, two runs at once the second.
    """
    with in_memory() as sql:
        visible_attempts(workspace, sql, dropped)
        return [found for name in TABLES.values() if (found := _dead(workspace, sql, name)) is not None]


def visible_attempts(workspace: Workspace, sql: Sql, dropped: Collection[str] = ()) -> None:
    """Make the table ``visible`` (work_key, item, stage, attempt): one attempt per result, the one the ledger chooses.

    Items with the same inputs share a work key, so the item tells results apart too.
    """
    sql.register("done", workspace.scan(WorkDone, ["work_key", "item", "stage", "attempt"]))
    sql.register("dropped", pa.table({"attempt": pa.array(sorted(dropped), pa.string())}))
    sql.execute(
        """CREATE OR REPLACE TABLE visible AS SELECT * FROM (
               SELECT work_key, item, any_value(stage) AS stage, min(attempt) AS attempt FROM done
               GROUP BY work_key, item)
           ANTI JOIN dropped USING (attempt)"""
    )
    sql.unregister("done")
    sql.unregister("dropped")


def losers(workspace: Workspace) -> frozenset[str]:
    """Attempts that were committed beside another of the same result: of two the smaller one counts."""
    with in_memory() as sql:
        visible_attempts(workspace, sql)
        sql.register("done", workspace.scan(WorkDone, ["attempt"]))
        rows = sql.execute("SELECT DISTINCT attempt FROM done ANTI JOIN visible USING (attempt)").fetchall()
    return frozenset(attempt for (attempt,) in rows)


def _dead(workspace: Workspace, sql: Sql, name: str) -> DeadRows | None:
    sql.register("rows", workspace.scan_table(name, ["attempt"]))
    sql.execute("CREATE OR REPLACE TABLE per_attempt AS SELECT attempt, count(*) AS n FROM rows GROUP BY attempt")
    sql.unregister("rows")
    found = sql.execute(
        "SELECT attempt, n FROM per_attempt ANTI JOIN visible USING (attempt) ORDER BY attempt"
    ).fetchall()
    if not found:
        return None
    ((n_all,),) = sql.execute("SELECT sum(n) FROM per_attempt").fetchall()
    sizes = {file.path: file.size for file in files_there(workspace.blobs, f"tables/{name}.lance/data")}
    n_bytes = sum(sizes.get(path, 0) for path in files_of(workspace, name, newest(workspace, name)))
    n_rows = sum(n for _, n in found)
    return DeadRows(name, tuple(attempt for attempt, _ in found), n_rows, int(n_bytes * n_rows / n_all))


# -- files -------------------------------------------------------------------------------------------------------------


def unneeded_files(workspace: Workspace, before_ns: int, dropped: Collection[str] = ()) -> list[Unneeded]:
    """Files nobody needs and nobody has needed since ``before_ns``, in an order in which they can be removed.

    A version of a table counts from when the next one was written. Results in ``dropped`` count as gone.
    """
    found = [*_of_tables(workspace, before_ns), *_of_blobs(workspace, dropped)]
    return [one for one in found if one.file.mtime_ns <= before_ns]


def _of_tables(workspace: Workspace, before_ns: int) -> Iterator[Unneeded]:
    by_table: dict[str, list[FileStat]] = {}
    for file in files_there(workspace.blobs, "tables"):
        by_table.setdefault(file.path.split("/")[1].removesuffix(".lance"), []).append(file)
    for name, files in by_table.items():
        yield from _of_table(workspace, name, files, before_ns)


def _of_table(workspace: Workspace, name: str, files: list[FileStat], before_ns: int) -> list[Unneeded]:
    """Manifests come first: no version is ever left that lacks a file."""
    every = versions(workspace, name)
    written = {file.path: file.mtime_ns for file in files}
    kept = {every[-1], *pinned(workspace, name)}
    for version, following in pairwise(every):
        if _written(written, name, following) > before_ns:
            kept.add(version)
    needed = {path for version in kept for path in files_of(workspace, name, version)}
    loose = [file for file in files if file.path not in needed and _PARTS_OF_A_TABLE.match(file.path)]
    if not loose:
        return []
    old = {path for version in every if version not in kept for path in _files_of_old(workspace, name, version)}
    found = [
        Unneeded(Kind.VERSIONS if file.path in old or "/data/" not in file.path else Kind.UNCOMMITTED, file)
        for file in loose
    ]
    return sorted(found, key=lambda one: _MANIFEST not in one.file.path)


def _written(written: dict[str, int], name: str, version: int) -> int:
    """When a version's manifest was written, by the store's clock."""
    return next(at for path in manifest_names(name, version) if (at := written.get(path)) is not None)


def _files_of_old(workspace: Workspace, name: str, version: int) -> Iterable[str]:
    try:
        return files_of(workspace, name, version)
    except StoreError:  # a removal that was killed has begun with it
        return ()


def _of_blobs(workspace: Workspace, dropped: Collection[str]) -> Iterator[Unneeded]:
    blobs = workspace.blobs
    needed = _results_beside(workspace, dropped)
    half_sets = tuple(f"{SHARDS}/{name}/" for name in unfinished(blobs))
    for folder in (*_WORKPLACES, TRIED):
        for file in files_there(blobs, folder):
            if file.path.endswith(".tmp") or folder == TRIED:
                yield Unneeded(Kind.HALF, file)
            elif folder == "inputs":
                yield Unneeded(Kind.LISTS, file)
            elif half_sets and file.path.startswith(half_sets):
                yield Unneeded(Kind.SETS, file)
            elif folder in (TARS, MANIFESTS) and not needed & {file.path, file.path.split("/")[1]}:
                yield Unneeded(Kind.BESIDE, file)


def _results_beside(workspace: Workspace, dropped: Collection[str]) -> set[str]:
    """Paths of tars and work keys of set tables that a committed result owns."""
    with in_memory() as sql:
        visible_attempts(workspace, sql, dropped)
        sql.register("shard_files", workspace.scan(ShardFile, ["path", "attempt"]))
        rows = sql.execute(
            """SELECT path FROM shard_files SEMI JOIN visible USING (attempt)
               UNION SELECT work_key FROM visible WHERE stage = 'publish'"""
        ).fetchall()
    return {path for (path,) in rows}


def removed_rows(workspace: Workspace, dead: DeadRows) -> None:
    """Delete dead rows and write what is left of their files anew; the old files belong to the version before."""
    remove_attempts(workspace, dead.table, dead.attempts)
    workspace.close_gaps(dead.table)


def remove_attempts(workspace: Workspace, table: str, attempts: Iterable[str]) -> None:
    """Delete all rows of some attempts from the newest version of a table."""
    ordered = sorted(attempts)
    for i in range(0, len(ordered), CHUNK):
        workspace.delete(table, one_of("attempt", ordered[i : i + CHUNK]))


def forget_results(workspace: Workspace, attempts: Collection[str]) -> None:
    """Take results out of ``work_done``: from then on their rows are dead, and a run would make them anew."""
    remove_attempts(workspace, LEDGERS[WorkDone], attempts)
