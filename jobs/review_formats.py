"""``joinery review export --to`` and ``joinery review import-file``: documents as other tools have them, and back.

An export is a folder that appears whole or not at all, with a ``manifest.json`` that says of which revision each file
is. A file that comes back is compared with that revision, so what its author left alone is left alone.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import ModuleType

from annotators.review.accepted import PIPELINE, is_person
from annotators.review.document import Document
from annotators.review.formats import csv_table, cvat, elan, fiftyone, label_studio, lerobot
from annotators.review.formats.operations import next_operation, said_otherwise
from annotators.review.formats.row import Recording, Row, rows_of
from annotators.review.log import Status
from annotators.review.operation import Operation, OperationError, applied, change_of
from annotators.review.preparing import EpisodeSource
from annotators.review.store import ReviewStore, Submission
from jobs.review import sources
from jobs.review_folder import existing_reviews, is_copy, quarantined
from pipeline.errors import JoineryError
from pipeline.ledger import Ledger
from pipeline.sources.lerobot.lerobot_rows import frame_stamps
from pipeline.sources.reference import format_of
from pipeline.store import Workspace
from schemas.episode import Episode
from schemas.identity import digest
from schemas.recipe import Recipe

FORMATS: dict[str, ModuleType] = {
    "csv": csv_table,
    "cvat": cvat,
    "elan": elan,
    "fiftyone": fiftyone,
    "label_studio": label_studio,
    "lerobot": lerobot,
}
MANIFEST = "manifest.json"
CHUNK = 64
MOST_STEPS = 64
"""Operations that one row may take; an event of thousands of boundaries is merged one by one, but not for ever."""


@dataclass(frozen=True)
class Written:
    """What an export left."""

    out: str
    format: str
    files: int
    events: int


def write_files(
    workspace: Workspace,
    ledger: Ledger,
    folder: Path,
    to: str,
    out: Path,
    *,
    recipe: Recipe,
    task: cvat.Task = cvat.ALL,
) -> Written:
    """One file per episode under review, quarantine apart; ``task`` is which pictures a CVAT task shows.

    Raises JoineryError for a folder that holds something, SourceError where a dataset's own times cannot be read.
    """
    if out.exists() and any(out.iterdir()):
        raise JoineryError(f"{out}: found something there; name a new or empty folder, exports replace nothing")
    module = FORMATS[to]
    written = partial(module.written, task=task) if module is cvat else module.written
    source_of = sources(workspace, ledger, recipe)
    attempt = out.parent / f".{out.name}.{uuid.uuid4().hex}.tmp"
    attempt.mkdir(parents=True)
    n_events, manifest = 0, {}
    try:
        with closing(existing_reviews(folder)) as store:
            withheld = quarantined(store)
            names = [name for name in store.episodes() if not is_copy(name) and name not in withheld]
            for recording in recordings(workspace, ledger, names):
                rev, document = store.document(recording.episode_id)
                rows = rows_of(document)
                if module is lerobot:
                    recording = stamped(recording, source_of(recording.episode_id))  # noqa: PLW2901 - the same one
                file = f"{recording.episode_id}{module.SUFFIX}"
                _put(attempt / file, written(rows, recording))
                manifest[recording.episode_id] = {"file": file, "rev": rev}
                n_events += len(rows)
        text = json.dumps({"format": to, "episodes": manifest}, indent=1, sort_keys=True) + "\n"
        _put(attempt / MANIFEST, text.encode())
        attempt.replace(out)
    finally:
        shutil.rmtree(attempt, ignore_errors=True)
    return Written(str(out), to, len(manifest), n_events)


def _put(path: Path, data: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def recordings(workspace: Workspace, ledger: Ledger, episodes: Sequence[str]) -> Iterator[Recording]:
    """The recordings of these episodes that are still listed, in order of id, a few in memory at a time."""
    wanted = set(episodes)
    done = [(item, attempt) for item, attempt in ledger.done_attempts("ingest") if item in wanted]
    for i in range(0, len(done), CHUNK):
        rows = workspace.read(Episode, [attempt for _, attempt in done[i : i + CHUNK]])
        for item, attempt in done[i : i + CHUNK]:
            master = rows[attempt][0].master
            yield Recording(item, f"{item}.mp4", master.clock, master.width, master.height)


def stamped(recording: Recording, source: EpisodeSource) -> Recording:
    """With the times that the dataset's own table has, where it is a LeRobot one: readers look frames up by them."""
    if format_of(source.ref) != "lerobot":
        return recording
    stamps = frame_stamps(source.ref, source.files)
    return (
        replace(recording, timestamps=stamps)
        if stamps is not None and len(stamps) == len(recording.clock)
        else recording
    )


# -- and back ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TakenIn:
    """What became of a file."""

    episode_id: str
    base_rev: int
    rows: int
    changed_rows: int
    applied: int
    conflicts: int
    """Operations that others' edits stand against; they are in the log, for somebody to decide."""
    refused: tuple[str, ...]
    """Operations that make no sense on the document, and why."""


def take_in_file(
    workspace: Workspace, ledger: Ledger, folder: Path, path: Path, *, named: str, actor: str, episode: str | None
) -> TakenIn:
    """Turn a file into operations by ``actor``.

    Raises FormatError for a wrong row, JoineryError for an unknown episode; then nothing of it is taken in.
    """
    if not is_person(actor) or not actor.strip() or "@" in actor:
        raise JoineryError(f"--actor {actor}: expected a person's name, without @ and not beginning with {PIPELINE}")
    if not path.is_file():
        raise JoineryError(f"{path}: no such file")
    raw = path.read_bytes()
    with closing(existing_reviews(folder)) as store:
        episode_id = _episode_of(path, episode, store)
        found = list(recordings(workspace, ledger, [episode_id]))
        if not found:
            raise JoineryError(f"{episode_id}: not listed under this recipe; run `joinery run` with its source")
        rows: list[Row] = FORMATS[named].read(raw, found[0], str(path))
        base = _base_rev(path, episode_id, store)
        changed = said_otherwise(store.at(episode_id, base), rows)
        desk = _Desk(store, episode_id, actor, base, salt=digest(raw)[:16])
        needed = frozenset(frame for row in rows for frame in (row.frame_start, row.frame_end))
        for row in changed:
            desk.work_on(row, needed)
    return TakenIn(episode_id, base, len(rows), len(changed), desk.applied, desk.conflicts, tuple(desk.refused))


def _episode_of(path: Path, named: str | None, store: ReviewStore) -> str:
    """The episode named, or the one the file is called after."""
    wanted = named or path.stem
    found = [name for name in store.episodes() if not is_copy(name) and name.startswith(wanted)]
    if len(found) != 1:
        raise JoineryError(
            f"{path}: found {len(found)} episodes under review that begin with {wanted!r}, expected one; name it with "
            "--episode"
        )
    return found[0]


def _base_rev(path: Path, episode_id: str, store: ReviewStore) -> int:
    """The revision that the file was written from; without a manifest beside it, the present one."""
    now = store.document(episode_id)[0]
    manifest = path.parent / MANIFEST
    if not manifest.is_file():
        return now
    said = json.loads(manifest.read_text(encoding="utf-8")).get("episodes", {}).get(episode_id, {}).get("rev", now)
    return int(said) if 0 <= int(said) <= now else now


class _Desk:
    """Does one file's operations, each as if the person had done it in the app.

    While nobody else has touched the episode, each goes on from the one before. If somebody has, all are made on the
    revision the file was written from, and what stands against them becomes a conflict.
    """

    def __init__(self, store: ReviewStore, episode_id: str, actor: str, base: int, *, salt: str) -> None:
        self._store, self._episode_id, self._actor, self._salt = store, episode_id, actor, salt
        self._base = base
        self._alone = store.document(episode_id)[0] == base
        self._document: Document = store.at(episode_id, base)
        self._number = 0
        self.applied = self.conflicts = 0
        self.refused: list[str] = []

    def work_on(self, row: Row, needed: frozenset[int]) -> None:
        """Every operation that a row takes; it ends at the first that is refused or in conflict."""
        for _ in range(MOST_STEPS):
            operation = next_operation(self._document, row, needed, self._salt)
            if operation is None or not self._done(operation, row):
                return

    def _done(self, operation: Operation, row: Row) -> bool:
        where = f"{row.level} [{row.frame_start}, {row.frame_end})"
        try:
            change = change_of(self._document, operation)
            status = self._submit(operation)
        except OperationError as error:
            self.refused.append(f"{where}: {operation.kind}: {error}")
            return False
        if status is Status.CONFLICT:
            self.conflicts += 1
            return False
        self._document = applied(self._document, change)
        self.applied += 1
        return True

    def _submit(self, operation: Operation) -> Status:
        self._number += 1
        base = self._store.document(self._episode_id)[0] if self._alone else self._base
        name = digest(self._episode_id, self._actor, self._salt, str(self._base), str(self._number))[:32]
        media = self._store.media(self._episode_id)
        submission = Submission(name, self._episode_id, base, self._actor, operation, media, frame_verified=False)
        return self._store.submit(submission).status
