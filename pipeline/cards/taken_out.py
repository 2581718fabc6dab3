"""The tables of a shard set without what they say of some episodes (`pipeline.shards.without` makes the set).

An episode's own rows go, and so do pairs it was one of. An event of another episode that was left out for a copy of
this one's stays left out; which the copy was is no longer said.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.blobs import Blobs
from pipeline.cards.tables import (
    COPIES,
    EPISODES,
    EVENTS,
    FINDINGS,
    LEFT_OUT,
    MANIFEST,
    RECORDS,
    SOURCES,
    write_table,
)
from schemas.arrow import from_table

ABOUT: Mapping[str, tuple[str, ...]] = {
    EPISODES: ("episode_id",),
    EVENTS: ("episode_id",),
    FINDINGS: ("subject",),
    LEFT_OUT: ("episode_id",),
    COPIES: ("episode_id", "kept_id"),
    MANIFEST: ("episode_id",),
}
"""Table → columns that name the episode a row is about."""
_WITH_EVENTS = (EVENTS, LEFT_OUT, MANIFEST)
KEPT = "kept_id"
"""Column of left_out: the event that was kept instead, of whatever episode."""


@dataclass(frozen=True)
class Gone:
    """What a set must not name any more."""

    episodes: frozenset[str]
    events: frozenset[str] = frozenset()
    """The digits of their events' ids, without the prefix: no table of a set need say whose event was kept."""

    def has_event(self, event_id: str) -> bool:
        return event_id.rpartition("-")[2] in self.events


def is_named(blobs: Blobs, folder: str, names: Collection[str], gone: Gone) -> bool:
    """Whether any of these tables has a row that must change."""
    return any(_is_in(blobs, f"{folder}/{name}", ABOUT[name], gone) for name in names if name in ABOUT)


def _is_in(blobs: Blobs, path: str, columns: tuple[str, ...], gone: Gone) -> bool:
    episodes = pa.array(sorted(gone.episodes), pa.string())
    with blobs.open(path) as file:
        parquet = pq.ParquetFile(file)
        kept = [KEPT] if path.endswith(LEFT_OUT) else []
        for batch in parquet.iter_batches(columns=[*columns, *kept]):
            if any(pc.any(pc.is_in(batch.column(name), episodes)).as_py() for name in columns):
                return True
            if kept and any(map(gone.has_event, batch.column(KEPT).to_pylist())):
                return True
    return False


def events_of(blobs: Blobs, folder: str, names: Collection[str], episodes: Collection[str]) -> set[str]:
    """Ids of all events of these episodes that the tables have."""
    wanted, found = pa.array(sorted(episodes), pa.string()), set[str]()
    for name in _WITH_EVENTS:
        if name in names:
            with blobs.open(f"{folder}/{name}") as file:
                for batch in pq.ParquetFile(file).iter_batches(columns=["episode_id", "event_id"]):
                    own = batch.filter(pc.is_in(batch.column("episode_id"), wanted))
                    found.update(own.column("event_id").to_pylist())
    return found


def write_tables(blobs: Blobs, folder: str, out: str, gone: Gone) -> None:
    """Every table but the manifest, without them, into another folder."""
    for name in (EPISODES, EVENTS, FINDINGS, LEFT_OUT, COPIES):
        _write(blobs, f"{out}/{name}", RECORDS[name], _left(blobs, folder, name, gone))
    sources = {episode.source for episode in _records(blobs, out, EPISODES)}
    used = (source for source in _records(blobs, folder, SOURCES) if source.source in sources)
    _write(blobs, f"{out}/{SOURCES}", RECORDS[SOURCES], used)


def _write(blobs: Blobs, path: str, record: type, records: Iterator[Any]) -> None:
    blobs.put(path, lambda stream: write_table(record, records, stream))


def _left(blobs: Blobs, folder: str, name: str, gone: Gone) -> Iterator[Any]:
    for row in _records(blobs, folder, name):
        if any(getattr(row, column) in gone.episodes for column in ABOUT[name]):
            continue
        yield replace(row, kept_id="") if name == LEFT_OUT and gone.has_event(row.kept_id) else row


def _records(blobs: Blobs, folder: str, name: str) -> Iterator[Any]:
    with blobs.open(f"{folder}/{name}") as file:
        for batch in pq.ParquetFile(file).iter_batches():
            yield from from_table(RECORDS[name], pa.Table.from_batches([batch]))
