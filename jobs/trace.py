"""``joinery trace``: where a thing came from and where it went, both ways.

Takes any id Joinery prints (episode, event, shard sample key, shard name, ``cell:v/a``) or the path of a source
file, and walks source → episode → event → cell → shard from there. Ids may be shortened to a unique prefix.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

from pipeline.errors import JoineryError
from pipeline.ledger import Ledger
from pipeline.store import Workspace, one_of
from schemas.cluster import Assignment
from schemas.event import Event
from schemas.plan import Draw
from schemas.shard import ShardEntry
from schemas.source import EpisodeRef

R = TypeVar("R")


@dataclass(frozen=True)
class TracedEvent:
    """One event and what became of it."""

    event_id: str
    level: str
    start_s: float
    end_s: float
    caption: str
    parent_id: str
    cell: str
    """``v/a``; empty when the event is not a sample."""
    split: str
    samples: tuple[str, ...]
    """``shard/key`` of every copy."""
    made_by: str = ""
    """Whose span it is when no detector placed it, e.g. ``source steps``."""


@dataclass(frozen=True)
class TracedEpisode:
    """One episode with the part of its tree that was asked for."""

    episode_id: str
    source: str
    root: str
    locator: str
    files: tuple[str, ...]
    events: tuple[TracedEvent, ...] = field(default=())


def trace(workspace: Workspace, ledger: Ledger, subject: str) -> list[TracedEpisode]:
    """Everything connected to ``subject``. Raises JoineryError when nothing is."""
    events = _events_named(ledger, subject)
    episodes = sorted({event.episode_id for event in events}) if events else _episodes_named(workspace, subject)
    if not episodes:
        raise JoineryError(
            f"{subject}: nothing by that name; trace takes an episode id (ep-…), an event id (ev-…), a sample key, "
            "a shard name, cell:V/A, or a part of a source file's path"
        )
    wanted = {event.event_id for event in events}
    return [_traced(workspace, ledger, episode, wanted) for episode in episodes]


def _events_named(ledger: Ledger, subject: str) -> list[ShardEntry | Assignment | Event]:
    """The records of events that an event id, sample key, shard name or cell points to."""
    if subject.startswith("ep-"):
        return []
    if subject.startswith("ev-"):
        return [event for event in ledger.present(Event, "caption") if event.event_id.startswith(subject)]
    if subject.startswith("cell:"):
        return [
            row for row in ledger.present(Assignment, "assign") if f"cell:{row.vision_language}/{row.action}" == subject
        ]
    return [row for row in ledger.present(ShardEntry, "shard") if subject in (row.key, row.shard)]


def _episodes_named(workspace: Workspace, subject: str) -> list[str]:
    """Episodes by id prefix, or by a part of a file path or locator."""
    found: list[str] = []
    for batch in workspace.scan(EpisodeRef, columns=["episode_id", "root", "locator", "files"]):
        for row in batch.to_pylist():
            paths = [row["locator"], *(f"{row['root']}/{file['path']}" for file in row["files"])]
            if row["episode_id"].startswith(subject) or any(subject in path for path in paths):
                found.append(row["episode_id"])
    return sorted(set(found))


def _traced(workspace: Workspace, ledger: Ledger, episode: str, wanted: set[str]) -> TracedEpisode:
    copies = workspace.rows(EpisodeRef, one_of("episode_id", [episode]))
    ref = min(copies, key=lambda ref: (ref.source, ref.locator))  # the one `Ledger` keeps
    where = one_of("episode_id", [episode])
    events = _current(workspace, ledger, Event, "caption", episode)
    assignments = {row.event_id: row for row in _current(workspace, ledger, Assignment, "assign", episode)}
    attempts = [attempt for _, attempt in ledger.done_attempts("shard")]
    entries = [row for rows in workspace.read(ShardEntry, attempts, where).values() for row in rows]
    schedule = [attempt for _, attempt in ledger.done_attempts("schedule")]
    draws = [row for rows in workspace.read(Draw, schedule, where).values() for row in rows]
    split = {draw.event_id: draw.split for draw in sorted(draws, key=lambda draw: draw.t, reverse=True)}
    shown = [event for event in events if not wanted or event.event_id in wanted]
    traced = []
    for event in sorted(shown, key=lambda event: (event.span, event.level.depth)):
        assignment = assignments.get(event.event_id)
        samples = sorted((row.shard, row.t, row.key) for row in entries if row.event_id == event.event_id)
        traced.append(
            TracedEvent(
                event_id=event.event_id,
                level=event.level,
                start_s=event.span.start_ns / 1e9,
                end_s=event.span.end_ns / 1e9,
                caption=event.caption,
                parent_id=event.parent_id,
                cell=f"{assignment.vision_language}/{assignment.action}" if assignment else "",
                split=split.get(event.event_id, ""),
                samples=tuple(f"{shard}/{key}" for shard, _, key in samples),
                made_by=" ".join((by.proposer, by.model)) if (by := event.boundaries_by).model else "",
            )
        )
    files = tuple(file.path for file in ref.files)
    return TracedEpisode(episode, ref.source, ref.root, ref.locator, files, tuple(traced))


def _current(workspace: Workspace, ledger: Ledger, record: type[R], stage: str, episode: str) -> list[R]:
    attempts = [attempt for item, attempt in ledger.done_attempts(stage) if item == episode]
    return [row for rows in workspace.read(record, attempts).values() for row in rows]
