"""ALOHA episodes: ACT's HDF5 files, and those of Mobile ALOHA, AgileX and RoboTwin, which kept the layout.

One file is one episode; row i of all its tables was recorded together with picture i of every view. The arms are known
by their joints only, so that they have no position here; kinematics adds one from the joint names. The gripper is the
seventh number of each arm. Velocities and efforts are left where they are: they are no joint positions, and everything
that looks at joint columns takes them for such.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

import numpy as np

from pipeline.errors import SourceError
from pipeline.files import FileStat, SourceFiles
from pipeline.fingerprint import DigestCache
from pipeline.sources.facts import FormatFacts
from pipeline.sources.natural_order import natural_key
from pipeline.sources.raw import RawCamera, RawEpisode
from pipeline.sources.reference import (
    about_episode,
    about_source,
    declared_defects,
    metadata_of,
    recipe_part,
    reference,
    source_files,
)
from pipeline.sources.storage.hdf5 import Hdf5, opened
from pipeline.sources.storage.hdf5_pictures import row_pictures, row_start_ns
from pipeline.sources.tabular_actions import Control, Native, tabular_track
from pipeline.sources.views import still_view
from pipeline.video import Picture, Threads
from schemas.array import Floats
from schemas.episode import ActionTrack, Arm, CommandMode, CommandSpace, VideoWindow
from schemas.finding import Finding, Verdict
from schemas.recipe_columns import ArmColumns, OpeningColumns
from schemas.recipe_commands import Commands
from schemas.recipe_formats.aloha import AlohaSource
from schemas.source import EpisodeRef, SourceKind

TABLE = "table"
SUFFIXES = (".hdf5", ".h5")
IMAGES = "/observations/images"
JOINTS = ("waist", "shoulder", "elbow", "forearm_roll", "wrist_angle", "wrist_rotate")
BASE = ("base.linear.vel", "base.angular.vel")
"""Of Mobile ALOHA: m/s and rad/s."""
_MASTERS = ("cam_high", "top", "cam_head", "head")
_TEXTS = ("language_instruction", "instruction", "task_description", "task", "language_raw")
_METRES = 0.15
"""No normalised gripper stays below it for a whole recording; jaws measured in metres always do."""
FACTS = FormatFacts(
    title="ALOHA HDF5 (ACT, Mobile ALOHA, AgileX, RoboTwin)",
    kinds=(SourceKind.TELEOP, SourceKind.SELF_COLLECTED),
    layout="any tree of `.hdf5` files, one per episode; pictures raw, or JPEG padded or of any length",
    clock="row i is picture i of every view; `fps` of the recipe (50), the files have no times",
    pose="joints only: `/observations/qpos` in radians, 7 per arm, left before right",
    rotation="-",
    gripper="7th number of each arm, normalised, 0 closed and 1 open; the recipe may say otherwise",
    commands="absolute joint positions of the leader arms; Mobile ALOHA's base velocities beside them",
    language="an attribute or text `language_instruction`, `instruction`, `task` …, else the recipe's `instruction`",
    spans="-",
    refused="`qvel`, `effort` and `images_depth` are left where they are",
    tested_on="fixture: robosuite pick-place-can re-packed as ACT and Mobile ALOHA write it",
)


def discover(spec: AlohaSource, files: SourceFiles, digests: DigestCache) -> Iterator[EpisodeRef | Finding]:
    """One reference per HDF5 file, in numeric order. Raises SourceError when there is none."""
    yield from declared_defects(spec)
    metadata = metadata_of(spec, {})
    found = [stat for stat in files.list() if PurePosixPath(stat.path).suffix.lower() in SUFFIXES]
    if not found:
        raise SourceError(
            f"{files.root}: no {' or '.join(SUFFIXES)} file below it; correct `path` of source {spec.name}"
        )
    for stat in sorted(found, key=lambda stat: natural_key(stat.path)):
        if stat.size == 0:
            message = f"{spec.name}: {stat.path} is empty; fetch it again or remove it"
            yield about_source(spec.name, "empty_file", message, verdict=Verdict.DROP)
        else:
            yield _reference(spec, files, stat, digests, metadata)


def _reference(
    spec: AlohaSource, files: SourceFiles, stat: FileStat, digests: DigestCache, metadata: str
) -> EpisodeRef:
    return reference(
        spec,
        files.root,
        embodiment="aloha",
        locator=stat.path,
        files=source_files(files, digests, [(TABLE, stat)]),
        metadata=metadata,
        inside="",
    )


def read(ref: EpisodeRef, files: SourceFiles) -> RawEpisode:
    """One file's tables. Raises SourceError when they are not those of two ALOHA arms."""
    spec = recipe_part(ref, AlohaSource)
    with opened(files, ref.file(TABLE).path) as file:
        actions, findings = _track(ref, spec, file)
        cameras, seen = _cameras(ref, spec, file, actions.n_rows)
        instruction = _instruction(file)
    return RawEpisode(
        instruction=instruction,
        cameras=tuple(cameras),
        actions=actions,
        rows_are_frames=True,
        annotations=(),
        findings=(*findings, *seen),
    )


def pictures(ref: EpisodeRef, files: SourceFiles, window: VideoWindow, _threads: Threads) -> Iterator[Picture]:
    """The pictures of one view, row i at ``i / fps`` seconds."""
    spec = recipe_part(ref, AlohaSource)
    path = ref.file(window.part).path
    return row_pictures(files, path, window, spec.fps, bgr=spec.colours == "bgr")


def _track(ref: EpisodeRef, spec: AlohaSource, file: Hdf5) -> tuple[ActionTrack, list[Finding]]:
    names = joint_names(spec)
    state, command = file.numbers("/observations/qpos"), file.numbers("/action")
    if state.shape[1] != len(names):
        raise SourceError(
            f"{file.name}: /observations/qpos has {state.shape[1]} values per row, expected {len(names)}: "
            f"{', '.join(names)}; other arms need `joint_names`"
        )
    if not len(state) or len(command) != len(state):
        raise SourceError(
            f"{file.name}: /action has {len(command)} rows, /observations/qpos {len(state)}; expected one of each per "
            "moment: record the episode again"
        )
    target = _commands(file, names, command)
    tables = {"/observations/qpos": state, "/action": command}
    width = len(names) // 2
    track, findings = tabular_track(
        ref,
        Control(
            where=file.name,
            times_ns=np.array([row_start_ns(row, spec.fps) for row in range(len(state))], np.int64),
            period_s=1.0 / spec.fps,
            numbers=tables.__getitem__,
            state=Native(names, state, ["/observations/qpos"]),
            target=target,
        ),
        state=_grippers(spec, "/observations/qpos", width),
        target=_grippers(spec, "/action", width),
        commands=Commands(mode=CommandMode.ABSOLUTE, space=CommandSpace.JOINT, frame="joint"),
        frame="base",
    )
    assert track is not None
    whole = np.isfinite(state).all(axis=1) & np.isfinite(target.values).all(axis=1)
    if not whole.all():
        bad = int(np.count_nonzero(~whole))
        findings.append(about_episode(ref, "joints_not_finite", f"{bad} rows have a joint without a number", bad, 0))
    findings += _gripper_findings(ref, spec, state[:, [width - 1, 2 * width - 1]])
    return dataclasses.replace(track, valid=track.valid & whole), findings


def joint_names(spec: AlohaSource) -> list[str]:
    """The columns of ``qpos`` in order: left arm and gripper, right arm and gripper."""
    joints = [*(spec.joint_names or JOINTS), "gripper"]
    return [f"{arm}_{joint}" for arm in Arm for joint in joints]


def _commands(file: Hdf5, names: list[str], command: Floats) -> Native:
    """The commanded joints, and the base's velocities: two more numbers of the action, or a table of their own."""
    columns: list[str] = ["/action"]
    extra: Floats = np.zeros((len(command), 0))
    if command.shape[1] == len(names) + len(BASE):
        command, extra = command[:, : len(names)], command[:, len(names) :]
    elif file.has("/base_action"):
        extra, columns = file.numbers("/base_action", len(BASE)), ["/action", "/base_action"]
    if command.shape[1] != len(names) or len(extra) != len(command):
        raise SourceError(
            f"{file.name}: /action has {command.shape[1]} values per row and {len(command)} rows, the base "
            f"{len(extra)} rows; expected {len(names)} joints, or {len(names) + len(BASE)} with the base's velocities"
        )
    return Native([*names, *BASE[: extra.shape[1]]], np.concatenate([command, extra], axis=1), columns)


def _grippers(spec: AlohaSource, column: str, width: int) -> list[ArmColumns]:
    return [
        ArmColumns(
            arm=arm,
            opening=OpeningColumns(
                column=column, start=last, stop=last + 1, closed=spec.gripper_closed, open=spec.gripper_open
            ),
        )
        for arm, last in zip(Arm, (width - 1, 2 * width - 1), strict=True)
    ]


def _gripper_findings(ref: EpisodeRef, spec: AlohaSource, raw: Floats) -> Iterator[Finding]:
    """Normalised is what the format says; AgileX writes metres into the same place."""
    finite = raw[np.isfinite(raw)]
    most = float(np.abs(finite).max(initial=0.0))
    if finite.size and np.ptp(finite) > 0 and (spec.gripper_closed, spec.gripper_open) == (0.0, 1.0) and most < _METRES:
        message = (
            f"no gripper gets further than {most:.3g} of 0 closed … 1 open; if these are metres, set `gripper_open`"
        )
        yield about_episode(ref, "gripper_units_doubtful", message, value=most, threshold=_METRES)


def _cameras(ref: EpisodeRef, spec: AlohaSource, file: Hdf5, n_rows: int) -> tuple[list[RawCamera], list[Finding]]:
    names = camera_order(file.keys(IMAGES)) if spec.cameras is None else spec.cameras
    cameras, packed = [], []
    for name in names:
        inside = f"{IMAGES}/{name}"
        if len(file.shape(inside)) < 3:  # rows of bytes instead of pixels
            packed.append(name)
        cameras.append(still_view(ref, TABLE, name, inside, fps=spec.fps, n_frames=n_rows))
    findings = []
    if packed and spec.colours is None:
        message = (
            f"the pictures of {', '.join(packed)} are JPEG, read as JPEG says; OpenCV swaps red and blue when RGB "
            "pixels are packed with it, as many recorders do: look at one and set `colours` to rgb or bgr"
        )
        findings.append(about_episode(ref, "colour_order_assumed", message))
    return cameras, findings


def camera_order(names: Sequence[str]) -> list[str]:
    """The overhead view first: it sees both arms. Then the others, sorted."""
    master = next((name for name in _MASTERS if name in names), None)
    return sorted(names, key=lambda name: (name != master, name))


def _instruction(file: Hdf5) -> str:
    """The first text that says what is done; ACT's own files have none."""
    stated = file.attributes()
    for name in _TEXTS:
        if isinstance(stated.get(name), str) and stated[name].strip():
            return str(stated[name]).strip()
    datasets = (f"/{name}" for name in _TEXTS if file.is_text(f"/{name}"))  # some keep an embedding under that name
    return next((text.strip() for path in datasets for text in file.texts(path) if text.strip()), "")
