"""Recordings made by one's own recorder: the folder contract of docs/self_collected.md (`schemas.recording`).

The recording says itself what its numbers are, so a recipe names only the folder. Structured and unstructured
recordings, interventions and recoveries come in the same layout. Every time is on the recorder's one clock; the first
picture of the first camera becomes 0. What a recording says about itself may be corrected later: its id depends on
pictures and rows only.
"""

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from pathlib import PurePosixPath
from typing import TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
from pipeline.fingerprint import DigestCache, sha256_of
from pipeline.sources.facts import FormatFacts
from pipeline.sources.folders import Folders
from pipeline.sources.frame_times import restamped
from pipeline.sources.raw import RawCamera, RawEpisode
from pipeline.sources.reference import (
    about_episode,
    about_source,
    common_part,
    dataset_part,
    declared_defects,
    metadata_of,
    reference,
    source_files,
)
from pipeline.sources.self_collected_rows import ROWS_PART, control, increasing, read_rows
from pipeline.sources.storage import csv_file, json_file
from pipeline.sources.views import Claims, part_of, video_pictures, view
from pipeline.video import Picture, Threads
from schemas.array import Ints
from schemas.episode import SourceSpan, SpanMeaning, VideoWindow
from schemas.finding import Finding, Verdict
from schemas.recipe_formats.self_collected import SelfCollectedSource
from schemas.recording import (
    ANNOTATIONS,
    FRAMES,
    RECORDING,
    RECOVERY,
    ROWS,
    TIME,
    UNFINISHED,
    Annotation,
    RecordedCamera,
    Recording,
    RecoveryNote,
)
from schemas.source import EpisodeRef, SourceKind
from schemas.time import NS_PER_S

FACTS = FormatFacts(
    title="Recordings of one's own",
    kinds=(SourceKind.SELF_COLLECTED, SourceKind.RECOVERY, SourceKind.TELEOP),
    layout="a folder per recording: `recording.json`, a video per camera, `frames.csv`, `rows.parquet` "
    "([the contract](self_collected.md))",
    clock="the recorder's own nanoseconds for every picture and every row; rates are whatever they were",
    pose="the columns `recording.json` names, in the frame it names",
    rotation="as `recording.json` says, any of six encodings",
    gripper="the column `recording.json` names, with its closed and open values",
    commands="as `recording.json` says; absolute where it says nothing",
    language="`instruction`",
    spans="`annotations.jsonl`; `control_mode` and `phase` of the rows; `recovery.json`",
    refused="recordings that were not finished",
    tested_on="fixture: robosuite pick and place, written by our own recorder",
)
M = TypeVar("M", bound=BaseModel)
_LONGEST_NUMBER = 20
"""Characters of the longest int64."""
_OPEN_END_NS = 24 * 3600 * NS_PER_S


def discover(spec: SelfCollectedSource, files: SourceFiles, digests: DigestCache) -> Iterator[EpisodeRef | Finding]:
    """One reference per finished recording, in order of path. Raises SourceError when there is none at all."""
    yield from declared_defects(spec)
    folders, found = Folders(files), False
    for stat in files.list():
        folder, name = str(PurePosixPath(stat.path).parent), PurePosixPath(stat.path).name
        if name == UNFINISHED:
            found = True
            message = f"{spec.name}: {stat.path} was never finished; the recorder died: record it again or delete it"
            yield about_source(spec.name, "recording_unfinished", message, verdict=Verdict.DROP)
        elif name == RECORDING:
            found = True
            try:
                yield _reference(spec, files, digests, folder, folders)
            except SourceError as error:
                yield about_source(spec.name, "recording_unreadable", f"{spec.name}: {error}", verdict=Verdict.DROP)
    if not found:
        raise SourceError(f"{files.root}: no {RECORDING} below it; correct `path` of source {spec.name}")


def _reference(
    spec: SelfCollectedSource, files: SourceFiles, digests: DigestCache, folder: str, folders: Folders
) -> EpisodeRef:
    recording = parsed(Recording, files, _below(folder, RECORDING))
    parts = {part_of(camera.name): camera.file for camera in recording.cameras} | {FRAMES: FRAMES, ROWS_PART: ROWS}
    present = {part: stat for part, name in parts.items() if (stat := folders.stat(_below(folder, name))) is not None}
    master = recording.cameras[0]
    if part_of(master.name) not in present:
        raise SourceError(f"{files.url_of(folder)}: no file {master.file} of its first camera, {master.name}")
    notes = {
        name: sha256_of(files, stat, digests)
        for name in (ANNOTATIONS, RECOVERY)
        if (stat := folders.stat(_below(folder, name))) is not None
    }
    return reference(
        spec,
        files.root,
        embodiment=recording.embodiment,
        locator=folder,
        files=source_files(files, digests, sorted(present.items())),
        metadata=metadata_of(spec, {"recording": recording.model_dump(mode="json"), "notes": notes}),
        inside="",
    )


def read(ref: EpisodeRef, files: SourceFiles) -> RawEpisode:
    """One recording. Raises SourceError when its tables are not what `recording.json` says."""
    dataset = dataset_part(ref)
    recording = Recording.model_validate(dataset["recording"])
    times, rows = _frame_times(ref, files), read_rows(ref, files)
    master = times.get(recording.cameras[0].name)
    starts = [int(stamps[0]) for stamps in (master, None if rows is None else rows.times_ns) if stamps is not None]
    origin_ns = starts[0] if starts else 0
    findings: list[Finding] = []
    cameras = []
    for recorded in recording.cameras:
        camera, odd = _camera(ref, files, recorded, times, origin_ns)
        findings += odd
        cameras += [camera] if camera is not None else []
    actions, spans, odd = control(ref, rows, recording, origin_ns)
    spans += list(_notes(ref, files, dataset["notes"], origin_ns))
    return RawEpisode(
        instruction=recording.instruction,
        cameras=tuple(cameras),
        actions=actions,
        rows_are_frames=False,
        annotations=tuple(sorted(spans, key=lambda span: (span.track, span.start_ns, span.end_ns, span.text))),
        findings=(*findings, *odd, *_success(ref, recording)),
    )


def pictures(ref: EpisodeRef, files: SourceFiles, window: VideoWindow, threads: Threads) -> Iterator[Picture]:
    """A view's pictures when they were taken, from 0 at the first; at the file's own times where none are kept."""
    camera = window.part.removeprefix(part_of(""))
    stamps = _frame_times(ref, files).get(camera)
    if stamps is None:
        yield from video_pictures(ref, files, window, threads)
        return
    whole = VideoWindow(window.part, window.stream, 0, -1)
    yield from restamped(video_pictures(ref, files, whole, threads), stamps, window, files.url_of(window.part))


def _camera(
    ref: EpisodeRef, files: SourceFiles, recorded: RecordedCamera, times: Mapping[str, Ints], origin_ns: int
) -> tuple[RawCamera | None, list[Finding]]:
    """One view; None when its file is not there."""
    if all(file.part != part_of(recorded.name) for file in ref.files):
        message = f"{recorded.file} of camera {recorded.name} is not there; the episode does without it"
        return None, [about_episode(ref, "camera_missing", message)]
    stamps = times.get(recorded.name)
    raw, findings = view(ref, files, recorded.name, Claims(frames=None if stamps is None else len(stamps)))
    if stamps is None:
        message = f"{FRAMES} has no times of camera {recorded.name}; the video's own clock counts, from the first frame"
        findings.append(about_episode(ref, "frame_times_missing", message))
    camera = dataclasses.replace(
        raw,
        role=common_part(ref).camera_roles.get(recorded.name, recorded.role),
        starts_ns=0 if stamps is None else int(stamps[0]) - origin_ns,
        intrinsics=None if recorded.intrinsics is None else np.array(recorded.intrinsics),
        distortion=None if recorded.distortion is None else np.array(recorded.distortion),
        extrinsics=None if recorded.extrinsics is None else np.array([recorded.extrinsics]),
    )
    return camera, findings


def _frame_times(ref: EpisodeRef, files: SourceFiles) -> dict[str, Ints]:
    """When each picture was taken, by camera. Raises SourceError when times are no numbers or step back."""
    path = next((file.path for file in ref.files if file.part == FRAMES), None)
    stamps: dict[str, list[int]] = {}
    if path is not None:
        for row in csv_file.rows(files, path, ["camera", TIME]):
            stamps.setdefault(row["camera"], []).append(_stamp(row[TIME], files.url_of(path)))
    return {camera: increasing(np.array(values), f"{path}, camera {camera}") for camera, values in stamps.items()}


def _stamp(text: str, name: str) -> int:
    if not text.removeprefix("-").isdecimal() or len(text) > _LONGEST_NUMBER:
        raise SourceError(f"{name}: found {text[:40]!r} as {TIME}, expected whole nanoseconds")
    return int(text)


def _notes(ref: EpisodeRef, files: SourceFiles, notes: Collection[str], origin_ns: int) -> Iterator[SourceSpan]:
    """Spans of the files beside the pictures. Raises SourceError when one is not as the contract says."""
    folder = str(PurePosixPath(ref.files[0].path).parent)
    if ANNOTATIONS in notes:
        path = _below(folder, ANNOTATIONS)
        for number, said in json_file.lines(files, path):
            note = validated(Annotation, said, f"{files.url_of(path)}: line {number}")
            yield SourceSpan(note.track, note.start_ns - origin_ns, note.end_ns - origin_ns, note.text, note.meaning)
    if RECOVERY in notes:
        yield from _recovery_spans(parsed(RecoveryNote, files, _below(folder, RECOVERY)), origin_ns)


def _recovery_spans(note: RecoveryNote, origin_ns: int) -> Iterator[SourceSpan]:
    """The failure up to where recovery starts, and the recovery; one without an end lasts as long as the episode."""
    start = note.t_recovery_start_ns
    if note.t_failure_onset_ns is not None:
        yield SourceSpan(
            "recovery.failure", note.t_failure_onset_ns - origin_ns, start - origin_ns, note.failure_mode,
            SpanMeaning.ERROR,
        )  # fmt: skip
    end = note.t_recovery_end_ns if note.t_recovery_end_ns is not None else start + _OPEN_END_NS
    text = f"{note.actor} recovers from {note.failure_mode.replace('_', ' ')}: {note.outcome}"
    yield SourceSpan("recovery", start - origin_ns, end - origin_ns, text, SpanMeaning.RECOVERY)


def _success(ref: EpisodeRef, recording: Recording) -> Iterator[Finding]:
    if recording.success is False:
        yield about_episode(ref, "declared_failure", "the recorder says that the task failed; the episode is kept")


def parsed(model: type[M], files: SourceFiles, path: str) -> M:
    """A JSON file of the contract. Raises SourceError naming the key at fault."""
    return validated(model, json_file.document(files, path), files.url_of(path))


def validated(model: type[M], data: object, where: str) -> M:
    """Data as the contract's model. Raises SourceError naming the key at fault."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the whole"
        raise SourceError(
            f"{where}: {key}: {first['msg'].lower()}, found {str(first['input'])[:60]!r}; see docs/self_collected.md"
        ) from error


def _below(folder: str, name: str) -> str:
    return name if folder in ("", ".") else f"{folder}/{name}"
