"""robomimic HDF5: many demos per file, from robosuite, MimicGen, LIBERO, RoboCasa and IsaacLab Mimic.

The layout is one, the conventions are not. The work is split by noun: `robomimic_env` reads what the file says about
robots and controller, `robomimic_demo` lists and identifies demos, `robomimic_arms` knows the names of observations,
`robomimic_actions` makes targets of actions, `robomimic_spans` imports flags.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
    dataset_part,
    declared_defects,
    metadata_of,
    recipe_part,
    reference,
)
from pipeline.sources.robomimic.robomimic_actions import action_track
from pipeline.sources.robomimic.robomimic_demo import Demo, content_paths, demos_of, digest_of, masks_of, said_about
from pipeline.sources.robomimic.robomimic_env import Env, env_of, env_of_json
from pipeline.sources.robomimic.robomimic_spans import spans
from pipeline.sources.storage.hdf5 import Hdf5, opened
from pipeline.sources.storage.hdf5_pictures import row_pictures, row_start_ns
from pipeline.sources.views import still_view
from pipeline.video import Picture, Threads
from schemas.episode import Arm, CameraRole, VideoWindow
from schemas.finding import Finding, Verdict
from schemas.recipe_formats.robomimic import RobomimicSource
from schemas.source import EpisodeRef, SourceFile, SourceKind

TABLE = "table"
SUFFIXES = (".hdf5", ".h5")
_USUAL_FPS = 20.0
_WORN = ("in_hand", "wrist", "gripper", "hand_cam")
_NO_PICTURES = ("depth", "segmentation")
FACTS = FormatFacts(
    title="robomimic HDF5 (robosuite, MimicGen, LIBERO, RoboCasa, IsaacLab Mimic)",
    kinds=(SourceKind.TELEOP, SourceKind.OPEN_ROBOT, SourceKind.RECOVERY),
    layout="any tree of `.hdf5` files with `data/demo_<k>`; pictures are rows of `obs`; identity is the demo's content",
    clock="row i is picture i of every view, at `control_freq` of `env_args`, else 20 Hz, or the recipe's `fps`",
    pose="`eef_pos` and `eef_quat` in metres in the world; IsaacLab Mimic's 4×4 `eef_pose` where it is there",
    rotation="quaternion xyzw; IsaacLab wxyz or matrices, LIBERO rotation vectors",
    gripper="half the jaw's width from `gripper_qpos`, 0 … 0.04 m for a Panda; commanded -1 open, 1 closed, IsaacLab "
    "the other way round",
    commands="OSC_POSE steps scaled by the controller's output range, from the state of their row; other controllers "
    "stay columns",
    language="`ep_meta`, `problem_info`, `env_lang`, attributes of the demo, else the recipe's `instruction`",
    spans="`subtask_term_signals` (subtasks), `mask/*`, `rewards`, `dones`",
    refused="`next_obs`, depth and segmentation pictures, `states` of the simulator",
    tested_on="fixture: robosuite pick-place-can re-packed as robomimic, LIBERO and IsaacLab Mimic write it",
)


def discover(spec: RobomimicSource, files: SourceFiles, digests: DigestCache) -> Iterator[EpisodeRef | Finding]:
    """One reference per demo, files and demos in numeric order; a finding for each file or demo that cannot be read.

    Raises SourceError when there is no demo at all or the recipe's filter key is not there.
    """
    yield from declared_defects(spec)
    paths = [stat for stat in files.list() if PurePosixPath(stat.path).suffix.lower() in SUFFIXES]
    count, trouble = 0, ""
    for stat in sorted(paths, key=lambda stat: natural_key(stat.path)):
        for found in _listed(spec, files, stat, digests):
            count += isinstance(found, EpisodeRef)
            trouble = trouble or (found.message if isinstance(found, Finding) else "")
            yield found
    if not count:
        reason = trouble or f"no {' or '.join(SUFFIXES)} file below it; correct `path` of source {spec.name}"
        raise SourceError(f"{files.root}: no robomimic demo: {reason}")


@dataclass(frozen=True, eq=False)
class _Listing:
    """An open file whose demos are being listed."""

    spec: RobomimicSource
    files: SourceFiles
    digests: DigestCache
    stat: FileStat
    file: Hdf5
    env: Env
    masks: Mapping[str, set[str]]


def _listed(
    spec: RobomimicSource, files: SourceFiles, stat: FileStat, digests: DigestCache
) -> Iterator[EpisodeRef | Finding]:
    try:
        with opened(files, stat.path) as file:
            env = env_of(file.attributes("/data"))
            listing = _Listing(spec, files, digests, stat, file, env, masks_of(file))
            for demo in _chosen(listing):
                yield _reference(listing, demo)
    except SourceError as error:
        yield about_source(spec.name, "file_unreadable", str(error), verdict=Verdict.DROP)


def _chosen(listing: _Listing) -> list[str]:
    """The demos that the recipe wants, in numeric order."""
    file, key = listing.file, listing.spec.filter_key
    demos = demos_of(file)
    if not demos:
        there = ", ".join(file.keys()[:12]) or "nothing"
        raise SourceError(f"{file.name}: no demo below /data, found {there}; remove the file or use its format")
    if key is None:
        return demos
    if key not in listing.masks:
        there = ", ".join(sorted(listing.masks)) or "none"
        raise SourceError(f"{file.name}: no filter key {key!r} in mask, found {there}; correct `filter_key`")
    return [demo for demo in demos if demo in listing.masks[key]]


def _reference(listing: _Listing, demo: str) -> EpisodeRef | Finding:
    """One demo; a finding when it cannot be read, which says nothing about the others."""
    spec, file, stat, env = listing.spec, listing.file, listing.stat, listing.env
    try:
        part = said_about(file, demo, listing.masks)
        sha256 = digest_of(file, demo, listing.files, stat, listing.digests)
        n_bytes = sum(file.stored_bytes(path) for path in content_paths(file, f"/data/{demo}"))
    except SourceError as error:
        message = f"{error} ({demo} is left out, the others are not)"
        return about_source(spec.name, "demo_unreadable", message, verdict=Verdict.DROP)
    read_alike = spec.model_copy(update={"filter_key": None})  # which demos are wanted changes none of them
    return reference(
        spec,
        listing.files.root,
        embodiment="+".join(robot.lower() for robot in env.robots) or "unknown",
        locator=f"{stat.path}#{demo}",
        files=(SourceFile(TABLE, stat.path, sha256, n_bytes),),
        metadata=metadata_of(read_alike, {**part, "env": env.as_json()}),
        inside="",
    )


def read(ref: EpisodeRef, files: SourceFiles) -> RawEpisode:
    """One demo's tables. Raises SourceError when they do not belong together."""
    spec, part = recipe_part(ref, RobomimicSource), dataset_part(ref)
    env = env_of_json(part["env"])
    fps = _fps(spec, env)
    with opened(files, ref.file(TABLE).path) as file:
        demo = Demo(ref, spec, env, part, file, fps)
        actions, findings = action_track(demo)
        edges_ns = np.array([row_start_ns(row, fps) for row in range(actions.n_rows + 1)], np.int64)
        annotations, seen = spans(demo, edges_ns)
        cameras = _cameras(demo, actions.n_rows)
    return RawEpisode(
        instruction=part["language"] or env.language,
        cameras=tuple(cameras),
        actions=actions,
        rows_are_frames=True,
        annotations=tuple(annotations),
        findings=(*findings, *seen, *_said_findings(demo, actions.n_rows), *_flip_findings(demo, cameras)),
    )


def pictures(ref: EpisodeRef, files: SourceFiles, window: VideoWindow, _threads: Threads) -> Iterator[Picture]:
    """The pictures of one view, row i at ``i / fps`` seconds, upright."""
    spec, env = recipe_part(ref, RobomimicSource), env_of_json(dataset_part(ref)["env"])
    path = ref.file(window.part).path
    return row_pictures(files, path, window, _fps(spec, env), flipped=_is_flipped(spec, env))


def _fps(spec: RobomimicSource, env: Env) -> float:
    return spec.fps or env.fps or _USUAL_FPS


def _is_flipped(spec: RobomimicSource, env: Env) -> bool:
    if spec.flip_images is not None:
        return spec.flip_images == "vertical"
    return env.convention == "opengl"


def _said_findings(demo: Demo, n_rows: int) -> Iterator[Finding]:
    """Where the file's own words about rate and length are missing or wrong."""
    if demo.env.fps is None and demo.spec.fps is None:
        message = f"env_args has no control_freq; {demo.fps:g} rows per second assumed: set `fps`"
        yield about_episode(demo.ref, "rate_not_stated", message, demo.fps)
    stated = demo.part["num_samples"]
    if stated not in (None, n_rows):
        message = f"its attribute num_samples says {stated} rows, actions has {n_rows}; rows count"
        yield about_episode(demo.ref, "row_count_disagrees", message, n_rows, stated)


def _flip_findings(demo: Demo, cameras: Sequence[RawCamera]) -> Iterator[Finding]:
    if demo.spec.flip_images is not None or not cameras:
        return
    if demo.env.convention == "opengl":
        message = "the file says that its pictures are upside down (opengl); they were turned over"
        yield about_episode(demo.ref, "pictures_flipped", message)
    elif demo.env.libero and not demo.env.convention:
        message = "LIBERO keeps pictures upside down, but this file does not say so; look at one and set `flip_images`"
        yield about_episode(demo.ref, "flip_not_stated", message)


def _cameras(demo: Demo, n_rows: int) -> list[RawCamera]:
    spec, file, group = demo.spec, demo.file, f"{demo.group}/obs"
    keys = sorted(_pictured(file, group), key=_camera_rank) if spec.cameras is None else spec.cameras
    cameras = []
    for key in keys:
        file.dataset(f"{group}/{key}")
        name = key.removesuffix("_image").removesuffix("_rgb")
        camera = still_view(demo.ref, TABLE, name, f"{group}/{key}", fps=demo.fps, n_frames=n_rows)
        if "in_hand" in key and name not in spec.camera_roles:
            arm = Arm.LEFT if "left" in key else spec.arms.get(key.partition("_")[0], Arm.RIGHT)
            role = CameraRole.WRIST_LEFT if arm is Arm.LEFT else CameraRole.WRIST_RIGHT
            camera = dataclasses.replace(camera, role=role)
        cameras.append(camera)
    return cameras


def _pictured(file: Hdf5, group: str) -> Iterator[str]:
    """Keys of ``obs`` that hold colour pictures."""
    for key in file.keys(group):
        if not any(word in key for word in _NO_PICTURES) and file.is_pictures(f"{group}/{key}"):
            yield key


def _camera_rank(key: str) -> tuple[int, str]:
    """Views of the scene before views from the hand; robosuite's own agentview first."""
    if any(word in key for word in _WORN):
        return (2, key)
    return (0 if key.startswith("agentview") else 1, key)
