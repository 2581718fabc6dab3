"""LeRobot datasets, v2.0, v2.1 and v3.0: robot episodes as parquet rows and mp4 views.

Row i of an episode was recorded with frame i of every view; that, and not the nominal ``timestamp``, ties actions
to pictures. The recipe says which columns are an arm's pose and gripper; all native state and action columns are
kept beside them. Metadata that is wrong in the wild is reported, once per source where it concerns the listing.

The work is split by noun: `lerobot_meta` reads ``meta/``, `lerobot_paths` fills in file names, `lerobot_texts` finds
the words for numbers, `lerobot_census` counts what is missing, `lerobot_rows` reads the table, `lerobot_stills` its
pictures, `lerobot_actions` makes the action track, `lerobot_spans` and `lerobot_language` import annotations.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import SourceError
from pipeline.files import FileStat, SourceFiles
from pipeline.fingerprint import DigestCache
from pipeline.sources.facts import FormatFacts
from pipeline.sources.folders import Folders
from pipeline.sources.lerobot import lerobot_actions, lerobot_spans
from pipeline.sources.lerobot.lerobot_census import Census
from pipeline.sources.lerobot.lerobot_meta import Info, Listed, listed_episodes, load_info, path_of
from pipeline.sources.lerobot.lerobot_rows import Rows, read_rows
from pipeline.sources.lerobot.lerobot_stills import still_pictures
from pipeline.sources.lerobot.lerobot_texts import Vocabulary, load_vocabulary
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
from pipeline.sources.spans import says_something
from pipeline.sources.storage.json_file import dict_of, document, text_of
from pipeline.sources.views import Claims, part_of, still_view, video_pictures, view
from pipeline.video import TO_THE_END, Picture, Threads
from schemas.episode import VideoWindow
from schemas.finding import Finding, Verdict
from schemas.recipe_formats.lerobot import LeRobotSource
from schemas.source import EpisodeRef, SourceKind
from schemas.time import NS_PER_S

TABLE = "table"
_MODALITY = "meta/modality.json"
_TEXT_SHOWN = 600
FACTS = FormatFacts(
    title="LeRobot v2.0, v2.1, v3.0",
    kinds=(SourceKind.OPEN_ROBOT, SourceKind.TELEOP, SourceKind.SELF_COLLECTED),
    layout="`meta/`, parquet rows and mp4 views, or pictures inside the rows; one episode per file (v2) or many (v3)",
    clock="row i is frame i of every view; the picture's time counts, not the nominal `timestamp`",
    pose="the columns the recipe names, in the dataset's frame; `position_scale_m` metres per unit",
    rotation="as the recipe says, any of six encodings",
    gripper="the column the recipe names, with its closed and open values",
    commands="the columns the recipe names, absolute unless `commands` says otherwise; all native columns are kept",
    language="task texts; `coarse_task_index` where `task_index` changes (Galaxea)",
    spans="`task_index`, `subtask_index`, `annotation.*`, `language_persistent` and `language_events`, `action_config` "
    "(AgiBot), `subtask_annotation` (RoboCOIN), `low_level_task_index` (HABIT), `quality_index` (Galaxea), "
    "`action_mode` (Sirius), flags of intervention, error and recovery; what says invalid is trimmed",
    refused="depth views; picture paths that lead out of the table",
    tested_on="real: G1 v2.1, GR-1 v2.0, DROID slice v3.0; fixture: each annotation convention on a small dataset",
)


@dataclass(frozen=True)
class Dataset:
    """An opened dataset: what discovery needs at hand for every episode."""

    spec: LeRobotSource
    files: SourceFiles
    digests: DigestCache
    info: Info
    cameras: Mapping[str, str]
    """Short camera name by feature key, master view first."""
    vocabulary: Vocabulary


def discover(spec: LeRobotSource, files: SourceFiles, digests: DigestCache) -> Iterator[EpisodeRef | Finding]:
    """One reference per episode whose files are there, in the metadata's order, then findings about the listing.

    Raises SourceError when the metadata cannot be read or the recipe names a camera the dataset does not have.
    """
    info = load_info(files)
    dataset = Dataset(spec, files, digests, info, camera_names(spec, info), load_vocabulary(files, info))
    yield from declared_defects(spec)
    yield from _odd_templates(spec, info)
    yield from _unmapped(spec, files)
    census, folders = Census(), Folders(files)
    seen: set[int] = set()
    n_doubled = 0
    for listed in listed_episodes(files, info):
        if listed.index in seen:
            n_doubled += 1
            continue
        seen.add(listed.index)
        census.list(listed.length)
        found = _located(dataset, listed, folders, census)
        if found is not None:
            yield _reference(dataset, listed, found)
    if n_doubled:
        message = f"{info.where}: the episodes' list names {n_doubled} episodes again; the first of each counts"
        yield about_source(spec.name, "episode_listed_twice", message, verdict=Verdict.DROP, value=float(n_doubled))
    yield from census.findings(spec.name, info, len(dataset.vocabulary.tasks))


def camera_names(spec: LeRobotSource, info: Info) -> dict[str, str]:
    """Short camera name by feature key, master view first. The last part of the key, or all of it if that is taken."""
    keys = info.view_keys if spec.cameras is None else spec.cameras
    for key in keys:
        if key not in info.view_keys:
            raise SourceError(f"{info.where}: no view {key!r}, found {info.view_keys}; correct `cameras`")
    if not keys:
        raise SourceError(f"{info.where}: no feature of dtype video or image, expected at least one view")
    shorts = [key.rpartition(".")[2] for key in keys]
    return {key: short if shorts.count(short) == 1 else key for key, short in zip(keys, shorts, strict=True)}


def _odd_templates(spec: LeRobotSource, info: Info) -> Iterator[Finding]:
    for template in sorted(info.templates):
        if odd := sorted(info.odd_placeholders(template)):
            message = (
                f"{info.where}: {template} is {info.templates[template]!r}; {odd} is not what {info.codebase_version} "
                "uses, it was read as the chunk or file number it stands for"
            )
            yield about_source(spec.name, "path_template_nonstandard", message)


def _unmapped(spec: LeRobotSource, files: SourceFiles) -> Iterator[Finding]:
    """What GR00T's ``meta/modality.json`` calls the columns, for a recipe that names no arm.

    It says which numbers are ``left_hand``, not whether they are joints or a pose; that is for the recipe to say.
    """
    if spec.state or spec.target or files.stat(_MODALITY) is None:
        return
    stated = dict_of(document(files, _MODALITY))
    slices = [
        f"{side} {text_of(name)} {part.get('start')}:{part.get('end')}"
        for side in ("state", "action")
        for name, part in sorted(dict_of(stated.get(side)).items())
        if isinstance(part, dict)
    ]
    if slices:
        message = (
            f"{spec.name}: {_MODALITY} names {', '.join(slices)[:_TEXT_SHOWN]}; name in `state` and `target` those "
            "that are an arm's pose, gripper or fingers"
        )
        yield about_source(spec.name, "arms_not_mapped", message, value=float(len(slices)))


def _located(dataset: Dataset, listed: Listed, folders: Folders, census: Census) -> dict[str, FileStat] | None:
    """The episode's files by part; None, counted, when its table or all its views are missing or cannot be placed."""
    info = dataset.info
    cameras = {key: name for key, name in dataset.cameras.items() if not info.is_still(key)}
    stills = len(dataset.cameras) > len(cameras)
    table_path = path_of(info, "data_path", listed, listed.data)
    paths = {key: path_of(info, "video_path", listed, listed.videos[key], key) for key in cameras}
    table = folders.stat(table_path)
    videos = {key: stat for key, path in paths.items() if (stat := folders.stat(path)) is not None}
    if table is None or not (videos or stills):
        census.miss(listed.index, next(iter(paths.values())) if table else table_path)
        return None
    if info.major == 3 and any(listed.videos[key].window is None for key in videos) and not _alone(info):
        census.unplaced.add(listed.index)
        return None
    for key in cameras:
        if key not in videos:
            census.miss_video(key, listed.index)
    return {TABLE: table, **{part_of(cameras[key]): stat for key, stat in videos.items()}}


def _alone(info: Info) -> bool:
    """Whether the dataset is a single episode, which then owns its files whole."""
    return info.stated.get("total_episodes") == 1


def _reference(dataset: Dataset, listed: Listed, found: Mapping[str, FileStat]) -> EpisodeRef:
    spec, info, cameras = dataset.spec, dataset.info, dataset.cameras
    features = {
        key: value
        for key, value in info.features.items()
        if key in cameras or value.get("dtype") not in ("video", "image")
    }
    views = [(name, key) for key, name in cameras.items() if info.is_still(key) or part_of(name) in found]
    windows = {key: None if info.is_still(key) else listed.videos[key].window for _, key in views}
    part = {
        "codebase_version": info.codebase_version,
        "fps": info.fps,
        "robot_type": info.robot_type,
        "features": features,
        "episode_index": listed.index,
        "length": listed.length,
        "tasks": listed.tasks,
        "views": [[name, key, windows[key]] for name, key in views],
        "texts": _texts(dataset, listed, found[TABLE]),
        "notes": listed.notes,
    }
    return reference(
        spec,
        dataset.files.root,
        embodiment=info.robot_type,
        locator=f"episode_index={listed.index}",
        files=source_files(dataset.files, dataset.digests, found.items()),
        metadata=metadata_of(spec, part),
    )


def _texts(dataset: Dataset, listed: Listed, table: FileStat) -> dict[str, dict[str, str]]:
    """The texts an episode's rows refer to; none of a damaged table, which reading refuses for its episode alone."""
    try:
        return dataset.vocabulary.needed(dataset.files, table.path, listed, dataset.info)
    except SourceError:
        return {}


def read(ref: EpisodeRef, files: SourceFiles) -> RawEpisode:
    """One episode's rows, annotations and views. Raises SourceError when rows or views are not what is claimed."""
    spec, dataset = recipe_part(ref, LeRobotSource), dataset_part(ref)
    rows, findings = read_rows(ref, files, dataset)
    cameras: list[RawCamera] = []
    for name, key, window in dataset["views"]:
        if dataset["features"][key]["dtype"] == "image":
            fps, n_rows = float(dataset["fps"]), rows.table.num_rows
            cameras.append(still_view(ref, TABLE, name, key, fps=fps, n_frames=n_rows))
            continue
        camera, seen = view(ref, files, name, _claims(dataset, key, window, rows))
        cameras.append(camera)
        findings += seen
    actions, seen = lerobot_actions.action_track(ref, spec, dataset, rows)
    findings += seen
    annotations, seen = lerobot_spans.spans(ref, dataset, rows)
    findings += seen
    instruction = _instruction([*dataset["texts"].get("coarse_task_index", {}).values(), *dataset["tasks"]])
    if not instruction:
        message = (
            f"its task text is {' '.join(map(repr, dataset['tasks'])) or 'missing'}; the episode has no instruction"
        )
        findings.append(about_episode(ref, "task_text_empty", message))
    return RawEpisode(
        instruction=instruction,
        cameras=tuple(cameras),
        actions=actions,
        rows_are_frames=rows.are_frames,
        annotations=tuple(annotations),
        findings=tuple(findings),
    )


def pictures(ref: EpisodeRef, files: SourceFiles, window: VideoWindow, threads: Threads) -> Iterator[Picture]:
    """The pictures of one view, from its video or from the table. Raises SourceError when they cannot be read."""
    return still_pictures(ref, files, window) if window.inside else video_pictures(ref, files, window, threads)


def _claims(dataset: Mapping[str, Any], key: str, window: list[float] | None, rows: Rows) -> Claims:
    """What the metadata says about a view. Windows start and end half a frame early, so that they fall between frames.

    v3 writes them as sums of floats; an edge exactly on a frame's time stamp would fall on either side of it.
    """
    feature, fps = dataset["features"][key], float(dataset["fps"])
    details = dict_of(feature.get("info")) or dict_of(feature.get("video_info"))
    said = details.get("video.fps")
    window_ns = (0, TO_THE_END)
    if window is not None:
        start, end = (round((edge - 0.5 / fps) * NS_PER_S) for edge in window)
        window_ns = (max(0, start), end)
    return Claims(
        fps=float(said) if isinstance(said, int | float) and 0 < said < math.inf else fps,
        frames=rows.table.num_rows,
        size=_picture_size(feature.get("shape") or []),
        window_ns=window_ns,
    )


def _picture_size(shape: list[int]) -> tuple[int, int] | None:
    """Height and width. Many converters state ``[channels, height, width]``; no picture is four pixels high."""
    if len(shape) != 3:
        return None
    return (shape[1], shape[2]) if shape[0] <= 4 else (shape[0], shape[1])


def _instruction(tasks: list[str]) -> str:
    """The first wording that says something; DROID joins its three wordings with bars."""
    return next((part.strip() for task in tasks for part in task.split("|") if says_something(part)), "")
