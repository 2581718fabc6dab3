"""UMI replay buffers: hand-held gripper demonstrations as rows of one zarr, usually zipped.

One row per camera frame, one episode after the other; ``meta/episode_ends`` says where each stops. Poses are of the
finger tips in the frame of the ArUco tag on the table, widths are metres. There are no times (rows follow each other
at the camera's 59.94 Hz), no language and no commands: a policy's target is a later row, so ``target`` stays empty
rather than repeating the state. ``robot{k}_demo_start_pose`` and ``_demo_end_pose`` repeat two rows and are not read.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pipeline.errors import SourceError
from pipeline.files import FileStat, SourceFiles
from pipeline.fingerprint import DigestCache
from pipeline.sources.facts import FormatFacts
from pipeline.sources.raw import RawCamera, RawEpisode
from pipeline.sources.reference import (
    about_episode,
    about_source,
    dataset_part,
    declared_defects,
    metadata_of,
    recipe_part,
    reference,
)
from pipeline.sources.still import picture_of_array
from pipeline.sources.storage.zarr_store import Store
from pipeline.sources.umi.umi_buffer import (
    ENDS,
    LOW_DIM,
    WIDTH,
    ZIP,
    Buffer,
    array_at,
    content_of,
    episode_ends,
    folders,
    opened_buffer,
    read_buffer,
)
from pipeline.sources.views import still_view
from pipeline.video import TO_THE_END, Picture, Threads
from schemas.array import Floats, Ints
from schemas.episode import ActionKind, ActionTrack, Arm, ArmTrack, CameraRole, VideoWindow
from schemas.finding import Finding, Verdict
from schemas.pose import RotationEncoding
from schemas.recipe_formats.umi_zarr import UmiZarrSource
from schemas.rotation import rotation_6d
from schemas.source import EpisodeRef, SourceFile, SourceKind
from schemas.time import NS_PER_S

BUFFER = "replay_buffer"
_GREY = 128
"""Of a picture that cannot be unpacked: no neighbour's, and not black, which is a defect of its own."""
FACTS = FormatFacts(
    title="UMI replay buffer (zarr)",
    kinds=(SourceKind.UMI,),
    layout="`dataset.zarr.zip` or a `.zarr` folder, zarr 2 or 3: `data/robot{k}_*`, `data/camera{k}_rgb` (JPEG XL, "
    "JPEG, Blosc, …), `meta/episode_ends`; other cameras become views",
    clock="none in the file: row i is frame i, `fps` rows per second",
    pose="`robot{k}_eef_pos`, metres, of the finger tips in the frame of the table's tag",
    rotation="`robot{k}_eef_rot_axis_angle`, rotation vector",
    gripper="`robot{k}_gripper_width` in metres; 0 is closed, `max_width_m` open",
    commands="none: a policy's target is a later row; `target` is empty",
    language="none; the recipe's `instruction`",
    spans="-",
    refused="object codecs (pickle, JSON, variable length), filters, unknown compressors, links and climbing names in "
    "zips, missing chunks; sound, tactile and other arrays are told and not read",
    tested_on="fixture: robosuite poses and pictures and the real UMI clip, written by the zarr library",
)


def discover(spec: UmiZarrSource, files: SourceFiles, digests: DigestCache) -> Iterator[EpisodeRef | Finding]:
    """One reference per episode, buffer by buffer. Raises SourceError when there is no buffer that can be read."""
    yield from declared_defects(spec)
    listing = {stat.path: stat for stat in files.list()}
    paths = sorted({path for path in listing if path.endswith(ZIP)} | set(folders(listing)))
    if not paths:
        raise SourceError(
            f"{files.root}: no {ZIP} file and no folder with {ENDS} below it; correct `path` of source {spec.name}"
        )
    for path in paths:
        try:
            yield from _episodes(spec, files, digests, path, listing)
        except SourceError as error:
            if len(paths) == 1:
                raise
            yield about_source(spec.name, "buffer_unreadable", f"{spec.name}: {error}", verdict=Verdict.DROP)


def _episodes(
    spec: UmiZarrSource, files: SourceFiles, digests: DigestCache, path: str, listing: Mapping[str, FileStat]
) -> Iterator[EpisodeRef | Finding]:
    with opened_buffer(files, path, digests, listing) as store:
        buffer, ends = read_buffer(store, len(spec.arms)), episode_ends(store)
        yield from [*_not_read(spec, path, buffer), *_outside(spec, path, buffer, ends)]
        if empty := int(np.count_nonzero(np.diff(ends, prepend=0) == 0)):
            message = f"{spec.name}: {empty} episodes of {path or '.'} have no rows; they are left out"
            yield about_source(spec.name, "episodes_empty", message, value=empty)
        for index, (start, stop) in enumerate(zip([0, *ends.tolist()], ends.tolist(), strict=False)):
            if start == stop:
                continue
            locator = f"{path or '.'} episode {index}"
            try:
                content, n_bytes = content_of(buffer, (start, stop), files, digests, listing.get(path))
            except SourceError as error:
                message = f"{spec.name}, {locator}: {error}"
                yield about_source(spec.name, "episode_unreadable", message, verdict=Verdict.DROP, value=index)
                continue
            yield reference(
                spec,
                files.root,
                embodiment="umi_gripper",
                locator=locator,
                files=(SourceFile(BUFFER, path, content, n_bytes),),
                metadata=metadata_of(spec, _slice_of(buffer, start, stop)),
                inside="",
            )


def _slice_of(buffer: Buffer, start: int, stop: int) -> dict[str, Any]:
    cameras = [[name, array.path] for name, array in buffer.cameras.items()]
    return {"rows": [start, stop], "low_dim": sorted(buffer.low_dim), "cameras": cameras}


def _not_read(spec: UmiZarrSource, path: str, buffer: Buffer) -> Iterator[Finding]:
    if buffer.ignored:
        message = (
            f"{spec.name}: {path or '.'} also has {'; '.join(buffer.ignored)}: Joinery has no place for them and does "
            "not read them"
        )
        yield about_source(spec.name, "arrays_not_read", message, value=len(buffer.ignored))


def _outside(spec: UmiZarrSource, path: str, buffer: Buffer, ends: Ints) -> Iterator[Finding]:
    """Rows behind the last episode's end belong to none; the recorder may have been stopped before it said so."""
    last = int(ends[-1]) if len(ends) else 0
    n_rows = max(array.shape[0] for array in [*buffer.low_dim.values(), *buffer.cameras.values()])
    if n_rows > last:
        message = (
            f"{spec.name}: {path or '.'} has {n_rows} rows, its {len(ends)} episodes end at {last}; the rows behind "
            "are left out"
        )
        yield about_source(spec.name, "rows_outside_episodes", message, verdict=Verdict.DROP, value=n_rows - last)


def read(ref: EpisodeRef, files: SourceFiles) -> RawEpisode:
    """One episode's poses and views. Raises SourceError when its chunks are missing or damaged."""
    spec, part = recipe_part(ref, UmiZarrSource), dataset_part(ref)
    start, stop = part["rows"]
    with opened_buffer(files, ref.file(BUFFER).path) as store:
        rows = {name: _numbers(store, name, start, stop) for name in part["low_dim"]}
    actions, findings = _track(ref, spec, rows, stop - start) if rows else (None, [])
    return RawEpisode(
        instruction="",
        cameras=tuple(_views(ref, spec, part, stop - start)),
        actions=actions,
        rows_are_frames=True,
        annotations=(),
        findings=tuple(findings),
    )


def _numbers(store: Store, name: str, start: int, stop: int) -> Floats:
    """Rows of a low-dimensional array, float64 [T, W]."""
    with np.errstate(all="ignore"):  # what float64 or float32 cannot hold becomes infinite, and the row invalid
        values: Floats = array_at(store, f"data/{name}").rows(start, stop).astype(np.float64).reshape(stop - start, -1)
    return values


def _views(ref: EpisodeRef, spec: UmiZarrSource, part: Mapping[str, Any], n_rows: int) -> Iterator[RawCamera]:
    """Camera k sits on gripper k; every other one looks from outside, whatever UMI's scripts call it."""
    held = {
        f"camera{k}" for k in range(len(spec.arms)) if any(name.startswith(f"robot{k}_") for name in part["low_dim"])
    }
    for name, path in part["cameras"]:
        camera = still_view(ref, BUFFER, name, path, fps=spec.fps, n_frames=n_rows)
        role = spec.camera_roles.get(name) or (
            _wrist(spec.arms[int(name[-1])]) if name in held else CameraRole.THIRD_PERSON
        )
        yield RawCamera(name, role, camera.video, expected_fps=camera.expected_fps, expected_frames=n_rows)


def _wrist(arm: Arm) -> CameraRole:
    return CameraRole.WRIST_LEFT if arm is Arm.LEFT else CameraRole.WRIST_RIGHT


def _track(
    ref: EpisodeRef, spec: UmiZarrSource, rows: Mapping[str, Floats], n_rows: int
) -> tuple[ActionTrack, list[Finding]]:
    arms, findings = [], []
    valid = np.ones(n_rows, np.bool_)
    for k, arm in enumerate(spec.arms):
        position, turn, width = (rows.get(f"robot{k}_{name}") for name in LOW_DIM)
        if position is None and width is None:
            continue
        rotation = (
            None if turn is None or position is None else rotation_6d(_sane(turn), RotationEncoding.ROTATION_VECTOR)
        )
        opening = None if width is None else (_sane(width)[:, 0] / spec.max_width_m).astype(np.float32)
        place = None if position is None else _sane(position).astype(np.float32)
        for values in (place, rotation, opening):
            if values is not None:
                valid &= np.isfinite(values.reshape(n_rows, -1)).all(axis=1)
        arms.append(ArmTrack(arm, place, rotation, opening, None, 0))
        if width is not None and n_rows > 1 and np.ptp(width[:, 0]) == 0:
            message = f"robot{k}_{WIDTH} is {width[0, 0]:g} m in every row; it says nothing about the gripper"
            findings.append(about_episode(ref, "gripper_constant", message, value=float(width[0, 0])))
    if not valid.all():
        bad = int(np.count_nonzero(~valid))
        findings.append(about_episode(ref, "rows_not_finite", f"{bad} rows hold no number somewhere", bad, 0))
    widths = [name for name in rows if name.endswith(WIDTH)]
    native = np.concatenate([rows[name] for name in widths], axis=1) if widths else None
    track = ActionTrack(
        episode_id=ref.episode_id,
        kind=ActionKind.MEASURED,
        provenance=f"state {', '.join(rows)} (rotation vector; width / {spec.max_width_m:g} m); no commands recorded",
        times_ns=row_times(n_rows, spec.fps)[:-1],
        valid=valid,
        state=tuple(arms),
        target=(),
        joint_names=tuple(widths),
        joint_state=None if native is None else _sane(native).astype(np.float32).reshape(-1),
        joint_target=None,
        frame="tag",
    )
    return track, findings


def _sane(values: Floats) -> Floats:
    """Numbers, with NaN for what float32 or a rotation cannot hold: no gripper is a thousand kilometres away."""
    return np.where(np.abs(values) < 1e6, values, np.nan)


def row_times(n_rows: int, fps: float) -> Ints:
    """When rows start, and when the last one ends, int64 [T + 1]."""
    times_ns: Ints = np.rint(np.arange(n_rows + 1) * (NS_PER_S / fps)).astype(np.int64)
    return times_ns


def pictures(ref: EpisodeRef, files: SourceFiles, window: VideoWindow, threads: Threads) -> Iterator[Picture]:
    """The pictures of one view, unpacked one by one; one that cannot be unpacked is grey and marked as damaged.

    Raises SourceError when the episode's first picture is damaged: then probably all are.
    """
    del threads
    spec, (start, stop) = recipe_part(ref, UmiZarrSource), dataset_part(ref)["rows"]
    edges_ns = row_times(stop - start, spec.fps)
    end_ns = int(edges_ns[-1]) if window.end_ns == TO_THE_END else window.end_ns
    first, last = np.searchsorted(edges_ns[:-1], (window.start_ns, end_ns))
    with opened_buffer(files, ref.file(BUFFER).path) as store:
        array = array_at(store, window.inside)
        for row in range(int(first), int(last)):
            pixels, damaged = np.full(array.shape[1:], _GREY, np.uint8), False
            try:
                pixels = array.rows(start + row, start + row + 1)[0]
            except SourceError:
                if row == 0:
                    raise
                damaged = True
            shown = picture_of_array(pixels, int(edges_ns[row]), int(edges_ns[row + 1]), array.name)
            yield shown._replace(damaged=damaged)
