"""Writing the tables beside the tars (`schemas.shard_tables`) from the records of a run, a batch at a time.

Memory holds some hundred bytes per episode of the set: its samples, and what align said of it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, TypeVar, cast

import numpy as np
import pyarrow.parquet as pq

from schemas.arrow import schema_of, to_table
from schemas.cluster import Membership
from schemas.duplicate import DuplicateEpisodes
from schemas.episode import Alignment, Camera, Episode
from schemas.event import Event, Provenance
from schemas.finding import Finding
from schemas.shard import ShardEntry
from schemas.shard_tables import (
    CameraEntry,
    CopyEntry,
    EpisodeEntry,
    EventEntry,
    FindingEntry,
    LeftOutEntry,
    SourceEntry,
)
from schemas.source_card import SourceCard
from schemas.time import NS_PER_S

MANIFEST = "manifest.parquet"
SOURCES, EPISODES, EVENTS = "sources.parquet", "episodes.parquet", "events.parquet"
FINDINGS, LEFT_OUT, COPIES = "findings.parquet", "left_out.parquet", "copies.parquet"
RECORDS: Mapping[str, type] = {
    SOURCES: SourceEntry,
    EPISODES: EpisodeEntry,
    EVENTS: EventEntry,
    FINDINGS: FindingEntry,
    LEFT_OUT: LeftOutEntry,
    COPIES: CopyEntry,
    MANIFEST: ShardEntry,
}
"""File → what a row of it is."""
ROW_GROUP = 65_536
"""Fixed, so that a table's bytes do not follow the executor's batches."""
STEADY_NS = NS_PER_S // 1000
NOBODY = "nobody"

R = TypeVar("R")


@dataclass
class Drawn:
    """What is known of an episode from its samples."""

    n_samples: int = 0
    splits: set[str] = field(default_factory=set)


def drawn_episodes(batches: Iterable[list[ShardEntry]]) -> dict[str, Drawn]:
    """The episodes a set has samples of."""
    found: dict[str, Drawn] = {}
    for batch in batches:
        for entry in batch:
            of = found.setdefault(entry.episode_id, Drawn())
            of.n_samples += 1
            of.splits.add(entry.split)
    return found


def write_table(record: type[R], records: Iterable[R], stream: BinaryIO) -> None:
    """Parquet of records in the order they come."""
    with pq.ParquetWriter(stream, schema_of(cast(type, record)), compression="zstd") as writer:
        for group in _groups(records, ROW_GROUP):
            writer.write_table(to_table(record, group), row_group_size=ROW_GROUP)


def tables(
    streams: Callable[[type], Iterator[list[Any]]], sources: Mapping[str, tuple[str, SourceCard]]
) -> dict[str, Callable[[BinaryIO], None]]:
    """File → what writes it. ``sources`` are kind and card by name, in the recipe's order."""
    drawn = drawn_episodes(streams(ShardEntry))
    sync = {item.episode_id: item for item in _flat(streams(Alignment)) if item.episode_id in drawn}

    def episodes() -> Iterator[EpisodeEntry]:
        for episode in _flat(streams(Episode)):
            if episode.episode_id in drawn:
                card = sources[episode.source][1]
                yield episode_entry(episode, sync[episode.episode_id], drawn[episode.episode_id], card)

    def sources_used() -> Iterator[SourceEntry]:
        used = {episode.source for episode in _flat(streams(Episode)) if episode.episode_id in drawn}
        return (source_entry(name, *sources[name]) for name in sorted(used))

    rows: dict[str, Callable[[], Iterator[Any]]] = {
        SOURCES: sources_used,
        EPISODES: episodes,
        EVENTS: lambda: (event_entry(item) for item in _flat(streams(Event)) if item.episode_id in drawn),
        FINDINGS: lambda: map(finding_entry, _flat(streams(Finding))),
        LEFT_OUT: lambda: map(left_out_entry, (item for item in _flat(streams(Membership)) if not item.kept)),
        COPIES: lambda: map(copy_entry, _flat(streams(DuplicateEpisodes))),
    }

    def writer(name: str) -> Callable[[BinaryIO], None]:
        return lambda stream: write_table(RECORDS[name], rows[name](), stream)

    return {name: writer(name) for name in rows}


def source_entry(name: str, kind: str, card: SourceCard) -> SourceEntry:
    """A source as its card has it."""
    return SourceEntry(
        source=name,
        kind=kind,
        title=card.title,
        homepage=card.homepage,
        citation=card.citation,
        licence=card.licence,
        redistribution=str(card.redistribution),
        consent=card.consent,
        personal_data=str(card.personal_data),
        personal_data_method=card.personal_data_method,
        contact=card.contact,
    )


def episode_entry(episode: Episode, alignment: Alignment, drawn: Drawn, card: SourceCard) -> EpisodeEntry:
    """A recording as it was read."""
    return EpisodeEntry(
        episode_id=episode.episode_id,
        source=episode.source,
        dataset=episode.dataset,
        locator=episode.locator,
        embodiment=episode.embodiment,
        protocol=str(episode.protocol),
        instruction=episode.instruction,
        licence=episode.licence,
        redistribution=str(card.redistribution),
        consent=episode.consent,
        action_kind=str(episode.action_kind),
        duration_ns=_length(episode.master),
        kept_ns=sum(kept.end_ns - kept.start_ns for kept in alignment.kept),
        sync=str(alignment.verdict),
        offset_ns=alignment.offset_ns,
        splits=tuple(sorted(drawn.splits)),
        n_samples=drawn.n_samples,
        cameras=tuple(map(_camera_entry, episode.cameras)),
    )


def _camera_entry(camera: Camera) -> CameraEntry:
    steps = np.diff(np.append(camera.times_ns, camera.end_ns))
    return CameraEntry(
        name=camera.name,
        role=str(camera.role),
        width=camera.width,
        height=camera.height,
        n_frames=camera.n_frames,
        duration_ns=_length(camera),
        steady=bool(np.ptp(steps) <= 2 * STEADY_NS) if len(steps) else True,
        has_intrinsics=camera.intrinsics is not None,
        has_extrinsics=camera.extrinsics is not None,
    )


def _length(camera: Camera) -> int:
    return camera.end_ns - int(camera.times_ns[0]) if camera.n_frames else 0


def event_entry(event: Event) -> EventEntry:
    """An event, without what only its sample needs."""
    return EventEntry(
        event_id=event.event_id,
        episode_id=event.episode_id,
        level=str(event.level),
        parent_id=event.parent_id,
        frame_start=event.span.frame_start,
        frame_end=event.span.frame_end,
        start_ns=event.span.start_ns,
        end_ns=event.span.end_ns,
        verb=str(event.verb),
        caption=event.caption,
        objects=event.objects,
        outcome=str(event.outcome),
        recovery=str(event.recovery),
        confidence=event.confidence,
        boundaries_by=said_by(event.boundaries_by),
        caption_by=said_by(event.caption_by),
        prompt=event.caption_by.prompt_hash if event.caption_by else "",
        needs_vlm=event.needs_vlm,
        review=str(event.review),
    )


def said_by(by: Provenance | None) -> str:
    """Who made a label, in words."""
    return " ".join(filter(None, (by.proposer, by.model))) if by else NOBODY


def finding_entry(of: Finding) -> FindingEntry:
    """A finding without its message."""
    return FindingEntry(
        of.subject, of.source, of.stage, of.check, str(of.verdict), of.value, of.threshold, of.start_ns, of.end_ns
    )


def left_out_entry(of: Membership) -> LeftOutEntry:
    """An event that is not drawn."""
    reason = "licence" if of.withheld else "copy"
    return LeftOutEntry(of.event_id, of.episode_id, of.source, reason, of.withheld, of.duplicate_of)


def copy_entry(of: DuplicateEpisodes) -> CopyEntry:
    """A pair of episodes, by id."""
    return CopyEntry(of.episode_id, of.source, of.kept_id, of.kept_source, of.same_recording, of.n_shared, of.n_events)


def _flat(batches: Iterable[list[Any]]) -> Iterator[Any]:
    return (item for batch in batches for item in batch)


def _groups(records: Iterable[R], size: int) -> Iterator[list[R]]:
    group: list[R] = []
    for record in records:
        group.append(record)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group
