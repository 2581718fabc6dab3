"""The workspace: one transactional Lance table per record type, on a local path or an object store.

Writes happen in two phases. Workers write *attempts*: data files that no table version mentions yet. The
coordinator *commits* them: it appends the attempts' files to their tables and, last of all, appends their rows
to ``work_done``. A result exists if and only if its row stands there, so a kill between any two of these steps
leaves only rows that nobody can see. Every data row carries ``work_key`` and ``attempt``; readers ask for
attempts, and where two runs raced, the smallest attempt of a work key is the one that counts.

Lance's Python interface changes often; nothing outside this file touches it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any, TypeVar

import lance
import pyarrow as pa
from lance.file import LanceFileReader
from lance.fragment import FragmentMetadata, write_fragments

from pipeline.blobs import Blobs, is_local
from pipeline.errors import StoreError
from schemas import arrow
from schemas.calibration import Calibration
from schemas.cluster import Assignment, ClusterDrift, ClusterModel, Embedding, FittedEvents, Membership
from schemas.duplicate import DuplicateEpisodes
from schemas.episode import ActionTrack, Alignment, Episode
from schemas.event import Event
from schemas.filmstrip import Filmstrip, Thumbnail
from schemas.finding import Failure, Finding
from schemas.model_call import ModelCall
from schemas.outline import Outline
from schemas.plan import Draw, DrawSegment, SamplingPlan
from schemas.run import FileDigest, Run, WorkDone
from schemas.shard import Clip, ShardEntry, ShardFile, ShardSet, ShardStatistics
from schemas.source import EpisodeRef
from schemas.sync import LagCurve, SourceLag

R = TypeVar("R")

TABLES: Mapping[type, str] = {
    Episode: "episodes",
    ActionTrack: "action_tracks",
    Filmstrip: "filmstrips",
    Thumbnail: "thumbnails",
    Finding: "findings",
    LagCurve: "lag_curves",
    SourceLag: "source_lags",
    Alignment: "alignments",
    Calibration: "calibrations",
    Event: "events",
    Embedding: "embeddings",
    ClusterModel: "cluster_models",
    FittedEvents: "fitted_events",
    ClusterDrift: "cluster_drift",
    Assignment: "assignments",
    Outline: "outlines",
    Membership: "memberships",
    DuplicateEpisodes: "duplicate_episodes",
    SamplingPlan: "sampling_plans",
    Draw: "draws",
    DrawSegment: "draw_segments",
    Clip: "clips",
    ShardFile: "shard_files",
    ShardEntry: "shard_entries",
    ShardStatistics: "shard_statistics",
    ShardSet: "shard_sets",
}
"""Tables that stages write; each row also carries ``work_key`` and ``attempt``."""

LEDGERS: Mapping[type, str] = {
    WorkDone: "work_done",
    Failure: "quarantine",
    Run: "runs",
    EpisodeRef: "episode_refs",
    FileDigest: "file_digests",
    ModelCall: "model_calls",
}
"""Tables that the coordinator writes."""

LINEAGE = [pa.field("work_key", pa.string(), nullable=False), pa.field("attempt", pa.string(), nullable=False)]
COMPACT_ABOVE_FRAGMENTS = 64


def table_schema(record: type) -> pa.Schema:
    """The schema a record's table has in the store."""
    schema = arrow.schema_of(record)
    return pa.schema([*schema, *LINEAGE]) if record in TABLES else schema


@dataclass(frozen=True)
class Attempt:
    """What a worker did with a batch: files written but not yet visible, and what to say about them."""

    fragments: Mapping[str, tuple[str, ...]]
    """Table name → fragments as JSON."""
    done: tuple[WorkDone, ...]
    failures: tuple[Failure, ...]
    calls: tuple[ModelCall, ...] = ()
    """What models were asked on the way, for items that failed too."""
    stopped: str = ""
    """Why the batch ended before its last item: a service is down, and the run ends once this is committed."""


class AttemptWriter:
    """Collects a batch's records per table and writes them as Lance fragments, in bounded memory."""

    def __init__(self, workspace: Workspace, flush_bytes: int = 64 << 20) -> None:
        self._workspace = workspace
        self._flush_bytes = flush_bytes
        self._tables: dict[type, list[pa.Table]] = {}
        self._bytes = 0
        self._fragments: dict[str, list[str]] = {}

    def add(self, records: Sequence[object], work_key: str, attempt: str) -> None:
        """Add some of one item's records; their order within the attempt is kept. Nothing is written yet."""
        by_type: dict[type, list[object]] = {}
        for record in records:
            by_type.setdefault(type(record), []).append(record)
        for record_type, group in by_type.items():
            table = arrow.to_table(record_type, group)
            for name, value in zip(("work_key", "attempt"), (work_key, attempt), strict=True):
                table = table.append_column(pa.field(name, pa.string(), nullable=False), pa.repeat(value, len(group)))
            self._tables.setdefault(record_type, []).append(table)
            self._bytes += table.nbytes

    def flush_if_large(self) -> None:
        """Write what has come together, when it is much. Called between items: a write that fails is not an item's."""
        if self._bytes > self._flush_bytes:
            self._flush()

    def finish(self) -> Mapping[str, tuple[str, ...]]:
        """Write what is left; returns the fragments of every table touched."""
        self._flush()
        return {name: tuple(fragments) for name, fragments in self._fragments.items()}

    def _flush(self) -> None:
        for record_type in list(self._tables):
            name, table = TABLES[record_type], pa.concat_tables(self._tables.pop(record_type))
            self._fragments.setdefault(name, []).extend(self._workspace.write_fragments(name, table))
        self._bytes = 0


@dataclass(frozen=True)
class Workspace:
    """A workspace by URL; picklable, so that workers carry it. Open one with `Workspace.open`."""

    url: str
    storage: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def open(cls, url: str, storage: Mapping[str, str] | None = None) -> Workspace:
        """The workspace at a URL with all its tables; creates what is missing.

        Raises StoreError when a table there was written with another schema.
        """
        workspace = cls(url, dict(storage or {}))
        for record, name in [*TABLES.items(), *LEDGERS.items()]:
            workspace._ensure_table(name, table_schema(record))
        return workspace

    @classmethod
    def existing(cls, url: str, storage: Mapping[str, str] | None = None) -> Workspace:
        """Like `open` but raises StoreError when there is no workspace yet."""
        workspace = cls(url, dict(storage or {}))
        if not workspace._exists("work_done"):
            raise StoreError(f"{url}: found no Joinery workspace there; `joinery run RECIPE` makes one")
        return cls.open(url, storage)

    @cached_property
    def blobs(self) -> Blobs:
        return Blobs(self.url, dict(self.storage))

    # -- writing ---------------------------------------------------------------------------------------------------

    def write_fragments(self, name: str, table: pa.Table) -> list[str]:
        """Phase one: data files that belong to no version yet, as JSON handles."""
        fragments = write_fragments(table, self._uri(name), mode="append", storage_options=self._options)
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
        name, schema = LEDGERS[record], table_schema(record)
        handles = [
            handle for rows in batches if rows for handle in self.write_fragments(name, arrow.to_table(record, rows))
        ]
        fragments = [FragmentMetadata.from_json(handle) for handle in handles]
        committed = lance.LanceDataset.commit(
            self._uri(name), lance.LanceOperation.Overwrite(schema, fragments), storage_options=self._options
        )
        return int(committed.version)

    def compact(self, names: Iterable[str]) -> None:
        """Merge small files of tables that have many; readers are not disturbed."""
        for name in names:
            dataset = self._dataset(name)
            if len(dataset.get_fragments()) > COMPACT_ABOVE_FRAGMENTS:
                try:
                    dataset.optimize.compact_files()
                except OSError as error:
                    if "conflict" not in str(error).lower():  # another run is at it; compacting can wait
                        raise

    # -- taking out ------------------------------------------------------------------------------------------------

    def tables(self) -> list[str]:
        """Names of the tables there are, those that another version of Joinery made too."""
        return sorted({path.split("/")[1].removesuffix(".lance") for path in self.blobs.list("tables")})

    def delete(self, name: str, where: str) -> None:
        """Rows are gone from the newest version; `shed` takes them out of the files."""
        dataset = self._dataset(name)
        if dataset.count_rows(where):
            dataset.delete(where)

    def update(self, name: str, values: Mapping[str, str], where: str) -> None:
        """Set columns to SQL expressions, in one transaction; the old values stay in old files until `shed`."""
        self._dataset(name).update(dict(values), where)

    def shed(self, name: str) -> None:
        """Rewrite files with deleted rows, then remove every file that the newest version does not need.

        Files of attempts that nobody has committed are removed too, so no run may be at work. A version remembers the
        condition its rows were deleted by, so an empty one is put on top before the others go.
        """
        dataset = self._dataset(name)
        if any(fragment.num_deletions for fragment in dataset.get_fragments()):
            dataset.optimize.compact_files(materialize_deletions=True, materialize_deletions_threshold=0.0)
        self._append_fragments(name, [])
        self._dataset(name).cleanup_old_versions(timedelta(0), delete_unverified=True)

    def rows_of_file(self, path: str) -> Iterator[pa.RecordBatch]:
        """Every row of one data file, deleted ones too, whatever version it belongs to."""
        reader = LanceFileReader(f"{self.url.rstrip('/')}/{path}", self._options)
        yield from reader.read_all(batch_size=1024).to_batches()

    # -- reading ---------------------------------------------------------------------------------------------------

    def scan_table(self, name: str, columns: Sequence[str], where: str | None = None) -> pa.RecordBatchReader:
        """`scan` of a table by its name, whatever wrote it."""
        return self._dataset(name).scanner(columns=list(columns), filter=where).to_reader()

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
        """Our option names in Lance's words."""
        if is_local(self.url):
            return None
        names = {"endpoint": "aws_endpoint", "region": "aws_region"}
        names |= {"access_key_id": "aws_access_key_id", "secret_access_key": "aws_secret_access_key"}
        options = {names.get(key, key): value for key, value in self.storage.items()}
        if options.get("aws_endpoint", "").startswith("http://"):
            options["allow_http"] = "true"
        return options

    def _dataset(self, name: str, version: int | None = None) -> Any:
        return lance.dataset(self._uri(name), version=version, storage_options=self._options)

    def _exists(self, name: str) -> bool:
        return bool(self.blobs.list(f"tables/{name}.lance/_versions"))

    def _ensure_table(self, name: str, schema: pa.Schema) -> None:
        if not self._exists(name):
            try:
                lance.write_dataset(schema.empty_table(), self._uri(name), mode="create", storage_options=self._options)
            except OSError as error:
                if "already exists" not in str(error):  # another run was faster: its table is as good
                    raise
        found = self._dataset(name).schema
        if not found.equals(schema):
            raise StoreError(
                f"{self._uri(name)}: its columns are not those of this version of Joinery "
                f"(found {found.names}, expected {schema.names}); use a new workspace"
            )

    def _append_fragments(self, name: str, handles: Sequence[str]) -> None:
        fragments = [FragmentMetadata.from_json(handle) for handle in handles]
        lance.LanceDataset.commit(
            self._uri(name),
            lance.LanceOperation.Append(fragments),
            read_version=self._dataset(name).version,
            storage_options=self._options,
        )


def new_attempt() -> str:
    """A fresh attempt id. Random on purpose: it never reaches a result, it only keeps tries apart."""
    return uuid.uuid4().hex


def one_of(column: str, values: Sequence[str]) -> str:
    """The predicate ``column IN (…)`` with every value quoted."""
    quoted = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
    return f"{column} IN ({quoted})"


def stream_rows(workspace: Workspace, record: type[R], attempts: Iterable[Sequence[str]]) -> Iterator[list[R]]:
    """Records of ordered chunks of attempts, one list per chunk, in the attempts' order."""
    for chunk in attempts:
        by_attempt = workspace.read(record, chunk)
        yield [row for attempt in chunk for row in by_attempt[attempt]]
