"""The folder an export goes to: whole or not there at all, never over anything else, and it knows what it is.

``export.json`` says what was asked for, every file's SHA-256, and what could not be carried. An export is a function of
the request, so asking again for what lies there already checks the bytes and writes nothing.
"""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.errors import JoineryError
from pipeline.shards.json_text import pretty

EXPORT = "export.json"
FORMAT = 1
_CHUNK = 1 << 20


@dataclass
class Losses:
    """What of how many events the target format does not hold, sentence by sentence."""

    events: Counter[str] = field(default_factory=Counter)

    def add(self, sentence: str, n_events: int = 1) -> None:
        if n_events:
            self.events[sentence] += n_events

    def __bool__(self) -> bool:
        return bool(self.events)


@dataclass(frozen=True)
class Exported:
    """What lies in the folder now."""

    path: str
    target: str
    n_events: int
    """Draws that were carried over; an event drawn twice counts twice."""
    n_frames: int
    """Of their master views."""
    n_files: int
    n_bytes: int
    losses: dict[str, int]
    written: bool
    """False when the very same export was there already."""


@dataclass(frozen=True)
class Counts:
    """What an exporter wrote."""

    n_events: int
    n_frames: int
    losses: Losses


def export_into(out: Path, request: dict[str, Any], write: Callable[[Path], Counts]) -> Exported:
    """Let ``write`` fill a new folder and put it at ``out``, unless the export of ``request`` is there already.

    Raises JoineryError when ``out`` holds anything else, or that export with other bytes.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        return _there(out, request)
    attempt = out.with_name(f".{out.name}.part")
    shutil.rmtree(attempt, ignore_errors=True)
    attempt.mkdir(parents=True)
    try:
        counts = write(attempt)
        files = digests(attempt)
        description = {
            "format": FORMAT,
            "request": request,
            "events": counts.n_events,
            "frames": counts.n_frames,
            "losses": dict(sorted(counts.losses.events.items())),
            "files": files,
        }
        (attempt / EXPORT).write_text(pretty(description), encoding="utf-8")
        if out.exists():
            out.rmdir()
        attempt.rename(out)
    finally:
        shutil.rmtree(attempt, ignore_errors=True)
    return _exported(out, description, written=True)


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below ``folder`` by its path, but for ``export.json`` at the top."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / EXPORT)
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in paths}


def sha256_of(path: Path) -> str:
    """Of a file's bytes."""
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            hasher.update(chunk)
    return hasher.hexdigest()


def _there(out: Path, request: dict[str, Any]) -> Exported:
    try:
        description = json.loads((out / EXPORT).read_text(encoding="utf-8"))
        found = description["request"]
        listed = dict(description["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise JoineryError(
            f"{out}: is not empty and no finished export; give a folder that is not there yet"
        ) from error
    if found != request:
        other = sorted(key for key in {*found, *request} if found.get(key) != request.get(key))
        raise JoineryError(
            f"{out}: holds an export with another {', '.join(other)}; give a folder that is not there yet, or remove it"
        )
    present = digests(out)
    changed = sorted(name for name in {*listed, *present} if listed.get(name) != present.get(name))
    if changed:
        raise JoineryError(
            f"{out}: holds this export, but {len(changed)} files were changed, added or lost, the first is "
            f"{changed[0]}; remove the folder and export again"
        )
    return _exported(out, description, written=False)


def _exported(out: Path, description: dict[str, Any], *, written: bool) -> Exported:
    files = [out / name for name in description["files"]]
    return Exported(
        path=str(out),
        target=description["request"]["to"],
        n_events=description["events"],
        n_frames=description["frames"],
        n_files=len(files) + 1,
        n_bytes=sum(path.stat().st_size for path in [*files, out / EXPORT]),
        losses=description["losses"],
        written=written,
    )
