"""NVIDIA's UMI action files: ``videos/<name>.mp4`` and beside them ``actions/<name>.json``, rows of ten numbers.

A row says how the gripper's camera moved to the next frame, so 32 rows belong to 33 frames; they are added up to a
path whose origin is the first pose. What the numbers mean is nowhere written down; `umi_steps` says what the real
recording's rows and pictures prove and what they leave open: the unit of dx, dy, dz, which is then taken to be that
of the rotations and told, and the gripper's, which stays a native column until the recipe says what it means.
"""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

import numpy as np

from pipeline.errors import SourceError
from pipeline.files import FileStat, SourceFiles
from pipeline.fingerprint import DigestCache
from pipeline.sources.facts import FormatFacts
from pipeline.sources.raw import RawEpisode
from pipeline.sources.reference import (
    about_episode,
    about_source,
    declared_defects,
    metadata_of,
    recipe_part,
    reference,
    source_files,
)
from pipeline.sources.storage import json_file
from pipeline.sources.umi.umi_steps import (
    PLAIN,
    Stretch,
    furthest_from_unit,
    look_cumulative,
    path,
    rotations,
    stretch_of,
)
from pipeline.sources.video_folder import VIDEO_SUFFIXES
from pipeline.sources.views import Claims, part_of, view
from schemas.array import Bools, Floats, Ints
from schemas.episode import ActionKind, ActionTrack, ArmTrack, CommandMode, CommandSemantics, CommandSpace
from schemas.finding import Finding, Verdict
from schemas.recipe_formats.umi_json import UmiJsonSource
from schemas.source import EpisodeRef, SourceKind
from schemas.time import NS_PER_S

ROWS = "actions"
_VIDEOS, _ACTIONS, _STILLS = "videos", "actions", "images"
_WIDTH = 10
_NAMES = ("dx", "dy", "dz", "c1x", "c1y", "c1z", "c2x", "c2y", "c2z", "gripper")
_LARGEST = 1e6
_STILL_SHARE = 0.02
"""A gripper that spans less of its range does not move."""
_NORMALISED_RANGE = 2.0
"""Normalised numbers go from -1 to 1."""
FACTS = FormatFacts(
    title="UMI action rows in JSON (NVIDIA Cosmos post-training)",
    kinds=(SourceKind.UMI,),
    layout="`videos/<name>.mp4` with `actions/<name>.json`: rows, or chunks of rows, of 10 numbers; one row less than "
    "frames",
    clock="row i leads from frame i to frame i + 1; the pictures' times count",
    pose="steps of the camera in its own axes (x right, y down, z forward), added up; the first pose is the origin, "
    "frame `start`. Their unit is not stated: `position_scale_m`, else that of the rotations, told",
    rotation="first two columns; normalised entries are found out by the rows themselves and undone (the real file's "
    "are ten times too large: its pictures roll by 16 degrees, the rows say 18 and not 195), others orthonormalised "
    "and told",
    gripper="unit not stated: native column `gripper`, an opening once the recipe gives `gripper_closed` and "
    "`gripper_open`",
    commands="the rows themselves, native: delta, end effector, tool frame; `target` is empty",
    language="none; the recipe's `instruction`",
    spans="-",
    refused="`images/`: stills of the videos, told and not read",
    tested_on="real: mouse_arrangement",
)


def discover(spec: UmiJsonSource, files: SourceFiles, digests: DigestCache) -> Iterator[EpisodeRef | Finding]:
    """One reference per video in a folder ``videos``, by path. Raises SourceError when there is none."""
    yield from declared_defects(spec)
    listing = {stat.path: stat for stat in files.list()}
    videos = [path for path in listing if _beside(path, _VIDEOS, "") and _suffix(path) in VIDEO_SUFFIXES]
    if not videos:
        raise SourceError(
            f"{files.root}: no video in a folder '{_VIDEOS}' below it; correct `path` of source {spec.name}"
        )
    with_rows = set()
    for video in videos:
        rows = listing.get(_beside(video, _ACTIONS, ".json"))
        with_rows.update([rows.path] if rows else [])
        yield _reference(spec, files, digests, listing[video], rows)
    yield from _left_over(spec, listing, videos, with_rows)


def _suffix(path: str) -> str:
    return PurePosixPath(path).suffix.lower()


def _beside(path: str, folder: str, suffix: str) -> str:
    """The path of a file's partner: the same name in a sibling of its folder; empty when it lies in none of ours."""
    place = PurePosixPath(path)
    if place.parent.name not in (_VIDEOS, _ACTIONS):
        return ""
    return str(place.parent.parent / folder / f"{place.stem}{suffix}")


def _reference(
    spec: UmiJsonSource, files: SourceFiles, digests: DigestCache, video: FileStat, rows: FileStat | None
) -> EpisodeRef:
    parts = [(part_of(_camera(spec)), video), *([(ROWS, rows)] if rows else [])]
    return reference(
        spec,
        files.root,
        embodiment="umi_gripper",
        locator=video.path,
        files=source_files(files, digests, parts),
        metadata=metadata_of(spec, {}),
        inside="",
    )


def _camera(spec: UmiJsonSource) -> str:
    return f"wrist_{spec.arm}"


def _left_over(
    spec: UmiJsonSource, listing: Mapping[str, FileStat], videos: list[str], with_rows: set[str]
) -> Iterator[Finding]:
    """What has no partner, and what is not read."""
    alone = [video for video in videos if _beside(video, _ACTIONS, ".json") not in with_rows]
    if alone:
        message = f"{spec.name}: {len(alone)} videos have no {_ACTIONS}/<name>.json, first {alone[0]}; no actions there"
        yield about_source(spec.name, "actions_missing", message, value=len(alone))
    lost = [path for path in listing if _beside(path, "", "") and _suffix(path) == ".json" and path not in with_rows]
    if lost:
        message = f"{spec.name}: {len(lost)} action files have no video, first {lost[0]}; they are left out"
        yield about_source(spec.name, "video_missing", message, verdict=Verdict.DROP, value=len(lost))
    stills = [path for path in listing if PurePosixPath(path).parent.name == _STILLS]
    if stills:
        message = f"{spec.name}: {_STILLS}/ holds stills of the videos ({len(stills)}), which are not read"
        yield about_source(spec.name, "stills_not_read", message, value=len(stills))


def read(ref: EpisodeRef, files: SourceFiles) -> RawEpisode:
    """One video and the path its rows add up to. Raises SourceError when the rows are no rows of ten numbers."""
    spec = recipe_part(ref, UmiJsonSource)
    actions, findings = None, list[Finding]()
    if any(file.part == ROWS for file in ref.files):
        actions, findings = _track(ref, spec, *_rows(files, ref.file(ROWS).path))
    frames = None if actions is None else actions.n_rows
    camera, seen = view(ref, files, _camera(spec), Claims(fps=spec.fps, frames=frames))
    return RawEpisode(
        instruction="",
        cameras=(camera,),
        actions=actions,
        rows_are_frames=True,
        annotations=(),
        findings=(*seen, *findings),
    )


def _rows(files: SourceFiles, path: str) -> tuple[Floats, Ints]:
    """The rows, float64 [N, 10], and the first row of each chunk. A flat list of rows is one chunk."""
    name, stated = files.url_of(path), json_file.document(files, path)
    if not isinstance(stated, list) or not stated:
        raise SourceError(f"{name}: is {type(stated).__name__} or empty, expected a list of rows of {_WIDTH} numbers")
    chunks = stated if _is_chunk(stated[0]) else [stated]
    rows: list[list[float]] = []
    starts = []
    for chunk in chunks:
        starts.append(len(rows))
        for row in chunk if isinstance(chunk, list) else [chunk]:
            if not isinstance(row, list) or len(row) != _WIDTH or not all(type(x) in (int, float) for x in row):
                raise SourceError(
                    f"{name}: row {len(rows)} is {str(row)[:80]}, expected {_WIDTH} numbers dx dy dz, two columns of a "
                    "rotation, gripper; it is another layout or damaged"
                )
            rows.append([number if (number := json_file.number_of(x)) is not None else np.nan for x in row])
    values = np.array(rows, np.float64).reshape(-1, _WIDTH)
    return np.where(np.abs(values) < _LARGEST, values, np.nan), np.array(starts, np.int64)


def _is_chunk(first: object) -> bool:
    return isinstance(first, list) and bool(first) and isinstance(first[0], list)


def _track(ref: EpisodeRef, spec: UmiJsonSource, rows: Floats, chunk_starts: Ints) -> tuple[ActionTrack, list[Finding]]:
    moves, six, gripper = rows[:, :3], rows[:, 3:9], rows[:, 9]
    stretch = stretch_of(six)
    scale_m = spec.position_scale_m or 1.0 / (stretch or PLAIN).beside
    turns = rotations(six, stretch or PLAIN)
    positions, rotated = path(moves * scale_m, turns, chunk_starts if spec.relative_to == "chunk_start" else None)
    opening = _opening(spec, gripper)
    arm = ArmTrack(
        arm=spec.arm,
        position=positions.astype(np.float32),
        rotation=rotated[:, :2].reshape(-1, 6).astype(np.float32),
        opening=opening,
        fingers=None,
        n_fingers=0,
    )
    valid: Bools = np.ones(len(positions), np.bool_) & np.isfinite(positions).all(axis=1)
    if opening is not None:
        valid = valid & np.isfinite(opening)
    findings = [*_about_rotations(ref, spec, six, stretch, scale_m), *_about_gripper(ref, spec, gripper, stretch)]
    if unknown := int(np.count_nonzero(~np.isfinite(positions[:, 0]))):
        message = f"a row without numbers, or without a rotation, breaks the path: {unknown} poses after it are unknown"
        findings.append(about_episode(ref, "rows_not_finite", message, unknown, 0))
    if spec.relative_to == "previous" and look_cumulative(moves):
        message = (
            "dx, dy, dz begin near zero and grow smoothly, as positions since the chunk's start do; if they are, set "
            "`relative_to: chunk_start`"
        )
        findings.append(about_episode(ref, "steps_look_cumulative", message))
    track = ActionTrack(
        episode_id=ref.episode_id,
        kind=ActionKind.MEASURED,
        provenance=f"steps since the {spec.relative_to.replace('_', ' ')} pose, camera axes, {scale_m:g} m per unit, "
        f"rotation entries unstretched by {(stretch or PLAIN).beside:g}, added up",
        times_ns=np.rint(np.arange(len(rows) + 1) * (NS_PER_S / spec.fps)).astype(np.int64),
        valid=valid,
        state=(arm,),
        target=(),
        joint_names=_NAMES,
        joint_state=None,
        joint_target=np.append(rows, np.full((1, _WIDTH), np.nan), axis=0).astype(np.float32).reshape(-1),
        frame="start",
        commands=CommandSemantics(CommandMode.DELTA, CommandSpace.END_EFFECTOR, "tool"),
    )
    return track, findings


def _opening(spec: UmiJsonSource, gripper: Floats) -> Floats | None:
    """Row i says where the gripper is at frame i + 1, as it does for the pose; nothing says where it was at frame 0."""
    if spec.gripper_closed is None or spec.gripper_open is None:
        return None
    opening = (gripper - spec.gripper_closed) / (spec.gripper_open - spec.gripper_closed)
    return np.append(np.nan, opening).astype(np.float32)


def _about_rotations(
    ref: EpisodeRef, spec: UmiJsonSource, six: Floats, stretch: Stretch | None, scale_m: float
) -> Iterator[Finding]:
    if stretch == PLAIN:
        return
    furthest = furthest_from_unit(six)
    if stretch is None:
        message = (
            f"rotation columns are up to {furthest:.3f} from unit length and no stretch of their entries explains it; "
            "they are orthonormalised as they stand"
        )
        yield about_episode(ref, "rotation_not_unit", message, furthest, 0.001)
        return
    message = (
        f"rotation columns are up to {furthest:.3f} from unit length because their entries are normalised; that is "
        "undone, and they are unit"
    )
    yield about_episode(ref, "rotation_not_unit", message, furthest, 0.001)
    message = (
        f"entries beside the diagonal are {stretch.beside:g} times too large, those on it {stretch.diagonal:g} times "
        f"too far from 1: the rows fit no other factors. Taken as they stand they would turn {stretch.beside:g} times "
        f"too far. "
        + (
            f"dx, dy, dz are in units of {scale_m:g} m as the recipe says"
            if spec.position_scale_m
            else f"dx, dy, dz are taken to be stretched alike, {scale_m:g} m per unit; set `position_scale_m` if not"
        )
    )
    yield about_episode(ref, "actions_normalised", message, stretch.beside, 1.0)


def _about_gripper(ref: EpisodeRef, spec: UmiJsonSource, gripper: Floats, stretch: Stretch | None) -> Iterator[Finding]:
    finite = gripper[np.isfinite(gripper)]
    if not finite.size:
        return
    low, high = float(finite.min()), float(finite.max())
    span = _NORMALISED_RANGE if stretch not in (None, PLAIN) else 0.0
    if spec.gripper_open is not None and spec.gripper_closed is not None:
        span = abs(spec.gripper_open - spec.gripper_closed)
    else:
        message = (
            f"the gripper column goes from {low:.4g} to {high:.4g} in no unit that the file states; it is kept as it "
            "is, set `gripper_closed` and `gripper_open` to read it as an opening"
        )
        yield about_episode(ref, "gripper_unit_unknown", message, high)
    if high - low <= _STILL_SHARE * span:
        message = f"the gripper stays at {np.median(finite):.4g} within {high - low:.2g}; it says nothing about grasps"
        yield about_episode(ref, "gripper_constant", message, float(np.median(finite)))
