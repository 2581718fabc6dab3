"""AgiBot World (beta): two-armed robots filmed by up to eight cameras, with skill spans and rare recovery labels.

``task_info/task_<id>.json`` lists episodes, ``observations/<task>/<episode>/videos`` has their views,
``proprio_stats/<task>/<episode>/proprio_stats.h5`` their rows; frame i of every view is row i. The three are downloaded
apart, so what is listed and not there is counted, not an error. `agibot_meta` reads the lists, `agibot_table` the rows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import replace as with_changes
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from pipeline.errors import SourceError
from pipeline.files import FileStat, SourceFiles
from pipeline.fingerprint import DigestCache
from pipeline.sources.agibot import agibot_meta
from pipeline.sources.agibot.agibot_table import FPS, action_track, proprio, rows_clock, view_times
from pipeline.sources.facts import FormatFacts
from pipeline.sources.frame_times import n_frames_of, shown, timed_pictures
from pipeline.sources.raw import RawCamera, RawEpisode
from pipeline.sources.reference import (
    about_episode,
    about_source,
    common_part,
    dataset_part,
    declared_defects,
    metadata_of,
    recipe_part,
    reference,
    source_files,
)
from pipeline.sources.storage.hdf5 import opened
from pipeline.sources.views import Claims, part_of, view
from pipeline.video import Picture, Threads
from schemas.array import Ints
from schemas.episode import ActionTrack, CameraRole, VideoWindow
from schemas.finding import Finding, Verdict
from schemas.recipe_formats.agibot import AgiBotSource
from schemas.source import EpisodeRef, SourceKind
from schemas.time import NS_PER_S

TABLE = "table"
MASTER = "head_color"
_USUAL = (MASTER, "hand_left_color", "hand_right_color")
FACTS = FormatFacts(
    title="AgiBot World (beta)",
    kinds=(SourceKind.OPEN_ROBOT, SourceKind.TELEOP),
    layout="`task_info/task_<id>.json`; each `observations/…/videos/*.mp4`, `proprio_stats/…/proprio_stats.h5`",
    clock="`/timestamp` of row i for frame i of every view, ns by its documentation, told where not; about 30 Hz",
    pose="`state/end`, flange of both arms, metres in the robot's base frame",
    rotation="quaternion xyzw",
    gripper="measured in mm, more is more open, range by `gripper_*_mm`; commanded 0 open … 1 closed, turned round, "
    "or as `gripper_command_*` says",
    commands="`action/end`, absolute, base frame, held until the next one sent; `action/joint` and the others natively",
    language="`task_name`; `init_scene_text` as a span",
    spans="`action_config`: action, its `skill`; `key_frame`: recovery where it says so",
    refused="depth pictures, camera parameters",
    tested_on="fixture: sim pick-place-can re-packed",
)
_WRISTS = {"hand_left": CameraRole.WRIST_LEFT, "hand_right": CameraRole.WRIST_RIGHT}


@dataclass
class _Census:
    """What is listed and what of it is there."""

    listed: int = 0
    missing: int = 0
    example: str = ""
    untabled: int = 0

    def findings(self, source: str) -> Iterator[Finding]:
        if self.missing:
            message = (
                f"{source}: {self.missing} of {self.listed} listed episodes have no video, e.g. {self.example}; "
                "complete the download, or use what there is"
            )
            yield about_source(
                source, "listed_episode_missing", message, verdict=Verdict.DROP, value=float(self.missing)
            )
        if self.untabled:
            message = f"{source}: {self.untabled} episodes have videos and no proprio_stats.h5; they have no actions"
            yield about_source(source, "table_missing", message, value=float(self.untabled))


def discover(spec: AgiBotSource, files: SourceFiles, digests: DigestCache) -> Iterator[EpisodeRef | Finding]:
    """One reference per listed episode that has videos, task by task, then findings about the listing.

    Raises SourceError when there is no task file at all.
    """
    yield from declared_defects(spec)
    census = _Census()
    for task, stat in agibot_meta.task_files(files):
        tables = {found.path: found for found in files.list(f"proprio_stats/{task}")}
        try:
            for listed in agibot_meta.listed_episodes(files, task, stat):
                census.listed += 1
                found = _located(spec, files, listed, tables, census)
                if found:
                    yield _reference(spec, files, digests, listed, found)
        except SourceError as error:
            message = f"{spec.name}: episodes of task {task} from here on are left out: {error}"
            yield about_source(spec.name, "task_info_unreadable", message, verdict=Verdict.DROP)
    yield from census.findings(spec.name)


def _located(
    spec: AgiBotSource,
    files: SourceFiles,
    listed: agibot_meta.Listed,
    tables: Mapping[str, FileStat],
    census: _Census,
) -> dict[str, FileStat]:
    """The episode's files by part, master view first; empty, and counted, when it has no video."""
    place = f"{listed.task}/{listed.episode}"
    folder = f"observations/{place}/videos"
    videos = {
        PurePosixPath(stat.path).stem: stat
        for stat in files.list(folder, recursive=False)
        if PurePosixPath(stat.path).suffix.lower() == ".mp4"
    }
    names = sorted(videos, key=lambda name: (name != MASTER, name)) if spec.cameras is None else spec.cameras
    found = {part_of(name): videos[name] for name in names if name in videos}
    if not found:
        census.missing += 1
        census.example = census.example or folder
        return {}
    table = tables.get(f"proprio_stats/{place}/proprio_stats.h5")
    if table is not None:
        found[TABLE] = table
    census.untabled += table is None
    return found


def _reference(
    spec: AgiBotSource,
    files: SourceFiles,
    digests: DigestCache,
    listed: agibot_meta.Listed,
    found: Mapping[str, FileStat],
) -> EpisodeRef:
    views = [part.removeprefix(part_of("")) for part in found if part != TABLE]
    missing = [name for name in spec.cameras or _USUAL if name not in views]
    return reference(
        spec,
        files.root,
        embodiment="agibot_g1",
        locator=f"task_id={listed.task}, episode_id={listed.episode}",
        files=source_files(files, digests, found.items()),
        metadata=metadata_of(spec, {**listed.about(), "views": views, "missing": missing, "has_table": TABLE in found}),
    )


@dataclass(frozen=True, eq=False)
class _Rows:
    """What the table says, or what stands in for it."""

    times_ns: Ints | None
    track: ActionTrack | None
    views_ns: Mapping[str, Ints | None]
    findings: list[Finding]


def read(ref: EpisodeRef, files: SourceFiles) -> RawEpisode:
    """One episode's rows, spans and views. Raises SourceError when its table or master view cannot be read."""
    about = dataset_part(ref)
    cameras: list[RawCamera] = []
    findings: list[Finding] = []
    for name in about["views"]:
        try:
            camera, odd = view(ref, files, name, Claims())
        except SourceError as error:
            if not cameras:  # without the master view there are no frames to number
                raise
            findings.append(about_episode(ref, "view_unreadable", f"view {name} is left out: {error}"))
            continue
        cameras.append(with_changes(camera, role=_role(ref, camera)))
        findings += odd
    counts = {camera.name: n_frames_of(ref, files, camera.video) for camera in cameras}
    rows = _rows(ref, files, counts) if about["has_table"] else _Rows(None, None, dict.fromkeys(counts), [])
    findings += rows.findings
    edges_ns = _edges(rows.times_ns, counts[cameras[0].name])
    labels, outside = agibot_meta.spans(about, edges_ns)
    if outside:
        message = f"{outside} annotations do not lie inside its {len(edges_ns) - 1} frames; they are left out"
        findings.append(about_episode(ref, "annotation_outside", message, value=outside, threshold=0))
    for name in about["missing"]:
        findings.append(about_episode(ref, "camera_missing", f"camera {name} has no video file; it is read without it"))
    if not about["task_name"]:
        findings.append(about_episode(ref, "task_text_empty", "its task_name is empty; the episode has no instruction"))
    return RawEpisode(
        instruction=about["task_name"],
        cameras=tuple(_claimed(camera, rows) for camera in cameras),
        actions=rows.track,
        rows_are_frames=True,
        annotations=(*agibot_meta.task_language(about, edges_ns), *labels),
        findings=tuple(findings),
    )


def _rows(ref: EpisodeRef, files: SourceFiles, counts: Mapping[str, int | None]) -> _Rows:
    with opened(files, ref.file(TABLE).path) as table:
        rows = proprio(ref, table)
        times_ns, unit, findings = rows_clock(rows)
        views_ns: dict[str, Ints | None] = {}
        for name, count in counts.items():
            views_ns[name], problem = view_times(rows, unit, count)
            if unit is not None and views_ns[name] is None:
                message = f"view {name}: {problem}; the video's nominal clock counts"
                findings.append(about_episode(ref, "frame_times_unusable", message))
        track, odd = action_track(rows, times_ns, recipe_part(ref, AgiBotSource))
    return _Rows(times_ns, track, views_ns, findings + odd)


def _role(ref: EpisodeRef, camera: RawCamera) -> CameraRole:
    """``hand_left_color`` is on the left wrist; other names say where they are."""
    if camera.name in common_part(ref).camera_roles:
        return camera.role
    return next((role for hand, role in _WRISTS.items() if camera.name.startswith(hand)), camera.role)


def _claimed(camera: RawCamera, rows: _Rows) -> RawCamera:
    """What is claimed of a view's pictures: all that have a time of their own, else as many as there are rows."""
    times_ns = rows.views_ns[camera.name]
    if times_ns is not None:
        return with_changes(camera, expected_frames=int(shown(times_ns).sum()))
    return with_changes(camera, expected_fps=FPS, expected_frames=None if rows.times_ns is None else len(rows.times_ns))


def _edges(times_ns: Ints | None, n_frames: int | None) -> Ints:
    """When each frame starts and the last one ends; nominal where no table says it."""
    if times_ns is None:
        return np.arange((n_frames or 0) + 1, dtype=np.int64) * NS_PER_S // int(FPS)
    steps = np.diff(times_ns)
    last_ns = int(np.median(steps)) if steps.size else round(NS_PER_S / FPS)
    return np.append(times_ns, times_ns[-1] + max(last_ns, 1))


def pictures(ref: EpisodeRef, files: SourceFiles, window: VideoWindow, threads: Threads) -> Iterator[Picture]:
    """A view's frames at the times of their rows; on the file's own clock where rows have none."""
    times_ns: Ints | None = None
    about: dict[str, Any] = dataset_part(ref)
    if about["has_table"]:
        with opened(files, ref.file(TABLE).path) as table:
            rows = proprio(ref, table)
            _, unit, _ = rows_clock(rows)
            times_ns, _ = view_times(rows, unit, n_frames_of(ref, files, window))
    yield from timed_pictures(ref, files, window, threads, times_ns)
