"""What a worker hands back: files that no table version mentions yet, and what to say about them once they are in."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from pipeline.tables import TABLES
from schemas import arrow
from schemas.cost import BatchCost
from schemas.finding import Failure
from schemas.model_call import ModelCall
from schemas.note import Note
from schemas.run import WorkDone

if TYPE_CHECKING:
    from pipeline.store import Workspace


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
    cost: BatchCost | None = None
    """What it took; committed before the results, so that no result is without its cost."""
    notes: tuple[Note, ...] = ()
    """What was logged on the way, for the run's log."""


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


def new_attempt() -> str:
    """A fresh attempt id: the time, which keeps what is written together near each other, then random digits.

    It never reaches a result; it only keeps tries apart.
    """
    return f"{time.time_ns():016x}{secrets.token_hex(8)}"
