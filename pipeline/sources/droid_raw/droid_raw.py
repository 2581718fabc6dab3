"""DROID's raw recordings: a folder per episode with ``trajectory.h5``, one mp4 per camera and ``metadata_*.json``.

The layout is that of droid-dataset/droid (its dataset page); the LeRobot and RLDS ports of DROID are other formats.
Every frame keeps its capture time and every row the time the robot was read (`droid_raw_clock`), instead of the nominal
15 Hz that ports put in their place. The work is split by noun:
`droid_raw_meta`, `droid_raw_table`, `droid_raw_clock`, `droid_raw_cameras`, `droid_raw_actions`.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from pipeline.errors import SourceError
from pipeline.files import FileStat, SourceFiles
from pipeline.fingerprint import DigestCache
from pipeline.sources.droid_raw.droid_raw_actions import action_track, control_spans
from pipeline.sources.droid_raw.droid_raw_cameras import cameras_of, on_clock
from pipeline.sources.droid_raw.droid_raw_clock import Clock, episode_clock, view_clock
from pipeline.sources.droid_raw.droid_raw_meta import (
    Folder,
    collected_sentences,
    described,
    missing_views,
    sentences_of,
    views_of,
)
from pipeline.sources.droid_raw.droid_raw_table import trajectory
from pipeline.sources.facts import FormatFacts
from pipeline.sources.frame_times import n_frames_of, timed_pictures
from pipeline.sources.raw import RawEpisode
from pipeline.sources.reference import (
    about_episode,
    about_source,
    dataset_part,
    declared_defects,
    metadata_of,
    reference,
    source_files,
)
from pipeline.sources.spans import says_something
from pipeline.sources.storage.hdf5 import opened
from pipeline.sources.storage.json_file import text_of
from pipeline.sources.views import part_of
from pipeline.video import Picture, Threads
from schemas.episode import SourceSpan, SpanMeaning, VideoWindow
from schemas.finding import Finding
from schemas.recipe_formats.droid_raw import DroidRawSource
from schemas.source import EpisodeRef, SourceKind

TABLE = "table"
TRAJECTORY = "trajectory.h5"
FACTS = FormatFacts(
    title="DROID, raw recordings",
    kinds=(SourceKind.OPEN_ROBOT, SourceKind.TELEOP),
    layout="episode folders anywhere: `trajectory.h5`, `metadata_*.json`, `recordings/MP4/<serial>.mp4`",
    clock="`<serial>_estimated_capture` per frame and `robot_state/read_start` per row, ms; about 15 Hz, never nominal",
    pose="`robot_state/cartesian_position`, metres in the robot's base frame",
    rotation="Euler angles xyz, extrinsic, radians",
    gripper="0 open … 1 closed, turned round",
    commands="`action/cartesian_position`, absolute, base frame; joints, velocities and the operator's goal beside it",
    language="three sentences of the annotations file, else `current_task`, which is a category",
    spans="`movement_enabled` off: pause; `failure`: error; `success`; further sentences: task",
    refused="SVO (needs the camera maker's SDK); stereo unless asked for; `robot_timestamp_*` (another clock)",
    tested_on="fixture: DROID slice v3.0 re-packed with its real poses, pictures and commands",
)


def discover(spec: DroidRawSource, files: SourceFiles, digests: DigestCache) -> Iterator[EpisodeRef | Finding]:
    """One reference per folder with a trajectory, in order of path, then findings about the listing.

    Raises SourceError when there is no trajectory at all or the sentences cannot be read.
    """
    yield from declared_defects(spec)
    stats = files.list()
    sentences = collected_sentences(spec, files, stats)
    found, svo = False, 0
    for folder in _folders(stats):
        found = True
        svo += len(folder.svo())
        yield from _episode(spec, files, digests, folder, sentences)
    if not found:
        raise SourceError(
            f"{files.root}: no {TRAJECTORY} below it, expected one per episode; correct `path` of {spec.name}"
        )
    if svo:
        message = (
            f"{spec.name}: {svo} SVO files are not read, that needs the camera maker's SDK; what counts is "
            "recordings/MP4, which DROID's svo_to_mp4 script makes of them"
        )
        yield about_source(spec.name, "svo_not_read", message, value=float(svo))


def _folders(stats: Sequence[FileStat]) -> Iterator[Folder]:
    """The episode folders; the files of one follow each other because the listing is sorted."""
    paths = [stat.path for stat in stats]
    for stat in stats:
        folder, _, name = stat.path.rpartition("/")
        if name == TRAJECTORY:
            first, last = (
                (bisect_left(paths, folder + "/"), bisect_left(paths, folder + "0")) if folder else (0, len(paths))
            )
            yield Folder(folder, stat, stats[first:last])


def _episode(
    spec: DroidRawSource,
    files: SourceFiles,
    digests: DigestCache,
    folder: Folder,
    sentences: Mapping[str, list[str]],
) -> Iterator[EpisodeRef | Finding]:
    try:
        metadata = described(folder, files)
    except SourceError as error:
        yield about_source(spec.name, "metadata_unreadable", f"{spec.name}: read without its metadata: {error}")
        metadata = {}
    views = views_of(folder, metadata, spec)
    uuid = text_of(metadata.get("uuid"))
    part = {
        "uuid": uuid,
        "views": [[one.name, one.serial] for one in views],
        "missing": missing_views(metadata, spec, views),
        "svo": len(folder.svo()),
        "metadata": len(folder.metadata()),
        "sentences": sentences.get(uuid) or sentences_of(metadata),
        "current_task": text_of(metadata.get("current_task")).strip(),
        "success": metadata.get("success") if isinstance(metadata.get("success"), bool) else None,
    }
    found = {TABLE: folder.table, **{part_of(one.name): one.stat for one in views}}
    yield reference(
        spec,
        files.root,
        embodiment="panda",
        locator=folder.path or PurePosixPath(files.root).name,
        files=source_files(files, digests, found.items()),
        metadata=metadata_of(spec, part),
        inside="",
    )


def read(ref: EpisodeRef, files: SourceFiles) -> RawEpisode:
    """One trajectory and its views. Raises SourceError when it or its master view cannot be read."""
    told = dataset_part(ref)
    with opened(files, ref.file(TABLE).path) as table:
        steps = trajectory(ref, table)
        cameras, clocks, findings = cameras_of(steps, files, dict(told["views"]))
        clock, about_clock = episode_clock(steps, clocks)
        placed, about_cameras = on_clock(steps, cameras, clocks, clock)
        track, about_actions = action_track(steps, clock)
        spans, about_flags = control_spans(steps, clock)
        category = told["current_task"] or text_of(table.attributes().get("current_task")).strip()
    instruction, language, about_language = _language(ref, told["sentences"], category, clock)
    findings += [*about_clock, *about_cameras, *about_actions, *about_flags, *about_language, *_told(ref, told)]
    return RawEpisode(
        instruction=instruction,
        cameras=tuple(placed),
        actions=track,
        rows_are_frames=clock.rows_are_frames,
        annotations=(*language, *spans),
        findings=tuple(findings),
    )


def _language(
    ref: EpisodeRef, sentences: Sequence[str], category: str, clock: Clock
) -> tuple[str, list[SourceSpan], list[Finding]]:
    """The instruction, and all wordings as spans over the whole episode."""
    end_ns = int(clock.edges_ns[-1])
    spans = [
        SourceSpan(f"language_instruction{number}", 0, end_ns, text, SpanMeaning.TASK)
        for number, text in enumerate(sentences, 1)
    ]
    if says_something(category):
        spans.append(SourceSpan("current_task", 0, end_ns, category, SpanMeaning.TASK))
    if sentences:
        return sentences[0], spans, []
    if says_something(category):
        message = f"it has no sentence of its own; its category {category[:120]!r} serves as the instruction"
        return category, spans, [about_episode(ref, "instruction_is_a_category", message)]
    return "", spans, [about_episode(ref, "task_text_empty", "no sentence and no current_task; no instruction")]


def _told(ref: EpisodeRef, told: Mapping[str, Any]) -> Iterator[Finding]:
    """What the listing found out about this episode."""
    if told["metadata"] != 1:
        message = f"found {told['metadata']} metadata_*.json, expected one; "
        message += "the first one counts" if told["metadata"] else "cameras go by serial number, language is missing"
        yield about_episode(ref, "metadata_not_single", message, value=told["metadata"], threshold=1)
    for name in told["missing"]:
        only_svo = " (SVO files are there and are not read)" if told["svo"] else ""
        yield about_episode(ref, "camera_missing", f"camera {name} has no file in recordings/MP4{only_svo}")
    if told["success"] is False:
        yield about_episode(ref, "episode_failed", "the metadata says that the task was not accomplished")


def pictures(ref: EpisodeRef, files: SourceFiles, window: VideoWindow, threads: Threads) -> Iterator[Picture]:
    """A view's frames with the times they were captured, from 0 at its first; the file's own where those do not fit."""
    name = window.part.removeprefix(part_of(""))
    serial = dict(dataset_part(ref)["views"])[name]
    with opened(files, ref.file(TABLE).path) as table:
        own = view_clock(table, name, serial, n_frames_of(ref, files, window))
    yield from timed_pictures(ref, files, window, threads, own.captured_ns)
