"""The takedown list of a workspace: who never comes in again, whatever path or name they come under."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from pydantic import ValidationError

from pipeline.blobs import Blobs
from pipeline.errors import StoreError
from schemas.source import EpisodeRef
from schemas.takedown import FOLDER, Pending, Takedown, pending_path, takedown_path

E = TypeVar("E", Takedown, Pending)
VIDEO = "video/"
PENDING = ".pending.json"


@dataclass(frozen=True)
class Takedowns:
    """All entries."""

    by_id: dict[str, Takedown]
    by_video: dict[str, Takedown]
    files: frozenset[str]
    """SHA-256 of files that nothing need remember."""

    def of(self, ref: EpisodeRef) -> Takedown | None:
        """The entry that keeps an episode out: its own, or that of a recording with the same video."""
        own = self.by_id.get(ref.episode_id)
        if own is not None or not self.by_video:
            return own
        videos = (file.sha256 for file in ref.files if file.part.startswith(VIDEO))
        return next((self.by_video[sha256] for sha256 in videos if sha256 in self.by_video), None)


def read_takedowns(blobs: Blobs) -> Takedowns:
    """The list as it is. Raises StoreError for an entry that cannot be read: it might be the one that counts."""
    entries = [
        _read(blobs, path, Takedown)
        for path in blobs.list(FOLDER)
        if path.endswith(".json") and not path.endswith(PENDING) and path.count("/") == 1
    ]
    return takedowns_of(entries)


def takedowns_of(entries: Iterable[Takedown]) -> Takedowns:
    """The list with these entries."""
    by_id = {entry.episode_id: entry for entry in entries}
    by_video = {sha256: entry for entry in by_id.values() for sha256 in entry.videos}
    files = frozenset(sha256 for entry in by_id.values() for sha256 in (*entry.videos, *entry.files))
    return Takedowns(by_id, by_video, files)


def read_pending(blobs: Blobs) -> list[Pending]:
    """Takedowns that were begun and are not proven, in order of their names."""
    return [_read(blobs, path, Pending) for path in blobs.list(FOLDER) if path.endswith(PENDING)]


def write_takedown(blobs: Blobs, entry: Takedown) -> None:
    """Put an entry on the list, or in the place of what it said before."""
    blobs.put_bytes(takedown_path(entry.episode_id), _text(entry))


def write_pending(blobs: Blobs, pending: Pending) -> None:
    """Keep what a takedown needs to go on."""
    blobs.put_bytes(pending_path(pending.takedown.episode_id), _text(pending))


def end_pending(blobs: Blobs, episode_id: str) -> None:
    """A takedown is proven: what it searched for is itself removed."""
    blobs.remove(pending_path(episode_id))


def _text(entry: Takedown | Pending) -> bytes:
    return (entry.model_dump_json(indent=1) + "\n").encode()


def _read(blobs: Blobs, path: str, kind: type[E]) -> E:
    try:
        return kind.model_validate_json(blobs.read(path))
    except ValidationError as error:
        raise StoreError(
            f"{blobs.url}/{path}: no entry of the takedown list ({error.errors()[0]['msg']}); restore it"
        ) from error
