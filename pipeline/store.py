"""The workspace: one transactional Lance table per record type, on a local path or an object store.

Writes happen in two phases. Workers write *attempts*: data files that no table version mentions yet. The
coordinator *commits* them: it appends the attempts' files to their tables and, last of all, appends their rows
to ``work_done``. A result exists if and only if its row stands there, so a kill between any two of these steps
leaves only rows that nobody can see. Every data row carries ``work_key`` and ``attempt``; readers ask for
attempts, and where two runs raced, the smallest attempt of a work key is the one that counts.

Lance's Python interface changes often; nothing outside this file and `pipeline.table_files` touches it.
"""

from __future__ import annotations

import json
import platform
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any, TypeVar

import lance
import pyarrow as pa
from lance.file import LanceFileReader
from lance.fragment import FragmentMetadata, write_fragments

from pipeline.attempt import Attempt
from pipeline.blobs import Blobs, is_local
from pipeline.errors import StoreError, UnreachableError
from pipeline.table_format import note_of, read_note, said_of, write_note
from pipeline.tables import LEDGERS, TABLES, table_schema
from schemas import arrow
from schemas.cost import BatchCost
from schemas.finding import Failure
from schemas.model_call import ModelCall
from schemas.run import WorkDone

R = TypeVar("R")

COMPACT_ABOVE_FRAGMENTS = 64
"""So many files of less than `FILE_BYTES` are merged; larger ones stay, so that no row is rewritten for ever."""
FILE_BYTES = 256 << 20
MOST_ROWS = 1 << 20
"""Of a merged file, however small its rows."""
INDEX_ABOVE_ROWS = 1 << 16
"""Reading an attempt goes through the rows that no index knows; so many cost a few milliseconds."""
INDEX = "attempt_zones"
OPENED_AT_ONCE = 8


@dataclass(frozen=True)
class Workspace:
    """A workspace by URL; picklable, so that workers carry it. Open one with `Workspace.open`."""

    url: str
    storage: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def open(cls, url: str, storage: Mapping[str, str] | None = None) -> Workspace:
        """The workspace at a URL with all its tables; creates what is missing.

        Raises StoreError when a table there has other columns.
        """
        workspace = cls(url, dict(storage or {}))
        schemas = {name: table_schema(record) for record, name in [*TABLES.items(), *LEDGERS.items()]}
        note, said = note_of(schemas), read_note(workspace.blobs)
        if said is not None and said.tables == note.tables:
            return workspace
        with ThreadPoolExecutor(OPENED_AT_ONCE) as pool:  # on an object store each waits for several answers
            opened = [pool.submit(workspace._ensure_table, name, schema) for name, schema in schemas.items()]
            for one in opened:
                one.result()
        write_note(workspace.blobs, note)
        return workspace

    @classmethod
    def existing(cls, url: str, storage: Mapping[str, str] | None = None) -> Workspace:
        """Like `open` but raises StoreError when there is no workspace yet."""
        workspace = cls(url, dict(storage or {}))
        if not workspace._exists("work_done"):
            raise StoreError(f"{url}: found no Joinery workspace there; `joinery run RECIPE` makes one")
        return cls.open(url, storage)

    def make_table(self, record: type) -> None:
        """One new table alone: for those who only try the storage."""
        self._ensure_table(TABLES.get(record) or LEDGERS[record], table_schema(record))

    @cached_property
    def blobs(self) -> Blobs:
        return Blobs(self.url, dict(self.storage))

    # -- writing ---------------------------------------------------------------------------------------------------

    def write_fragments(self, name: str, table: pa.Table, mode: str = "append") -> list[str]:
        """Phase one: data files that belong to no version yet, as JSON handles."""
        fragments = self._patiently(
            name, lambda: write_fragments(table, self._uri(name), mode=mode, storage_options=self._options)
        )
        return [json.dumps(fragment.to_json()) for fragment in fragments]

    def commit(self, attempts: Iterable[Attempt]) -> None:
        """Phase two: publish attempts. Data first, ``work_done`` last: only it makes rows visible."""
        attempts = list(attempts)
        fragments: dict[str, list[str]] = {}
        for attempt in attempts:
            for name, handles in attempt.fragments.items():
                fragments.setdefault(name, []).extend(handles)
        for name in sorted(fragments):
            self._append_fragments(name, fragments[name])
        self.append(ModelCall, [call for attempt in attempts for call in attempt.calls])
        self.append(BatchCost, [attempt.cost for attempt in attempts if attempt.cost is not None])
        self.append(Failure, [failure for attempt in attempts for failure in attempt.failures])
        self.append(WorkDone, [done for attempt in attempts for done in attempt.done])

    def append(self, record: type[R], rows: Sequence[R]) -> None:
        """Append ledger rows in one transaction."""
        if rows:
            name = LEDGERS[record]
            table = arrow.to_table(record, rows)
            self._append_fragments(name, self.write_fragments(name, table))

    def replace(self, record: type[R], batches: Iterable[Sequence[R]]) -> int:
        """Replace a ledger's whole content in one transaction, batch by batch in bounded memory.

        Returns the version that `scan` and `rows` read it back from, whoever replaces it afterwards.
        """
        name = LEDGERS[record]
        return self.rewrite(name, table_schema(record), (arrow.to_table(record, rows) for rows in batches if rows))

    def rewrite(self, name: str, schema: pa.Schema, batches: Iterable[pa.Table]) -> int:
        """Put rows with these columns in the place of a table's, in one transaction, and return its version.

        The version before stays, and so does its schema.
        """
        handles = [handle for rows in batches for handle in self.write_fragments(name, rows, mode="overwrite")]
        fragments = [FragmentMetadata.from_json(handle) for handle in handles]
        return self._commit(name, lance.LanceOperation.Overwrite(schema, fragments))

    def compact(self, names: Iterable[str]) -> None:
        """Merge small files of tables that have many, and index what is new of large ones; disturbs no reader."""
        for name in names:
            dataset = self._dataset(name)
            try:
                target = _rows_per_file(dataset)
                if sum(f.physical_rows < target for f in dataset.get_fragments()) > COMPACT_ABOVE_FRAGMENTS:
                    dataset.optimize.compact_files(target_rows_per_fragment=target)
                self._index(name)
            except OSError as error:
                if is_local(self.url) and "conflict" not in str(error).lower():
                    raise  # elsewhere another run is at it, or the store is slow: compacting can wait

    def _index(self, name: str) -> None:
        """Zones of attempts, for tables so large that reading one attempt would mean looking at a million others.

        Attempts written together have ids near each other (`new_attempt`), so a zone's first and last id rule almost
        every other zone out.
        """
        dataset = self._dataset(name)
        if name in LEDGERS.values() or dataset.count_rows() <= INDEX_ABOVE_ROWS:
            return
        if all(index.name != INDEX for index in dataset.describe_indices()):
            dataset.create_scalar_index("attempt", "ZONEMAP", name=INDEX)
        elif dataset.stats.index_stats(INDEX)["num_unindexed_rows"] > INDEX_ABOVE_ROWS:
            dataset.optimize.optimize_indices(index_names=[INDEX])

    # -- taking out ------------------------------------------------------------------------------------------------

    def tables(self) -> list[str]:
        """Names of the tables there are, those that another version of Joinery made too."""
        return sorted({path.split("/")[1].removesuffix(".lance") for path in self.blobs.list("tables")})

    def delete(self, name: str, where: str) -> None:
        """Rows are gone from the newest version; `shed` takes them out of the files."""
        self._patiently(name, lambda: self._delete(name, where))

    def _delete(self, name: str, where: str) -> None:
        dataset = self._dataset(name)
        if dataset.count_rows(where):
            dataset.delete(where)

    def update(self, name: str, values: Mapping[str, str], where: str) -> None:
        """Set columns to SQL expressions, in one transaction; the old values stay in old files until `shed`."""
        self._patiently(name, lambda: self._dataset(name).update(dict(values), where))

    def shed(self, name: str) -> None:
        """Rewrite files with deleted rows, then remove every file that the newest version does not need.

        Files of attempts that nobody has committed are removed too, so no run may be at work. A version remembers the
        condition its rows were deleted by, so an empty one is put on top before the others go.
        """
        self.close_gaps(name)
        self._append_fragments(name, [])
        self._dataset(name).cleanup_old_versions(timedelta(0), delete_unverified=True)

    def close_gaps(self, name: str) -> None:
        """Rewrite files with deleted rows; the old ones stay for as long as an older version is there."""
        dataset = self._dataset(name)
        if any(fragment.num_deletions for fragment in dataset.get_fragments()):
            dataset.optimize.compact_files(materialize_deletions=True, materialize_deletions_threshold=0.0)

    def table(self, name: str, version: int | None = None) -> Any:
        """A table as Lance has it, for `pipeline.table_files` alone, which knows of what files it is made."""
        return self._dataset(name, version)

    def rows_of_file(self, path: str) -> Iterator[pa.RecordBatch]:
        """Every row of one data file, deleted ones too, whatever version it belongs to."""
        reader = LanceFileReader(f"{self.url.rstrip('/')}/{path}", self._options)
        yield from reader.read_all(batch_size=1024).to_batches()

    # -- reading ---------------------------------------------------------------------------------------------------

    def scan_table(self, name: str, columns: Sequence[str], where: str | None = None) -> pa.RecordBatchReader:
        """`scan` of a table by its name, whatever wrote it."""
        return self._dataset(name).scanner(columns=list(columns), filter=where).to_reader()

    def count(self, name: str) -> int:
        """How many rows a table has."""
        return int(self._dataset(name).count_rows())

    def columns(self, name: str) -> pa.Schema:
        """The columns of a table by its name."""
        return self._dataset(name).schema

    def scan(
        self,
        record: type,
        columns: Sequence[str] | None = None,
        where: str | None = None,
        version: int | None = None,
    ) -> pa.RecordBatchReader:
        """Rows of a table as a stream of Arrow batches; the filter is pushed down. Uncommitted attempts included."""
        dataset = self._dataset(TABLES.get(record) or LEDGERS[record], version)
        return dataset.scanner(columns=list(columns) if columns else None, filter=where).to_reader()

    def rows(self, record: type[R], where: str | None = None, version: int | None = None) -> list[R]:
        """Ledger rows as records; for tables whose matching part is small."""
        return arrow.from_table(record, self.scan(record, where=where, version=version).read_all())

    def version(self, record: type) -> int:
        """The version of a ledger that is the newest now."""
        return int(self._dataset(LEDGERS[record]).version)

    def take(self, record: type[R], places: Sequence[int], version: int | None = None) -> list[R]:
        """Ledger rows by their places in a table, in that order; costs what they are, not what the table is."""
        return arrow.from_table(record, self._dataset(LEDGERS[record], version).take(list(places)))

    def read(self, record: type[R], attempts: Sequence[str], where: str | None = None) -> dict[str, list[R]]:
        """Records by attempt, each attempt's in the order written. Attempts without rows get an empty list."""
        found: dict[str, list[R]] = {attempt: [] for attempt in attempts}
        if not attempts:
            return found
        predicate = one_of("attempt", attempts) + (f" AND ({where})" if where else "")
        table = self.scan(record, where=predicate).read_all()
        for attempt, row in zip(table.column("attempt").to_pylist(), arrow.from_table(record, table), strict=True):
            found[attempt].append(row)
        return found

    def batches(self, record: type[R], attempt: str) -> Iterator[list[R]]:
        """One attempt's records in the order written, a few thousand in memory at a time; none for no attempt."""
        if attempt:
            for batch in self.scan(record, where=one_of("attempt", [attempt])):
                yield arrow.from_table(record, pa.Table.from_batches([batch]))

    # -- Lance -----------------------------------------------------------------------------------------------------

    def _uri(self, name: str) -> str:
        return f"{self.url.rstrip('/')}/tables/{name}.lance"

    @property
    def _options(self) -> dict[str, str] | None:
        """Where the store is, how long to wait and how often to try again, in Lance's words."""
        if is_local(self.url):
            return None
        from pipeline.bucket import CONNECT_S, REQUEST_S, RETRY_S, STALLED_S, where  # noqa: PLC0415 - as in blobs

        return {f"aws_{key}": value for key, value in where(self.storage).items()} | {
            "allow_http": "true",
            "client_max_retries": "10",
            "client_retry_timeout": f"{float(self.storage.get('retry_s', RETRY_S)):.0f}",
            "connect_timeout": f"{CONNECT_S:.0f}s",
            "read_timeout": f"{STALLED_S:.0f}s",
            "download_retry_count": "10",
            "timeout": f"{REQUEST_S:.0f}s",
        }

    def _dataset(self, name: str, version: int | None = None) -> Any:
        """Raises UnreachableError where the table is not there: what nodes that share no disk run into."""
        try:
            return self._opened(name, version)
        except ValueError as error:
            if version is not None or "not found" not in str(error):
                raise
            raise UnreachableError(
                f"{self.url}: the table {name} is not there on node {platform.node()}; a workspace on a disk must be "
                "one folder that every node sees under this path (docs/deploy.md), and nothing may remove it meanwhile"
            ) from error

    def _opened(self, name: str, version: int | None = None) -> Any:
        return self._patiently(
            name, lambda: lance.dataset(self._uri(name), version=version, storage_options=self._options)
        )

    def _exists(self, name: str) -> bool:
        """Whether it has a version; asked by opening it, since a listing of all its versions may be long."""
        try:
            self._opened(name)
        except ValueError as error:
            if "not found" not in str(error):
                raise
            return False
        return True

    def _ensure_table(self, name: str, schema: pa.Schema) -> None:
        if not self._exists(name):
            self._patiently(name, lambda: self._create(name, schema))
        found = self._dataset(name).schema
        if not found.equals(schema):
            raise StoreError(f"{self.url}: {said_of(name, found, schema)}")

    def _create(self, name: str, schema: pa.Schema) -> None:
        try:
            lance.write_dataset(schema.empty_table(), self._uri(name), mode="create", storage_options=self._options)
        except OSError as error:
            if "already exists" not in str(error):  # another run was faster: its table is as good
                raise

    def _append_fragments(self, name: str, handles: Sequence[str]) -> None:
        fragments = [FragmentMetadata.from_json(handle) for handle in handles]
        self._commit(name, lance.LanceOperation.Append(fragments))

    def _commit(self, name: str, operation: Any) -> int:
        """Carry a transaction out once, and return the version it made.

        Lance puts a version where there is none yet, and on a conflict tries the next number. A request that was broken
        off may have been carried out all the same, so before it is sent again the versions since are looked through.
        """
        first, transaction = int(self._dataset(name).version), str(uuid.uuid4())

        def commit() -> int:
            dataset = self._dataset(name)
            for version in range(first + 1, dataset.version + 1) if tries else ():
                if dataset.read_transaction(version).uuid == transaction:
                    return version
            tries.append(1)
            made = lance.Transaction(dataset.version, operation, transaction)
            return int(lance.LanceDataset.commit(self._uri(name), made, storage_options=self._options).version)

        tries: list[int] = []
        return self._patiently(name, commit)

    def _patiently(self, name: str, call: Callable[[], R]) -> R:
        """A call's result; on an object store tried again for as long as it fails in passing.

        Lance tries again by itself what is safe to send twice; this is about what is left. Raises UnreachableError
        when the store cannot be had, StoreError when it refuses.
        """
        if is_local(self.url):
            return call()
        from pipeline.bucket import patiently  # noqa: PLC0415 - as in blobs

        return patiently(self._uri(name), self.storage, call, OSError)


def _rows_per_file(dataset: Any) -> int:
    """How many rows of a table make a file of `FILE_BYTES`."""
    files = [file for fragment in dataset.get_fragments() for file in fragment.metadata.files]
    n_bytes: int = sum(file.file_size_bytes or 0 for file in files)
    n_rows = max(1, int(dataset.count_rows()))
    return max(1, min(MOST_ROWS, FILE_BYTES * n_rows // max(1, n_bytes)))


def one_of(column: str, values: Sequence[str]) -> str:
    """The predicate ``column IN (…)`` with every value quoted."""
    quoted = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
    return f"{column} IN ({quoted})"


def stream_rows(workspace: Workspace, record: type[R], attempts: Iterable[Sequence[str]]) -> Iterator[list[R]]:
    """Records of ordered chunks of attempts, one list per chunk, in the attempts' order."""
    for chunk in attempts:
        by_attempt = workspace.read(record, chunk)
        yield [row for attempt in chunk for row in by_attempt[attempt]]
