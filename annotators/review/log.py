"""What stands in the log, and the chain that shows that nothing was taken out of it.

The log is append-only. Every entry holds the change itself, so replaying it from the imported document gives the
document of any revision, and its SHA-256 covers the entry before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter

from annotators.review.document import Document, Label, ReviewBoundary
from annotators.review.operation import Change, Entity, applied
from schemas.identity import canonical_json, digest

_BOUNDARY: TypeAdapter[ReviewBoundary] = TypeAdapter(ReviewBoundary)
_LABEL: TypeAdapter[Label] = TypeAdapter(Label)
_DOCUMENT: TypeAdapter[Document] = TypeAdapter(Document)


class Status(StrEnum):
    """What became of a submission."""

    APPLIED = "applied"
    REBASED = "rebased"
    """Applied although others had changed the episode meanwhile: none of what it concerns."""
    CONFLICT = "conflict"
    """Others had changed what it concerns. Kept in the log, not applied; a person decides."""

    @property
    def took_effect(self) -> bool:
        return self is not Status.CONFLICT


class MarkMode(StrEnum):
    """How the frame of an operation was chosen."""

    PAUSED = "paused"
    LIVE = "live"
    """While the pictures ran; to be confirmed on a still one."""


@dataclass(frozen=True)
class LogEntry:
    """One submission and what became of it."""

    op_id: str
    episode_id: str
    rev: int
    """The episode's revision after it; unchanged by a conflict."""
    base_rev: int
    actor: str
    at_ns: int
    """Unix time at the server."""
    kind: str
    """The operation's, or ``undo`` / ``redo``."""
    refers_to: str
    """For undo and redo the op_id of what they take back or do again; else empty."""
    payload: Mapping[str, Any]
    """The operation as sent."""
    change: Change
    status: Status
    media_sha256: str
    """Of the pictures it was made on."""
    frame_verified: bool
    """Whether the player had proved which picture was on screen."""
    mark_mode: MarkMode
    previous_sha256: str

    @property
    def sha256(self) -> str:
        """Of this entry, and through `previous_sha256` of all before it."""
        values = {name: value for name, value in vars(self).items() if name != "change"}
        return digest(canonical_json({**values, "change": dump_change(self.change)}))


def dump_entity(entity: Entity | None) -> dict[str, Any] | None:
    """JSON-ready form of a boundary or label."""
    if entity is None:
        return None
    adapter: TypeAdapter[Any] = _BOUNDARY if isinstance(entity, ReviewBoundary) else _LABEL
    dumped: dict[str, Any] = adapter.dump_python(entity, mode="json")
    return dumped


def load_entity(key: str, dumped: Mapping[str, Any] | None) -> Entity | None:
    """The inverse of `dump_entity`; the key says what it is."""
    if dumped is None:
        return None
    adapter: TypeAdapter[Any] = _BOUNDARY if key.startswith("boundary:") else _LABEL
    entity: Entity = adapter.validate_python(dumped)
    return entity


def dump_change(change: Change) -> dict[str, Any]:
    """JSON-ready form of a change."""
    return {key: [dump_entity(before), dump_entity(after)] for key, (before, after) in sorted(change.items())}


def load_change(dumped: Mapping[str, Any]) -> Change:
    """The inverse of `dump_change`."""
    return {key: (load_entity(key, before), load_entity(key, after)) for key, (before, after) in dumped.items()}


def dump_document(document: Document) -> dict[str, Any]:
    """JSON-ready form of a document."""
    dumped: dict[str, Any] = _DOCUMENT.dump_python(document, mode="json")
    return dumped


def load_document(dumped: Mapping[str, Any]) -> Document:
    """The inverse of `dump_document`."""
    return _DOCUMENT.validate_python(dumped)


def replayed(imported: Document, entries: Iterable[LogEntry]) -> Document:
    """The document after these entries, in order; conflicts changed nothing."""
    document = imported
    for entry in entries:
        if entry.status.took_effect:
            document = applied(document, entry.change)
    return document


def chain_problems(entries: Iterable[LogEntry]) -> list[str]:
    """Where the chain of an episode's entries, in order, is broken; empty when it is whole."""
    found, previous, rev = [], "", 0
    for entry in entries:
        if entry.previous_sha256 != previous:
            found.append(f"{entry.op_id}: it does not follow the entry before it")
        if entry.rev != rev + entry.status.took_effect:
            found.append(f"{entry.op_id}: revision {entry.rev} after {rev}")
        previous, rev = entry.sha256, entry.rev
    return found
