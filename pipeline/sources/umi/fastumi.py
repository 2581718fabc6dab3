"""FastUMI: a handheld gripper with a tracking camera, one HDF5 file per episode.

Written against data_collection.py and data_processing_to_tcp.py of the FastUMI project. Rows and pictures are taken
together, 20 per second by intention; where the collector's own tables of times are still there and are this episode's,
they count (`fastumi_times`). The next episode overwrites them, so they belong to an episode's metadata: it is then read
anew, by a nominal clock, and stays the same episode. Its ``action`` is a copy of the state and says nothing.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from pipeline.errors import SourceError
from pipeline.files import FileStat, SourceFiles
from pipeline.fingerprint import DigestCache, sha256_of
from pipeline.sources.facts import FormatFacts
from pipeline.sources.frame_times import checked_rows, frame_ends, shown, usual_interval
from pipeline.sources.raw import RawCamera, RawEpisode
from pipeline.sources.reference import (
    about_episode,
    about_source,
    dataset_part,
    declared_defects,
    metadata_of,
    recipe_part,
    reference,
    source_files,
)
from pipeline.sources.still import picture_of_array
from pipeline.sources.storage.hdf5 import Hdf5, opened
from pipeline.sources.tabular_actions import Control, Native, tabular_track
from pipeline.sources.umi import fastumi_times
from pipeline.sources.umi.fastumi_times import Collected, collected
from pipeline.sources.views import still_view
from pipeline.video import TO_THE_END, Picture, Threads
from schemas.array import Floats, Ints
from schemas.episode import ActionTrack, Arm, CommandMode, CommandSpace, VideoWindow
from schemas.finding import Finding, Verdict
from schemas.pose import RotationEncoding
from schemas.recipe_columns import ArmColumns, Columns, OpeningColumns, RotationColumns
from schemas.recipe_commands import Commands
from schemas.recipe_formats.fastumi import FastUmiSource
from schemas.source import EpisodeRef, SourceKind
from schemas.time import NS_PER_S

TABLE = "table"
QPOS, ACTION, IMAGES = "/observations/qpos", "/action", "/observations/images"
FPS = 20.0
FACTS = FormatFacts(
    title="FastUMI",
    kinds=(SourceKind.UMI,),
    layout="`<task>/episode_<n>.hdf5`, pictures inside as BGR arrays; the collector's `csv/temp_*.csv` if still there",
    clock="the collector's stamps where they are this episode's, else 20 Hz as intended; row i is picture i",
    pose="`observations/qpos`, metres in the tracking camera's odometry frame; of the tool only after TCP processing",
    rotation="quaternion xyzw",
    gripper="eighth value 0 closed … 1 open, from tag distances in whole pixels",
    commands="none: `action` repeats the state; where it does not, absolute poses",
    language="the task folder's name",
    spans="-",
    refused="`camera/temp_video_*.mp4` (the same pictures at 60 Hz, of the latest episode)",
    tested_on="fixture: sim pick-place-can re-packed",
)
_EPISODE = re.compile(r"(?:(.*)/)?episode_(\d{1,9})\.hdf5")
_REPEATED = 0.2
"""A width that stays bit for bit the same over more rows than this was not measured in each of them."""


def discover(spec: FastUmiSource, files: SourceFiles, digests: DigestCache) -> Iterator[EpisodeRef | Finding]:
    """One reference per episode file, by folder and number. Raises SourceError when there is none at all."""
    yield from declared_defects(spec)
    stats = {stat.path: stat for stat in files.list()}
    matches = [match for path in stats if (match := _EPISODE.fullmatch(path)) is not None]
    if not matches:
        raise SourceError(f"{files.root}: no episode_<number>.hdf5 below it; correct `path` of {spec.name}")
    matches.sort(key=lambda match: (match.group(1) or "", int(match.group(2)), match.group(0)))
    for folder, episodes in groupby(matches, key=lambda match: match.group(1) or ""):
        noted, problem = _collected(files, folder, stats)
        if problem:
            message = f"{spec.name}: the collector's times are not used: {problem}"
            yield about_source(spec.name, "collector_times_unreadable", message)
        for match in episodes:
            stat = stats[match.group(0)]
            if stat.size == 0:
                message = f"{spec.name}: {stat.path} is empty; fetch it again or remove it"
                yield about_source(spec.name, "empty_file", message, verdict=Verdict.DROP)
                continue
            times = _time_paths(folder) if noted is not None and _is_of(files, stat, noted) else ()
            part = {
                "task": folder.rpartition("/")[2].replace("_", " ").strip(),
                "times": [[path, sha256_of(files, stats[path], digests)] for path in times],
            }
            yield reference(
                spec,
                files.root,
                embodiment="fastumi",
                locator=stat.path,
                files=source_files(files, digests, [(TABLE, stat)]),
                metadata=metadata_of(spec, part),
                inside="",
            )


def _time_paths(folder: str) -> tuple[str, str]:
    prefix = f"{folder}/" if folder else ""
    return prefix + fastumi_times.TRAJECTORY, prefix + fastumi_times.STAMPS


def _collected(files: SourceFiles, folder: str, stats: Mapping[str, FileStat]) -> tuple[Collected | None, str]:
    """The times that lie in a folder, or what is wrong with them."""
    paths = _time_paths(folder)
    if any(path not in stats for path in paths):
        return None, ""
    try:
        return collected(files, *paths), ""
    except SourceError as error:
        return None, str(error)


def _is_of(files: SourceFiles, stat: FileStat, noted: Collected) -> bool:
    """Whether the collector's times are those of an episode; an unreadable one is told of when it is read."""
    try:
        with opened(files, stat.path) as table:
            return noted.times_of(table.numbers(QPOS)[:, :3]) is not None
    except SourceError:
        return False


def read(ref: EpisodeRef, files: SourceFiles) -> RawEpisode:
    """One episode's poses and views. Raises SourceError when the file is not what FastUMI writes."""
    spec, task = recipe_part(ref, FastUmiSource), str(dataset_part(ref)["task"])
    with opened(files, ref.file(TABLE).path) as table:
        qpos = _qpos(table)
        times_ns = _row_times(ref, files, qpos)
        cameras, findings = _cameras(ref, table, times_ns, len(qpos))
        track, odd = _action_track(ref, table, qpos, _clock(times_ns, len(qpos)), spec)
    findings += [*odd, *_pose_findings(ref, qpos)]
    if not task:
        message = "it lies in no task folder, whose name would be its instruction; state `instruction`"
        findings.append(about_episode(ref, "task_text_empty", message))
    return RawEpisode(
        instruction=task,
        cameras=tuple(cameras),
        actions=track,
        rows_are_frames=True,
        annotations=(),
        findings=tuple(findings),
    )


def _qpos(table: Hdf5) -> Floats:
    """The poses, float64 [T, 7] or with a gripper [T, 8]."""
    qpos = table.numbers(QPOS)
    if qpos.shape[1] not in (7, 8) or not len(qpos):
        raise SourceError(
            f"{table.name}: {QPOS} is {list(qpos.shape)}, expected [rows, 7] or, with a gripper, [rows, 8]; it is no "
            "FastUMI pose (data_processing_to_joint.py makes joints of them, which are not read)"
        )
    checked_rows(len(qpos), f"{table.name}: {QPOS}")
    return qpos


def _row_times(ref: EpisodeRef, files: SourceFiles, qpos: Floats) -> Ints | None:
    """True times of the rows, where discovery found the tables to be this episode's."""
    times = dataset_part(ref)["times"]
    return collected(files, *(path for path, _ in times)).times_of(qpos[:, :3]) if times else None


def _clock(times_ns: Ints | None, n: int) -> Ints:
    """The times of ``n`` rows or pictures: the true ones if there are as many, else nominal."""
    if times_ns is not None and len(times_ns) == n:
        return times_ns
    return np.arange(n, dtype=np.int64) * NS_PER_S // int(FPS)


def _cameras(ref: EpisodeRef, table: Hdf5, times_ns: Ints | None, n_rows: int) -> tuple[list[RawCamera], list[Finding]]:
    names = table.keys(IMAGES)
    if not names:
        return [], [about_episode(ref, "camera_missing", f"there is nothing in {IMAGES}; the episode has no pictures")]
    cameras = []
    for name in sorted(names, key=lambda name: (name != "front", name)):
        path = f"{IMAGES}/{name}"
        n_frames = table.shape(path)[0] if table.shape(path) else 0
        is_timed = times_ns is not None and n_frames == n_rows
        n_frames = int(shown(times_ns).sum()) if is_timed and times_ns is not None else n_rows
        cameras.append(still_view(ref, TABLE, name, path, fps=None if is_timed else FPS, n_frames=n_frames))
    return cameras, []


def _action_track(
    ref: EpisodeRef, table: Hdf5, qpos: Floats, times_ns: Ints, spec: FastUmiSource
) -> tuple[ActionTrack | None, list[Finding]]:
    action = table.numbers(ACTION) if table.has(ACTION) else None
    findings: list[Finding] = []
    if action is not None and np.array_equal(action, qpos, equal_nan=True):
        message = f"{ACTION} is {QPOS} row by row: it commands nothing, the next state is what there is to learn"
        findings.append(about_episode(ref, "action_is_state", message))
        action = None
    elif action is not None and action.shape != qpos.shape:
        message = f"{ACTION} is {list(action.shape)}, {QPOS} {list(qpos.shape)}; it is left out"
        findings.append(about_episode(ref, "action_shape_disagrees", message))
        action = None
    columns = {QPOS: qpos} if action is None else {QPOS: qpos, ACTION: action}
    nothing = Native([], np.zeros((len(qpos), 0)), [])
    commands = Commands(mode=CommandMode.ABSOLUTE, space=CommandSpace.END_EFFECTOR, frame=spec.frame)
    track, odd = tabular_track(
        ref,
        Control(table.name, times_ns, 1.0 / FPS, columns.__getitem__, nothing, nothing),
        state=_arm(QPOS, qpos.shape[1]),
        target=[] if action is None else _arm(ACTION, qpos.shape[1]),
        commands=None if action is None else commands,
        frame=spec.frame,
    )
    return track, findings + odd


def _arm(column: str, width: int) -> Sequence[ArmColumns]:
    return [
        ArmColumns(
            arm=Arm.RIGHT,
            position=Columns(column=column, start=0, stop=3),
            rotation=RotationColumns(column=column, start=3, stop=7, encoding=RotationEncoding.QUATERNION_XYZW),
            opening=OpeningColumns(column=column, start=7, stop=8, closed=0.0, open=1.0) if width == 8 else None,
        )
    ]


def _pose_findings(ref: EpisodeRef, qpos: Floats) -> Iterator[Finding]:
    """What the poses are of, and how finely the width was measured."""
    if qpos.shape[1] == 7:
        message = (
            f"{QPOS} has no gripper: it is the tracking camera's pose, not the tool's; run data_processing_to_tcp.py"
        )
        yield about_episode(ref, "pose_of_tracker", message)
        return
    opening = qpos[np.isfinite(qpos[:, 7]), 7]
    levels = len(np.unique(opening))
    repeated = float(np.mean(np.diff(opening) == 0)) if len(opening) > 1 else 0.0
    if levels > 1 and repeated > _REPEATED:
        message = (
            f"the gripper's width takes {levels} values and stays the same over {repeated:.0%} of the rows: it is "
            "counted in whole pixels and interpolated where tags were missed"
        )
        yield about_episode(ref, "opening_quantised", message, repeated, _REPEATED)


def pictures(ref: EpisodeRef, files: SourceFiles, window: VideoWindow, threads: Threads) -> Iterator[Picture]:
    """The pictures of one view that start inside the window. Nothing is decoded: ``threads`` have nothing to do."""
    del threads
    spec: Any = recipe_part(ref, FastUmiSource)
    with opened(files, ref.file(window.part).path) as table:
        shape = table.shape(window.inside)
        n_frames = checked_rows(shape[0] if shape else 0, f"{table.name}: {window.inside}")
        starts_ns = _clock(_row_times(ref, files, _qpos(table)), n_frames)
        visible = shown(starts_ns)
        ends_ns = frame_ends(starts_ns, usual_interval(starts_ns) or round(NS_PER_S / FPS)) if n_frames else starts_ns
        stop_ns = np.inf if window.end_ns == TO_THE_END else window.end_ns
        chosen = np.flatnonzero(visible & (starts_ns >= window.start_ns) & (starts_ns < stop_ns))
        if not len(chosen):
            return
        for index, pixels in enumerate(table.rows(window.inside, int(chosen[0])), int(chosen[0])):
            if index > chosen[-1]:
                return
            if visible[index]:
                yield picture_of_array(
                    pixels,
                    int(starts_ns[index]),
                    int(ends_ns[index]),
                    f"{table.name}: {window.inside}[{index}]",
                    bgr=spec.colours == "bgr",
                )
