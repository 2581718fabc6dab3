"""Raw UMI sessions: GoPro videos and the camera trajectories that UMI's SLAM pipeline put beside them.

Every ``demos/demo_*`` is an episode. Grippers that were recorded together are not paired: their videos start by hand
at different moments, and nothing but the cameras' clocks ties them. UMI's own results beyond the trajectory are
pickles (``tag_detection.pkl``, ``dataset_plan.pkl``), which can run anything and are never read; how wide the gripper
is open is measured again from the video where the recipe asks for it (`umi_gripper`, `umi_opening`).

The pose is of the finger tips: UMI's scripts put them below the lens and ahead of it by the three lengths of the
recipe. What a session says once for all its demos (`umi_calibration`) belongs to an episode's metadata, so that
mending it reads the episodes anew and leaves their ids alone.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from pipeline.errors import SourceError
from pipeline.files import SourceFiles
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
    source_files,
)
from pipeline.sources.umi.umi_calibration import DEMO, VIDEO, Listed, Session, read_session, stated_lens
from pipeline.sources.umi.umi_gripper import Lens
from pipeline.sources.umi.umi_opening import Opening, measured_opening
from pipeline.sources.umi.umi_trajectory import Trajectory, finger_tips, read_trajectory
from pipeline.sources.views import Claims, part_of, view
from pipeline.video import choose_stream, streams_of
from schemas.array import Bools, Floats
from schemas.episode import ActionKind, ActionTrack, Arm, ArmTrack
from schemas.finding import Finding, Verdict
from schemas.recipe_formats.umi_session import UmiSessionSource
from schemas.source import EpisodeRef, SourceKind
from schemas.time import NS_PER_S

TRAJECTORY = "trajectory"
_TABLE = "camera_trajectory.csv"
_IN_DEMOS = re.compile(r"^((?:.*/)?demos)/([^/]+)/[^/]+$")
_PICKLES = ("tag_detection.pkl", "dataset_plan.pkl")
FACTS = FormatFacts(
    title="UMI raw session",
    kinds=(SourceKind.UMI,),
    layout="`demos/demo_<serial>_<time>/raw_video.mp4` and `camera_trajectory.csv`, `demos/mapping/tx_slam_tag.json`, "
    "`demos/gripper_calibration_*/gripper_range.json`; one episode per demo, grippers are not paired",
    clock="row `frame_idx` is that frame of the video; the pictures' times count",
    pose="the camera's SLAM pose moved to the finger tips (`camera_height_m`, `mount_offset_m`, `tcp_offset_m`), "
    "metres, frame `tag`, or `slam` without a tag; rows that are lost are invalid",
    rotation="`q_x q_y q_z q_w`; axes of the camera (x right, y down, z forward)",
    gripper="with `detect_gripper`, the distance of the finger tags (ArUco 4x4_50, tags 6g and 6g + 1) in the video: "
    "metric with `intrinsics`, else in pixels, in the range of the calibration",
    commands="none: a policy's target is a later row; `target` is empty",
    language="none; the recipe's `instruction`",
    spans="-",
    refused="`tag_detection.pkl`, `dataset_plan.pkl` (pickles run code); `imu_data.json`, `slam_mask.png`, mapping and "
    "calibration videos are passed over",
    tested_on="fixture: robosuite poses as a trajectory, tags drawn by OpenCV at known widths",
)


def discover(spec: UmiSessionSource, files: SourceFiles, digests: DigestCache) -> Iterator[EpisodeRef | Finding]:
    """One reference per demo that has a video, by path. Raises SourceError when there is none."""
    yield from declared_defects(spec)
    listed = Listed(spec, files, digests, {stat.path: stat for stat in files.list()})
    sessions: dict[str, set[str]] = {}
    for path in listed.stats:
        if place := _IN_DEMOS.match(path):
            sessions.setdefault(place[1], set()).add(place[2])
    if not any(DEMO.match(folder) for folders in sessions.values() for folder in folders):
        has_raw = any("raw_videos" in path.split("/") for path in listed.stats)
        todo = "run UMI's SLAM pipeline on raw_videos/ first" if has_raw else f"correct `path` of source {spec.name}"
        raise SourceError(f"{files.root}: no folder demos/demo_<serial>_<time> with files below it; {todo}")
    lens = stated_lens(spec, files)
    yield from _pickles(listed)
    for demos, names in sorted(sessions.items()):
        folders = sorted(names)
        session = read_session(listed, demos, folders)
        yield from session.findings
        for folder in folders:
            if not DEMO.match(folder):
                continue
            if f"{demos}/{folder}/{VIDEO}" in listed.stats:
                yield _reference(listed, f"{demos}/{folder}", session, lens)
            else:
                message = f"{spec.name}: {demos}/{folder} has no {VIDEO}; it is left out"
                yield about_source(spec.name, "video_missing", message, verdict=Verdict.DROP)


def _pickles(listed: Listed) -> Iterator[Finding]:
    spec = listed.spec
    found = [path for path in listed.stats if path.rpartition("/")[2] in _PICKLES]
    if found:
        instead = "measured from the video" if spec.detect_gripper else "left out; set `detect_gripper` to measure it"
        message = (
            f"{spec.name}: pickles ({len(found)}, first {found[0]}) are never read, because a pickle can run anything; "
            f"the gripper's opening is {instead}"
        )
        yield about_source(spec.name, "pickle_refused", message, value=len(found))


def _reference(listed: Listed, folder: str, session: Session, lens: dict[str, Any] | None) -> EpisodeRef:
    spec, files = listed.spec, listed.files
    match = DEMO.match(folder.rpartition("/")[2])
    serial = match["serial"] if match else ""
    arm = spec.arms.get(serial, Arm.RIGHT)
    parts = {part_of(_camera(arm)): f"{folder}/{VIDEO}", TRAJECTORY: f"{folder}/{_TABLE}"}
    stats = [(part, listed.stats[path]) for part, path in parts.items() if path in listed.stats]
    gripper = session.grippers.get(serial, {}) if spec.detect_gripper else {}
    return reference(
        spec,
        files.root,
        embodiment="umi_gripper",
        locator=folder,
        files=source_files(files, listed.digests, stats),
        metadata=metadata_of(spec, {"arm": str(arm), "tag": session.tag, "gripper": gripper, "lens": lens}),
        inside="",
    )


def _camera(arm: Arm) -> str:
    return f"wrist_{arm}"


def read(ref: EpisodeRef, files: SourceFiles) -> RawEpisode:
    """One demo. Raises SourceError when its table or, where the gripper is measured, its video cannot be read."""
    spec, dataset = recipe_part(ref, UmiSessionSource), dataset_part(ref)
    findings = list[Finding]()
    trajectory = None
    if any(file.part == TRAJECTORY for file in ref.files):
        trajectory = read_trajectory(files, ref.file(TRAJECTORY).path)
        findings += _about_trajectory(ref, trajectory)
    else:
        message = f"it has no {_TABLE}: SLAM failed or has not run; the demo has pictures only"
        findings.append(about_episode(ref, "trajectory_missing", message))
    claims = Claims(fps=spec.fps, frames=None if trajectory is None else len(trajectory.positions))
    camera, seen = view(ref, files, _camera(Arm(dataset["arm"])), claims)
    lens = _lens(ref, files, camera, dataset["lens"])
    opening = None
    if spec.detect_gripper:
        opening = measured_opening(ref, files, camera.video, dataset["gripper"], lens)
        findings += opening.findings
    if lens is not None:
        camera = replace(camera, intrinsics=lens.matrix, distortion=lens.distortion)
    return RawEpisode(
        instruction="",
        cameras=(camera,),
        actions=_track(ref, spec, dataset, trajectory, opening),
        rows_are_frames=True,
        annotations=(),
        findings=(*seen, *findings),
    )


def _about_trajectory(ref: EpisodeRef, trajectory: Trajectory) -> Iterator[Finding]:
    n_rows, lost, missing = len(trajectory.lost), int(trajectory.lost.sum()), int(trajectory.missing.sum())
    if lost:
        message = f"SLAM was lost in {lost} of {n_rows} frames; their poses are left out"
        yield about_episode(ref, "tracking_lost", message, lost / n_rows, 0)
    if missing:
        message = f"{missing} of {n_rows} frames have no row, or one that holds no pose"
        yield about_episode(ref, "rows_missing", message, missing, 0)


def _lens(ref: EpisodeRef, files: SourceFiles, camera: RawCamera, stated: dict[str, Any] | None) -> Lens | None:
    """The recipe's lens at the size of this video's pictures."""
    if stated is None:
        return None
    path = ref.file(camera.video.part).path
    with files.open(path) as file:
        stream = choose_stream(streams_of(file, files.url_of(path)))
    lens = Lens(stated["width"], stated["height"], np.array(stated["matrix"]), np.array(stated["distortion"]))
    return lens.scaled(stream.width, stream.height)


def _track(
    ref: EpisodeRef,
    spec: UmiSessionSource,
    dataset: Mapping[str, Any],
    trajectory: Trajectory | None,
    opening: Opening | None,
) -> ActionTrack | None:
    """The finger tips and how far they are open; rows are the trajectory's, or the video's where there is none."""
    if trajectory is None and (opening is None or opening.opening is None):
        return None
    n_rows = len(trajectory.positions) if trajectory is not None else len(opening.width) if opening is not None else 0
    valid: Bools = np.ones(n_rows, np.bool_)
    position = rotation = None
    if trajectory is not None:
        offset = (0.0, spec.camera_height_m, spec.mount_offset_m + spec.tcp_offset_m)
        places, turns = finger_tips(trajectory, dataset["tag"], offset)
        position, rotation = places.astype(np.float32), turns[:, :2].reshape(-1, 6).astype(np.float32)
        valid = valid & np.isfinite(position).all(axis=1)
    openness = None if opening is None or opening.opening is None else _fitted(opening.opening, n_rows)
    if openness is not None:
        valid = valid & np.isfinite(openness)
    return ActionTrack(
        episode_id=ref.episode_id,
        kind=ActionKind.MEASURED,
        provenance="; ".join(_provenance(spec, trajectory, opening)),
        times_ns=np.rint(np.arange(n_rows) * (NS_PER_S / spec.fps)).astype(np.int64),
        valid=valid,
        state=(ArmTrack(Arm(dataset["arm"]), position, rotation, openness, None, 0),),
        target=(),
        joint_names=() if opening is None else (f"tag_distance_{opening.unit}",),
        joint_state=None if opening is None else _fitted(opening.width, n_rows),
        joint_target=None,
        frame="slam" if dataset["tag"] is None else "tag",
    )


def _fitted(values: Floats, n_rows: int) -> Floats:
    """One value per row; rows beyond the video have none."""
    fitted = np.full(n_rows, np.nan, np.float32)
    fitted[: len(values)] = values[:n_rows]
    return fitted


def _provenance(spec: UmiSessionSource, trajectory: Trajectory | None, opening: Opening | None) -> Iterator[str]:
    if trajectory is not None:
        ahead, below = spec.mount_offset_m + spec.tcp_offset_m, spec.camera_height_m
        yield f"camera_trajectory.csv, finger tips {ahead:g} m ahead of the lens and {below:g} m below"
    if opening is not None:
        yield f"opening from ArUco tags in {opening.unit}"
    yield "no commands recorded"
